"""The pictures of a comparison: each run with what they come to, pairs of groups, learning curves with bands."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from labs.kit.comparing.curves import EXPERIENCE, MIDDLE_HALF_FROM, Band, axis, band, curve
from labs.kit.comparing.groups import Group
from labs.kit.comparing.verdicts import Comparison, Standing, headline, words
from labs.kit.figures import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_GROUPS = 8
WIDTH = 7.2
LEGEND_WIDTH = 105
"""Letters that a legend has room for side by side."""
TOLD, UNTOLD = "0.1", "0.6"
Looks = Mapping[str, tuple[str, str]]
"""Group -> its colour and its line's style, the same in every picture."""


def looks(groups: Sequence[Group]) -> Looks:
    """A colour for each of the groups that pictures have room for; beyond the last colour they begin again, dashed."""
    styles, count = ("-", "--"), len(COLOURS)
    return {group.label: (COLOURS[i % count], styles[i // count]) for i, group in enumerate(groups[:MOST_GROUPS])}


# --- each run, and what they come to ----------------------------------------------------------------------------------


def standings(found: Comparison, colours: Looks) -> "Figure":
    """A row a group: each run, their interquartile mean and its interval."""
    shown = [each for each in found.standings if each.label in colours]
    figure, axes = _rows([_described(each) for each in shown])
    for row, standing in enumerate(shown):
        _row(axes, row, standing, colours[standing.label][0])
    wanted = {"max": " (higher is better)", "min": " (lower is better)"}[found.direction] if found.pairs else ""
    axes.set_xlabel(
        f"{words(found.metric)}{wanted}; dots: runs; diamond and bar: interquartile mean, 95 % interval", fontsize=9
    )
    axes.set_title(headline(found), loc="left", x=0)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    return figure


def wins(found: Comparison, colours: Looks) -> "Figure":
    """A row for each other ranked group: how probable it is that a run of the first does better than one of it."""
    first = found.standings[0].label
    pairs = [pair for pair in found.pairs if pair.first == first and pair.second in colours]
    figure, axes = _rows([f"than {pair.second}\n{pair.probability:.0%}: {pair.verdict}" for pair in pairs])
    axes.axvline(0.5, color="0.4", linewidth=1, linestyle=":")
    for row, pair in enumerate(pairs):
        colour = UNTOLD if pair.verdict == "not told apart" else TOLD
        axes.plot(pair.interval, [row, row], "-", color=colour, linewidth=3, solid_capstyle="butt")
        axes.scatter(
            [pair.probability], [row], s=60, marker="D", color=colour, edgecolors="white", zorder=3, clip_on=False
        )
    axes.set(xlim=(0, 1), xlabel="probability, with its 95 % interval; dotted: a coin's toss")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_title(f"{words(found.metric)}: how often a run of {first} does better", loc="left")
    return figure


def _rows(labels: Sequence[str]) -> "tuple[Figure, Axes]":
    """Axes with a row for each label, the first on top."""
    figure, axes = plt.subplots(figsize=(WIDTH, 1.6 + 0.5 * len(labels)))
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    return figure, axes


def _described(standing: Standing) -> str:
    count = len(standing.scores)
    return f"{standing.label}\n{count} run{'s' if count > 1 else ''}"


def _row(axes: "Axes", row: int, standing: Standing, colour: str) -> None:
    """One group: faint dots are its runs, the diamond and its bar say what they come to."""
    offsets = np.linspace(0.14, 0.3, len(standing.scores)) if len(standing.scores) > 1 else np.array([0.2])
    axes.scatter(standing.scores, row + offsets, s=18, color=colour, alpha=0.55, linewidths=0)
    if len(standing.scores) > 1:
        axes.plot(standing.interval, [row, row], "-", color=colour, linewidth=3, solid_capstyle="butt")
    axes.scatter([standing.middle], [row], s=60, marker="D", color=colour, edgecolors="white", zorder=3)


# --- pairs ------------------------------------------------------------------------------------------------------------


def matrix(found: Comparison, colours: Looks) -> "Figure":
    """Every pair of ranked groups: the probability that a run of the row does better than one of the column."""
    labels = [each.label for each in found.standings if each.ranked and each.label in colours]
    count = len(labels)
    figure, axes = plt.subplots(figsize=(4 + 0.7 * count, 2.2 + 0.7 * count))
    cells, scale = np.full((count, count), np.nan), plt.get_cmap("PuOr_r")
    for row, first in enumerate(labels):
        for column, second in enumerate(labels):
            if pair := found.against(first, second):
                cells[row, column] = pair.probability
                red, green, blue, _ = scale(pair.probability)
                ink = "white" if 0.3 * red + 0.6 * green + 0.1 * blue < 0.55 else "black"
                weight = "normal" if pair.verdict == "not told apart" else "bold"
                text = f"{pair.probability:.0%}"
                axes.text(column, row, text, ha="center", va="center", color=ink, fontweight=weight)
    shown = axes.imshow(cells, cmap=scale, vmin=0, vmax=1)
    axes.set_facecolor("0.85")
    axes.set_xticks(range(count), labels, rotation=30, ha="right")
    axes.set_yticks(range(count), labels)
    axes.grid(visible=False)
    axes.set(ylabel="a run of this group ...", xlabel="... does better than one of this")
    axes.set_title(f"{words(found.metric)}: every pair (bold: told apart)", loc="left")
    bar = figure.colorbar(shown, ax=axes, shrink=0.8, label="probability")
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return figure


# --- learning curves --------------------------------------------------------------------------------------------------


def learning(metrics: Sequence[str], groups: Sequence[Group], colours: Looks) -> Iterator[tuple[str, "Figure"]]:
    """For each of `metrics` the groups' medians and bands, over the steps at which all runs of a group have data."""
    along = axis([run for group in groups for run in group.runs])
    for metric in metrics:
        bands = {group.label: band([curve(run, metric, along) for run in group.runs]) for group in groups}
        drawn = {label: each for label, each in bands.items() if each is not None}
        if drawn:
            yield metric, _curves(metric, drawn, colours, along)


def _curves(metric: str, bands: Mapping[str, Band], colours: Looks, along: str) -> "Figure":
    figure, axes = plt.subplots(figsize=(WIDTH, 4.2))
    for label, each in bands.items():
        colour, style = colours[label]
        marker = "o" if len(each.at) < 25 else None
        name = f"{label} ({each.runs} run{'s' if each.runs > 1 else ''})"
        axes.plot(each.at, each.middle, style, color=colour, linewidth=1.8, marker=marker, markersize=3, label=name)
        if each.runs > 1:
            axes.fill_between(each.at, each.low, each.high, color=colour, alpha=0.18, linewidth=0)
    axes.set_title(f"{words(metric)}: {_band_words([each.runs for each in bands.values()])}", loc="left")
    axes.set(xlabel="environment steps" if along == EXPERIENCE else "step", ylabel=words(metric))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    for side in (axes.xaxis, axes.yaxis):
        side.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    if len(bands) > 1:
        columns = max(1, min(3, LEGEND_WIDTH // (max(map(len, bands)) + 14), len(bands)))
        figure.legend(loc="outside lower center", ncols=columns, fontsize=9)
    return figure


def _band_words(runs: Sequence[int]) -> str:
    """What line and band are."""
    of = "the runs" if len(runs) > 1 else f"{runs[0]} runs"
    if max(runs) == 1:
        return "one run each" if len(runs) > 1 else "one run"
    if min(runs) >= MIDDLE_HALF_FROM:
        return f"median and middle half of {of}"
    if max(runs) < MIDDLE_HALF_FROM:
        return f"median and range of {of}"
    return f"median and middle half (range below {MIDDLE_HALF_FROM} runs)"
