"""Reads a learner's metrics off its device and hands them to the recorder."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from labs.kit.journal import Point, repeatable
from labs.kit.origin import Watch
from labs.kit.recorder import Recorder

if TYPE_CHECKING:
    from foundations.learner import Metrics
    from labs.kit.progress import Progress

SETTLE_SECONDS = 0.25
SETTLE_STEPS = 64


class Meter:
    """Metrics are read `at_once` on the CPU; elsewhere a few steps together, so that the device need not wait.

    `prefix` goes in front of every name: the phase of the run. `watch` is called with what is recorded; it may end the
    run.
    """

    def __init__(self, recorder: Recorder, *, at_once: bool, watch: Watch | None = None) -> None:
        self.prefix = ""
        self._recorder, self._at_once, self._watch = recorder, at_once, watch
        self._pending: list[tuple[int, Metrics]] = []
        self._settle_at = 0.0
        self._newest: dict[str, float] = {}

    def take(self, step: int, metrics: Metrics) -> None:
        """Take what the learner yielded at `step`."""
        named = self._named(metrics)
        if self._at_once:
            self._newest = {name: float(value) for name, value in named.items()}
            self._add(step, self._newest)
            return
        self._pending.append((step, named))
        if len(self._pending) >= SETTLE_STEPS or time.monotonic() > self._settle_at:
            self.settle()

    def log(self, step: int, metrics: Metrics) -> None:
        """Take what the lab computed at `step`: nothing of it is thinned out.

        Figures of the machine (`speed/...`, `summary/speed/...`) are recorded, but a replay need not repeat them.
        """
        from labs.kit.readings import read

        self.settle()
        (values,) = read([self._named(metrics)])
        if repeated := {name: value for name, value in values.items() if repeatable(name)}:
            self._add(step, repeated, thin=False)
        now = time.time_ns() // 1_000_000
        self._recorder.record([Point(name, value, step, now) for name, value in values.items() if name not in repeated])

    def settle(self) -> None:
        """Read all that waits on the device."""
        from labs.kit.readings import read

        pending, self._pending = self._pending, []
        for (step, _), values in zip(pending, read([metrics for _, metrics in pending]), strict=True):
            self._add(step, values)
            self._newest = values
        self._settle_at = time.monotonic() + SETTLE_SECONDS

    def show(self, progress: Progress, step: int) -> None:
        """Show the newest metrics, and record the speed."""
        self.settle()
        progress.show(step, self._newest)
        speed = Point("speed/examples_per_second", progress.rate(step), step, time.time_ns() // 1_000_000)
        self._recorder.record([speed])

    def _add(self, step: int, values: dict[str, float], *, thin: bool = True) -> None:
        self._recorder.add(step, values, thin=thin)
        if self._watch:
            self._watch(step, values)

    def _named(self, metrics: Metrics) -> Metrics:
        return {self.prefix + name: value for name, value in metrics.items()} if self.prefix else metrics
