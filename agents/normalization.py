"""Observations and rewards on a common scale, by what was seen so far; never the scale of evaluation.

Source: Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from foundations.errors import require

Array = NDArray[Any]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

TINY = 1e-8
"""Added to variances: what never varied is not divided by 0."""


class Moments:
    """Running mean and variance of numbers (*shape), batch by batch, in double precision.

    Two sets of n and m numbers with means a, b and sums of squared deviations A, B make one of n + m with
    mean a + (b - a) m / (n + m) and A + B + (b - a)^2 n m / (n + m).
    """

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.count = 0
        self.mean: Doubles = np.zeros(shape)
        self._squares: Doubles = np.zeros(shape)

    @property
    def variance(self) -> Doubles:
        """The mean squared deviation; 1 before there is any number. Shape: as the numbers'."""
        return self._squares / self.count if self.count else np.ones_like(self.mean)

    def update(self, batch: Array) -> None:
        """Take in `batch` (n, *shape)."""
        number = len(batch)
        if number == 0:
            return
        batch = np.asarray(batch, np.float64)
        mean = batch.mean(axis=0)
        total = self.count + number
        ahead = mean - self.mean
        self._squares = (
            self._squares + np.square(batch - mean).sum(axis=0) + np.square(ahead) * (self.count * number / total)
        )
        self.mean = self.mean + ahead * (number / total)
        self.count = total

    def state_dict(self) -> dict[str, Any]:
        """Count, mean and sum of squared deviations."""
        mean, squares = torch.tensor(self.mean), torch.tensor(self._squares)
        return {"count": self.count, "mean": mean, "squares": squares}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`. Raises: InputError for numbers of another shape."""
        mean = state["mean"].numpy().copy()
        require(mean.shape == self.mean.shape, "saved mean's shape", mean.shape, f"{self.mean.shape}")
        self.count, self.mean, self._squares = state["count"], mean, state["squares"].numpy().copy()


class Normalizer:
    """Observations with mean 0 and variance 1 over all that `update` saw: (x - mean) / sqrt(variance + 1e-8), clipped.

    Shapes: observations (..., *shape) -> float32 (..., *shape).
    Raises: InputError for a clip that is not above 0.
    """

    def __init__(self, shape: tuple[int, ...], clip: float = 10.0) -> None:
        require(clip > 0, "clip", clip, "above 0")
        self.clip = clip
        self.moments = Moments(shape)
        self._is_frozen = False
        self._rescale()

    def _rescale(self) -> None:
        self._mean, self._scale = self.moments.mean, 1 / np.sqrt(self.moments.variance + TINY)

    def update(self, batch: Array) -> None:
        """Learn the scale from `batch` (..., *shape): observations of valid steps alone.

        Raises: InputError for a frozen one.
        """
        require(not self._is_frozen, "normalizer", "frozen", "the one that was frozen, not its copy, to learn")
        self.moments.update(np.reshape(batch, (-1, *self.moments.mean.shape)))
        self._rescale()

    def __call__(self, batch: Array) -> Floats:
        """Normalise; learns nothing."""
        scaled = (batch - self._mean) * self._scale
        return np.clip(scaled, -self.clip, self.clip, out=scaled).astype(np.float32)

    def frozen(self) -> "Normalizer":
        """A copy that stays as it is now: what a player carries."""
        kept = Normalizer(self.moments.mean.shape, self.clip)
        kept.load_state_dict(self.state_dict())
        kept._is_frozen = True
        return kept

    def state_dict(self) -> dict[str, Any]:
        """What was seen so far."""
        return self.moments.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.moments.load_state_dict(state)
        self._rescale()


class RewardScaler:
    """Rewards divided by the standard deviation of the discounted return so far, R = r + gamma R, in each environment.

    R starts at 0 with each episode. Rewards keep their sign and are clipped to [-clip, clip].
    Source: Engstrom et al. 2020, arXiv:2005.12729 (what PPO's implementations do beside the paper).
    Raises: InputError for gamma outside [0, 1], no environment and a clip that is not above 0.
    """

    def __init__(self, gamma: float, environments: int, clip: float = 10.0) -> None:
        require(0 <= gamma <= 1, "gamma", gamma, "from 0 to 1")
        require(environments >= 1, "environments", environments, "at least 1")
        require(clip > 0, "clip", clip, "above 0")
        self.gamma, self.clip = gamma, clip
        self.moments = Moments()
        self._returns = np.zeros(environments)

    def __call__(self, rewards: Array, ended: Flags, valid: Flags) -> Doubles:
        """Take in raw rewards, then scale them. Shapes: all (environments) or all (steps, environments), kept.

        Steps that are not valid are left out of R.
        """
        seen = []
        rows = zip(np.atleast_2d(rewards), np.atleast_2d(ended), np.atleast_2d(valid), strict=True)
        for gained, over, counts in rows:
            self._returns = np.where(counts, gained + self.gamma * self._returns, self._returns)
            seen.append(self._returns[counts])
            self._returns[over] = 0
        self.moments.update(np.concatenate(seen))
        scaled: Doubles = np.clip(rewards / np.sqrt(self.moments.variance + TINY), -self.clip, self.clip)
        return scaled

    def state_dict(self) -> dict[str, Any]:
        """What was seen so far, running returns included."""
        return {"moments": self.moments.state_dict(), "returns": torch.tensor(self._returns)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.moments.load_state_dict(state["moments"])
        self._returns = state["returns"].numpy().copy()
