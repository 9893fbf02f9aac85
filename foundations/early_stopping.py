"""Early stopping: end training when validation has stopped improving, and go back to the best weights."""

import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

from torch import Tensor, nn

from foundations.errors import InputError, require, require_choice

Mode = Literal["min", "max"]
"""Whether the watched figure is better when small (a loss) or when large (an accuracy)."""


class EarlyStopping:
    """Stops after `patience` validations in a row without improvement, and keeps the best weights met so far.

    A value v improves on the best b where v < b - min_delta (`mode` "min") or v > b + min_delta ("max"); NaN and
    infinities improve on nothing. `patience` counts validations, not steps. `metric` is the name of the figure that
    the learner hands over. The copy of the weights (buffers included) lies on the network's device.

    Raises: InputError unless patience >= 1, min_delta >= 0 and `mode` is "min" or "max".
    Source: Prechelt 1998, "Early Stopping - But When?", Neural Networks: Tricks of the Trade.
    """

    def __init__(
        self, patience: int, metric: str = "validation/loss", mode: Mode = "min", min_delta: float = 0.0
    ) -> None:
        require(patience >= 1, "patience", patience, "at least 1 validation")
        require_choice("mode", mode, get_args(Mode))
        require(0 <= min_delta < math.inf, "min_delta", min_delta, "at least 0 and finite")
        self.patience, self.metric, self.mode, self.min_delta = patience, metric, mode, min_delta
        self.best: float | None = None
        self.best_step: int | None = None
        self.waited = 0
        self._weights: dict[str, Tensor] | None = None

    @property
    def stopped(self) -> bool:
        """Whether patience has run out."""
        return self.waited >= self.patience

    def update(self, value: float | Tensor, network: nn.Module, step: int) -> bool:
        """Take the figure of one validation, `network` as it was measured; True: stop now.

        Reading `value` from an accelerator waits for it: once a validation, not once a step.
        """
        value = float(value)
        if self._improves(value):
            self.best, self.best_step, self.waited = value, step, 0
            self._weights = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        else:
            self.waited += 1
        return self.stopped

    def _improves(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        if self.best is None:
            return True
        gained = self.best - value if self.mode == "min" else value - self.best
        return gained > self.min_delta

    def restore(self, network: nn.Module) -> None:
        """Put the best weights back into `network`. Raises: InputError where no value was finite yet."""
        if self._weights is None:
            raise InputError(
                f"best=None: must be known: no finite {self.metric} was seen, so there are no best weights"
            )
        network.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """Best value, its step and weights, and the validations waited since."""
        return {"best": self.best, "best_step": self.best_step, "waited": self.waited, "weights": self._weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        self.best, self.best_step, self.waited = state["best"], state["best_step"], state["waited"]
        self._weights = state["weights"]
