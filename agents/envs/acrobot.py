"""Acrobot for many at once: two links, a motor in the joint between them, the tip to be swung above a line.

Source: Sutton 1996, NIPS 8; equations: Sutton & Barto 1998, "Reinforcement Learning", section 11.3. Values and the
Runge-Kutta step are those of Gymnasium's "Acrobot-v1", to which it is equal step for step.
"""

from math import pi
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from agents.envs.vector import Array, Doubles, Flags, Floats, StateVectorEnv, bounds

SECONDS = 0.2
"""One step."""
GRAVITY = 9.8
M1 = M2 = 1.0
"""Masses of the links, kg."""
L1 = 1.0
"""Length of the first link, m."""
LC1 = LC2 = 0.5
"""From a link's joint to its centre of mass, m."""
I1 = I2 = 1.0
"""Moments of inertia, kg m^2."""
FASTEST1, FASTEST2 = 4 * pi, 9 * pi
"""Bounds of the angular velocities, rad/s."""


class AcrobotVectorEnv(StateVectorEnv):
    """States: the two angles (rad, the second relative to the first) and their velocities (rad/s), 0 hanging down.

    Actions: torque -1, 0 or 1 N m. Reward: -1 a step, 0 for the one that reaches the line. Observed: cosine and sine
    of each angle, then the velocities.
    """

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int = 500,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        high = np.array([1, 1, 1, 1, FASTEST1, FASTEST2], np.float32)
        seen = spaces.Box(-high, high, dtype=np.float32)
        super().__init__(seen, spaces.Discrete(3), num_envs, max_episode_steps, autoreset_mode)

    def _read(self, options: dict[str, Any] | None) -> None:
        self._low, self._high = bounds(options, -0.1, 0.1)

    def _first(self, count: int) -> Doubles:
        drawn = self.np_random.uniform(self._low, self._high, (4, count))
        return drawn.astype(np.float32).astype(np.float64)  # Gymnasium's begin in single precision

    def _move(self, actions: Array) -> tuple[Doubles, Flags]:
        self.state = state = _runge_kutta(self.state, actions - 1.0)
        _wrap(state[:2])
        np.clip(state[2], -FASTEST1, FASTEST1, out=state[2])
        np.clip(state[3], -FASTEST2, FASTEST2, out=state[3])
        above: Flags = -np.cos(state[0]) - np.cos(state[1] + state[0]) > 1.0
        return np.where(above, 0.0, -1.0), above

    def _seen(self, state: Doubles) -> Floats:
        seen = np.empty((state.shape[1], 6), np.float32)
        seen[:, 0], seen[:, 2] = np.cos(state[:2])
        seen[:, 1], seen[:, 3] = np.sin(state[:2])
        seen[:, 4:] = state[2:].T
        return seen


def _wrap(angles: Doubles) -> None:
    """Whole turns away, in place, until all angles are within [-pi, pi]."""
    while np.count_nonzero(above := angles > pi):
        angles[above] -= 2 * pi
    while np.count_nonzero(below := angles < -pi):
        angles[below] += 2 * pi


def _runge_kutta(state: Doubles, torque: Doubles) -> Doubles:
    """The state one step later, by the classic method of fourth order: y + dt/6 (k1 + 2 k2 + 2 k3 + k4)."""
    k1 = _slopes(state, torque)
    k2 = _slopes(state + SECONDS / 2 * k1, torque)
    k3 = _slopes(state + SECONDS / 2 * k2, torque)
    k4 = _slopes(state + SECONDS * k3, torque)
    return state + SECONDS / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)


def _slopes(state: Doubles, torque: Doubles) -> Doubles:
    """Derivatives by time. Shapes: state (4, environments) and torque (environments) -> (4, environments).

    d1 a1 + d2 a2 + phi1 = 0 and d2 a1 + (m2 lc2^2 + I2) a2 + m2 l1 lc2 w1^2 sin(theta2) + phi2 = torque, solved for
    the accelerations a1, a2; w the velocities.
    """
    theta1, theta2, w1, w2 = state
    cosine, sine = np.cos(theta2), np.sin(theta2)
    d1 = M1 * LC1**2 + M2 * (L1**2 + LC2**2 + 2 * L1 * LC2 * cosine) + I1 + I2
    d2 = M2 * (LC2**2 + L1 * LC2 * cosine) + I2
    phi2 = M2 * LC2 * GRAVITY * np.cos(theta1 + theta2 - pi / 2)
    fast = -M2 * L1 * LC2 * w2**2 * sine - 2 * M2 * L1 * LC2 * w2 * w1 * sine
    phi1 = fast + (M1 * LC1 + M2 * L1) * GRAVITY * np.cos(theta1 - pi / 2) + phi2
    share = d2 / d1
    slopes = np.empty_like(state)
    slopes[:2] = state[2:]
    force = torque + share * phi1 - M2 * L1 * LC2 * w1**2 * sine - phi2
    slopes[3] = force / (M2 * LC2**2 + I2 - d2**2 / d1)
    slopes[2] = -(d2 * slopes[3] + phi1) / d1
    return slopes
