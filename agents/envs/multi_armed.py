"""The bandit with several arms: each pays 1 with a probability of its own, else nothing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode

from agents.envs.lockstep import Array, Floats, Infos, LockstepVectorEnv, SingleRun
from foundations.errors import require


class MultiArmedVectorEnv(LockstepVectorEnv):
    """Bernoulli arms of the given `probabilities`, which are the world; there is nothing to see, a constant 0.

    Observation: 0. Action: the arm. Reward: 1 or 0. The episode is cut after `rounds`.
    Info: `expected`, the chosen arm's probability; `regret`, how much higher the best one's is.
    Raises: InputError for fewer than two arms and for probabilities outside [0, 1].
    Source: Robbins 1952, "Some aspects of the sequential design of experiments".
    """

    ends_by_itself = False

    def __init__(
        self,
        num_envs: int = 1,
        *,
        probabilities: Sequence[float] = (0.1, 0.3, 0.5, 0.55, 0.6),
        rounds: int = 1_000,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        require(len(probabilities) >= 2, "probabilities", probabilities, "at least 2, one an arm")
        for each in probabilities:
            require(0 <= each <= 1, "probabilities", each, "between 0 and 1")
        self.probabilities = np.array(probabilities, np.float64)
        super().__init__(num_envs, rounds, 0, Discrete(1), Discrete(len(probabilities)), autoreset_mode)

    def create(self, generators: Sequence[np.random.Generator]) -> None:
        """Nothing is hidden but what was given."""

    def begin(self) -> None:
        """The luck of every round."""
        self.luck = np.stack([each.random(self.rounds) for each in self.generators], 1)

    def observe(self) -> Array:
        """Nothing: 0."""
        return np.zeros(self.num_envs, np.int64)

    def play(self, actions: Array) -> tuple[Floats, Infos]:
        """Pull an arm."""
        expected = self.probabilities[actions]
        rewards = (self.luck[self.round] < expected).astype(np.float64)
        return rewards, {"expected": expected, "regret": self.probabilities.max() - expected}


class MultiArmed(SingleRun):
    """One run of `MultiArmedVectorEnv`: see there."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(MultiArmedVectorEnv(1, **settings))
