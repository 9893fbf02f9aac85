"""The one door to every agent: it learns like any `Learner`, and it hands out a player that acts."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from foundations.learner import Learner

Array = NDArray[Any]


@runtime_checkable
class Player(Protocol):
    """Acts in several environments side by side, with what the agent has learned, and learns nothing."""

    def act(self, observations: Array, started: NDArray[np.bool_]) -> Array:
        """The actions at `observations`, as the environments gave them.

        `started` is true where an episode begins: what a player remembers of the one before is forgotten there.
        Shapes: observations (environments, ...), started (environments), actions (environments, ...).
        """
        ...


@runtime_checkable
class Agent(Learner, Protocol):
    """A learner whose knowledge is how to act."""

    def player(self, *, greedy: bool, stream: np.random.Generator) -> Player:
        """A player of the agent as it is now: later learning does not reach it.

        Greedy takes the likeliest (or best-valued) action; else actions are drawn, from `stream`, as in training.
        """
        ...
