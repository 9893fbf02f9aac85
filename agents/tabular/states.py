"""Observations of finitely many values, numbered from 0."""

from math import prod
from typing import Any

import numpy as np
from gymnasium import Space, spaces
from numpy.typing import NDArray

from foundations.errors import InputError


class States:
    """The number of an observation: itself for Discrete, mixed-radix for tuples and vectors of Discrete.

    (a, b, c) of sizes (A, B, C) has number (a B + b) C + c.
    Raises: InputError for spaces that a table cannot hold.
    """

    def __init__(self, space: Space[Any]) -> None:
        self._sizes, self._firsts = _axes(space)
        self._single = isinstance(space, spaces.Discrete)
        self.count = prod(self._sizes)
        self.one = int if self._single and self._firsts == (0,) else self._one
        """From one observation to its number."""

    def _one(self, observation: Any) -> int:
        number = 0
        parts = (observation,) if self._single else observation
        for part, size, first in zip(parts, self._sizes, self._firsts, strict=True):
            number = number * size + int(part) - first
        return number

    def many(self, observations: Any) -> NDArray[np.int64]:
        """The numbers of the observations of several environments, as a vector environment gives them.

        Shapes: (environments) for Discrete, a tuple of such for Tuple, (environments, parts) for MultiDiscrete.
        """
        if self._single:
            parts = (observations,)
        else:
            parts = observations if isinstance(observations, tuple) else tuple(np.asarray(observations).T)
        numbers = np.zeros(len(parts[0]), np.int64)
        for part, size, first in zip(parts, self._sizes, self._firsts, strict=True):
            numbers = numbers * size + np.asarray(part, np.int64) - first
        return numbers


def _axes(space: Space[Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How many values each part of an observation has, and the first of them."""
    if isinstance(space, spaces.Discrete):
        return (int(space.n),), (int(space.start),)
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
        return tuple(map(int, space.nvec)), tuple(map(int, space.start))
    if isinstance(space, spaces.Tuple) and all(isinstance(part, spaces.Discrete) for part in space.spaces):
        parts = [_axes(part) for part in space.spaces]
        return tuple(sizes[0] for sizes, _ in parts), tuple(firsts[0] for _, firsts in parts)
    raise InputError(
        f"observation space {space}: a table takes Discrete, MultiDiscrete or tuples of Discrete; "
        "for other observations take an agent with a network (DQN, PPO)"
    )
