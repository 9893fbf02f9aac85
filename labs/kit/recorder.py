"""Which of a run's metrics are kept: about one point a second of each, its extremes, and a digest of them all."""

import math
import struct
import time
from collections.abc import Callable, Collection, Mapping
from hashlib import blake2b
from typing import Any

from labs.kit.ends import Diverged
from labs.kit.journal import Journal, Point

FLUSH_SECONDS = 5.0


class Recorder:
    """Takes every metric of every step; keeps some, checks all.

    - Each value is held against NaN and infinity.
    - Each value goes into `digest`, a chained hash: two runs with equal digests had equal metrics, to the bit, at
      every step, though only some points were kept.
    - Kept are the first values of a metric, then fewer until it is one a second, and at `close` the smallest, the
      largest and the last. `keep`, where given, names the (metric, step) pairs to keep instead.
    - A kept point goes to the journal first and later, in batches, to `upload`.
    """

    def __init__(
        self,
        journal: Journal,
        upload: Callable[[list[Point]], bool],
        *,
        known: Collection[tuple[str, int]] = (),
        keep: Collection[tuple[str, int]] | None = None,
    ) -> None:
        self.digest = b""
        self.values_seen = 0
        self._journal, self._upload = journal, upload
        self._known = set(known)
        self._keep = None if keep is None else set(keep)
        self._started = time.monotonic()
        self._due: dict[str, float] = {}
        self._smallest: dict[str, Point] = {}
        self._largest: dict[str, Point] = {}
        self._last: dict[str, Point] = {}
        self._waiting: list[Point] = []
        self._next_flush = self._started + FLUSH_SECONDS
        self._names: tuple[str, ...] = ()
        self._pack = struct.Struct("<q").pack

    def add(self, step: int, metrics: Mapping[str, float], *, thin: bool = True) -> None:
        """Take the metrics of `step`. With `thin=False` every one is kept.

        Raises: Diverged naming the first metric that is not finite.
        """
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise Diverged(f"{name} is {value} at step {step}")
        self._extend_digest(step, metrics)
        now, stamp = time.monotonic(), time.time_ns() // 1_000_000
        kept = []
        for name, value in metrics.items():
            point = Point(name, value, step, stamp)
            self._last[name] = point
            if name not in self._smallest or value < self._smallest[name].value:
                self._smallest[name] = point
            if name not in self._largest or value > self._largest[name].value:
                self._largest[name] = point
            if not thin or self._wants(name, step, now):
                kept.append(point)
        if kept:
            self.record(kept)
        elif now > self._next_flush:
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

    def close(self) -> None:
        """Keep the extremes and the last values too, and upload all that waits."""
        if self._keep is None:
            ends = [*self._smallest.values(), *self._largest.values(), *self._last.values()]
            self.record(sorted(set(ends), key=lambda point: point.step))
        self.flush()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to go on counting."""
        extremes = {"smallest": self._smallest, "largest": self._largest, "last": self._last}
        points = {kind: [list(point) for point in table.values()] for kind, table in extremes.items()}
        return {"digest": self.digest.hex(), "values_seen": self.values_seen, "names": list(self._names), **points}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.digest, self.values_seen = bytes.fromhex(state["digest"]), state["values_seen"]
        self._set_names(tuple(state["names"]))
        for kind, table in (("smallest", self._smallest), ("largest", self._largest), ("last", self._last)):
            table.clear()
            table.update({name: Point(name, *rest) for name, *rest in state[kind]})

    def _wants(self, name: str, step: int, now: float) -> bool:
        if self._keep is not None:
            return (name, step) in self._keep
        if now < self._due.get(name, 0.0):
            return False
        self._due[name] = now + min(1.0, 0.05 + (now - self._started) / 100)
        return True

    def _extend_digest(self, step: int, metrics: Mapping[str, float]) -> None:
        names = tuple(metrics)
        if names != self._names:
            self._set_names(names)
            self.digest = blake2b(self.digest + "\0".join(names).encode(), digest_size=16).digest()
        packed = self._pack(step, *metrics.values())
        self.digest = blake2b(self.digest + packed, digest_size=16).digest()
        self.values_seen += len(names)

    def _set_names(self, names: tuple[str, ...]) -> None:
        self._names, self._pack = names, struct.Struct(f"<q{len(names)}d").pack
