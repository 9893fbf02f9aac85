"""Recommendation: a user arrives, one of several items is shown, the user clicks or does not."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode

from agents.envs.lockstep import Array, Floats, Infos, LockstepVectorEnv, SingleRun
from foundations.errors import require


class RecommenderVectorEnv(LockstepVectorEnv):
    """A contextual bandit: `rounds` users one after the other, `items` to choose from for each.

    A user is a mixture of `interests`, x >= 0 with sum x = 1, and is observed. An item a appeals to a user of pure
    interest k with probability w[a, k], which is hidden, so p(click | x, a) = sum over k of x[k] w[a, k]. An agent
    learns w from clicks on what it showed, and never hears of what it did not show.

    Observation: x, float32 (interests). Action: the item. Reward: 1 for a click, else 0. The episode is cut after
    `rounds`; the next goes on in the same world.
    Info: `expected`, the chosen item's click probability; `regret`, how much higher the best one's is.
    Raises: InputError for fewer than two items or interests.
    """

    ends_by_itself = False

    def __init__(
        self,
        num_envs: int = 1,
        *,
        items: int = 10,
        interests: int = 5,
        rounds: int = 1_000,
        world: int | None = 0,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        require(items >= 2, "items", items, "at least 2")
        require(interests >= 2, "interests", interests, "at least 2")
        self.items, self.interests = items, interests
        shown = Box(0, 1, (interests,), np.float32)
        super().__init__(num_envs, rounds, world, shown, Discrete(items), autoreset_mode)

    def create(self, generators: Sequence[np.random.Generator]) -> None:
        """Most items leave most interests cold: w ~ Beta(1/2, 2), a mean of 1/5 with a long tail."""
        self.appeal = np.stack([each.beta(0.5, 2, (self.items, self.interests)) for each in generators])

    def begin(self) -> None:
        """Users with one or two interests above the others, and the luck that decides about their clicks."""
        shape = np.full(self.interests, 0.5)
        self.users = np.stack([each.dirichlet(shape, self.rounds) for each in self.generators], 1).astype(np.float32)
        self.luck = np.stack([each.random(self.rounds) for each in self.generators], 1)

    def observe(self) -> Array:
        """The user who is to be served; after the last, the last."""
        return np.array(self.users[min(self.round, self.rounds - 1)])

    def click_probabilities(self) -> Floats:
        """Of every item for the user who is to be served: (runs, items)."""
        found: Floats = (self.appeal @ self.users[self.round][:, :, None].astype(np.float64))[:, :, 0]
        return found

    def play(self, actions: Array) -> tuple[Floats, Infos]:
        """Show an item."""
        chances = self.click_probabilities()
        expected = chances[np.arange(self.num_envs), actions]
        clicks = (self.luck[self.round] < expected).astype(np.float64)
        return clicks, {"expected": expected, "regret": chances.max(1) - expected}


class Recommender(SingleRun):
    """One run of `RecommenderVectorEnv` (see there): `gymnasium.make("labs/Recommender-v0", items=10, ...)`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(RecommenderVectorEnv(1, **settings))
