"""A run's folder, `mlruns/runs/ID/`: its record, journal, checkpoints and pictures; and which runs are alive.

The folder is the truth on this machine: a run can be listed, resumed and replayed from it without MLflow.
"""

import json
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from foundations.errors import InputError
from labs.kit.ends import MachineError
from labs.kit.journal import Point, read_points

HEARTBEAT_SECONDS = 5.0
LOOKING_SECONDS = 1.0
"""A process that asks whether a run is alive holds the run's lock for a moment: for less than this."""
ASKING_SECONDS = 0.2
"""How long a process that asks waits for another one that asks at the same moment."""
SILENT_SECONDS = 60.0
"""A run on another host is given up after this long without a heartbeat."""


def home() -> Path:
    """The folder of all runs: `mlruns` below the working directory."""
    return Path("mlruns").resolve()


def ensure_home() -> Path:
    """`home()`, made where it is missing. Raises: MachineError if nothing can be written there."""
    folder, probe = home(), home() / f".write-{os.getpid()}"
    try:
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x" * 65536)
    except OSError as error:
        raise MachineError(
            f"{folder} cannot be written ({error.strerror}): free it, or work in another directory"
        ) from None
    finally:
        with suppress(OSError):
            probe.unlink()
    return folder


class RunFolder:
    """One run on disk. One process at a time has it open and holds its lock: so long the run is alive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / "lock")
        self._closed = threading.Event()

    @property
    def record(self) -> dict[str, Any]:
        """What is known of the run: lab, settings, seed, host, versions, how it ended.

        Raises: MachineError if it cannot be read.
        """
        file = self.path / "record.json"
        try:
            record: dict[str, Any] = json.loads(file.read_text())
        except (OSError, ValueError) as error:
            raise MachineError(f"{file} cannot be read ({error}): remove the folder {self.path}") from None
        return record

    def update(self, **changes: Any) -> None:
        """Change the record, atomically."""
        file = self.path / "record.json"
        record = {**(self.record if file.exists() else {}), **changes}
        fresh = file.with_suffix(".writing")
        fresh.write_text(json.dumps(record, indent=1) + "\n")
        fresh.replace(file)

    @property
    def journal(self) -> Path:
        """The file of its metrics."""
        return self.path / "journal.jsonl"

    def points(self) -> list[Point]:
        """All points of its journal."""
        return read_points(self.journal)

    def models(self) -> list[str]:
        """The names of the models that it kept."""
        return sorted(file.stem for file in self.path.glob("weights/*.safetensors"))

    def open(self) -> None:
        """Lock the run for this process, and touch its heartbeat file every few seconds.

        Raises: InputError if another process has it open.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=LOOKING_SECONDS)
        except Timeout:
            raise InputError(f"run {self.path.name} is running in another process: wait for it, or stop it") from None
        self._closed.clear()
        threading.Thread(target=self._beat, daemon=True, name="heartbeat").start()

    def close(self) -> None:
        """End the heartbeat and release the lock."""
        self._closed.set()
        self._lock.release()

    def alive(self) -> bool:
        """Whether a process has this run open: by its lock on this host, elsewhere by its heartbeat."""
        if self.record.get("host") == socket.gethostname():
            with suppress(OSError):  # a folder that may only be read: nobody can lock anything there
                return self._is_locked()
        return self.silence() < SILENT_SECONDS

    def _is_locked(self) -> bool:
        try:
            with FileLock(self.path / "lock", timeout=ASKING_SECONDS, poll_interval=ASKING_SECONDS / 20):
                return False
        except Timeout:
            return True

    def silence(self) -> float:
        """Seconds since the last heartbeat."""
        beat = self.path / "heartbeat"
        return time.time() - beat.stat().st_mtime if beat.exists() else float("inf")

    def state(self) -> str:
        """How the run ended, or `running`, or `stale` where its process vanished."""
        ended: str | None = self.record.get("ended")
        return ended or ("running" if self.alive() else "stale")

    def _beat(self) -> None:
        while not self._closed.is_set():
            with suppress(OSError):  # a full disk is for the training to report
                (self.path / "heartbeat").touch()
            self._closed.wait(HEARTBEAT_SECONDS)


def all_runs() -> list[RunFolder]:
    """Every run of `home()` whose record can be read, the newest first."""
    started = []
    for file in (home() / "runs").glob("*/record.json"):
        with suppress(MachineError):  # one damaged record must not hide the others
            folder = RunFolder(file.parent)
            started.append((str(folder.record["started"]), file.parent.name, folder))
    return [folder for *_, folder in sorted(started, key=lambda each: each[:2], reverse=True)]


def _refuse_damaged(reference: str) -> None:
    """Raises: MachineError if a folder of that id, or beginning of an id, holds a record that cannot be read."""
    for file in (home() / "runs").glob("*/record.json"):
        if file.parent.name.startswith(reference):
            _ = RunFolder(file.parent).record


def find(reference: str) -> RunFolder:
    """The run of that id, beginning of an id, or name; `last` is the newest.

    Raises: InputError if there is not one; MachineError if its record is damaged.
    """
    runs = all_runs()
    if not runs:
        if len(reference) >= 4 and reference != "last":
            _refuse_damaged(reference)
        raise InputError(f"run {reference!r}: there are no runs in {home()}; start one: python -m labs.gan_mnist")
    if reference == "last":  # the newest that somebody started: what is below a sweep is part of that
        return next((run for run in runs if not run.record.get("parent")), runs[0])
    found = [run for run in runs if reference in (run.path.name, run.record["name"])]
    found = found or [run for run in runs if len(reference) >= 4 and run.path.name.startswith(reference)]
    if len(found) == 1:
        return found[0]
    if not found and len(reference) >= 4:
        _refuse_damaged(reference)
    problem = "fits several runs: give more of the id" if found else "is no run here"
    raise InputError(f"run {reference!r}: {problem}; `python -m labs runs` lists them, `last` is the newest")
