"""Mountain cars for many at once: too weak to climb straight, they must swing back first; pushed in steps or freely.

Source: Moore 1990, "Efficient memory-based learning for robot control"; values as in Gymnasium's "MountainCar-v0" and
"MountainCarContinuous-v0", to which both are equal step for step.
"""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from agents.envs.vector import Array, Doubles, Flags, Floats, StateVectorEnv, bounds

LEFT, RIGHT = -1.2, 0.6
"""The valley, in its own unit of length; a wall stands at the left."""
FASTEST = 0.07
"""Largest speed, by step."""
GRAVITY = 0.0025


class _Cars(StateVectorEnv):
    """States: position and velocity, both observed. `goal_velocity` is the least at the goal."""

    goal: float

    def __init__(
        self,
        action_space: "spaces.Discrete | spaces.Box",
        num_envs: int,
        max_episode_steps: int,
        autoreset_mode: AutoresetMode | str,
        goal_velocity: float,
    ) -> None:
        low, high = np.array([LEFT, -FASTEST], np.float32), np.array([RIGHT, FASTEST], np.float32)
        seen = spaces.Box(low, high, dtype=np.float32)
        super().__init__(seen, action_space, num_envs, max_episode_steps, autoreset_mode)
        self.goal_velocity = goal_velocity

    def _read(self, options: dict[str, Any] | None) -> None:
        self._low, self._high = bounds(options, -0.6, -0.4)

    def _first(self, count: int) -> Doubles:
        state = np.zeros((2, count))
        state[0] = self.np_random.uniform(self._low, self._high, count)
        return state

    def _seen(self, state: Doubles) -> Floats:
        return state.T.astype(np.float32, order="C")

    def _roll(self, velocity: Array, position: Array) -> Flags:
        """From the new velocity to the new state, which is kept; whether the goal is reached."""
        velocity = velocity.clip(-FASTEST, FASTEST)
        position = (position + velocity).clip(LEFT, RIGHT)
        velocity[(position == LEFT) & (velocity < 0)] = 0
        self.state[0], self.state[1] = position, velocity
        reached: Flags = (position >= self.goal) & (velocity >= self.goal_velocity)
        return reached


class MountainCarVectorEnv(_Cars):
    """Actions: push left, not, right. Reward: -1 a step until the goal."""

    goal = 0.5

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int = 200,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        goal_velocity: float = 0,
    ) -> None:
        super().__init__(spaces.Discrete(3), num_envs, max_episode_steps, autoreset_mode, goal_velocity)

    def _move(self, actions: Array) -> tuple[Doubles, Flags]:
        position, velocity = self.state
        pushed = velocity + ((actions - 1.0) * 0.001 + np.cos(3 * position) * -GRAVITY)
        return np.full(self.num_envs, -1.0), self._roll(pushed, position)


class ContinuousMountainCarVectorEnv(_Cars):
    """Actions: a force from -1 to 1, clipped. Reward: 100 at the goal, less 0.1 force^2 at every step."""

    goal = 0.45

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int = 999,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        goal_velocity: float = 0,
    ) -> None:
        forces = spaces.Box(-1.0, 1.0, (1,), np.float32)
        super().__init__(forces, num_envs, max_episode_steps, autoreset_mode, goal_velocity)

    def _move(self, actions: Array) -> tuple[Doubles, Flags]:
        force = actions[:, 0].astype(np.float64)
        position, velocity = self.state
        pushed = velocity + (force.clip(-1, 1) * 0.0015 - GRAVITY * np.cos(3 * position))
        reached = self._roll(pushed, position)
        self.state = self.state.astype(np.float32).astype(np.float64)  # Gymnasium's is kept in single precision
        return 100.0 * reached - 0.1 * force**2, reached
