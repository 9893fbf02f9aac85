"""Models whose reasons are known, because they were planted: what an explainer must find."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foundations.errors import require

Array = NDArray[np.float64]
MOST = 5
"""Columns that matter, at most."""


@dataclass(frozen=True, eq=False)
class PlantedModel:
    """A classifier of rows in which `columns` alone matter, each through a curve that rises or falls throughout.

    P(yes) = sigmoid(sum_j slope_j tanh(z_j)), z the columns less `mean`, over `deviation`.
    """

    columns: NDArray[np.int64]
    slopes: Array
    mean: Array
    deviation: Array

    def __call__(self, rows: Array) -> Array:
        """P(no) and P(yes): (n, columns) -> (n, 2)."""
        standard = (rows[:, self.columns] - self.mean) / self.deviation
        p = 1 / (1 + np.exp(-np.tanh(standard) @ self.slopes))
        return np.stack([1 - p, p], axis=1)


def plant(rows: Array, seed: int) -> PlantedModel:
    """A model in which one to five of the columns of `rows` matter, with slopes of size 0.5 to 2.

    Shapes: rows (n, columns). Raises: InputError for fewer than two columns that vary: none would be left out.
    """
    deviation = rows.std(axis=0)
    varying = np.flatnonzero(deviation > 0)
    require(len(varying) >= 2, "columns that vary", len(varying), "at least 2")
    random = np.random.default_rng(seed)
    count = int(random.integers(1, min(MOST, len(varying) - 1) + 1))
    columns = random.choice(varying, count, replace=False)
    slopes = random.uniform(0.5, 2, count) * random.choice([-1, 1], count)
    return PlantedModel(columns, slopes, rows.mean(axis=0)[columns], deviation[columns])
