"""A run's metrics as charts: one for each group of names, drawn as SVG."""

import io
from collections.abc import Collection, Iterable, Iterator, Mapping

from labs.kit.journal import Point

NOT_DRAWN = ("summary", "speed")
"""Groups with one value, and what the machine did."""
SCALES_APART = 10.0
MOST_LINES = 10
"""More curves than this on one pair of axes say nothing; the lab draws what they mean."""

Line = tuple[list[float], list[float]]
"""Steps and values of one metric."""


def charts(points: Iterable[Point], phases: Collection[str] = ()) -> Iterator[str]:
    """SVG texts: `loss/generator` and `loss/discriminator` share the chart "loss", unless one would flatten the other.

    Where a run has `phases`, each with its name in front of its metrics, the phases are compared: `sgd/loss/training`
    and `adam/loss/training` share the chart "loss/training". A metric recorded only once is no curve, and is left out.
    """
    for group, lines in grouped(points, phases).items():
        if len(lines) > MOST_LINES:
            continue
        for part in comparable(lines):
            title = group if len(lines) > 1 and len(part) == len(lines) else _title(group, part)
            yield _svg(title, group, part)


def grouped(points: Iterable[Point], phases: Collection[str] = ()) -> dict[str, dict[str, Line]]:
    """The curves of each group: the part of a name before the last slash, or the whole name; a phase is no part."""
    series: dict[str, list[Point]] = {}
    for point in points:
        series.setdefault(point.name, []).append(point)
    groups: dict[str, dict[str, Line]] = {}
    for name, each in series.items():
        first, _, others = name.partition("/")
        group, _, rest = (others, "", first) if first in phases else name.rpartition("/")
        if len({point.step for point in each}) > 1 and group.partition("/")[0] not in NOT_DRAWN:
            each.sort(key=lambda point: point.step)
            groups.setdefault(group or name, {})[rest] = [float(p.step) for p in each], [p.value for p in each]
    return groups


def comparable(lines: Mapping[str, Line]) -> list[dict[str, Line]]:
    """`lines` in parts that one pair of axes can show: the largest values of a part lie at most tenfold apart."""
    heights = {name: max(map(abs, values)) for name, (_, values) in lines.items()}
    parts: list[list[str]] = []
    for name in sorted(lines, key=heights.__getitem__):
        if parts and heights[name] <= SCALES_APART * heights[parts[-1][0]]:
            parts[-1].append(name)
        else:
            parts.append([name])
    return [{name: lines[name] for name in lines if name in part} for part in parts]


def _title(group: str, part: Mapping[str, Line]) -> str:
    names = ", ".join(part)
    return group if names == group else f"{group}: {names}"


def _svg(title: str, group: str, lines: Mapping[str, Line]) -> str:
    from matplotlib import pyplot as plt

    from labs.kit import figures

    named = {name.replace("_", " "): line for name, line in lines.items()}
    figure = figures.curves(title.replace("_", " "), named, label=group.replace("_", " "))
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    plt.close(figure)
    return text.getvalue()[text.getvalue().index("<svg") :]
