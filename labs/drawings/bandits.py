"""The pictures of the lab `bandits`: how regret grows, and how close campaigns come to the best."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

LEARNERS = {
    "epsilon": "epsilon-greedy, 0.1",
    "fading": "epsilon-greedy, 100 / t",
    "ucb": "UCB1",
    "beta": "Thompson, Beta",
    "gaussian": "Thompson, Gaussian",
}
CAMPAIGN = {
    "thompson": "Thompson, pacing",
    "linucb": "LinUCB, pacing",
    "epsilon": "epsilon-greedy, pacing",
    "unpaced": "Thompson, money first come first served",
}
LOOK = 100
"""Rounds from one look at the regret to the next."""


def draw_regret(curves: "Mapping[str, NDArray[np.float64]]", arms: Sequence[float], bound: float) -> "Figure":
    """Regret over rounds, and over their logarithm, where growth like log t is a straight line.

    Shapes: each curve (looks, runs), a look every `LOOK` rounds.
    """
    import numpy as np

    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.8))
    looks, runs = next(iter(curves.values())).shape
    rounds = LOOK * np.arange(1, looks + 1)
    for (name, curve), colour in zip(curves.items(), colours, strict=False):
        low, high = np.quantile(curve, (0.25, 0.75), axis=1)
        left.fill_between(rounds, low, high, color=colour, alpha=0.13, linewidth=0)
        for axes in (left, right):
            label = LEARNERS[name] if axes is left else None
            axes.plot(rounds, curve.mean(1), "-", color=colour, linewidth=1.9, label=label)
    right.plot(rounds, bound * np.log(rounds / rounds[0]), "--", color="black", linewidth=1.6,
               label="Lai and Robbins: no slope below this in the long run")  # fmt: skip
    right.set_xscale("log")
    left.set(title="A fixed rate of tries costs the same for ever", xlabel="round", ylabel="regret (payouts missed)")
    right.set(title="Growth like log t is a straight line here", xlabel="round (logarithmic)", ylabel="regret")
    top = 1.15 * max(curve[-1].mean() for curve in curves.values())
    for axes in (left, right):
        axes.set_ylim(0, top)
    right.legend(loc="upper left", fontsize=9)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=9)
    paying = ", ".join(f"{each:g}" for each in arms)
    figure.suptitle(f"Arms that pay with {paying}: mean of {runs} runs, the middle half of them shaded")
    return figure


def draw_campaigns(shares: "Mapping[str, NDArray[np.float64]]") -> "Figure":
    """How close each way of making offers comes to the best one, campaign after campaign."""
    import numpy as np

    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    figure, axes = plt.subplots(figsize=(8.4, 4.6))
    for (name, share), colour in zip(shares.items(), colours, strict=False):
        campaigns = np.arange(1, len(share) + 1)
        low, high = np.quantile(100 * share, (0.25, 0.75), axis=1)
        axes.plot(campaigns, 100 * share.mean(1), "-o", color=colour, markersize=4, label=CAMPAIGN[name])
        axes.fill_between(campaigns, low, high, color=colour, alpha=0.13, linewidth=0)
    axes.axhline(100, color="black", linewidth=1, linestyle=":", label="the best that knows all")
    axes.set(xlabel="campaign of 1,000 customers", ylabel="conversions to expect, % of the best", ylim=(None, 105))
    axes.set_title("A budget: money has a price, and pacing finds it (middle half of the worlds shaded)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure
