"""The pictures and tables of the lab `transfer_learning`: accuracy by labels, and how general blocks are and move."""

from collections.abc import Mapping
from statistics import mean, stdev
from typing import TYPE_CHECKING

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from labs.kit.data import ImageData
    from labs.transfer_learning import Trials

PLACES = {"input": "pixels"}
"""What the figures call the features, where it is not the name of the block."""


def label(way: str) -> str:
    """What the figures call it."""
    names = {"scratch": "from scratch", "head": "head only", "all": "all, by block"}
    return names.get(way, way.replace("_", " ") + " blocks")


def accuracy_rows(trials: "Trials") -> list[dict[str, str]]:
    """A row for each number of labels: right answers in %, mean ± standard deviation over the seeds."""
    rows, last = [], list(trials.ways)[2]
    for labels in trials.counts:
        found = {way: [100 * each for each in trials.accuracies(way, labels)] for way in trials.ways}
        shown = {label(way): f"{mean(each):.1f} ± {stdev(each):.1f}" for way, each in found.items()}
        gains = [one - other for one, other in zip(found[last], found["scratch"], strict=True)]
        gain = f"{mean(gains):+.1f} ± {stdev(gains):.1f}"
        rows.append({"labels": f"{labels:,}"} | shown | {f"{label(last)}, gain in points": gain})
    return rows


def generality_rows(shares: Mapping[tuple[str, str], Mapping[str, float]]) -> list[dict[str, str]]:
    """A row for each task and body, a column for each block, in %; `shares` as in `draw_generality`."""
    return [
        {"classes of the": title, "body": body}
        | {PLACES.get(at, at): f"{100 * share:.1f}" for at, share in found.items()}
        for (title, body), found in shares.items()
    ]


def draw_accuracy(found: "Mapping[str, Trials]") -> "Figure":
    """Accuracy against labels, the spread of the seeds as a band; one panel a task."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(found), figsize=(1 + 5 * len(found), 4.4), squeeze=False)
    for axes, trials in zip(panels[0], found.values(), strict=True):
        for way, colour, marker in zip(trials.ways, colours, "so^D", strict=False):
            each = [[100 * value for value in trials.accuracies(way, count)] for count in trials.counts]
            means = [mean(values) for values in each]
            axes.plot(trials.counts, means, color=colour, linestyle="-", marker=marker, markersize=5, label=label(way))
            low, high = zip(*((m - stdev(v), m + stdev(v)) for m, v in zip(means, each, strict=True)), strict=True)
            axes.fill_between(trials.counts, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.set(xscale="log", xlabel="labelled images of the new task", ylabel="right answers to test images (%)")
        axes.set_xticks(trials.counts, [f"{count:,}" for count in trials.counts])
        axes.minorticks_off()
        axes.set_title(_title(*trials.task))
        axes.legend(loc="lower right", fontsize=9)
    return figure


def _title(source: "ImageData", target: "ImageData") -> str:
    """What is learned first and what then."""
    first, then = (f"{each.class_names[0]} to {each.class_names[-1]}" for each in (source, target))
    return f"{source.name}, {first}, then {'' if target.name == source.name else target.name + ', '}{then}"


def draw_generality(shares: Mapping[tuple[str, str], Mapping[str, float]]) -> "Figure":
    """How well the nearest neighbour tells classes, by the features of each block: seen ones and new ones.

    `shares`: (task, body) -> block -> share of images whose nearest neighbour is of their class.
    """
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.4))
    for (title, body), found in shares.items():
        colour, style = colours[title == "new task"], "s--" if body == "untrained" else "o-"
        axes.plot(
            [100 * share for share in found.values()], style, color=colour, label=f"classes of the {title}, body {body}"
        )
    places = [PLACES.get(at, at) for at in found]
    axes.set_xticks(range(len(places)), places)
    axes.set(xlabel="features of this block", ylabel="nearest neighbour is of the same class (%)")
    axes.set_title("What each block makes of classes that it was trained on, and of new ones")
    axes.legend(fontsize=9)
    return figure


def draw_movement(trials: "Trials") -> "Figure":
    """How far the blocks went with the most labels; a frozen block not at all."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4))
    names, most = list(foundations.transfer.blocks(trials.pretrained)), trials.counts[-1]
    for place, (way, colour) in enumerate(zip(trials.ways, colours, strict=False)):
        pairs = zip(trials.plan, trials.results, strict=True)
        rows = [result[1:] for (one, count, _), result in pairs if (one, count) == (way, most)]
        heights = [100 * mean(column) for column in zip(*rows, strict=True)]
        at = [each + 0.2 * (place - 1.5) for each in range(len(names))]
        axes.bar(at, heights, 0.18, color=colour, label=label(way))
        for x, height in zip(at, heights, strict=True):
            axes.annotate("0" if height == 0 else f"{height:.0f}", (x, height), ha="center", va="bottom", fontsize=8)
    axes.set_xticks(range(len(names)), names)
    axes.set(xlabel="block, from the input to the head", ylabel="|w - w before| / |w before| (%)")
    axes.set_title(f"How far the weights went on {most:,} labels; frozen ones not at all")
    axes.legend(fontsize=9)
    return figure
