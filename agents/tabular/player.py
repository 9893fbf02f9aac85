"""Acting by a table of action values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.playing import Array
from agents.tabular.states import States


@dataclass(frozen=True, eq=False)
class TablePlayer:
    """Takes the best action of each state, with probability `epsilon` one drawn uniformly.

    Shapes: values (states, actions).
    """

    values: NDArray[np.float64]
    states: States
    first_action: int
    epsilon: float
    stream: np.random.Generator

    def act(self, observations: Array, started: NDArray[np.bool_]) -> Array:
        """The actions in the environments' numbers; nothing is remembered from step to step."""
        actions = self.values[self.states.many(observations)].argmax(-1)
        if self.epsilon > 0:
            explores = self.stream.random(len(actions)) < self.epsilon
            anything = self.stream.integers(self.values.shape[1], size=len(actions))
            actions = np.where(explores, anything, actions)
        found: Array = actions + self.first_action
        return found
