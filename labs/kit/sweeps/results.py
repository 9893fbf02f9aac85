"""What came of a sweep's trials: a row for each, the best of them, and its settings as a file for `--config`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from labs.kit.sweeps import places
from labs.kit.sweeps.space import Space

FOR_GOOD = ("finished", "pruned", "diverged", "refused", "failed", "lost")
LEFT_OUT = ("config", "seeds", "run_name", "tag")
"""Settings that belong to one run, not to what the sweep found."""


@dataclass(frozen=True)
class Row:
    """One trial: its number in the sweep, from 1; how it ended, or `waiting`, `running`; its value, NaN without one.

    The value of a pruned trial is the last that it reported: no figure of a whole run.
    """

    number: int
    ended: str
    value: float
    settings: Mapping[str, Any]
    seconds: float | None
    moment: datetime | None
    run: str | None
    error: str

    @property
    def counts(self) -> bool:
        """Whether it may be the best."""
        return self.ended == "finished"


def rows(study: optuna.Study, space: Space) -> list[Row]:
    """The trials of the sweep: those that have ended, in the order in which they did, then the others by number."""
    found = [_row(trial, space) for trial in places.latest(study.get_trials(deepcopy=False)).values()]
    return sorted(found, key=lambda row: (row.ended not in FOR_GOOD, row.moment or datetime.max, row.number))


def _row(trial: FrozenTrial, space: Space) -> Row:
    states = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned"}
    ended = states.get(trial.state, trial.state.name.lower())
    if trial.state == TrialState.FAIL:
        ended = "waiting" if places.to_be_filled(trial) else trial.user_attrs.get(places.ENDED, "failed")
    return Row(
        number=int(trial.user_attrs[places.PLACE]) + 1,
        ended=ended,
        value=trial.value if trial.state in states and trial.value is not None else math.nan,
        settings=space.values_of(trial.params),
        seconds=trial.duration.total_seconds() if trial.duration else None,
        moment=trial.datetime_complete if ended in FOR_GOOD else None,
        run=trial.user_attrs.get(places.RUN),
        error=trial.user_attrs.get(places.ERROR, ""),
    )


def better(direction: str, value: float, than: float | None) -> bool:
    """Whether `value` serves a sweep better."""
    return than is None or (value < than if direction == "min" else value > than)


def best(found: Sequence[Row], direction: str) -> Row | None:
    """The best finished trial: the first of equals."""
    chosen: Row | None = None
    for row in found:
        if row.counts and better(direction, row.value, chosen.value if chosen else None):
            chosen = row
    return chosen


def ordered(found: Sequence[Row], direction: str) -> list[Row]:
    """The best first; then pruned ones, then those that came to nothing, then those that have not ended."""
    order = {name: place for place, name in enumerate((*FOR_GOOD, "running", "waiting"))}
    sign = 1 if direction == "min" else -1
    return sorted(
        found, key=lambda row: (order[row.ended], 0.0 if math.isnan(row.value) else sign * row.value, row.number)
    )


def table(found: Sequence[Row], direction: str, metric: str) -> list[dict[str, object]]:
    """A row for each trial, the best first."""
    reasons = any(row.error for row in found)
    return [
        {
            "trial": row.number,
            **{name: shown(row.settings[name]) if name in row.settings else "" for name in _names(found)},
            metric: "" if math.isnan(row.value) else f"{row.value:.5g}",
            "ended": row.ended,
            "seconds": "" if row.seconds is None else f"{row.seconds:.1f}",
            "run": (row.run or "")[:8],
            **({"why": row.error[:120]} if reasons else {}),
        }
        for row in ordered(found, direction)
    ]


def _names(found: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in found for name in row.settings))


def shown(value: object) -> str:
    """A setting as a reader wants it."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value is None else str(value)


def write_best(file: Path, row: Row, settings: Mapping[str, Any], *, metric: str, study: str) -> None:
    """The best trial's settings as YAML, as `--config` takes them."""
    import yaml

    own = {name: value for name, value in {**settings, **row.settings}.items() if name not in LEFT_OUT}
    said = f"# trial {row.number} of the sweep {study}: {metric} {row.value:.6g}, run {row.run}\n"
    file.write_text(said + yaml.safe_dump(own, sort_keys=False), encoding="utf-8")
