"""The run's own record of its metrics: appended before anything else hears of them, so that no crash loses a point."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

MACHINE_PARTS = {"speed", "system"}
"""Parts of the names of metrics that tell of the machine."""


def repeatable(name: str) -> bool:
    """Whether a replay must give the metric `name` again: all but what has the part `speed` or `system`."""
    return not MACHINE_PARTS & set(name.split("/"))


class Point(NamedTuple):
    """One recorded value of one metric."""

    name: str
    value: float
    step: int
    time: int
    """Milliseconds since 1970."""


class Journal:
    """An append-only file of points, one JSON list a line.

    A point is acknowledged once `append` returns: it is then with the operating system, and outlives a killed process.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        whole = path.read_bytes().rfind(b"\n") + 1 if path.exists() else 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.ftruncate(self._file, whole)  # a power cut can leave half a line at the end
        self._whole = os.lseek(self._file, 0, os.SEEK_END)

    def append(self, points: Sequence[Point]) -> None:
        """Write `points`: all of them, or none where the disk refuses. Raises: OSError."""
        lines = "".join(json.dumps(point) + "\n" for point in points).encode()
        written = 0
        try:
            while written < len(lines):  # a disk that fills up takes a part, and refuses only the next part
                written += os.write(self._file, lines[written:])
        except OSError:
            os.ftruncate(self._file, self._whole)
            os.lseek(self._file, 0, os.SEEK_END)
            raise
        self._whole += written

    def close(self) -> None:
        """No more points. Closing twice does no harm."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


def read_points(path: Path) -> list[Point]:
    """All whole points of a journal; none where there is no journal yet."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [Point(*json.loads(line)) for line in lines]
