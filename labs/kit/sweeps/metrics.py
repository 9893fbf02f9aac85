"""The metric that a sweep goes by: a figure of a run's summary, or the last value of a metric of its journal."""

from difflib import get_close_matches

from foundations.errors import InputError
from labs.kit.config import Config, to_record
from labs.kit.folder import RunFolder, all_runs
from labs.kit.judging import SUMMARY
from labs.kit.lab import Lab

LOOKED_AT = 5
"""Earlier runs whose metrics are looked at."""


class UnknownMetric(InputError):
    """No metric of that name is in a finished run: no other trial will have it either."""


def value_of(run: RunFolder, metric: str) -> float:
    """What the finished `run` has under that name. Raises: UnknownMetric, with the names that it has."""
    summary = run.record["summary"]
    if (name := metric.removeprefix(SUMMARY)) in summary:
        return float(summary[name])
    points = [point for point in run.points() if point.name == metric]
    if not points:
        raise UnknownMetric(_unknown(metric, names_of(run)))
    return max(points, key=lambda point: point.step).value


def names_of(run: RunFolder) -> list[str]:
    """Its summary figures, then its other metrics."""
    logged = {point.name for point in run.points()}
    return [*run.record["summary"], *sorted(name for name in logged if not name.startswith((SUMMARY, "speed/")))]


def check_earlier(metric: str, lab: Lab, config: Config) -> None:
    """Look at earlier finished runs of the lab with the same preset and modes. Raises: UnknownMetric if none has it.

    Numbers among the settings may differ, since they rarely change which metrics there are.
    """
    wanted = _modes(to_record(config))
    seen: list[str] = []
    for run in all_runs():
        record = run.record
        if record["lab"] == lab.name and record["ended"] == "finished" and _modes(record["config"]) == wanted:
            seen.append(run.path.name)
            names = names_of(run)
            if metric in names or metric.removeprefix(SUMMARY) in names:
                return
            if len(seen) == LOOKED_AT:
                break
    if seen:
        raise UnknownMetric(_unknown(metric, names))


def _modes(settings: dict[str, object]) -> dict[str, object]:
    apart = ("run_name", "seeds", "device")
    return {name: value for name, value in settings.items() if isinstance(value, (str, bool)) and name not in apart}


def _unknown(metric: str, names: list[str]) -> str:
    near = get_close_matches(metric.removeprefix(SUMMARY), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"metric={metric!r}: is none of this lab's; it has {', '.join(names)}{hint}"
