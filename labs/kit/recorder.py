"""Which of a run's metrics are kept: about one point a second of each, its extremes, and a digest of them all."""

import math
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foundations.errors import require
from labs.kit.digest import Digest
from labs.kit.ends import Diverged
from labs.kit.journal import Journal, Point

FLUSH_SECONDS = 10.0
"""Between uploads: one takes about 30 ms, most of it waiting for the disk."""
NAME = re.compile(r"\w[\w.: -]*(/\w[\w.: -]*)*")
"""Metric names that every store takes; a slash makes a section of the dashboard."""


@dataclass
class _Row:
    """Metrics that come together: how far they have reached, when they are next kept, and their last values."""

    names: tuple[str, ...]
    began: float
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    due: float = 0.0
    step: int = 0
    at: float = 0.0
    values: tuple[float, ...] = ()


class Recorder:
    """Takes every metric of every step; keeps some, checks all. It costs a step about ten microseconds.

    - Each value is held against NaN and infinity.
    - Each value goes into `digest`: two runs with equal digests had equal metrics, to the bit, at every step, though
      only some points were kept.
    - Kept are the first values of a metric, then fewer until it is one a second, and at `close` the smallest, the
      largest and the last. `keep`, where given, names the (metric, step) pairs to keep instead.
    - A kept point goes to the journal first and later, in batches, to `upload`, which says whether it took them.
      `known` are the points that the journal holds already: not written again, but uploaded once more.
    """

    def __init__(
        self,
        journal: Journal,
        upload: Callable[[list[Point]], bool],
        *,
        known: Sequence[Point] = (),
        keep: Collection[tuple[str, int]] | None = None,
    ) -> None:
        self.values_seen = 0
        self._digest = Digest()
        self._journal, self._upload = journal, upload
        self._known = {(point.name, point.step) for point in known}
        self._keep = None if keep is None else set(keep)
        self._waiting = list(known)
        self._started = time.monotonic()
        self._epoch = time.time() - self._started
        self._next_flush = self._started + FLUSH_SECONDS
        self._rows: dict[tuple[str, ...], _Row] = {}
        self._smallest: dict[str, Point] = {}
        self._largest: dict[str, Point] = {}
        self._last: dict[str, Point] = {}

    @property
    def digest(self) -> str:
        """The hash of all metrics so far."""
        return self._digest.hex()

    def add(self, step: int, metrics: Mapping[str, float], *, thin: bool = True) -> None:
        """Take the metrics of `step`. With `thin=False` every one is kept.

        Raises: Diverged naming the first metric that is not finite; InputError for a name that no store takes.
        """
        names, values = tuple(metrics), tuple(metrics.values())
        if not math.isfinite(sum(values)):  # one look for all; a sum may also overflow
            _require_finite(step, metrics)
        row = self._rows.get(names) or self._new_row(names)
        self._digest.add(step, names, values)
        self.values_seen += len(names)
        row.step, row.values, row.at = step, values, time.monotonic()
        for value, low, high in zip(values, row.low, row.high, strict=True):
            if value < low or value > high:
                self._widen(row)
                break
        if self._keep is not None:
            self.record([point for point in self._points(row) if (point.name, step) in (self._keep or ())])
        elif row.at >= row.due or not thin:
            row.due = row.at + min(1.0, 0.05 + (row.at - row.began) / 100)
            self.record(self._points(row))
        elif row.at > self._next_flush:
            self.flush()

    def record(self, points: list[Point]) -> None:
        """Acknowledge `points`, less those known already: to the journal at once, to `upload` in time."""
        fresh = [point for point in points if (point.name, point.step) not in self._known]
        if fresh:
            self._known.update((point.name, point.step) for point in fresh)
            self._journal.append(fresh)
            self._waiting += fresh
        if time.monotonic() > self._next_flush:
            self.flush()

    def flush(self) -> None:
        """Upload what waits; what cannot be uploaded now waits on, safe in the journal."""
        if self._waiting and self._upload(self._waiting):
            self._waiting = []
        self._next_flush = time.monotonic() + FLUSH_SECONDS

    def close(self) -> bool:
        """Keep the extremes and the last values too, and upload all that waits; whether all was taken."""
        if self._keep is None:
            ends = [*self._smallest.values(), *self._largest.values(), *self._last_points()]
            self.record(sorted(set(ends), key=lambda point: point.step))
        self.flush()
        self._journal.close()
        return not self._waiting

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to go on counting."""
        ends = {"smallest": self._smallest.values(), "largest": self._largest.values(), "last": self._last_points()}
        points = {kind: [list(point) for point in sorted(each)] for kind, each in ends.items()}
        return {"digest": self._digest.state_dict(), "values_seen": self.values_seen, **points}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._digest.load_state_dict(state["digest"])
        self.values_seen = state["values_seen"]
        self._rows = {}
        tables = ({point[0]: Point(*point) for point in state[kind]} for kind in ("smallest", "largest", "last"))
        self._smallest, self._largest, self._last = tables

    def _new_row(self, names: tuple[str, ...]) -> _Row:
        for name in names:
            allowed = "words of letters, digits and . : - _, with / between"
            require(NAME.fullmatch(name) is not None, "metric", name, allowed)
        row = self._rows[names] = _Row(names, time.monotonic(), [math.inf] * len(names), [-math.inf] * len(names))
        return row

    def _points(self, row: _Row) -> list[Point]:
        stamp = int(1000 * (row.at + self._epoch))
        return [Point(name, value, row.step, stamp) for name, value in zip(row.names, row.values, strict=True)]

    def _widen(self, row: _Row) -> None:
        """Some value of `row` reaches beyond those before it."""
        for place, point in enumerate(self._points(row)):
            name, value = point.name, point.value
            if name not in self._smallest or value < self._smallest[name].value:
                self._smallest[name] = point
            if name not in self._largest or value > self._largest[name].value:
                self._largest[name] = point
            row.low[place], row.high[place] = self._smallest[name].value, self._largest[name].value

    def _last_points(self) -> list[Point]:
        """The last point of each metric."""
        newest = dict(self._last)
        for row in sorted(self._rows.values(), key=lambda row: row.step):
            newest |= {point.name: point for point in self._points(row)}
        return list(newest.values())


def _require_finite(step: int, metrics: Mapping[str, float]) -> None:
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise Diverged(f"{name} is {value} at step {step}")
