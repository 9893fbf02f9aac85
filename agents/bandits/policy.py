"""What a bandit's policy is: from contexts to a score for each arm; the largest is pulled."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from foundations.errors import require

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Policy(ABC):
    """Scores for `arms` in `runs` independent runs, each with its own statistics; `stream` gives the random numbers.

    Shapes: contexts (runs, context), not looked at by policies without one; actions and rewards (runs).
    Raises: InputError for fewer than one run or arm.
    """

    def __init__(self, runs: int, arms: int, stream: np.random.Generator) -> None:
        require(runs >= 1, "runs", runs, "at least 1")
        require(arms >= 1, "arms", arms, "at least 1")
        self.runs, self.arms, self.stream = runs, arms, stream
        self.rounds = 0
        self._every = np.arange(runs)

    @abstractmethod
    def scores(self, contexts: Floats) -> Floats:
        """How good each arm looks, with what its exploration adds: (runs, arms)."""

    @abstractmethod
    def estimates(self, contexts: Floats) -> Floats:
        """The rewards to expect as far as is known, without exploration: (runs, arms)."""

    @abstractmethod
    def learn(self, contexts: Floats, actions: Integers, rewards: Floats) -> None:
        """Take in what the pulled arms paid."""

    def update(self, contexts: Floats, actions: Integers, rewards: Floats) -> None:
        """Count the round, and learn from it."""
        self.rounds += 1
        self.learn(contexts, actions, rewards)

    def statistics(self) -> dict[str, Floats]:
        """The arrays that hold what was learned; they are changed in place."""
        return {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray) and name[0] != "_"}

    def state_dict(self) -> dict[str, Any]:
        """Statistics, rounds and the stream."""
        kept = {name: torch.from_numpy(value.copy()) for name, value in self.statistics().items()}
        return {"statistics": kept, "rounds": self.rounds, "stream": self.stream.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        for name, value in self.statistics().items():
            value[...] = state["statistics"][name].numpy()
        self.rounds = state["rounds"]
        self.stream.bit_generator.state = state["stream"]


def first_of_the_best(scores: Floats, stream: np.random.Generator) -> Integers:
    """The arm with the largest score, any of them where several have it. Shapes: (runs, arms) -> (runs)."""
    best = scores == scores.max(1, keepdims=True)
    actions: Integers = best.argmax(1)
    tied = np.flatnonzero(best.sum(1) > 1)
    if len(tied):
        actions[tied] = np.where(best[tied], stream.random((len(tied), scores.shape[1])), -1.0).argmax(1)
    return actions


def explore(scores: Floats, epsilon: float, stream: np.random.Generator) -> Floats:
    """`scores`, those of a run replaced with probability `epsilon` by uniform random numbers: any arm may win."""
    runs = np.flatnonzero(stream.random(len(scores)) < epsilon)
    if len(runs):
        scores = scores.copy()
        scores[runs] = stream.random((len(runs), scores.shape[1]))
    return scores
