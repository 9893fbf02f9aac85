"""Learning-rate schedules: plain functions from the step, counted from 0, to a factor on the first learning rate.

Use: `torch.optim.lr_scheduler.LambdaLR(optimizer, cosine(total_steps))`, its `step()` after each update; or set
`group["lr"] = learning_rate * schedule(step)` before it. Past `total_steps` the last factor stays.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

from foundations.errors import require, require_choice

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
    return lambda step: _half_wave(1.0, final, _progress(step, total_steps))


def step_decay(every: int, factor: float = 0.1) -> Schedule:
    """Multiplied by `factor` after every `every` steps: factor^floor(step / every)."""
    require(every >= 1, "every", every, "at least 1")
    _check_factor(factor)
    return lambda step: float(factor ** (step // every))


def exponential_decay(factor: float) -> Schedule:
    """Multiplied by `factor` at each step: factor^step, halved every log(0.5) / log(factor) steps."""
    _check_factor(factor)
    return lambda step: float(factor**step)


def linear_warmup(warmup_steps: int) -> Schedule:
    """A straight line up to 1, reached at step `warmup_steps`: (step + 1) / (warmup_steps + 1); step 0 moves already.

    Source: Goyal et al. 2017, arXiv:1706.02677.
    """
    require(warmup_steps >= 0, "warmup_steps", warmup_steps, "at least 0")
    return lambda step: min((step + 1) / (warmup_steps + 1), 1.0)


def warmup_cosine(warmup_steps: int, total_steps: int, final: float = 0.0) -> Schedule:
    """`linear_warmup`, then `cosine` down to `final` at `total_steps`.

    Raises: InputError unless 0 <= warmup_steps < total_steps.
    """
    require(0 <= warmup_steps < total_steps, "warmup_steps", warmup_steps, f"from 0 to below total_steps={total_steps}")
    up, down = linear_warmup(warmup_steps), cosine(total_steps - warmup_steps, final)
    return lambda step: up(step) if step < warmup_steps else down(step - warmup_steps)


def one_cycle(total_steps: int, *, rise: float = 0.3, start: float = 0.04, final: float = 4e-6) -> Schedule:
    """Half a cosine wave up from `start` to 1 over the share `rise` of the steps, another down to `final` at the last.

    The optimizer's learning rate is the peak, and may lie well above what a constant one could be. Momentum stays.
    Raises: InputError unless `rise` covers more than one step and leaves at least one.
    Source: Smith & Topin 2017, arXiv:1708.07120.
    """
    _check(total_steps, final)
    _check(total_steps, start, "start")
    peak, last = rise * total_steps - 1, total_steps - 1
    require(0 < peak < last, "rise", rise, f"a share of more than one and fewer than all of the {total_steps} steps")

    def factor(step: int) -> float:
        if step <= peak:
            return _half_wave(start, 1.0, step / peak)
        return _half_wave(1.0, final, min((step - peak) / (last - peak), 1.0))

    return factor


class ReduceOnPlateau:
    """A schedule that multiplies the rate by `factor` when a watched figure has stopped improving.

    Call `observe` with the figure now and then, at the end of an epoch for instance. It improves where it beats the
    best so far by more than `threshold` of that: below best (1 - threshold) with `mode` "min", above best
    (1 + threshold) with "max"; NaN never does. After more than `patience` observations in a row without improvement the
    rate falls, not below `minimum` times the first rate; none of the next `cooldown` observations counts as a failure.
    Raises: InputError for impossible settings.
    """

    def __init__(
        self,
        *,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        mode: Literal["min", "max"] = "min",
        cooldown: int = 0,
        minimum: float = 0.0,
    ) -> None:
        require_choice("mode", mode, ("min", "max"))
        require(0 < factor < 1, "factor", factor, "above 0 and below 1")
        require(patience >= 0, "patience", patience, "at least 0")
        require(0 <= threshold < 1, "threshold", threshold, "at least 0 and below 1")
        require(cooldown >= 0, "cooldown", cooldown, "at least 0")
        require(0 <= minimum <= 1, "minimum", minimum, "between 0 and 1")
        self.factor, self.patience, self.cooldown, self.minimum = factor, patience, cooldown, minimum
        self._sign = 1 if mode == "min" else -1
        self._margin = 1 - self._sign * threshold
        self.current = 1.0
        self.best = self._sign * math.inf
        self.failures = 0
        self.resting = 0

    def __call__(self, step: int) -> float:
        """The factor on the learning rate now, whatever the step."""
        return self.current

    def observe(self, value: float) -> None:
        """Take the next value of the watched figure."""
        if self._sign * value < self._sign * self.best * self._margin:
            self.best, self.failures = float(value), 0
        else:
            self.failures += 1
        if self.resting > 0:
            self.resting, self.failures = self.resting - 1, 0
        if self.failures > self.patience:
            self.current = max(self.current * self.factor, self.minimum)
            self.resting, self.failures = self.cooldown, 0

    def state_dict(self) -> dict[str, Any]:
        """What it has seen and where the rate stands."""
        return {"current": self.current, "best": self.best, "failures": self.failures, "resting": self.resting}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        self.current, self.best = state["current"], state["best"]
        self.failures, self.resting = state["failures"], state["resting"]


def _progress(step: int, total_steps: int) -> float:
    return min(step / total_steps, 1.0)


def _half_wave(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def _check(total_steps: int, final: float, name: str = "final") -> None:
    require(total_steps >= 1, "total_steps", total_steps, "at least 1")
    require(0 <= final <= 1, name, final, "between 0 and 1")


def _check_factor(factor: float) -> None:
    require(0 < factor <= 1, "factor", factor, "above 0 and at most 1")
