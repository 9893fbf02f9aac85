"""Runs in groups: by which settings, under what names, and what else differs that a reader must know."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from foundations.errors import InputError, require_choice
from labs.kit.comparing.gathering import Finished

ONLY_ASKED = frozenset({"threads"})
"""Settings that make groups only when they are asked for."""
LONGEST_LABEL = 44


@dataclass(frozen=True)
class Group:
    """Runs that count as one: `values` are those of the settings that make the groups."""

    label: str
    values: dict[str, Any]
    runs: tuple[Finished, ...]

    @property
    def seeds(self) -> frozenset[int]:
        """The seeds of its runs, each once."""
        return frozenset(run.seed for run in self.runs)


def differing(runs: Sequence[Finished]) -> list[str]:
    """All settings that differ between `runs`, of those that each of them has."""
    shared = [name for name in runs[0].settings if all(name in run.settings for run in runs)]
    return [name for name in shared if len({_key(run, [name]) for run in runs}) > 1]


def choose(runs: Sequence[Finished], asked: Sequence[str]) -> list[str]:
    """The settings to group by: those asked for, else all that differ. Raises: InputError for an unknown one."""
    names = list(dict.fromkeys(name.replace("-", "_") for name in asked))
    known = {name for run in runs for name in run.settings}
    for name in names:
        if name == "seed":
            raise InputError("--group seed: seeds are what the runs of a group differ in; group by another setting")
        require_choice("--group", name, known)
        if lacking := {run.lab for run in runs if name not in run.settings}:
            raise InputError(f"--group {name}: is no setting of {', '.join(sorted(lacking))}; group by lab, say")
    return names or [name for name in differing(runs) if name not in ONLY_ASKED]


def grouped(runs: Sequence[Finished], names: Sequence[str]) -> list[Group]:
    """`runs` by their values of the settings `names`, in the order of these values; without names one group."""
    parts: dict[str, list[Finished]] = {}
    for run in runs:
        parts.setdefault(_key(run, names), []).append(run)
    ordered = sorted(parts.values(), key=lambda part: [_rank(part[0].settings[name]) for name in names])
    values = [{name: part[0].settings[name] for name in names} for part in ordered]
    labels = [_label(each) for each in values]
    if any(len(label) > LONGEST_LABEL for label in labels):
        labels = [f"group {number}" for number in range(1, len(labels) + 1)]
    named = zip(labels, values, ordered, strict=True)
    return [Group(label, each, tuple(part)) for label, each, part in named]


def shown(value: object) -> str:
    """The value of a setting, short."""
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)


def remarks(groups: Sequence[Group]) -> list[str]:
    """What else differs, or counts otherwise than it seems: one line each."""
    runs = [run for group in groups for run in group.runs]
    return [*_mixtures(runs), *_within(groups), *_repeating(runs), *_pairing(groups)]


def _mixtures(runs: Sequence[Finished]) -> list[str]:
    """Data, code and machine that were not the same for all runs."""
    said = []
    for what, of in MIXABLE.items():
        if len(kinds := sorted({of(run) for run in runs})) > 1:
            shown_kinds = ", ".join(kinds[:4]) + (f" and {len(kinds) - 4} more" if len(kinds) > 4 else "")
            said.append(
                f"mixed: the runs have {len(kinds)} different {what} ({shown_kinds}): figures may differ by that"
            )
    return said


def _data(run: Finished) -> str:
    found = {name: data["fingerprint"] for name, data in run.record.get("data", {}).items()}
    return " + ".join(f"{name} {fingerprint[:8]}" for name, fingerprint in found.items()) or "none"


def _commit(run: Finished) -> str:
    git = run.record.get("git", {})
    changed = " with changes" if git.get("git_dirty") == "true" else ""
    return f"{git['git_commit'][:8]}{changed}" if git.get("git_commit") else "no commit"


MIXABLE: dict[str, Callable[[Finished], str]] = {
    "data sets": _data,
    "states of the code": _commit,
    "versions of torch": lambda run: str(run.record.get("environment", {}).get("torch")),
    "devices": lambda run: str(run.record.get("environment", {}).get("device")),
}


def _within(groups: Sequence[Group]) -> list[str]:
    names = dict.fromkeys(name for group in groups for name in differing(group.runs))
    return [f"mixed: runs of one group differ in {', '.join(names)}: their spread is that too"] if names else []


def _repeating(runs: Sequence[Finished]) -> list[str]:
    inside = [run for run in runs if run.record["config"].get("repetitions", 1) > 1]
    said = f"{len(inside)} of {len(runs)} runs repeat their training inside: each counts once, by its own summary"
    return [said] if inside else []


def _pairing(groups: Sequence[Group]) -> list[str]:
    if len(groups) < 2 or len({group.seeds for group in groups}) > 1:
        return []
    return [f"all groups have the same seeds ({_few(sorted(groups[0].seeds))}); the statistics do not use that"]


def _few(seeds: Sequence[int]) -> str:
    whole = len(seeds) > 1 and seeds[-1] - seeds[0] == len(seeds) - 1
    return f"{seeds[0]} to {seeds[-1]}" if whole else ", ".join(map(str, seeds))


def _label(values: dict[str, Any]) -> str:
    if len(values) == 1 and isinstance(value := next(iter(values.values())), str):
        return value
    return ", ".join(f"{name}={shown(value)}" for name, value in values.items()) or "all runs"


def _key(run: Finished, names: Sequence[str]) -> str:
    return json.dumps([run.settings[name] for name in names], sort_keys=True)


def _rank(value: object) -> tuple[bool, float, str]:
    """Numbers by size, in front of words."""
    number = isinstance(value, (int, float))
    return not number, float(value) if isinstance(value, (int, float)) else 0.0, str(value)
