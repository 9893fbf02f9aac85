"""Which trials a sweep has: each of its places is filled exactly once, even where workers and hosts die.

A sweep of N trials has the places 0 to N - 1. Each is a trial of the study that waits until a worker claims it. A trial
whose worker died, or that was interrupted, gives way to one more at its place, with the same settings. Where two hosts
put a trial at one place at the same time, the one with the lower number counts and the other is surplus: so the number
of trials is exact over all workers and hosts, and nobody needs a lock.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import optuna
import psutil
from optuna.trial import FrozenTrial, TrialState

from labs.kit.folder import SILENT_SECONDS
from labs.kit.sweeps.samplers import PLACE as PLACE

BUDGET = "trials"
"""Study attribute: how many trials the sweep has; the most that any who joined asked for."""
STOPPED = "stopped"
"""Study attribute: why no further trial shall be claimed; empty where trials shall."""
ATTEMPT, TRY, OWNER, ENDED, ERROR, RUN = "attempt", "tries", "owner", "ended", "error", "run"
"""User attributes of a trial: how often its place was filled before, how many workers died of it, which process runs
it, how it ended if it did not finish, why, and its run's id."""
MOST_TRIES = 3
"""A trial whose worker died so often is not tried again."""
AGAIN = ("lost", "interrupted")
"""Ends after which a place is filled once more."""
CLAIM_SECONDS = 60.0
"""A claimed trial that names no owner for so long lost its worker at once."""


def ensure(study: optuna.Study, budget: int) -> None:
    """Let the study have `budget` places at least, each with a trial that waits, runs or has ended for good."""
    budget = max(budget, int(study.user_attrs.get(BUDGET, 0)))
    if study.user_attrs.get(BUDGET) != budget:
        study.set_user_attr(BUDGET, budget)
    newest = latest(study.get_trials(deepcopy=False))
    for place in range(budget):
        before = newest.get(place)
        if before is None:
            study.add_trial(optuna.create_trial(state=TrialState.WAITING, user_attrs={PLACE: place, ATTEMPT: 0}))
        elif to_be_filled(before):
            study.add_trial(_once_more(before))


def start_again(study: optuna.Study) -> None:
    """Let a study that was stopped go on: what failed till then is tried once more."""
    if not study.user_attrs.get(STOPPED):
        return
    for before in latest(study.get_trials(deepcopy=False)).values():
        if before.user_attrs.get(ENDED) in ("failed", "refused"):
            study.add_trial(_once_more(before))
    study.set_user_attr(STOPPED, "")


def latest(trials: Sequence[FrozenTrial]) -> dict[int, FrozenTrial]:
    """The trial that counts at each place: that of the last attempt, and of several the one with the lowest number."""
    found: dict[int, FrozenTrial] = {}
    for trial in sorted(trials, key=lambda each: (each.user_attrs.get(ATTEMPT, 0), -each.number)):
        if PLACE in trial.user_attrs:
            found[int(trial.user_attrs[PLACE])] = trial
    return dict(sorted(found.items()))


def claim(study: optuna.Study, sweep: str) -> optuna.Trial | None:
    """The next trial that waits, from now on this process's, for the sweep of that run; None when no trial waits."""
    owner = {"host": socket.gethostname(), "sweep": sweep, "pid": psutil.Process().pid}
    owner["began"] = psutil.Process().create_time()
    while not study.user_attrs.get(STOPPED) and study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        trial = study.ask()
        trial.set_user_attr(OWNER, owner)
        counts = latest(study.get_trials(deepcopy=False)).get(trial.user_attrs.get(PLACE, -1))
        if counts and counts.number == trial.number:
            return trial
        end(study, trial.number, "surplus")
    return None


def end(study: optuna.Study, number: int, ended: str, error: str = "") -> None:
    """Tell the study that a trial came to nothing, and why; one that has ended is left as it is."""
    trial = study.get_trials(deepcopy=False)[number]
    if trial.state.is_finished():
        return
    trial_id = trial._trial_id  # attributes of a trial that another process asked for have no other way
    with suppress(optuna.exceptions.UpdateFinishedTrialError):  # somebody else was faster
        study._storage.set_trial_user_attr(trial_id, ENDED, ended)
        study._storage.set_trial_user_attr(trial_id, ERROR, error[:500])
        study.tell(number, state=TrialState.FAIL, skip_if_finished=True)


def reap(study: optuna.Study, beats: Mapping[str, float], *, pids: Mapping[int, int] | None = None) -> list[int]:
    """Tell the study of trials whose process is gone; gives their places.

    `beats`: seconds since each sweep, by the id of its run, was last seen: trials of another host are lost when that
    is too long.
    `pids`: workers that have just ended, by id -> exit status, though the system may still know them.
    """
    lost = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_lost(trial, beats, pids or {}):
            end(study, trial.number, "lost", "its worker died")
            lost.append(int(trial.user_attrs.get(PLACE, -1)))
    return lost


def _is_lost(trial: FrozenTrial, beats: Mapping[str, float], pids: Mapping[int, int]) -> bool:
    owner: dict[str, Any] | None = trial.user_attrs.get(OWNER)
    if owner is None:
        started = trial.datetime_start
        return started is not None and time.time() - started.timestamp() > CLAIM_SECONDS
    if owner["host"] != socket.gethostname():
        return beats.get(str(owner["sweep"]), 0.0) > SILENT_SECONDS
    if owner["pid"] in pids:
        return True
    try:
        return abs(psutil.Process(owner["pid"]).create_time() - float(owner["began"])) > 1.0
    except psutil.NoSuchProcess:
        return True


def to_be_filled(before: FrozenTrial) -> bool:
    """Whether one more trial is due at the place of this one."""
    return before.user_attrs.get(ENDED) in AGAIN and _tries(before) < MOST_TRIES


def _tries(trial: FrozenTrial) -> int:
    """Workers that died of the trials at this place, this one included."""
    return int(trial.user_attrs.get(TRY, 0)) + (trial.user_attrs.get(ENDED) == "lost")


def _once_more(before: FrozenTrial) -> FrozenTrial:
    """A trial that waits, with the settings of one that was lost, and what it had reported."""
    attributes = {PLACE: before.user_attrs[PLACE], ATTEMPT: before.user_attrs[ATTEMPT] + 1, TRY: _tries(before)}
    return optuna.create_trial(
        state=TrialState.WAITING,
        params=before.params,
        distributions=before.distributions,
        intermediate_values=before.intermediate_values,
        user_attrs=attributes,
        system_attrs={key: value for key, value in before.system_attrs.items() if key != "fixed_params"},
    )
