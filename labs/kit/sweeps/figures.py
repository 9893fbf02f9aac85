"""Four pictures of a sweep: how the search went, which settings mattered, which went together, and where they lay."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import optuna
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from labs.kit.figures import COLOURS
from labs.kit.sweeps import results
from labs.kit.sweeps.results import Row
from labs.kit.sweeps.space import Dimension, Space, category

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

FINISHED, FAILED, BEST, PRUNED = COLOURS[0], COLOURS[1], COLOURS[2], "#777777"
MAP = "viridis_r"
"""Dark is late, or good."""
WIDE = 50.0
"""Values above 0 that differ by this factor are drawn on a logarithmic axis."""
DECADES = 300.0
"""A range of a smaller ratio is marked at 1, 2, 5, 10, 20, ..."""
MANY = 60
"""From so many trials on, marks are smaller and lines fainter."""
FEWEST = 4
"""Finished trials without which nothing can be said of importance."""
GOLDEN = 0.618034
AXES_A_ROW = 2


def all_of(
    study: optuna.Study, rows: Sequence[Row], space: Space, metric: str, direction: str
) -> Iterator[tuple[str, Figure]]:
    """Each figure that `rows`, the trials that have ended, suffice for."""
    yield "history", history(rows, metric, direction)
    shares = importances(study, space, rows)
    if shares:
        yield "importance", importance(shares, metric, sum(row.counts for row in rows))
    if len(space) > 1 and any(row.counts for row in rows):
        yield "parallel_coordinates", parallel_coordinates(rows, space, metric, direction)
    yield "slices", slices(rows, space, metric, direction)


def history(rows: Sequence[Row], metric: str, direction: str) -> Figure:
    """The value of each trial in the order in which they ended, and the best so far."""
    figure, axes = plt.subplots(figsize=(8.4, 4.2))
    places = {row.number: place for place, row in enumerate(rows, start=1)}
    _points(axes, rows, places)
    at: list[int] = []
    best: list[float] = []
    for row in rows:
        if row.counts:
            best.append(row.value if not best or results.better(direction, row.value, best[-1]) else best[-1])
            at.append(places[row.number])
    if best:
        axes.step([*at, len(rows) + 0.5], [*best, best[-1]], where="post", color=BEST, linestyle="-", linewidth=2)
    winner = results.best(rows, direction)
    if winner:
        _star(axes, places[winner.number], winner)
    title = (
        f"The best of {len(rows)} trials: {winner.value:.4g}, trial {winner.number}" if winner else "No trial finished"
    )
    axes.set(title=title, xlabel="trials ended", ylabel=metric, xlim=(0.5, len(rows) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    _scale(axes, rows)
    best_line = Line2D([], [], color=BEST, linestyle="-", linewidth=2, label="best so far")
    figure.legend(handles=[*_handles(rows), best_line], loc="outside lower center", ncols=5, fontsize=9)
    return figure


def importances(study: optuna.Study, space: Space, rows: Sequence[Row]) -> dict[str, float]:
    """The share of each setting in how the metric varies over the space; empty where that cannot be told.

    A random forest is fitted to the finished trials, and its variance taken apart.
    Source: Hutter et al. 2014, ICML (functional ANOVA).
    """
    if len(space) < 2 or sum(row.counts for row in rows) < FEWEST:
        return {}
    if len({row.value for row in rows if row.counts}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    try:
        found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(space))
    except (ValueError, RuntimeError):  # all trials alike
        return {}
    return {name: share for name, share in found.items() if math.isfinite(share)}


def importance(shares: Mapping[str, float], metric: str, count: int) -> Figure:
    """A bar for each setting."""
    ordered = sorted(shares.items(), key=lambda each: each[1])
    names = [name.replace("_", " ") for name, _ in ordered]
    figure, axes = plt.subplots(figsize=(8.4, 1.5 + 0.45 * len(ordered)))
    bars = axes.barh(names, [100 * share for _, share in ordered], color=FINISHED, height=0.6)
    axes.bar_label(bars, fmt="%.0f %%", padding=4, fontsize=9)
    hint = "" if count >= 10 else ": few, a hint at best"
    axes.set_title(f"What {metric} depends on, by {count} finished trials{hint}")
    axes.set(xlabel="share of its variance over the space (%)", xlim=(0, 108))
    axes.grid(visible=False, axis="y")
    return figure


def parallel_coordinates(rows: Sequence[Row], space: Space, metric: str, direction: str) -> Figure:
    """A line for each trial through its settings to its value; those without a value end before it."""
    figure, axes = plt.subplots(figsize=(max(8.4, 1.9 * (len(space) + 1)), 4.8))
    counted = [row for row in reversed(results.ordered(rows, direction)) if row.counts]  # the best are drawn last
    norm = _norm([row.value for row in counted])
    colours = ScalarMappable(norm, MAP if direction == "max" else MAP.removesuffix("_r"))
    others = [row for row in rows if not row.counts and row.settings]
    for row in others:
        heights = _heights(row, space)
        colour, style = (PRUNED, "--") if row.ended == "pruned" else (FAILED, ":")
        axes.plot(range(len(heights)), heights, color=colour, linestyle=style, linewidth=0.9, alpha=0.6)
    winner = results.best(rows, direction)
    lines = [np.array(list(enumerate([*_heights(row, space), float(norm(row.value))]))) for row in counted]
    values = np.array([row.value for row in counted])
    alpha = 0.85 if len(counted) < MANY else 0.45
    axes.add_collection(LineCollection(lines, colors=colours.to_rgba(values), linewidths=1.2, alpha=alpha))
    if winner:
        path = [*_heights(winner, space), norm(winner.value)]
        axes.plot(range(len(path)), path, color="black", linestyle="-", linewidth=2.6, zorder=4)
    for place, each in enumerate(space.values()):
        _upright(axes, place, *_ticks(each))
    low, high = float(norm.vmin or 0.0), float(norm.vmax or 1.0)
    shares = (0, 0.25, 0.5, 0.75, 1)
    _upright(axes, len(space), shares, [_short(float(norm.inverse(share))) for share in shares] if high > low else [])
    names = [*(name.replace("_", "\n") for name in space), metric.replace("/", "/\n")]
    axes.set_xticks(range(len(names)), names)
    axes.set(xlim=(-0.15, len(space) + 0.45), ylim=(-0.05, 1.05), yticks=[])
    axes.set_title(f"Which settings went together: a line a trial, through to its {metric}")
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False)
    handles = [Line2D([], [], color="black", linewidth=2.6, label="the best")] if winner else []
    if any(row.ended == "pruned" for row in others):
        handles.append(Line2D([], [], color=PRUNED, linestyle="--", label="pruned"))
    if any(row.ended != "pruned" for row in others):
        handles.append(Line2D([], [], color=FAILED, linestyle=":", label="failed or diverged"))
    figure.colorbar(colours, ax=axes, label=f"{metric} of finished trials", pad=0.02)
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)
    return figure


def slices(rows: Sequence[Row], space: Space, metric: str, direction: str) -> Figure:
    """The value over each setting, later trials darker: where the search looked, and what it found there."""
    columns = min(AXES_A_ROW, len(space))
    lines = -(-len(space) // columns)
    size = (4.4 * columns + 0.8, 0.8 + 3.2 * lines)
    figure, panels = plt.subplots(lines, columns, figsize=size, sharey=True, squeeze=False)
    order = {row.number: place for place, row in enumerate(rows, start=1)}
    norm = Normalize(1, max(2, len(rows)))
    winner = results.best(rows, direction)
    for axes, each in zip(panels.flat, space.values(), strict=False):
        places = {row.number: _across(row, each, order[row.number]) for row in rows if each.name in row.settings}
        _points(axes, [row for row in rows if row.number in places], places, norm)
        if winner:
            _star(axes, places[winner.number], winner)
        axes.set_xlabel(each.name.replace("_", " "))
        _scale(axes, rows)
        _across_axis(axes, each)
    for axes in panels.flat[len(space) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel(metric)
    figure.suptitle(f"{metric} over each setting, the others as they came", fontsize=11, fontweight="bold")
    bar = figure.colorbar(ScalarMappable(norm, MAP), ax=panels, label="trial, in order of ending", pad=0.02)
    bar.ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    figure.legend(handles=_handles(rows, plt.get_cmap(MAP)(0.7)), loc="outside lower center", ncols=4, fontsize=9)
    return figure


# --- what they share --------------------------------------------------------------------------------------------------


def _points(axes: Axes, rows: Sequence[Row], places: Mapping[int, float], norm: Normalize | None = None) -> None:
    """Finished trials as dots (dark where late, given `norm`), pruned ones as rings, others as crosses at the foot."""
    done = [row for row in rows if row.counts]
    size = 34 if len(rows) < MANY else 18
    if done:
        colours: dict[str, Any] = {"color": FINISHED}
        if norm is not None:
            order = {row.number: place for place, row in enumerate(rows, start=1)}
            colours = {"c": [order[row.number] for row in done], "cmap": MAP, "norm": norm}
        x, y = [places[row.number] for row in done], [row.value for row in done]
        axes.scatter(x, y, s=size, alpha=0.85, linewidths=0.4, edgecolors="white", zorder=3, **colours)
    pruned = [row for row in rows if row.ended == "pruned" and not math.isnan(row.value)]
    x, y = [places[row.number] for row in pruned], [row.value for row in pruned]
    axes.scatter(x, y, s=size, facecolors="none", edgecolors=PRUNED, linewidths=1, zorder=2)
    failed = [places[row.number] for row in rows if not row.counts and row not in pruned]
    foot = axes.get_xaxis_transform()
    axes.scatter(failed, [0.03] * len(failed), s=28, marker="x", color=FAILED, transform=foot, clip_on=False, zorder=4)


def _star(axes: Axes, place: float, row: Row) -> None:
    axes.scatter([place], [row.value], s=190, marker="*", color=BEST, edgecolors="black", linewidths=0.8, zorder=6)


def _handles(rows: Sequence[Row], finished: Any = FINISHED) -> list[Line2D]:
    """What the marks mean, for those that there are, with their numbers."""
    counted = sum(row.counts for row in rows)
    pruned = sum(row.ended == "pruned" and not math.isnan(row.value) for row in rows)
    failed = len(rows) - counted - pruned
    marks = [
        (counted, "o", {"color": finished}, f"finished ({counted})"),
        (pruned, "o", {"color": PRUNED, "markerfacecolor": "none"}, f"pruned, where it was then ({pruned})"),
        (failed, "x", {"color": FAILED}, f"failed or diverged ({failed})"),
        (counted, "*", {"color": BEST, "markeredgecolor": "black", "markersize": 12}, "the best"),
    ]
    return [
        Line2D([], [], linestyle="none", marker=mark, label=label, **looks)
        for count, mark, looks, label in marks
        if count
    ]


def _scale(axes: Axes, rows: Sequence[Row]) -> None:
    """A logarithmic axis for values far apart; outliers of pruned trials do not squeeze the finished ones."""
    values = [row.value for row in rows if row.counts]
    if values and _wide(values):
        axes.set_yscale("log")
    elif len(values) > 1:
        low, high = min(values), max(values)
        room = 0.12 * ((high - low) or abs(high) or 1.0)
        axes.set_ylim(low - 1.6 * room, high + room)


def _wide(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) > WIDE * min(values)


def _norm(values: Sequence[float]) -> Normalize:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if low == high:
        return Normalize(low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(low) or 1.0))
    return LogNorm(low, high) if _wide(values) else Normalize(low, high)


def _heights(row: Row, space: Space) -> list[float]:
    """Where the row's line crosses the axis of each setting, from 0 to 1."""
    return [_height(each, row.settings[each.name]) for each in space.values() if each.name in row.settings]


def _height(dimension: Dimension, value: Any) -> float:
    if dimension.kind == "choice":
        return dimension.choices.index(value) / (len(dimension.choices) - 1)
    low, high = dimension.low, dimension.high
    if dimension.log:
        return math.log(value / low) / math.log(high / low)
    return float((value - low) / (high - low))


def _ticks(dimension: Dimension) -> tuple[Sequence[float], list[str]]:
    if dimension.kind == "choice":
        count = len(dimension.choices)
        return [place / (count - 1) for place in range(count)], [str(category(each)) for each in dimension.choices]
    values: NDArray[np.float64] = np.linspace(dimension.low, dimension.high, 5)
    if dimension.log:
        values = np.geomspace(dimension.low, dimension.high, 5)
    texts = [f"{value:.0f}" if dimension.whole else f"{value:.2g}" for value in values]
    return [_height(dimension, value) for value in values], texts


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _upright(axes: Axes, place: int, heights: Sequence[float], texts: Sequence[str]) -> None:
    """One of the axes of the parallel coordinates."""
    axes.plot([place, place], [0, 1], color="#444444", linestyle="-", linewidth=1, zorder=5)
    for height, text in zip(heights, texts, strict=False):
        axes.annotate(
            text,
            (place, height),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            zorder=6,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8},
        )


def _across(row: Row, dimension: Dimension, order: int) -> float:
    """Where a trial stands on the axis of a setting; choices are spread a little, so that equals can be told apart."""
    value = row.settings[dimension.name]
    if dimension.kind != "choice":
        return float(value)
    return dimension.choices.index(value) + 0.36 * ((order * GOLDEN) % 1.0 - 0.5)


def _across_axis(axes: Axes, dimension: Dimension) -> None:
    if dimension.kind == "choice":
        texts = [str(category(each)) for each in dimension.choices]
        axes.set_xticks(range(len(texts)), texts)
        axes.set_xlim(-0.5, len(texts) - 0.5)
        return
    if dimension.log:
        axes.set_xscale("log")
        low, high = dimension.low, dimension.high
        axes.set_xlim(low / (high / low) ** 0.04, high * (high / low) ** 0.04)
        if high < DECADES * low:  # powers of ten alone would be too few marks
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        return
    room = 0.04 * (dimension.high - dimension.low)
    axes.set_xlim(dimension.low - room, dimension.high + room)
