"""The workers of a sweep on this host: processes with one torch thread each, that claim trial after trial."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from labs.kit.ends import Interrupted, Interrupts, MachineError

if TYPE_CHECKING:
    from labs.kit.sweeps.objective import Objective

LOOK_SECONDS = 1.0
MOST_DEATHS = 3
"""Workers that may end in a row without a trial in between, before the sweep gives up."""
DEAF_SECONDS = 5.0
LAST_WORDS_SECONDS = 60.0
"""How long a worker whose sweep is gone may take to finish its step."""


@dataclass(frozen=True)
class Work:
    """What a worker must know; it is sent to its process."""

    objective: Objective
    store: str
    sampler: str
    pruner: str
    seed: int
    points: int


def context() -> BaseContext:
    """How processes begin: from nothing, so that torch's threads and locks are their own."""
    return multiprocessing.get_context("spawn")


class Pool:
    """At most `count` workers, replaced as they die, as long as trials wait.

    `look` is called about once a second with the workers that ended since, id -> exit status; it says how many trials
    wait.
    """

    def __init__(self, work: Work, count: int, logs: Path, look: Callable[[dict[int, int]], int]) -> None:
        self._work, self._count, self._logs, self._look = work, count, logs, look
        self._alive: dict[int, BaseProcess] = {}
        self._started, self._deaths = 0, 0

    def run(self, interrupts: Interrupts, left: Callable[[], int]) -> None:
        """Work until no trial is `left` that has not ended; or, after a signal, until all workers did their step.

        Raises: Interrupted after a second signal, at once; MachineError where workers die as soon as they begin.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        told, before = False, left()
        try:
            with interrupts.deferred():
                while True:
                    waiting = self._look(self._gone())
                    if interrupts.pending is not None:
                        self._tell_all(signal.SIGTERM) if not told else None
                        told = True
                        if not self._alive:
                            break
                    elif not (now := left()):
                        break
                    else:
                        if now < before:  # a trial has ended: workers do live
                            self._deaths = 0
                        before = now
                        self._fill(waiting)
                    wait([process.sentinel for process in self._alive.values()] or [], timeout=LOOK_SECONDS)
        finally:
            for process in self._alive.values():
                process.kill()
                process.join()

    def _fill(self, waiting: int) -> None:
        """Start workers for trials that wait and that no living worker will come to soon."""
        for _ in range(min(self._count - len(self._alive), waiting)):
            self._started += 1
            log = self._logs / f"worker-{self._started}.log"
            arguments = (self._work, str(log))
            process = context().Process(target=live, args=arguments, name=log.stem)  # type: ignore[attr-defined]
            with _no_ctrl_c():
                process.start()
            self._alive[process.pid] = process

    def _gone(self) -> dict[int, int]:
        """The workers that have ended since the last look. Raises: MachineError if too many die."""
        gone = {pid: process for pid, process in self._alive.items() if not process.is_alive()}
        for pid, process in gone.items():
            del self._alive[pid]
            self._deaths = self._deaths + 1 if process.exitcode else 0
            if self._deaths > MOST_DEATHS + self._count:
                log = self._logs / f"{process.name}.log"
                lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
                last = lines[-1][:200] if lines else f"exit status {process.exitcode}"
                raise MachineError(f"one worker of the sweep after another died; the last said: {last} (see {log})")
        return {pid: process.exitcode or 0 for pid, process in gone.items()}

    def _tell_all(self, number: int) -> None:
        for process in self._alive.values():
            if process.pid and process.is_alive():
                os.kill(process.pid, number)


def live(work: Work, log: str) -> None:
    """Be a worker: claim and run trials until none waits. SIGTERM ends it after the step; Ctrl-C is for the sweep."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # before torch and NumPy are imported
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _write_to(log)
    _end_with_parent()
    interrupts = Interrupts()
    with interrupts.handled():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _once_in_a_while(signal.getsignal(signal.SIGTERM)))
        try:
            _work(work, interrupts)
        except Interrupted:
            print("stopped, as asked", flush=True)
        except MachineError as error:
            print(f"error: {error}", flush=True)
            sys.exit(1)


def _work(work: Work, interrupts: Interrupts) -> None:
    import labs.kit.run
    import labs.kit.tracking  # noqa: F401 - what a run needs takes seconds to import: no trial's time
    from labs.kit.lab import load
    from labs.kit.sweeps import places, study
    from labs.kit.sweeps.objective import perform
    from labs.kit.sweeps.space import parse

    objective = work.objective
    space = parse(objective.space, load(objective.target).config_type)
    sampler = study.sampler_of(work.sampler, seed=work.seed, space=space, points=work.points)
    with study.answering(work.store):
        shared = study.join_study(work.store, objective.study, sampler=sampler, pruner=study.pruner_of(work.pruner))
        while True:
            with interrupts.deferred():
                trial = places.claim(shared, objective.parent)
                if trial and interrupts.pending is not None:
                    places.end(shared, trial.number, "interrupted")
            interrupts.raise_pending()
            if trial is None:
                return
            perform(shared, trial, objective, interrupts)


def _once_in_a_while(handler: Any) -> Callable[[int, FrameType | None], None]:
    """`handler`, at most once in some seconds: a signal to the whole group comes a second time, from the sweep."""
    last = float("-inf")

    def receive(number: int, frame: FrameType | None) -> None:
        nonlocal last
        if time.monotonic() - last > DEAF_SECONDS:
            last = time.monotonic()
            handler(number, frame)

    return receive


def _write_to(log: str) -> None:
    """Let all that this process says go to the file `log`."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def _end_with_parent() -> None:
    """Stop as on SIGTERM when the process that started this one is gone, however it ended; after a minute, at once."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(LAST_WORDS_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="orphan").start()


@contextmanager
def _no_ctrl_c() -> Iterator[None]:
    """Hold Ctrl-C back while a process starts: it has no handler yet, and inherits that the signal is held back."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
