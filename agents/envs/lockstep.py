"""Environments of business, written for many runs at once: every episode has the same number of rounds.

A run draws its world, its rounds and its luck from a generator of its own, an episode's at once. So run i of many,
seeded with s, is what a single environment is that is seeded with s + i, and a round costs a few array operations.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from foundations.errors import require

Floats = NDArray[np.float64]
Array = NDArray[Any]
Flags = NDArray[np.bool_]
Infos = dict[str, Any]


class LockstepVectorEnv(VectorEnv[Array, Array, Array]):
    """`num_envs` runs side by side, all at the same round of `rounds`; both automatic resets.

    `world` is the seed of what is hidden and stays: all runs, whatever their seeds, meet the same world, as an agent
    that is to be evaluated must. None lets each run draw a world of its own, for means over worlds.
    Raises: InputError for fewer than one run or round.
    """

    ends_by_itself = True
    """Whether the last round is an end (terminated), after which nothing has a value, or a cut (truncated)."""

    def __init__(
        self,
        num_envs: int,
        rounds: int,
        world: int | None,
        observation_space: Box | Discrete,
        action_space: Box | Discrete,
        autoreset_mode: AutoresetMode,
    ) -> None:
        require(num_envs >= 1, "num_envs", num_envs, "at least 1")
        require(rounds >= 1, "rounds", rounds, "at least 1")
        require(world is None or world >= 0, "world", world, "a seed of at least 0, or None for a world a run")
        allowed = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)
        require(autoreset_mode in allowed, "autoreset_mode", autoreset_mode, "NEXT_STEP or SAME_STEP")
        self.num_envs, self.rounds, self.world = num_envs, rounds, world
        self.single_observation_space, self.single_action_space = observation_space, action_space
        self.observation_space = batch_space(observation_space, num_envs)
        self.action_space = batch_space(action_space, num_envs)
        self.metadata = {"render_modes": [], "autoreset_mode": autoreset_mode}
        self.render_mode = None
        self.round = 0
        self.generators: list[np.random.Generator] = []

    @abstractmethod
    def create(self, generators: Sequence[np.random.Generator]) -> None:
        """Draw the world of each run, which stays until runs are seeded anew."""

    @abstractmethod
    def begin(self) -> None:
        """Draw what the rounds of an episode will bring, from `generators`."""

    @abstractmethod
    def observe(self) -> Array:
        """What is seen before round `round`, a fresh array (runs, ...)."""

    @abstractmethod
    def play(self, actions: Array) -> tuple[Floats, Infos]:
        """Rewards (runs) of the actions in round `round`, and what else is to be told."""

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, Infos]:
        """A new episode of every run; with a seed, in a world that is drawn anew (unless `world` names one)."""
        if seed is not None or not self.generators:
            seeds = [seed + run for run in range(self.num_envs)] if isinstance(seed, int) else seed
            self.generators = [np.random.default_rng(each) for each in seeds or [None] * self.num_envs]
            worlds = self.generators
            if self.world is not None:
                worlds = [np.random.default_rng([self.world, 1]) for _ in range(self.num_envs)]
            self.create(worlds)
        self.round = 0
        self.begin()
        return self.observe(), {}

    def step(self, actions: Array) -> tuple[Array, Floats, Flags, Flags, Infos]:
        """One round of every run."""
        if self.round == self.rounds:  # NEXT_STEP: this step only resets
            nothing = np.zeros(self.num_envs, np.bool_)
            return self.reset()[0], np.zeros(self.num_envs), nothing, nothing.copy(), {}
        rewards, infos = self.play(np.asarray(actions))
        self.round += 1
        observations = self.observe()
        over = np.full(self.num_envs, self.round == self.rounds)
        if over[0] and self.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP:
            final = np.empty(self.num_envs, object)
            final[:] = list(observations)
            infos = {**infos, "final_obs": final, "_final_obs": over.copy()}
            observations = self.reset()[0]
        none = np.zeros(self.num_envs, np.bool_)
        terminated, truncated = (over, none) if self.ends_by_itself else (none, over)
        return observations, rewards, terminated, truncated, infos


class SingleRun(gymnasium.Env[Any, Any]):
    """One run of a `LockstepVectorEnv`, as a plain Gymnasium environment: the same numbers without the run's axis.

    Raises: InputError for AutoresetMode.SAME_STEP: a single environment is reset by its user.
    """

    def __init__(self, runs: LockstepVectorEnv) -> None:
        mode = runs.metadata["autoreset_mode"]
        allowed = "left out: a single environment is reset by its user"
        require(mode is AutoresetMode.NEXT_STEP, "autoreset_mode", mode, allowed)
        self.runs = runs
        self.metadata = {"render_modes": []}
        self.observation_space, self.action_space = runs.single_observation_space, runs.single_action_space
        self.render_mode = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Infos]:
        """A new episode; with a seed, in a world that is drawn anew (unless the setting `world` names one)."""
        super().reset(seed=seed)
        if seed is None and not self.runs.generators:
            seed = int(self.np_random.integers(2**31))
        return self.runs.reset(seed=seed)[0][0], {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Infos]:
        """One round."""
        require(self.action_space.contains(action), "action", action, f"in {self.action_space}")
        observations, rewards, terminated, truncated, infos = self.runs.step(np.asarray(action)[None])
        told = {name: values[0].item() for name, values in infos.items()}
        return observations[0], float(rewards[0]), bool(terminated[0]), bool(truncated[0]), told
