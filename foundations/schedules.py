"""Learning-rate schedules: plain functions from the step, counted from 0, to a factor on the first learning rate.

Use: `torch.optim.lr_scheduler.LambdaLR(optimizer, cosine(total_steps))`, its `step()` after each update; or set
`group["lr"] = learning_rate * schedule(step)` before it. Past `total_steps` the last factor stays.
"""

import math
from collections.abc import Callable

from foundations.errors import require

Schedule = Callable[[int], float]
"""From the step (0, 1, ...) to the factor on the learning rate."""


def constant() -> Schedule:
    """1, always."""
    return lambda step: 1.0


def linear_decay(total_steps: int, final: float = 0.0) -> Schedule:
    """A straight line from 1 at step 0 to `final` at `total_steps`."""
    _check(total_steps, final)
    return lambda step: 1 + (final - 1) * _progress(step, total_steps)


def cosine(total_steps: int, final: float = 0.0) -> Schedule:
    """Half a cosine wave from 1 down to `final`: final + (1 - final) (1 + cos(pi step / total_steps)) / 2.

    Source: Loshchilov & Hutter 2016, arXiv:1608.03983 (without restarts).
    """
    _check(total_steps, final)
    return lambda step: final + (1 - final) * (1 + math.cos(math.pi * _progress(step, total_steps))) / 2


def warmup_cosine(warmup_steps: int, total_steps: int, final: float = 0.0) -> Schedule:
    """A straight line up to 1, reached at step `warmup_steps`, then `cosine` down to `final` at `total_steps`.

    Step 0 already moves: the line is (step + 1) / (warmup_steps + 1).
    Raises: InputError unless 0 <= warmup_steps < total_steps.
    """
    require(0 <= warmup_steps < total_steps, "warmup_steps", warmup_steps, f"from 0 to below total_steps={total_steps}")
    down = cosine(total_steps - warmup_steps, final)
    return lambda step: (step + 1) / (warmup_steps + 1) if step < warmup_steps else down(step - warmup_steps)


def _progress(step: int, total_steps: int) -> float:
    return min(step / total_steps, 1.0)


def _check(total_steps: int, final: float) -> None:
    require(total_steps >= 1, "total_steps", total_steps, "at least 1")
    require(0 <= final <= 1, "final", final, "between 0 and 1")
