"""What the learners that train a network share: the check of their settings, and a learning rate that falls."""

from collections.abc import Mapping

import torch

from foundations.errors import require


def require_settings(
    learning_rate: float, max_norm: float, shares: Mapping[str, float], weights: Mapping[str, float]
) -> None:
    """Raises: InputError for a rate or a norm that is not above 0, a share outside [0, 1], a weight below 0."""
    require(0 < learning_rate < float("inf"), "learning_rate", learning_rate, "a finite number above 0")
    require(max_norm > 0, "max_norm", max_norm, "above 0")
    for name, share in shares.items():
        require(0 <= share <= 1, name, share, "between 0 and 1")
    for name, weight in weights.items():
        require(weight >= 0, name, weight, "at least 0")


def set_learning_rate(optimizer: torch.optim.Optimizer, first: float, done: float) -> float:
    """Set the rate on the straight line from `first` to 0 where the share `done` of the run is over.

    Returns the factor 1 - done by which it was set.
    """
    left = 1 - done
    for group in optimizer.param_groups:
        group["lr"] = first * left
    return left
