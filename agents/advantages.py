"""How much better an action turned out than was to be expected: returns and advantages over a rollout.

Two kinds of end, told apart everywhere. `terminated`: there is nothing to come, the value behind it is 0. `truncated`
(a time limit): something would have come, so the value of the FINAL observation stands for it. Neither lets anything
of the next episode through. An episode that is still running at the last step counts on by its value as well.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foundations.errors import require

Array = NDArray[Any]


def generalized_advantages(
    rewards: Array,
    values: Array,
    next_values: Array,
    terminated: Array,
    ended: Array,
    gamma: float,
    lam: float,
) -> NDArray[np.float32]:
    """Advantages: an average, by powers of `lam`, over those from one step of reward, two steps, three ...

        delta_t = r_t + gamma V(s'_t) [not terminated_t] - V(s_t)
        A_t = delta_t + gamma lam A_{t+1} [not ended_t]

    lam = 0 takes one step and trusts V (biased), lam = 1 all rewards to the end (noisy). A_t + V(s_t) is the return to
    learn V from. s'_t is what the action led to: at an end the episode's last observation, not the reset's.

    A step that belongs to no episode (the environment's reset) gets some result too, which is to be masked; nothing of
    it reaches the step before, which was an end.

    Shapes: all (steps, environments); `ended` is terminated or truncated.
    Raises: InputError for arrays of different shapes, gamma or lam outside [0, 1].
    Source: Schulman et al. 2015, arXiv:1506.02438; ends: Pardo et al. 2017, arXiv:1712.00378.
    """
    shape = np.shape(rewards)
    for name, array in {"values": values, "next_values": next_values, "terminated": terminated, "ended": ended}.items():
        require(np.shape(array) == shape, f"{name} shape", np.shape(array), f"{shape}, that of rewards")
    require(0 <= gamma <= 1, "gamma", gamma, "between 0 and 1")
    require(0 <= lam <= 1, "lam", lam, "between 0 and 1")
    deltas = rewards + gamma * next_values * ~terminated - values
    carried = gamma * lam * ~ended
    advantages = np.empty(shape, dtype=np.float32)
    running = np.zeros(shape[1:])
    for t in range(len(deltas) - 1, -1, -1):
        running = deltas[t] + carried[t] * running
        advantages[t] = running
    return advantages


def discounted_returns(
    rewards: Array, next_values: Array, terminated: Array, ended: Array, gamma: float
) -> NDArray[np.float32]:
    """All rewards to come: G_t = r_t + gamma G_{t+1}, where an end gives G_{t+1} = V(s'_t) [not terminated_t].

    Where the last step is no end, V(s'_t) stands for the rest too. Shapes, ends, Raises: as `generalized_advantages`.
    """
    nothing = np.zeros(np.shape(rewards))
    return generalized_advantages(rewards, nothing, _beyond(next_values, ended), terminated, ended, gamma, 1.0)


def _beyond(next_values: Array, ended: Array) -> Array:
    """The values that returns look at: behind an end and behind the last step; 0 in between, where rewards go on."""
    looked_at = np.array(ended, dtype=bool)
    looked_at[-1:] = True
    return np.where(looked_at, next_values, 0.0)
