"""A network that reads rows of a table and answers in the target's own unit."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from torch import Tensor, nn

from foundations.errors import require
from foundations.evaluation import predict

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


class TableRegressor:
    """A network with all that its training rows teach besides weights: what prepares features, the target's scale.

    `inputs` (from `table_pipeline`) is fitted on `rows`; `build` makes the network for that many features. It learns
    the standardised target t = (y - mean) / std; its answer is turned back, y = std t + mean, and kept within the
    values of the training rows. To train: a `SupervisedLearner` of `network` with `features(rows)`, `targets(rows)`.

    Raises: InputError for a target that is missing in a row, not finite, or the same in all.
    """

    def __init__(
        self,
        inputs: ColumnTransformer,
        build: Callable[[int], nn.Module],
        rows: "pd.DataFrame",
        target: str,
        device: torch.device | str = "cpu",
    ) -> None:
        self.target, self.device = target, torch.device(device)
        values = self.values(rows)
        require(bool(np.isfinite(values).all()), target, "a gap or infinity", "a finite number in every row")
        self.mean, self.std = float(values.mean()), float(values.std())
        self.lowest, self.highest = float(values.min()), float(values.max())
        require(self.lowest < self.highest, target, self.lowest, "more than one value over the rows")
        self.inputs = inputs.fit(rows)
        self.network = build(self.features(rows).shape[1]).to(self.device)

    def values(self, rows: "pd.DataFrame") -> Array:
        """The target in its own unit. Shape: (n,)."""
        return np.asarray(rows[self.target], dtype=np.float64)

    def features(self, rows: "pd.DataFrame") -> Tensor:
        """What the network takes. Shape: (n, features), float32."""
        return torch.from_numpy(self.inputs.transform(rows)).float().to(self.device)

    def targets(self, rows: "pd.DataFrame") -> Tensor:
        """What the network learns. Shape: (n, 1), float32."""
        standard = (self.values(rows) - self.mean) / self.std
        return torch.from_numpy(standard).float().unsqueeze(1).to(self.device)

    def fit(self, rows: "pd.DataFrame", values: object = None) -> Self:
        """Nothing: the network learns elsewhere. scikit-learn's inspection asks for the method."""
        return self

    def predict(self, rows: "pd.DataFrame") -> Array:
        """The target of each row in its own unit. Shape: (n,)."""
        standard: Array = predict(self.network, self.features(rows)).squeeze(1).double().cpu().numpy()
        return np.clip(standard * self.std + self.mean, self.lowest, self.highest)

    def in_units(self) -> nn.Module:
        """The network with the way back to the target's unit behind it: (n, features) -> (n, 1)."""
        return nn.Sequential(self.network, Rescale(self.std, self.mean))


class Rescale(nn.Module):
    """y = scale x + shift, both fixed. Shapes: any, kept."""

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: float, shift: float) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale))
        self.register_buffer("shift", torch.tensor(shift))

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: any, kept."""
        return self.scale * x + self.shift
