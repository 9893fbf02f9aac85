"""A run drives a learner and records what happens: what is left to the lab is its topic.

for step, metrics in run.follow(learner, steps=config.steps):
    if run.every(1_000):
        run.images("samples", learner.sample(64))
run.summary({"accuracy": 0.99})
"""

from __future__ import annotations  # labs name `kit.Run` in their signatures: importing it must not import torch

import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from foundations.errors import require
from labs.kit.config import Config, to_record
from labs.kit.ends import STATUS, Diverged, Ended, Interrupts, MachineError
from labs.kit.folder import RunFolder, all_runs, ensure_home, home
from labs.kit.gallery import Gallery
from labs.kit.journal import Journal
from labs.kit.lab import Lab
from labs.kit.loading import Loading
from labs.kit.meter import Meter
from labs.kit.origin import Origin, Watch
from labs.kit.ranks import Unheard, Unseen, group, ranks
from labs.kit.recorder import Recorder
from labs.kit.showing import Showing

if TYPE_CHECKING:
    from foundations.learner import Learner, Metrics
    from labs.kit.launch import Outcome
    from labs.kit.progress import Progress
    from labs.kit.tracking import Tracker

DEFAULT_PORT = 5000


class Run(Loading, Showing):
    """One run of one lab.

    It begins to exist (folder, entry in MLflow) when it first has something to record: bad input found before that
    leaves nothing behind.
    """

    def __init__(
        self,
        lab: Lab,
        config: Config,
        arguments: Sequence[str] = (),
        interrupts: Interrupts | None = None,
        origin: Origin | None = None,
    ) -> None:
        from foundations.streams import Streams
        from labs.kit import environment

        self.lab, self.config = lab, config
        self.device = environment.prepare(config)
        self.streams = Streams(config.seed)
        self.step = 0
        self.saved_step = 0
        self.seconds = 0.0
        self.interrupts = interrupts or Interrupts()
        self._ranks = ranks()
        self._arguments, self._origin = list(arguments), origin or Origin()
        self._opened = False
        self._stopping = False
        self._last_step = 0
        said = list(self._origin.resumes.record["notes"]) if self._origin.resumes else []
        self._facts: dict[str, Any] = {"data": {}, "notes": said, "summary": {}, "phases": []}

    # What a lab calls ------------------------------------------------------------------------------------------------

    def follow(
        self, learner: Learner, *, steps: int, examples_per_step: int = 1, name: str = "training"
    ) -> Iterator[tuple[int, Metrics]]:
        """Train `learner` up to step `steps`, yielding (step, metrics) after each; metrics, checkpoints, ends included.

        A resumed run starts behind its last checkpoint. A lab that trains several learners names each phase; metrics
        of all but `training`, and what the lab logs meanwhile, carry the name in front. To end early, call `stop`
        instead of breaking out of the loop.

        Raises: InputError if `steps` is below 1 or the run had a phase of that name; Interrupted after the step in
        which a signal came; Diverged.
        """
        from labs.kit.progress import Progress

        require(steps >= 1, "steps", steps, "at least 1")
        fresh = name not in self._facts["phases"] and name.isidentifier()
        require(fresh, "name", name, "one word, another for each phase")
        self._open()
        self._facts["phases"].append(name)
        file = self.folder.path / f"checkpoint-{name}.pt"
        start, done = self._restore(file.name, learner)
        if done or start >= steps:
            return
        self._last_step, self._stopping = steps, False
        title = self.lab.name if name == "training" else f"{self.lab.name} {name}"
        self.meter.prefix = "" if name == "training" else f"{name}/"
        try:
            with Progress(title, steps, start, examples_per_step) as progress, self.interrupts.deferred():
                yield from self._steps(learner, file, range(start + 1, steps + 1), progress)
        finally:
            self.meter.prefix = ""
        if self._ranks.agree(self.interrupts).stop:
            self.interrupts.raise_pending()

    def _steps(self, learner: Learner, file: Path, steps: range, progress: Progress) -> Iterator[tuple[int, Metrics]]:
        saved = time.monotonic()
        began = saved - self.seconds
        updates = learner.learn()
        for step in steps:
            metrics = next(updates, None)
            if metrics is None:
                break
            self.step = step
            trouble = self._ranks.heed(self.meter.take, step, metrics)
            if trouble is None:
                yield step, metrics
            now = time.monotonic()
            self.seconds = now - began
            if trouble is None and progress.due(now):
                trouble = self._ranks.heed(self.meter.show, progress, step)
            agreed = self._ranks.agree(self.interrupts, trouble, due=now - saved > self.config.checkpoint_seconds)
            if self._stopping:
                break
            if agreed.due or agreed.stop:
                if self._save(file, learner, done=False):
                    self.interrupts.raise_pending()
                saved = time.monotonic()
        self._save(file, learner, done=True)
        self.meter.show(progress, self.step)

    def every(self, steps: int) -> bool:
        """Whether this step is a multiple of `steps`, or the last one: of all, or because `stop` was called."""
        return self.step % steps == 0 or self.step == self._last_step or self._stopping

    def stop(self) -> None:
        """End the phase after this step, as finished."""
        self._stopping = True

    def log(self, metrics: Metrics) -> None:
        """Record figures that the lab computed at this step; each one is kept."""
        self._open()
        self.meter.log(self.step, metrics)

    def history(self, name: str) -> tuple[list[int], list[float]]:
        """The steps and values of the metric `name` that were kept so far, from before a resume too.

        A phase's metrics have its name in front: `"sgd/loss/training"`.
        """
        self._open()
        self.meter.settle()
        kept = {point.step: point.value for point in self.folder.points() if point.name == name}
        return sorted(kept), [kept[step] for step in sorted(kept)]

    def summary(self, values: Mapping[str, float]) -> None:
        """Record the figures by which the run is judged, under `summary/`."""
        self.log({f"summary/{name}": value for name, value in values.items()})
        self._facts["summary"].update({name: float(value) for name, value in values.items()})
        self.folder.update(summary=self._facts["summary"])

    def note(self, text: str) -> None:
        """Say what no reader may miss: on the console, in the record and at the top of the report."""
        print(f"note: {text}", flush=True)
        if text not in self._facts["notes"]:
            self._facts["notes"].append(text)

    # Runs that belong to it -------------------------------------------------------------------------------------------

    def child(
        self, lab: Lab, config: Config, *, resumes: RunFolder | None = None, watch: Watch | None = None
    ) -> Outcome:
        """Run `lab` once, in this process, as a run that belongs to this one; or go on with one that was stopped.

        Raises: Interrupted where the child was.
        """
        from labs.kit.launch import attempt

        self._open()
        origin = Origin(resumes=resumes, parent=self.folder.path.name, watch=watch)
        outcome = attempt(lab, config, (), self.interrupts, origin)
        if outcome.interrupted:
            raise outcome.interrupted
        return outcome

    def children(self) -> list[RunFolder]:
        """The runs that belong to this one, the oldest first, from before a resume too."""
        self._open()
        own = self.folder.path.name
        return [run for run in reversed(all_runs()) if run.record.get("parent") == own]

    # Life ------------------------------------------------------------------------------------------------------------

    @property
    def opened(self) -> bool:
        """Whether the run exists yet."""
        return self._opened

    def _open(self) -> None:
        if not self._opened:
            with self.interrupts.deferred():  # half a run is nothing that anyone could find or resume
                self._begin()
            self.interrupts.raise_pending()

    def _begin(self) -> None:
        from labs.kit import record

        now = record.surroundings(self.lab, self.device)
        resumed = self._origin.resumes is not None
        self._ranks.meet()  # all have looked at the runs that there are, before one more is there
        if self._ranks.first:
            self._enter_store()
        self._enter_group()
        known = self.folder.points() if resumed else []
        self._write_record(now)
        keep = None
        if self._origin.replays:
            keep = {(point.name, point.step) for point in self._origin.replays.points()}
        journal = Journal(self.folder.journal)
        self.recorder = Recorder(journal, self.tracker.points, known=known, keep=keep)
        self.meter = Meter(self.recorder, at_once=self.device.type == "cpu", watch=self._origin.watch)
        self.gallery = Gallery(self.folder.path, self.tracker, resumed=resumed) if self._ranks.first else Unseen()
        self._opened = True
        self._tell_beginning()
        if self._ranks.first:
            self._watch_store(resumed=resumed)
        verb = "resumed" if resumed else "started"
        where = f"{self.device}, seed {self.config.seed}"
        where += "" if self._ranks.alone else f", {self._ranks.size} processes"
        print(f"{verb} {self.tracker.name} ({self.tracker.run_id[:8]}) on {where}", flush=True)

    def _enter_store(self) -> None:
        """Make the run's entry in the store and its folder, or take up those that it had."""
        ensure_home()
        from labs.kit import tracking

        if self._origin.resumes:
            self.folder = self._origin.resumes
            self.folder.open()
            self.tracker = tracking.Tracker.again(self.folder.record["id"])
        else:
            parameters = to_record(self.config)
            experiment = self.config.experiment or self.lab.name
            self.tracker = tracking.Tracker.start(experiment, self.config.run_name, parameters)
            self.folder = RunFolder(home() / "runs" / self.tracker.run_id)
            self.folder.open()

    def _enter_group(self) -> None:
        """Let all processes know the run that the first one made."""
        own = (self.tracker.run_id, self.tracker.name, self.tracker.experiment) if self._ranks.first else ()
        run_id, name, experiment = self._ranks.meet(own)
        if not self._ranks.first:
            self.tracker = cast("Tracker", Unheard(run_id, name, experiment))
            self.folder = self._ranks.own_folder(run_id, self._origin.resumes)
            self.folder.open()

    def _watch_store(self, *, resumed: bool) -> None:
        from labs.kit import stale, tracking

        self._monitor = tracking.system_monitor(self.tracker.run_id, resumed=resumed)
        stale.sweep(self.tracker.client)

    def _write_record(self, now: Mapping[str, Any]) -> None:
        from labs.kit import record

        if self._origin.resumes:
            before = self.folder.record
            if changed := record.changes(before, now):
                self.note(f"resumed with another {', '.join(changed)}: figures may differ from an uninterrupted run")
            start = {"resumed": before.get("resumed", 0) + 1}
        else:
            start = record.identity(self.lab, self.config, self._arguments, self._origin)
            start |= {"id": self.tracker.run_id, "name": self.tracker.name}
            start |= {"experiment": self.tracker.experiment}
            if self._ranks.first:
                from labs.kit import tracking

                start |= {"store": tracking.store_name()}
        life = {"host": now["environment"]["host"], "ended": None, "error": None, "uploaded": False}
        if group():
            life |= {"torchrun": group()}
        self.folder.update(**start, **life, **self._facts, **now)

    def _tell_beginning(self) -> None:
        from labs.kit import record

        self.gallery.settings(to_record(self.config))
        self.tracker.tags(record.tags(self.folder.record))
        for name, data in self._facts["data"].items():
            known = ("fingerprint", "source", "licence")
            counts = ", ".join(f"{count} {part}" for part, count in data.items() if part not in known)
            self.tracker.dataset(name, data["fingerprint"], data["source"], counts)

    def end(self, ended: Ended, error: BaseException | None = None) -> None:
        """Close the run: what is known is written, uploaded and shown in its report; the store hears how it ended."""
        if not self._opened:
            return
        with suppress(Diverged):  # found in metrics that waited on a device: the run ends anyway
            self.meter.settle()
        self.tracker.back()
        uploaded = self.recorder.close()
        digest = self.recorder.digest
        self.folder.update(
            **self._facts,
            ended=ended,
            error=str(error) if error else None,
            digest=digest,
            values_seen=self.recorder.values_seen,
            step=self.step,
            seconds=round(self.seconds, 3),
        )
        if ended == "failed" and error:
            self.gallery.text("traceback.txt", "".join(traceback.format_exception(error)))
        try:
            self.gallery.report()
        except Exception as trouble:  # hours of training are worth more than their picture
            print(f"warning: the report could not be made ({type(trouble).__name__}: {trouble})", flush=True)
        with suppress(Exception):  # a sampler that trips must not take the run's end with it
            self._monitor.finish()
        tags = {"ended": ended, "metrics_digest": digest}
        if self._facts["notes"]:
            tags["notes"] = " | ".join(self._facts["notes"])
        self._tell_store(ended, tags, uploaded)
        self.folder.close()
        self._opened = False

    def _tell_store(self, ended: Ended, tags: Mapping[str, str], uploaded: bool) -> None:
        try:
            if self.tracker.missed:
                self.tracker.folder(self.folder.path)
            self.tracker.tags(tags)
            self.tracker.end(STATUS[ended])
        except MachineError:
            uploaded = False
        self.folder.update(uploaded=uploaded)
        if not uploaded:
            print(
                "warning: the tracking store did not take all of the run; the next start uploads the rest", flush=True
            )

    def farewell(self) -> None:
        """Print the summary, and where the report and the dashboard are."""
        if not self._ranks.first:
            return
        from labs.kit.report import number
        from labs.kit.tracking import store_name, training_view

        print(f"finished {self.tracker.name} after {self.seconds:.1f} s of training")
        for name, value in self._facts["summary"].items():
            print(f"  {name:<32} {number(value)}")
        print(f"  report     {self.folder.path / 'report.html'}")
        page = training_view(self.tracker.experiment, self.tracker.run_id)
        store = store_name()
        remote = store.startswith("http")
        print(f"  dashboard  {'' if remote else 'python -m labs ui, then'}")
        print(f"{store.rstrip('/') if remote else f'http://127.0.0.1:{DEFAULT_PORT}'}/{page}", flush=True)

    # Checkpoints ------------------------------------------------------------------------------------------------------

    def _restore(self, name: str, learner: Learner) -> tuple[int, bool]:
        if not (self._origin.resumes and (self._origin.resumes.path / name).exists()):
            return 0, False
        from labs.kit import checkpoint

        state = checkpoint.load(self._origin.resumes.path / name)
        learner.load_state_dict(state["learner"])
        self.recorder.load_state_dict(state["recorder"])
        self.step = self.saved_step = state["step"]
        self.seconds = state["seconds"]
        return state["step"], state["done"]

    def _save(self, file: Path, learner: Learner, *, done: bool) -> bool:
        """Let the first process write what all of them can go on from; gives whether to stop then."""
        trouble = self._ranks.heed(self._write, file, learner, done)
        agreed = self._ranks.agree(self.interrupts, trouble)
        self.saved_step = self.step
        return agreed.stop

    def _write(self, file: Path, learner: Learner, done: bool) -> None:
        from labs.kit import checkpoint

        self.meter.settle()
        if not self._ranks.first:
            return
        state = {
            "learner": learner.state_dict(),
            "recorder": self.recorder.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "done": done,
        }
        try:
            checkpoint.save(file, state)
        except Diverged as error:
            raise Diverged(f"{error} at step {self.step}") from None
