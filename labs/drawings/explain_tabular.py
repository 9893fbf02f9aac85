"""The pictures of the lab `explain_tabular`: single cases, the ranking, the explanations on trial."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from explain import Explanation
    from explain.quality import Growth
    from labs.explain_tabular import Task

    Array = NDArray[np.float64]

BARS = 8
"""Columns shown of a case."""
RANKED = 12
"""Columns shown of a ranking."""
FOR, AGAINST = 0, 4
"""Blue and orange, by number among the kit's colours."""


def draw_cases(shown: "Mapping[str, Explanation]", chosen: Mapping[str, int], task: "Task") -> "Figure":
    """What each column adds to the answer for four cases, against a typical row."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(2, 2, figsize=(12.5, 7.4))
    for axes, (name, each) in zip(panels.flat, shown.items(), strict=True):
        adds = each.contributions(0) * task.scale
        order = sorted(range(len(adds)), key=lambda i: -abs(adds[i]))[:BARS]
        places = range(len(order))
        axes.barh(places, adds[order], color=[colours[FOR if adds[i] >= 0 else AGAINST] for i in order], height=0.7)
        axes.set_yticks(places, [each.described(i).replace("_", " ") for i in order], fontsize=9)
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        axes.grid(axis="y", visible=False)
        words = task.words(each.predictions[0], float(task.truth[chosen[name]]))
        axes.set_title(f"{name.capitalize()}: {words}", loc="left", fontsize=10.5)
        axes.set_xlabel(f"{task.unit} added (R² of the line {each.r2[0]:.2f})")
    figure.suptitle(f"What raises (blue) and lowers (orange) the {task.quantity}", fontweight="bold", fontsize=13)
    return figure


def draw_ranking(weights: Mapping[str, float], rises: Mapping[str, float], agreement: float, task: "Task") -> "Figure":
    """Left the explanations' mean weight of each column, right what shuffling the column costs."""
    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    names = list(weights)[:RANKED]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 1.4 + 0.3 * len(names)), sharey=True)
    places = range(len(names))
    left.barh(places, [weights[name] * task.scale for name in names], color=colours[0], height=0.7)
    right.barh(places, [rises[name] for name in names], color=colours[2], height=0.7)
    left.set_yticks(places, [name.replace("_", " ") for name in names])
    left.invert_yaxis()
    left.set_title("By explanations: how steep the model is", loc="left")
    left.set_xlabel(f"mean |weight| ({task.unit} per standard deviation)")
    right.set_title("By shuffling: what the model loses", loc="left")
    right.set_xlabel(f"rise of the {task.loss_name} when the column is shuffled")
    figure.suptitle(f"Which columns matter: rank correlation {agreement:.2f}", fontweight="bold", fontsize=13)
    for axes in (left, right):
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_major_formatter("{x:,g}")
    return figure


def draw_quality(fits: Mapping[str, Sequence[float]], curves: "Mapping[str, Array]", used: int) -> "Figure":
    """Two trials: the fit of the line, and columns hidden or shown in its order."""
    colours = kit.figures.COLOURS
    import numpy as np
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 4.6))
    bins = np.linspace(min(0.0, *(min(values) for values in fits.values())), 1, 41).tolist()
    for (name, values), number in zip(fits.items(), (0, 2, 4), strict=True):
        label = f"{name}: median {np.median(values):.2f}"
        left.hist(values, bins=bins, color=colours[number], alpha=0.7, label=label)
    left.set(xlabel="weighted R² of the line", ylabel="explanations")
    left.set_title("How well a line fits near a case", loc="left")
    styles = {"deletion, explanation": (0, "-"), "deletion, random": (0, ":"), "insertion, explanation": (1, "-")}
    for name, curve in curves.items():
        number, line = styles.get(name, (1, ":"))
        label = f"{name}: area {np.trapezoid(curve, dx=1 / (len(curve) - 1)):.2f}"
        shares = np.linspace(0, 100, len(curve))
        right.plot(shares, curve, color=colours[number], linestyle=line, linewidth=1.8, label=label)
    right.set(xlabel="columns hidden (deletion) or shown (insertion), %", ylabel="0: a typical answer; 1: the case's")
    right.set_title(f"Its order against random ones, {used} cases", loc="left")
    for axes in (left, right):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=9)
    return figure


def draw_growth(grown: "Mapping[str, Growth]") -> "Figure":
    """How alike the seeds are as samples are added, for each case."""
    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.6, 4))
    for (name, growth), number, marker in zip(grown.items(), (0, 1, 2, 3), "os^D", strict=True):
        counts, shares = zip(*growth.stages, strict=True)
        axes.plot(counts, shares, f"{marker}-", color=colours[number], markersize=6, alpha=0.85, label=name)
    axes.set(xscale="log", xlabel="samples", ylabel="Jaccard index of the top five columns", ylim=(0, 1.05))
    axes.set_xticks(sorted({count for growth in grown.values() for count, _ in growth.stages}))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()
    axes.set_title("Do other seeds name the same columns? (1: all do)", loc="left")
    axes.legend(loc="lower right")
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
