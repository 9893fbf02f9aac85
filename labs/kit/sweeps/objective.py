"""One trial of a sweep: the lab run once with the settings that the sampler chose, as a child of the sweep's run."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import optuna

from foundations.errors import InputError
from labs.kit.config import Config, check
from labs.kit.ends import Diverged, Interrupted, Interrupts, Pruned
from labs.kit.judging import SUMMARY
from labs.kit.lab import Lab, load
from labs.kit.sweeps import places
from labs.kit.sweeps.metrics import UnknownMetric, value_of
from labs.kit.sweeps.space import parse

if TYPE_CHECKING:
    from labs.kit.folder import RunFolder
    from labs.kit.launch import Outcome


class TrialFailed(Exception):
    """A trial ended without a value; `ended` says how: diverged, refused (bad input) or failed."""

    def __init__(self, ended: str, message: str) -> None:
        super().__init__(message)
        self.ended = ended


@dataclass(frozen=True)
class Objective:
    """What a sweep does with a trial. It can be pickled, and called in any process that has the package."""

    target: str
    """Module or file of the lab."""
    settings: Mapping[str, Any]
    """The lab's settings; those of the space are replaced."""
    space: tuple[str, ...]
    metric: str
    parent: str
    """Id of the sweep's run."""
    folder: str
    """The sweep's working directory, which has `mlruns`."""
    study: str
    """Its name: the runs are called after it."""

    def __call__(self, trial: optuna.Trial, interrupts: Interrupts | None = None) -> float:
        """Run the lab with the trial's settings; gives the metric.

        Raises: optuna.TrialPruned; TrialFailed; UnknownMetric where the run has no such metric; Interrupted.
        """
        from labs.kit.launch import attempt
        from labs.kit.origin import Origin

        if os.getcwd() != self.folder:
            os.chdir(self.folder)
        lab = load(self.target)
        chosen = parse(self.space, lab.config_type).suggest(trial)
        name = f"{self.study}-{trial.user_attrs.get(places.PLACE, trial.number) + 1}"
        values = {**self.settings, **chosen, "run_name": name}
        before = _earlier_run(lab, name, values) if trial.user_attrs.get(places.ATTEMPT) else None
        if before and before.state() == "finished":  # its worker died before it could tell
            trial.set_user_attr(places.RUN, before.path.name)
            return value_of(before, self.metric)
        watch = Reports(trial, self.metric) if not before else None  # it would count its reports from 1 again
        errors: list[BaseException] = []
        try:
            config = check(lab.config_type, values)
            origin = Origin(parent=self.parent, watch=watch, resumes=before)
            outcome = attempt(_noting(lab, errors), config, (), interrupts or Interrupts(), origin)
        except (Exception, SystemExit) as error:
            _note_run(trial, self.parent, name)
            raise TrialFailed(*_why(error)) from error
        if outcome.run:
            trial.set_user_attr(places.RUN, outcome.run.path.name)
        return self._value(outcome, errors)

    def _value(self, outcome: Outcome, errors: list[BaseException]) -> float:
        if outcome.interrupted:
            raise outcome.interrupted
        if outcome.status == 0 and outcome.run:
            value = value_of(outcome.run, self.metric)
            if not math.isfinite(value):
                raise TrialFailed("diverged", f"{self.metric} is {value}")
            return value
        if errors and isinstance(errors[-1], Pruned):
            raise optuna.TrialPruned(str(errors[-1]))
        raise TrialFailed(*_why(errors[-1] if errors else RuntimeError("the run could not begin")))


@dataclass
class Reports:
    """Tells the study of each new value of the metric while the run is under way, and asks whether to go on.

    The study counts the values, not the run's steps: runs that are looked at equally often can be compared, whatever
    their batch size. Of many values those are told whose count has at most two digits that are not 0.
    """

    trial: optuna.Trial
    metric: str
    count: int = field(default=0)

    def __call__(self, step: int, values: Mapping[str, float]) -> None:
        """Hear the metrics of a step. Raises: Pruned."""
        if self.metric not in values or self.metric.startswith(SUMMARY):
            return
        self.count += 1
        if len(str(self.count).rstrip("0")) > 2 or not math.isfinite(values[self.metric]):
            return
        self.trial.report(values[self.metric], self.count)
        if self.trial.should_prune():
            raise Pruned(f"{self.metric} {values[self.metric]:.4g} at step {step:,} is behind the other trials")


def perform(
    study: optuna.Study,
    trial: optuna.Trial,
    objective: Callable[[optuna.Trial, Interrupts], float],
    interrupts: Interrupts,
) -> None:
    """Run a claimed trial and tell the study how it ended. Raises: Interrupted, the trial given back."""
    ended, error = "interrupted", ""
    try:
        value = objective(trial, interrupts)
    except optuna.TrialPruned as pruned:
        trial.set_user_attr(places.ENDED, "pruned")
        trial.set_user_attr(places.ERROR, str(pruned))
        study.tell(trial, state=optuna.trial.TrialState.PRUNED, skip_if_finished=True)
    except UnknownMetric as unknown:
        study.set_user_attr(places.STOPPED, str(unknown))
        places.end(study, trial.number, "failed", str(unknown))
    except TrialFailed as failed:
        places.end(study, trial.number, failed.ended, str(failed))
    except BaseException as stop:
        if not isinstance(stop, Interrupted):
            ended, error = "failed", f"{type(stop).__name__}: {stop}"
        places.end(study, trial.number, ended, error)
        raise
    else:
        with suppress(optuna.exceptions.UpdateFinishedTrialError):
            study.tell(trial, value, skip_if_finished=True)


def _noting(lab: Lab, errors: list[BaseException]) -> Lab:
    """The lab, but what its main raises is noted in `errors` on its way."""

    def main(config: Config, run: Any) -> None:
        try:
            lab.main(config, run)
        except Exception as error:
            errors.append(error)
            raise

    return dataclasses.replace(lab, main=main)


def _why(error: BaseException) -> tuple[str, str]:
    """How a run ended that raised `error`, and why in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, InputError):
        return "refused", text
    if isinstance(error, Diverged):
        return "diverged", text
    return "failed", f"{type(error).__name__}: {text}"


def _earlier_run(lab: Lab, name: str, values: Mapping[str, Any]) -> RunFolder | None:
    """The run that an earlier attempt at the trial left behind, if it is on this host."""
    from labs.kit.config import to_record
    from labs.kit.folder import all_runs

    wanted = to_record(check(lab.config_type, values))
    for run in all_runs():
        record = run.record
        if record["name"] == name and record["lab"] == lab.name and record["config"] == wanted:
            return run if run.state() != "running" else None
    return None


def _note_run(trial: optuna.Trial, parent: str, name: str) -> None:
    """Note the run of a trial whose lab broke."""
    from labs.kit.folder import all_runs

    for run in all_runs():
        if run.record.get("parent") == parent and run.record["name"] == name:
            trial.set_user_attr(places.RUN, run.path.name)
            return
