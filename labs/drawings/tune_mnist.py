"""The pictures of the lab `tune_mnist`: how fast each way of searching finds, and where it looks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from labs.kit.sweeps.search import Search

TICKS = (20, 30, 50, 90)
LINES = {"grid": ":", "random": "--", "bayesian": "-", "genetic": "-."}


def draw_best_so_far(searches: "Mapping[str, list[Search]]") -> "Figure":
    """The least error after so many trials: the mean of the repetitions, and how sure it is."""
    import numpy as np
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8.5, 4.6))
    least, top = np.inf, 0.0
    for (way, several), colour in zip(searches.items(), kit.figures.COLOURS, strict=False):
        curves = np.array([search.best_so_far() for search in several])
        repetitions, trials = curves.shape
        mean, sure = curves.mean(0), curves.std(0, ddof=min(1, repetitions - 1)) / repetitions**0.5
        counts = np.arange(1, trials + 1)
        label = f"{way}: {mean[-1]:.2f} % in the end"
        axes.plot(counts, mean, color=colour, linestyle=LINES[way], linewidth=2.2, label=label)
        axes.fill_between(counts, mean - sure, mean + sure, color=colour, alpha=0.15, linewidth=0)
        least, top = min(least, float(mean[-1] - sure[-1])), max(top, float(mean[trials // 10]))
    axes.set(xlabel="trials", ylabel="least error on held-out images so far (%)")
    top *= 1.1
    axes.set(xlim=(1, trials), ylim=(least - 0.1 * (top - least), top))
    axes.set_title("How soon each way of searching finds good settings")
    axes.legend(title=f"mean of {repetitions} repetitions, band: its standard error", loc="upper right")
    return figure


def draw_places(searches: "Mapping[str, list[Search]]") -> "Figure":
    """The learning rates and momenta that each way tried in the first repetition."""
    from matplotlib import pyplot as plt
    from matplotlib.colors import LogNorm

    first = {way: several[0] for way, several in searches.items()}
    values = [value for search in first.values() for value in search.values()]
    least, largest = min(values), max(values)
    scale, ticks = LogNorm(least, largest), [least, *(tick for tick in TICKS if 1.2 * least < tick < largest)]
    figure, panels = plt.subplots(2, 2, figsize=(8.5, 7), sharex=True, sharey=True)
    for axes, (way, search) in zip(panels.flat, first.items(), strict=True):
        shown = _draw_trials(axes, search, scale)
        axes.set(title=f"{way}: {search.least:.2f} %", xscale="log")
        axes.set(xlabel="learning rate", ylabel="momentum")
        axes.label_outer()
    bar = figure.colorbar(shown, ax=panels, label="error on held-out images (%)", ticks=ticks)
    bar.ax.minorticks_off()
    bar.ax.yaxis.set_major_formatter("{x:.3g}")
    figure.suptitle(
        "Where each way looked\ndark is good, late trials are large, the ring is the best", fontweight="bold"
    )
    return figure


def _draw_trials(axes: "Axes", search: "Search", scale: Any) -> Any:
    settings = [trial.params for trial in search.trials]
    values = search.values()
    places = [(each["learning_rate"], each["momentum"]) for each in settings]
    sizes = [12 + 60 * number / len(values) for number in range(len(values))]
    rates, momenta = zip(*places, strict=True)
    shown = axes.scatter(
        rates, momenta, c=values, s=sizes, norm=scale, cmap="viridis", edgecolor="black", linewidth=0.3, alpha=0.9
    )
    best = places[values.index(min(values))]
    axes.scatter(*best, s=190, facecolor="none", edgecolor=kit.figures.COLOURS[1], linewidth=2.2, zorder=4)
    return shown
