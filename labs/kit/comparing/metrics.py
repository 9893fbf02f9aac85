"""Which figure the runs are compared by, what each run has of it, and whether more or less of it is wanted."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from foundations.errors import InputError
from labs.kit.comparing.gathering import Finished
from labs.kit.journal import repeatable
from labs.kit.judging import SUMMARY, Direction, direction_of, main_figure


def final(run: Finished, metric: str) -> float | None:
    """The run's summary figure of that name, else the last value that its journal has; None where it has neither.

    A setting in braces stands for its value: `return/{agent}` is `return/ppo` where the agent is ppo.
    """
    summary, name = run.record["summary"], re.sub(r"\{(\w+)\}", lambda found: _value(run, found[1]), metric)
    if name.removeprefix(SUMMARY) in summary:
        return float(summary[name.removeprefix(SUMMARY)])
    return run.last.get(name)


def choose(runs: Sequence[Finished], asked: Sequence[str]) -> list[str]:
    """The metrics to compare by: those asked for, else the lab's main figure, else the first of the summary's.

    Raises: InputError for one that some run has not, with near names; where the runs share no figure.
    """
    shared = [name for name in _names(runs[0]) if all(final(run, name) is not None for run in runs[1:])]
    if asked:
        for metric in asked:
            _require(runs, metric, shared)
        return [metric.removeprefix(SUMMARY) for metric in dict.fromkeys(asked)]
    target = _target(runs)
    main, own = main_figure(target) if target else None, _summary_names(runs[0])
    first = main.name if main and main.name in shared else next((name for name in shared if name in own), None)
    if first is None:
        known = f"one that all have: --metric {' | '.join(shared)}" if shared else "they have no metric in common"
        raise InputError(f"--metric: the runs share no summary figure; give {known}")
    return [first]


def curves(runs: Sequence[Finished]) -> list[str]:
    """The metrics that all runs have recorded at several steps, in the order in which the first run did."""
    steps = [_steps(run) for run in runs]
    shared = [name for name in steps[0] if all(len(each.get(name, ())) > 1 for each in steps)]
    return [name for name in shared if repeatable(name) and not name.startswith(SUMMARY)]


def direction(metric: str, runs: Sequence[Finished], asked: Direction | None) -> Direction:
    """As asked; else as the runs' lab says, if they are of one; else by the metric's name."""
    return asked or direction_of(metric, _target(runs))


def _target(runs: Sequence[Finished]) -> str | None:
    """The module or file of the lab that all `runs` are of; None where they are of several."""
    targets = {str(run.record["target"]) for run in runs}
    return targets.pop() if len(targets) == 1 else None


def _names(run: Finished) -> list[str]:
    """All figures of a run: those of its summary first."""
    recorded = (point.name for point in run.points if not point.name.startswith(SUMMARY))
    return list(dict.fromkeys([*_summary_names(run), *recorded]))


def _summary_names(run: Finished) -> list[str]:
    """The names of its summary figures, where the value of a setting is in one also with its braces."""
    braced = {_value(run, name): f"{{{name}}}" for name, value in run.settings.items() if isinstance(value, str)}
    plain = list(run.record["summary"])
    general = ["/".join(braced.get(part, part) for part in name.split("/")) for name in plain]
    return list(dict.fromkeys([*plain, *general]))


def _value(run: Finished, setting: str) -> str:
    """A setting's value as it stands in names of figures."""
    return str(run.settings.get(setting)).replace("-", "_")


def _steps(run: Finished) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for point in run.points:
        found.setdefault(point.name, set()).add(point.step)
    return found


def _require(runs: Sequence[Finished], metric: str, shared: Sequence[str]) -> None:
    lacking = [run for run in runs if final(run, metric) is None]
    if not lacking:
        return
    if len(lacking) < len(runs):
        some = f"{len(lacking)} of {len(runs)} runs have it not, {lacking[0].name} for one"
        raise InputError(f"--metric {metric}: {some}; all have {', '.join(shared) or 'no metric in common'}")
    known = list(dict.fromkeys(name for run in runs for name in _names(run)))
    near = get_close_matches(metric, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InputError(f"--metric {metric}: no run has it; must be one of {', '.join(known)}{hint}")
