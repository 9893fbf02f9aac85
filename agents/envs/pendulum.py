"""Pendulums for many at once: swing up and balance, with a motor too weak to lift them straight.

Values as in Gymnasium's "Pendulum-v1", to which it is equal step for step.
"""

from math import pi
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.envs.classic_control.utils import verify_number_and_cast
from gymnasium.vector import AutoresetMode

from agents.envs.vector import Array, Doubles, Flags, Floats, StateVectorEnv

SECONDS = 0.05
"""One step."""
FASTEST = 8.0
"""Bound of the angular velocity, rad/s."""
STRONGEST = 2.0
"""Bound of the torque, N m."""
MASS = LENGTH = 1.0
"""kg, m."""


class PendulumVectorEnv(StateVectorEnv):
    """States: angle (rad, 0 upright) and velocity (rad/s); observed: cosine and sine of the angle, the velocity.

    Actions: a torque from -2 to 2 N m, clipped. Reward: -(angle^2 + 0.1 velocity^2 + 0.001 torque^2), the angle in
    [-pi, pi]. Episodes end by the time limit alone. `g` is gravity, m/s^2; `reset` takes the options "x_init" and
    "y_init", the largest first angle and velocity.
    """

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int = 200,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        g: float = 10.0,
    ) -> None:
        high = np.array([1, 1, FASTEST], np.float32)
        seen = spaces.Box(-high, high, dtype=np.float32)
        torques = spaces.Box(-STRONGEST, STRONGEST, (1,), np.float32)
        super().__init__(seen, torques, num_envs, max_episode_steps, autoreset_mode)
        self.g = g

    def _read(self, options: dict[str, Any] | None) -> None:
        given = options or {}
        largest = given.get("x_init", pi), given.get("y_init", 1.0)
        self._largest = np.array([[verify_number_and_cast(each)] for each in largest])

    def _first(self, count: int) -> Doubles:
        return self.np_random.uniform(-self._largest, self._largest, (2, count))

    def _move(self, actions: Array) -> tuple[Doubles, Flags]:
        torque = actions[:, 0].clip(-STRONGEST, STRONGEST)
        angle, velocity = self.state
        costs = ((angle + pi) % (2 * pi) - pi) ** 2 + 0.1 * velocity**2 + 0.001 * torque**2
        pull = 3 * self.g / (2 * LENGTH) * np.sin(angle) + 3.0 / (MASS * LENGTH**2) * torque
        velocity = (velocity + pull * SECONDS).clip(-FASTEST, FASTEST)
        self.state = np.stack((angle + velocity * SECONDS, velocity))
        return -costs, np.zeros(self.num_envs, np.bool_)

    def _seen(self, state: Doubles) -> Floats:
        seen = np.empty((state.shape[1], 3), np.float32)
        seen[:, 0], seen[:, 1], seen[:, 2] = np.cos(state[0]), np.sin(state[0]), state[1]
        return seen
