"""Which runs are compared: those named, or a lab's; parents stand for their children, and none counts twice."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from foundations.errors import InputError, require_choice
from labs.kit.folder import RunFolder, all_runs, find, home
from labs.kit.journal import Point
from labs.kit.lab import discover

COMPARISON = "comparison"
"""The lab's name that a comparison's own record has."""
PASSING = frozenset({"seed", "seeds", "run_name", "tag", "checkpoint_seconds"})
"""Settings that make no other experiment of a run."""


@dataclass(frozen=True)
class Finished:
    """A run as it is compared: its folder and its record, read once."""

    path: Path
    record: dict[str, Any]

    @property
    def id(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def name(self) -> str:
        """The run's name, with the beginning of its id."""
        return f"{self.record['name']} ({self.id[:8]})"

    @property
    def lab(self) -> str:
        """The lab that it is a run of."""
        return str(self.record["lab"])

    @property
    def seed(self) -> int:
        """Its seed."""
        return int(self.record["config"]["seed"])

    @property
    def settings(self) -> dict[str, Any]:
        """What makes it this experiment: the lab, and all its settings but the passing ones."""
        config = {name: value for name, value in self.record["config"].items() if name not in PASSING}
        return {"lab": self.lab, **config}

    @cached_property
    def points(self) -> list[Point]:
        """All that its journal holds."""
        return RunFolder(self.path).points()

    @cached_property
    def last(self) -> dict[str, float]:
        """The last value of each metric of its journal."""
        return {point.name: point.value for point in sorted(self.points, key=lambda point: point.step)}


class Gathered(NamedTuple):
    """The runs to compare, the oldest first; what was left out of those asked for, and why."""

    runs: list[Finished]
    left_out: list[str]


def named(references: Sequence[str]) -> Gathered:
    """The runs of those ids, beginnings of ids or names; a parent (a sweep, `--seeds`) stands for its children.

    Raises: InputError for what is no run, not finished, or a comparison itself.
    """
    below = _children()
    found: dict[str, RunFolder] = {}
    for reference in references:
        for run in _leaves(find(reference), below):
            found[run.path.name] = run
    return _settled(found.values())


def of_lab(name: str) -> Gathered:
    """All finished runs of the lab `name`. Raises: InputError for an unknown lab, and for one that has none."""
    everything, below = all_runs(), _children()
    require_choice("--lab", name, {entry.name for entry in discover()} | {run.record["lab"] for run in everything})
    own = [run for run in everything if run.record["lab"] == name and run.path.name not in below]
    gathered = _settled(own)
    if not gathered.runs:
        raise InputError(
            f"--lab {name}: has no finished runs in {home()}; start some: python -m labs.{name} --seeds 0-4"
        )
    return gathered


def read(identity: str) -> Finished:
    """The run of that id. Raises: InputError if it is gone."""
    run = RunFolder(home() / "runs" / identity)
    if not run.path.exists():
        raise InputError(f"run {identity!r}: is no run here any more; compare those that are")
    return Finished(run.path, run.record)


def _children() -> dict[str, list[RunFolder]]:
    """The runs that belong to each parent, the oldest first."""
    below: dict[str, list[RunFolder]] = {}
    for run in reversed(all_runs()):
        if parent := run.record.get("parent"):
            below.setdefault(parent, []).append(run)
    return below


def _leaves(run: RunFolder, below: dict[str, list[RunFolder]]) -> Iterator[RunFolder]:
    """The run itself if it must be and can be compared, else all that is below it, however it ended."""
    if run.path.name in below:
        for child in below[run.path.name]:
            yield from _leaves(child, below) if child.path.name in below else [child]
        return
    record, state = run.record, run.state()
    if record["lab"] == COMPARISON:
        raise InputError(f"run {record['name']!r}: is a comparison itself; give the runs that it compares")
    if state != "finished":
        raise InputError(f"run {record['name']!r}: is {state}; only finished runs can be compared")
    yield run


def _settled(found: Iterable[RunFolder]) -> Gathered:
    """The finished ones, the newest of each experiment and seed."""
    states = [(run, run.state()) for run in found]
    ended = Counter(state for _, state in states if state != "finished")
    finished = [Finished(run.path, run.record) for run, state in states if state == "finished"]
    finished.sort(key=lambda run: str(run.record["started"]))
    newest = {json.dumps([run.settings, run.seed], sort_keys=True): run for run in finished}
    kept = {run.id for run in newest.values()}
    runs = [run for run in finished if run.id in kept]
    said = []
    if ended:
        ways = ", ".join(f"{count} {state}" for state, count in ended.items())
        said.append(f"left out, since they did not finish: {ways}; what is left may flatter its group")
    if again := len(finished) - len(runs):
        said.append(f"left out, since a newer run has the same settings and seed: {again}")
    return Gathered(runs, said)
