"""A sweep on a Ray cluster: the trials are Ray tasks, on whichever node has room; what a lost node had is tried again.

The sweep's own process claims the trials and hands them out, so that it knows which one a lost task had. Where a trial
runs, its settings are drawn and the study is told how it ended: a result that a node has told before it dies counts.
Source: Moritz et al. 2018, arXiv:1712.05889 (Ray).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labs.kit.ends import Interrupted, Interrupts, MachineError
from labs.kit.sweeps import places
from labs.kit.sweeps.ray_cluster import connected
from labs.kit.sweeps.samplers import PLACE
from labs.kit.sweeps.workers import LOOK_SECONDS, MOST_DEATHS, Work

if TYPE_CHECKING:
    import optuna

LAST_WORDS_SECONDS = 60.0
"""How long trials may take to finish their step when the sweep is stopped."""


def run(
    work: Work,
    *,
    trials: int,
    workers: int,
    address: str | None,
    cpus: float,
    gpus: float,
    finished: Callable[[int], None],
) -> None:
    """Run the `trials` of the study, `workers` at a time, on the Ray cluster at `address`; None starts a local one.

    Every trial has `cpus` processor cores and `gpus` GPUs to itself. `finished` is told about once a second how many
    trials have ended for good; what it raises ends the sweep, as Ctrl-C does: trials finish their step and are given
    back. Raises: InputError; MachineError where the store or the cluster is away, or one task after another is lost.
    """
    shared = _open(work, draws=False)
    with connected(address, workers=workers, cpus=cpus, gpus=gpus) as ray:
        # Lost tasks are tried again by the study, which counts how often: not a second time by Ray.
        task = ray.remote(attempt).options(num_cpus=cpus, num_gpus=gpus, max_retries=0, scheduling_strategy="SPREAD")
        crew = Crew(ray, shared, workers, lambda number: task.remote(work, number))
        try:
            while not all(done := ended(shared, trials)) and not shared.user_attrs.get(places.STOPPED):
                finished(sum(done))
                crew.fill(work.objective.parent)
                crew.wait(LOOK_SECONDS)
            finished(sum(done))
        finally:
            crew.dismiss()


class Crew:
    """The Ray tasks under way, `count` at most, each with one trial of the study."""

    def __init__(self, ray: Any, study: optuna.Study, count: int, start: Callable[[int], Any]) -> None:
        self._ray, self._study, self._count, self._start = ray, study, count, start
        self._tasks: dict[Future[None], tuple[int, Any]] = {}
        self._losses = 0

    def fill(self, sweep: str) -> None:
        """Start tasks for trials that wait, for the sweep of that run, as long as there is room."""
        while len(self._tasks) < self._count and (trial := places.claim(self._study, sweep)):
            reference = self._start(trial.number)
            self._tasks[reference.future()] = trial.number, reference

    def wait(self, seconds: float) -> None:
        """Wait until a task ends, or for so long. Raises: what a task raised; MachineError where too many are lost."""
        if not self._tasks:  # others have what is left of the study
            time.sleep(seconds)
        # Not `ray.wait`, which swallows what the handler of a signal raises.
        for future in wait(self._tasks, timeout=seconds, return_when="FIRST_COMPLETED").done:
            number, _ = self._tasks.pop(future)
            self._settle(number, future.exception())

    def _settle(self, number: int, error: BaseException | None) -> None:
        errors = self._ray.exceptions
        if error is None:
            self._losses = 0
        elif isinstance(error, errors.RayTaskError):  # a crash of the task itself: the next would fare no better
            places.end(self._study, number, "interrupted", "its task broke")
            raise error.cause if isinstance(error.cause, BaseException) else error
        else:
            self._lost(number, _in_one_line(error))

    def _lost(self, number: int, reason: str) -> None:
        """Give a trial back whose node or worker is gone; one that had told its result keeps it."""
        self._losses += 1
        places.end(self._study, number, "lost", f"its Ray task was lost: {reason}")
        trial = self._study.get_trials(deepcopy=False)[number]
        if trial.user_attrs.get(places.ENDED) == "lost":
            print(f"trial {trial.user_attrs[PLACE] + 1}: its Ray task was lost ({reason})", flush=True)
        if self._losses > MOST_DEATHS + self._count:
            raise MachineError(f"one task after another is lost on the Ray cluster; the last: {reason}")

    def dismiss(self) -> None:
        """Ask what is under way to finish its step and end; give its trials back."""
        for _, reference in self._tasks.values():
            self._ray.cancel(reference, force=False)
        try:
            wait(self._tasks, timeout=LAST_WORDS_SECONDS)
        finally:
            for number, _ in self._tasks.values():
                places.end(self._study, number, "interrupted")


def attempt(work: Work, number: int) -> None:
    """Be a Ray task: run the trial `number` and tell the study how it ended."""
    from labs.kit.sweeps.objective import perform

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    folder = Path(work.objective.folder)
    if not folder.is_dir():
        reason = f"the node {socket.gethostname()} has no folder {folder}"
        raise MachineError(f"{reason}: start the sweep in one that all nodes of the Ray cluster share")
    interrupts = Interrupts()
    with _log(folder / "mlruns" / "runs" / work.objective.parent), interrupts.handled(), suppress(Interrupted):
        import optuna

        study = _open(work)
        trial = optuna.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)
        perform(study, trial, work.objective, interrupts)


def _open(work: Work, *, draws: bool = True) -> optuna.Study:
    """The study; for one that only claims, with a sampler that draws nothing before it is asked."""
    from labs.kit.lab import load
    from labs.kit.sweeps import study as studies
    from labs.kit.sweeps.space import parse

    objective = work.objective
    space = parse(objective.space, load(objective.target).config_type)
    name = work.sampler if draws else "random"
    sampler = studies.sampler_of(name, seed=work.seed, space=space, points=work.points)
    return studies.join_study(work.store, objective.study, sampler=sampler, pruner=studies.pruner_of(work.pruner))


def ended(study: optuna.Study, trials: int) -> list[bool]:
    """Whether each place's trial has ended for good; a place whose trial is to be tried again gets one that waits."""
    places.reap(study, {})  # of a sweep of this host that was killed
    places.ensure(study, trials)
    return [trial.state.is_finished() for trial in places.latest(study.get_trials(deepcopy=False)).values()]


def _in_one_line(error: BaseException) -> str:
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first.partition('. ')[0]}"[:160]


@contextmanager
def _log(run_folder: Path) -> Iterator[None]:
    """Let what the trial says go to a file of the sweep's run, where its folder is within reach."""
    if not run_folder.is_dir():
        yield
        return
    folder = run_folder / "workers"
    folder.mkdir(exist_ok=True)
    name = f"ray-{socket.gethostname()}-{os.getpid()}.log"
    with (folder / name).open("a", buffering=1) as log, redirect_stdout(log), redirect_stderr(log):
        yield
