"""The ways in which a run ends, and what each says to the user and to the shell.

finished: status 0. killed (Ctrl-C, SIGTERM): 128 + signal. failed (a crash, the machine's fault), diverged, and pruned
(a search gave it up): 1. Bad input: 2. A run whose process vanished is stale: the next command that looks marks it.
"""

import errno
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

Ended = Literal["finished", "failed", "killed", "diverged", "pruned", "stale"]
Status = Literal["FINISHED", "FAILED", "KILLED"]
STATUS: dict[Ended, Status] = {
    "finished": "FINISHED",
    "killed": "KILLED",
    "pruned": "KILLED",
    "stale": "KILLED",
    "failed": "FAILED",
    "diverged": "FAILED",
}
"""What the tracking store calls each end."""


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM. Not an `Exception`, so that no `except Exception` of a lab swallows it."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.name = "Ctrl-C" if signal_number == signal.SIGINT else signal.Signals(signal_number).name
        self.status = 128 + signal_number

    def __str__(self) -> str:
        return f"stopped by {self.name}"


class Diverged(Exception):
    """A metric or a weight became NaN or infinite."""


class Pruned(Exception):
    """A search over many runs found this one not worth going on with."""


class MachineError(Exception):
    """The machine's fault, not the user's: no space, no permission, no answer. One line that says what to do."""


BROKEN_PIPE_STATUS = 141
"""128 + SIGPIPE, which not every system has."""
LOST_STATUS = 75
"""Another process of the run is gone: what the system calls a temporary failure."""
_MACHINE_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO}


def machine_fault(error: BaseException) -> str | None:
    """One line for an error that is the machine's fault; None for any other."""
    if isinstance(error, MachineError):
        return str(error)
    if isinstance(error, BrokenPipeError):
        return "nobody reads the output any more: the pipe that it went to is closed"
    if isinstance(error, OSError) and error.errno in _MACHINE_FAULTS:
        where = f" at {error.filename}" if error.filename else ""
        return f"the machine refused to write{where}: {error.strerror}"
    return None


def speaks() -> bool:
    """Whether this process may speak to the user: of several that torchrun started, the first of each host."""
    return os.environ.get("LOCAL_RANK", "0") == "0" or "TORCHELASTIC_RUN_ID" not in os.environ


def say(message: str) -> None:
    """Print a line on standard error, where this process may speak."""
    if speaks():
        print(message, file=sys.stderr, flush=True)


def say_error(message: str) -> None:
    """Say what is wrong, in one line."""
    say(f"error: {' '.join(str(message).split())}")


def open_output() -> None:
    """Let printing never fail for what it prints to.

    Where standard output or error is closed, it goes nowhere; letters that its encoding lacks become question marks.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def drop_output() -> int:
    """Write no more to a standard output whose reader has gone, as after `| head`; gives the status that says so."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE_STATUS


class Interrupts:
    """Ctrl-C and SIGTERM, held back while a step is under way.

    Inside `deferred` the first signal only sets `pending`, so that the loop can finish its step and save itself; a
    second one, and any signal outside `deferred`, raises `Interrupted` at once. Of several processes of a run, one may
    learn of a signal from another (`hear`) before its own arrives: that one does not count as a second.
    """

    def __init__(self) -> None:
        self.pending: int | None = None
        self._deferring = False
        self._heard = False

    @contextmanager
    def handled(self) -> Iterator["Interrupts"]:
        """Take over both signals for the block, and give them back after it."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self._receive) for number in numbers]
        try:
            yield self
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let the block finish its step before it ends."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False

    def at_once(self) -> None:
        """From now on, let no signal wait: there is no step left to finish."""
        self._deferring = False

    def hear(self, number: int) -> None:
        """Take note of a signal that another process of the run received."""
        if self.pending is None:
            self.pending, self._heard = number, True

    def raise_pending(self) -> None:
        """Raise `Interrupted` if a signal has come."""
        if self.pending is not None:
            raise Interrupted(self.pending)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._heard:
            self._heard = False
        elif self._deferring and self.pending is None:
            self.pending = number
            said = f"\n{Interrupted(number).name}: finishing this step ... (once more: at once)\n"
            if speaks():
                os.write(2, said.encode())  # `print` may not be called again while it prints
        else:
            raise Interrupted(number)
