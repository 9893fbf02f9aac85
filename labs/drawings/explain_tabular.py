"""The pictures of the lab `explain_tabular`: single cases, the ranking, the explanations on trial."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import labs.kit as kit
from labs.drawings.explaining import bars, contribution_bars, fit_histogram
from labs.drawings.explaining import show_trust as show_trust

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from explain import Explanation, Trust
    from labs.explain_tabular import Task

    Array = NDArray[np.float64]

BARS = 8
"""Columns shown of a case."""
RANKED = 12
"""Columns shown of a ranking."""
WIDTH = 56
"""Letters in a line below a case."""


def draw_cases(trust: "Trust", truths: Mapping[str, float], task: "Task") -> "Figure":
    """What each column adds to the answer for four cases, against a typical row; below each what is in doubt."""
    _ = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(2, 2, figsize=(12.5, 8))
    for axes, (name, each) in zip(panels.flat, trust.found.items(), strict=True):
        contribution_bars(axes, each, 0, BARS, task.scale)
        axes.set_title(
            f"{name.capitalize()}: {task.words(each.predictions[0], truths[name])}", loc="left", fontsize=10.5
        )
        line = task.short(each.local_predictions[0])
        axes.set_xlabel(
            f"{task.unit} added; the line says {line} (R² {each.r2[0]:.2f}){_below(trust.doubts[name])}", fontsize=9
        )
    figure.suptitle(f"What raises (blue) and lowers (orange) the {task.quantity}", fontweight="bold", fontsize=13)
    return figure


def _below(doubts: Sequence[str]) -> str:
    return "\n" + fill(f"in doubt: {'; '.join(doubts)}", WIDTH) if doubts else ""


def draw_ranking(weights: Mapping[str, float], rises: Mapping[str, float], agreement: float, task: "Task") -> "Figure":
    """Left the explanations' mean weight of each column, right what shuffling the column costs."""
    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    names = list(weights)[:RANKED]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 1.4 + 0.3 * len(names)))
    words = [name.replace("_", " ") for name in names]
    bars(left, words, [weights[name] * task.scale for name in names], colours[0])
    bars(right, words, [rises[name] for name in names], colours[2])
    right.tick_params(labelleft=False)
    left.set_title("By explanations: how steep the model is", loc="left")
    left.set_xlabel(f"mean |weight| ({task.unit} per standard deviation)")
    right.set_title("By shuffling: what the model loses", loc="left")
    right.set_xlabel(f"rise of the {task.loss_name} when the column is shuffled")
    figure.suptitle(f"Which columns matter: rank correlation {agreement:.2f}", fontweight="bold", fontsize=13)
    for axes in (left, right):
        axes.xaxis.set_major_formatter("{x:,g}")
    return figure


def draw_quality(fits: Mapping[str, Sequence[float]], curves: "Mapping[str, Array]", used: int) -> "Figure":
    """Two trials: the fit of the line, and columns hidden or shown in its order."""
    colours = kit.figures.COLOURS
    import numpy as np
    from matplotlib import pyplot as plt

    import explain

    figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 4.6))
    fit_histogram(left, fits, "explanations")
    left.set_title("How well a line fits near a case", loc="left")
    styles = {"deletion, explanation": (0, "-"), "deletion, random": (0, ":"), "insertion, explanation": (1, "-")}
    for name, curve in curves.items():
        number, line = styles.get(name, (1, ":"))
        shares, label = np.linspace(0, 100, len(curve)), f"{name}: area {explain.area_under(curve):.2f}"
        right.plot(shares, curve, color=colours[number], linestyle=line, linewidth=1.8, label=label)
    right.set(xlabel="columns hidden (deletion) or shown (insertion), %", ylabel="0: a typical answer; 1: the case's")
    right.set_title(f"Its order against random ones, {used} cases", loc="left")
    for axes in (left, right):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=9)
    return figure


def draw_planted(weakest: "Array", strongest: "Array") -> "Figure":
    """In each planted model: the smallest weight of a column that matters, the largest of one that does not."""
    import numpy as np
    from matplotlib import pyplot as plt

    colours = kit.figures.COLOURS
    order = np.argsort(weakest)
    places = np.arange(1, len(order) + 1)
    figure, axes = plt.subplots(figsize=(8, 4.2))
    axes.vlines(places, strongest[order], weakest[order], color="0.8", linewidth=1.5)
    axes.plot(places, weakest[order], "o", color=colours[0], markersize=5, label="weakest column that matters")
    axes.plot(places, strongest[order], "o", color=colours[4], markersize=5, label="strongest column that does not")
    axes.set(
        yscale="log", xlabel="planted model, in the order of its weakest column", ylabel="|weight| in the explanation"
    )
    found = int((weakest > strongest).sum())
    axes.set_title(f"Planted columns found in {found} of {len(order)} models", loc="left")
    axes.set_ylim(top=5 * float(weakest.max()))
    axes.legend(loc="upper left", ncols=2)
    return figure


def picked_rows(picked: "Mapping[int, Explanation]", task: "Task") -> list[dict[str, object]]:
    """The table of the cases that together show the columns that matter: the row, the answer and three reasons."""
    return [{"row": row, task.quantity: each.predictions[0], **_reasons(each)} for row, each in picked.items()]


def _reasons(each: "Explanation") -> dict[str, str]:
    """The three strongest reasons in words, each with its weight."""
    top = [f"{name} ({weight:+.3g})" for name, weight in each.top(count=3)]
    return {f"reason {place}": reason for place, reason in enumerate([*top, "", "", ""][:3], 1)}
