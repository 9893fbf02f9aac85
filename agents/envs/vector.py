"""What our vector environments share: time limits, both ways of resetting, seeds, and the check of actions."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from gymnasium import Space, spaces
from gymnasium.envs.classic_control.utils import maybe_parse_reset_bounds
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from foundations.errors import require

Array = NDArray[Any]
Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


class StateVectorEnv(VectorEnv[Floats, Array, Array], ABC):
    """Environments whose states are one array (variables, environments), moved all at once.

    A subclass says how states begin, move and are seen. Bounds given to `reset(options=...)` hold for the automatic
    resets that follow, too.

    Raises: InputError for less than one environment or step, and for AutoresetMode.DISABLED.
    """

    state: Doubles

    def __init__(
        self,
        observation_space: spaces.Box,
        action_space: Space[Any],
        num_envs: int,
        max_episode_steps: int,
        autoreset_mode: AutoresetMode | str,
    ) -> None:
        require(num_envs >= 1, "num_envs", num_envs, "at least 1")
        require(max_episode_steps >= 1, "max_episode_steps", max_episode_steps, "at least 1")
        mode = AutoresetMode(autoreset_mode)
        require(mode is not AutoresetMode.DISABLED, "autoreset_mode", mode, "NEXT_STEP or SAME_STEP")
        self.metadata = {"render_modes": [], "autoreset_mode": mode}
        self.num_envs, self.max_episode_steps = num_envs, max_episode_steps
        self.single_observation_space, self.single_action_space = observation_space, action_space
        self.observation_space = batch_space(observation_space, num_envs)
        self.action_space = batch_space(action_space, num_envs)
        self.steps = np.zeros(num_envs, np.int64)
        self._resetting = np.zeros(num_envs, np.bool_)
        self._same_step = mode is AutoresetMode.SAME_STEP

    @abstractmethod
    def _read(self, options: dict[str, Any] | None) -> None:
        """Keep the bounds of first states that `reset` was given."""

    @abstractmethod
    def _first(self, count: int) -> Doubles:
        """First states, drawn from `self.np_random`. Shape: (variables, count)."""

    @abstractmethod
    def _move(self, actions: Array) -> tuple[Doubles, Flags]:
        """Put the states that follow into `self.state`; rewards and terminations. Shapes: (environments)."""

    @abstractmethod
    def _seen(self, state: Doubles) -> Floats:
        """What is observed in states. Shapes: (variables, n) -> (n, ...), an array of its own."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Floats, dict[str, Any]]:
        """All environments at the beginning; `seed` starts their common stream of random numbers anew."""
        super().reset(seed=seed)
        self._read(options)
        self.state = self._first(self.num_envs)
        self.steps = np.zeros(self.num_envs, np.int64)
        self._resetting = np.zeros(self.num_envs, np.bool_)
        return self._seen(self.state), {}

    def step(self, actions: Array) -> tuple[Floats, Array, Array, Array, dict[str, Any]]:
        """Move all environments. Shapes: as the spaces say; rewards, terminations and truncations (environments)."""
        rewards, terminated = self._move(self._checked(actions))
        self.steps += 1
        truncated = self.steps >= self.max_episode_steps
        if self._same_step:
            ended = terminated | truncated
            observations = self._seen(self.state)
            infos = self._restart(ended, observations) if np.count_nonzero(ended) else {}
            return observations, rewards, terminated, truncated, infos
        if np.count_nonzero(self._resetting):
            self._begin(self._resetting)
            rewards[self._resetting] = 0
            terminated[self._resetting] = truncated[self._resetting] = False
        self._resetting = terminated | truncated
        return self._seen(self.state), rewards, terminated, truncated, {}

    def _begin(self, which: Flags) -> None:
        self.state[:, which] = self._first(int(np.count_nonzero(which)))
        self.steps[which] = 0

    def _restart(self, ended: Flags, observations: Floats) -> dict[str, Any]:
        """Begin anew where an episode `ended`: there `observations` become the first ones, the final ones an info."""
        final = np.full(self.num_envs, None, object)
        for index in np.flatnonzero(ended):
            final[index] = observations[index].copy()
        self._begin(ended)
        observations[ended] = self._seen(self.state[:, ended])
        return {"final_obs": final, "_final_obs": ended.copy(), "final_info": {}, "_final_info": ended.copy()}

    def _checked(self, actions: Array) -> Array:
        """Actions as an array. Raises: InputError for another shape, and for what is no choice."""
        actions = np.asarray(actions)
        require(actions.shape == self.action_space.shape, "actions shape", actions.shape, f"{self.action_space.shape}")
        if isinstance(self.single_action_space, spaces.Discrete):
            choices = int(self.single_action_space.n)
            known = actions.dtype.kind in "iu" and not np.count_nonzero((actions < 0) | (actions >= choices))
            require(known, "actions", actions, f"integers from 0 to {choices - 1}")
        return actions


def bounds(options: dict[str, Any] | None, low: float, high: float) -> tuple[float, float]:
    """The bounds "low" and "high" that `options` names, else those given, as Gymnasium reads them."""
    return maybe_parse_reset_bounds(options, low, high)
