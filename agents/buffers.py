"""Replay: what was lived through, in preallocated arrays, to be learned from again and again."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from agents.interaction import Step
from foundations.errors import require

Array = NDArray[Any]
SMALLEST_ERROR = 1e-6
"""Added to every TD error, so that no transition is never replayed."""


class Transitions(NamedTuple):
    """A batch of n-step transitions. Shapes: (batch, ...).

    `returns` is R = r_t + gamma r_{t+1} + ... of the k <= n rewards up to `next_observations`, and `discounts` is
    gamma^k, or 0 where the episode terminated: the TD target is R + discount * Q(next observation).
    """

    observations: Array
    actions: Array
    returns: NDArray[np.float32]
    next_observations: Array
    discounts: NDArray[np.float32]
    indices: NDArray[np.int64]
    """Places in the replay."""
    weights: NDArray[np.float32]
    """Importance weights, 1 for uniform sampling."""


class Replay:
    """Experience replay: a ring of the last `capacity` transitions, sampled uniformly, with replacement.

    A transition spans `n_step` steps, fewer where the episode ends before: no return crosses an end, terminated or
    truncated, and steps that are not valid (the resets between episodes) are never in it. Observations are kept in the
    type that the environments give, halved where that is float64.
    Raises: InputError for capacity, n_step below 1, a gamma outside [0, 1], and a batch larger than what is held.
    Source: Lin 1992, Machine Learning 8; Mnih et al. 2015, Nature 518; n steps: Sutton & Barto 2018, chapter 7.
    """

    def __init__(
        self,
        capacity: int,
        observation: gym.Space[Any],
        action: gym.Space[Any],
        *,
        environments: int = 1,
        n_step: int = 1,
        gamma: float = 0.99,
    ) -> None:
        require(capacity >= 1, "capacity", capacity, "at least 1")
        require(n_step >= 1, "n_step", n_step, "at least 1")
        require(0 <= gamma <= 1, "gamma", gamma, "between 0 and 1")
        self.capacity, self.n_step, self.gamma = capacity, n_step, gamma
        self._arrays = {
            "observations": _rows(capacity, observation),
            "actions": _rows(capacity, action),
            "returns": np.zeros(capacity, np.float32),
            "next_observations": _rows(capacity, observation),
            "discounts": np.zeros(capacity, np.float32),
        }
        self._size = self._position = 0
        # Transitions that wait for their last reward, in n slots for each environment; lengths 0 are free slots.
        self._open = {
            "observations": _rows(n_step, observation, environments),
            "actions": _rows(n_step, action, environments),
            "returns": np.zeros((n_step, environments)),
            "lengths": np.zeros((n_step, environments), np.int64),
            "steps": np.zeros(environments, np.int64),
        }
        self._powers = gamma ** np.arange(n_step + 1)

    def __len__(self) -> int:
        return self._size

    def add(self, step: Step) -> None:
        """Take in what the valid ones of the environments lived through."""
        if self.n_step > 1:
            self._add_window(step)
            return
        kept = slice(None) if np.count_nonzero(step.valid) == len(step.valid) else step.valid
        discounts = np.where(step.terminated[kept], 0.0, self.gamma)
        self._write(
            step.observations[kept], step.actions[kept], step.rewards[kept], step.next_observations[kept], discounts
        )

    def _add_window(self, step: Step) -> None:
        """Open a transition in each environment, add the reward to all open ones, close those that are complete."""
        envs = np.flatnonzero(step.valid)
        waiting = self._open
        slots = waiting["steps"][envs] % self.n_step
        waiting["steps"][envs] += 1
        waiting["observations"][slots, envs] = step.observations[envs]
        waiting["actions"][slots, envs] = step.actions[envs]
        returns, lengths = waiting["returns"], waiting["lengths"]
        returns[slots, envs] = 0.0
        grows = (lengths > 0) & step.valid
        grows[slots, envs] = True
        returns += np.where(grows, self._powers[lengths] * step.rewards, 0.0)
        lengths += grows
        slots, envs = np.nonzero(grows & (step.ended | (lengths == self.n_step)))
        discounts = np.where(step.terminated[envs], 0.0, self._powers[lengths[slots, envs]])
        self._write(
            waiting["observations"][slots, envs],
            waiting["actions"][slots, envs],
            returns[slots, envs],
            step.next_observations[envs],
            discounts,
        )
        lengths[slots, envs] = 0

    def _write(self, *parts: Array) -> NDArray[np.int64]:
        """Write rows over the oldest; gives their places."""
        count = len(parts[0])
        if count > self.capacity:  # of more environments than there is room for, the last ones stay
            parts, count = tuple(part[-self.capacity :] for part in parts), self.capacity
        start, end = self._position, self._position + count
        if end <= self.capacity:
            for array, part in zip(self._arrays.values(), parts, strict=True):
                array[start:end] = part
            places = np.arange(start, end)
        else:
            places = np.arange(start, end) % self.capacity
            for array, part in zip(self._arrays.values(), parts, strict=True):
                array[places] = part
        self._position = end % self.capacity
        self._size = max(self._size, min(end, self.capacity))
        return places

    def sample(self, batch_size: int, stream: np.random.Generator, *, batches: int = 1) -> Transitions:
        """`batches` batches in one, each transition as likely as any other. Shapes: (batches * batch_size, ...)."""
        self._require_enough(batch_size)
        indices = stream.integers(self._size, size=batches * batch_size)
        return self._at(indices, np.ones(len(indices), np.float32))

    def _at(self, indices: NDArray[np.int64], weights: NDArray[np.float32]) -> Transitions:
        taken = {name: array.take(indices, axis=0) for name, array in self._arrays.items()}
        return Transitions(**taken, indices=indices, weights=weights)

    def _require_enough(self, batch_size: int) -> None:
        require(1 <= batch_size <= self._size, "batch_size", batch_size, f"from 1 to the {self._size} transitions held")

    def state_dict(self) -> dict[str, Any]:
        """The filled part, and the transitions that are still open."""
        filled = {name: torch.from_numpy(array[: self._size].copy()) for name, array in self._arrays.items()}
        waiting = {name: torch.from_numpy(array.copy()) for name, array in self._open.items()}
        return {"filled": filled, "open": waiting, "size": self._size, "position": self._position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`. Raises: InputError where it holds more than the capacity."""
        require(state["size"] <= self.capacity, "capacity", self.capacity, f"at least the {state['size']} saved ones")
        for arrays, saved in ((self._arrays, state["filled"]), (self._open, state["open"])):
            for name, array in arrays.items():
                array[: len(saved[name])] = saved[name].numpy()
        self._size, self._position = state["size"], state["position"]


class PrioritizedReplay(Replay):
    """A replay from which transitions are drawn the more often, the more surprising they were.

        P(i) = p_i^alpha / sum_j p_j^alpha,  p_i = |TD error of i when it was last seen|, for new ones the largest yet
        w_i = (N P(i))^-beta / max_j w_j     importance weights, the largest of the batch is 1

    beta = 1 makes up for the drawing in full. The batch is drawn in equal strata of the total priority.
    Raises: InputError for alpha outside [0, 1], and as `Replay`.
    Source: Schaul et al. 2015, arXiv:1511.05952.
    """

    def __init__(
        self,
        capacity: int,
        observation: gym.Space[Any],
        action: gym.Space[Any],
        *,
        environments: int = 1,
        n_step: int = 1,
        gamma: float = 0.99,
        alpha: float = 0.6,
    ) -> None:
        super().__init__(capacity, observation, action, environments=environments, n_step=n_step, gamma=gamma)
        require(0 <= alpha <= 1, "alpha", alpha, "between 0 (uniform) and 1")
        self.alpha = alpha
        self._tree = SumTree(capacity)
        self._largest = 1.0

    def _write(self, *parts: Array) -> NDArray[np.int64]:
        places = super()._write(*parts)
        self._tree.update(places, np.full(len(places), self._largest))
        return places

    def sample(
        self, batch_size: int, stream: np.random.Generator, *, batches: int = 1, beta: float = 0.4
    ) -> Transitions:
        """`batches` batches in one, drawn by the priorities of now. Raises: InputError for beta outside [0, 1]."""
        self._require_enough(batch_size)
        require(0 <= beta <= 1, "beta", beta, "between 0 and 1")
        tree = self._tree
        strata = (np.tile(np.arange(batch_size), batches) + stream.random(batches * batch_size)) / batch_size
        indices = tree.find(strata * tree.total)
        weights = (self._size * tree.values(indices) / tree.total) ** -beta
        return self._at(indices, (weights / weights.max()).astype(np.float32))

    def update(self, indices: NDArray[np.int64], errors: Array) -> None:
        """Remember how large the TD errors at `indices` were just now."""
        priorities = (np.abs(errors).astype(np.float64) + SMALLEST_ERROR) ** self.alpha
        self._largest = max(self._largest, float(priorities.max()))
        self._tree.update(indices, priorities)

    def state_dict(self) -> dict[str, Any]:
        """As `Replay`, and the priorities."""
        priorities = torch.from_numpy(self._tree.values(np.arange(self._size)))
        return {**super().state_dict(), "priorities": priorities, "largest": self._largest}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        super().load_state_dict(state)
        self._tree = SumTree(self.capacity)
        self._tree.update(np.arange(self._size), state["priorities"].numpy())
        self._largest = state["largest"]


class SumTree:
    """Numbers >= 0 in a binary tree of their sums: one is changed, or found by a share of the total, in log2 steps.

    The root is node 1, the children of i are 2i and 2i + 1, the numbers are the leaves. All methods take many at once.
    """

    def __init__(self, capacity: int) -> None:
        self.depth = max(capacity - 1, 0).bit_length()
        self._leaves = 2**self.depth
        self._sums = np.zeros(2 * self._leaves)

    @property
    def total(self) -> float:
        """The sum of all."""
        return float(self._sums[1])

    def values(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """The numbers at `indices`."""
        found: NDArray[np.float64] = self._sums[indices + self._leaves]
        return found

    def update(self, indices: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Set the numbers at `indices`; where one is there twice, the last counts."""
        nodes = indices + self._leaves
        self._sums[nodes] = values
        for _ in range(self.depth):
            nodes = nodes >> 1  # a parent that is there twice is computed twice, to the same sum
            self._sums[nodes] = self._sums[2 * nodes] + self._sums[2 * nodes + 1]

    def find(self, targets: NDArray[np.float64]) -> NDArray[np.int64]:
        """For each target the first index where the running sum exceeds it; never one whose number is 0."""
        nodes = np.ones(len(targets), np.int64)
        for _ in range(self.depth):
            left = self._sums[2 * nodes]
            right = (targets >= left) & (self._sums[2 * nodes + 1] > 0)  # rounding may pass the last number
            targets = np.where(right, targets - left, targets)
            nodes = 2 * nodes + right
        found: NDArray[np.int64] = nodes - self._leaves
        return found


def without_repeats(indices: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of `indices` (n), each in [0, size), have every number once, and where each of all is among these.

    So that indices[kept][places] are the indices again. As `np.unique`, which sorts, but in one pass and unsorted.
    Shapes: (n) -> kept (m <= n), places (n).
    """
    order, scratch = np.arange(len(indices)), np.empty(size, np.int64)
    scratch[indices] = order
    kept = np.flatnonzero(scratch[indices] == order)
    scratch[indices[kept]] = order[: len(kept)]
    return kept, scratch[indices]


def _rows(count: int, space: gym.Space[Any], *more: int) -> Array:
    """Zeros for `count` elements of `space`."""
    dtype = np.dtype(space.dtype or np.float32)
    return np.zeros((count, *more, *(space.shape or ())), np.float32 if dtype == np.float64 else dtype)
