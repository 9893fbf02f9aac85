"""Tiny environments whose every number is known beforehand."""

from collections.abc import Callable

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

MODES = {"next_step": AutoresetMode.NEXT_STEP, "same_step": AutoresetMode.SAME_STEP}


class Scripted(gymnasium.Env):
    """Episodes of scripted lengths; observed are the number of the episode and of the step, the reward is 10^episode.

    The end is a termination or, as scripted, a truncation; `info` tells of success after episodes of even number.
    """

    observation_space = spaces.Box(0, 1000, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, lengths: tuple[int, ...], truncates: bool = False, reuses: bool = False) -> None:
        self.lengths, self.truncates, self.episode, self.time = lengths, truncates, -1, 0
        self.seeds: list[int | None] = []
        self.seen = np.zeros(2, np.float32) if reuses else None

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.seeds.append(seed)
        self.episode, self.time = self.episode + 1, 0
        return self._observe(), {}

    def step(self, action):
        self.time += 1
        over = self.time == self.lengths[self.episode % len(self.lengths)]
        info = {"is_success": self.episode % 2 == 0} if over else {}
        return self._observe(), 10.0**self.episode, over and not self.truncates, over and self.truncates, info

    def _observe(self):
        now = np.array([self.episode, self.time], np.float32)
        if self.seen is None:
            return now
        self.seen[:] = now  # the same array again and again, as some environments do
        return self.seen


@pytest.fixture
def scripted() -> Callable[..., VectorEnv]:
    """`scripted("next_step", (2, 3), (4,))`: one environment for each script of lengths."""

    def make(autoreset: str, *scripts: tuple[int, ...], copy: bool = True, **settings: bool) -> VectorEnv:
        makers = [lambda script=script: Scripted(script, **settings) for script in scripts]
        return SyncVectorEnv(makers, copy=copy, autoreset_mode=MODES[autoreset])

    return make
