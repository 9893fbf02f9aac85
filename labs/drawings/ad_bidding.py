"""The pictures of the lab `ad_bidding`: money and clicks over the day, and the bidders compared."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from agents.bandits import BiddingAgent

    Days = list[dict[str, NDArray[np.float64]]]

BIDDERS = {
    "fixed": "fixed bid, best on the training days",
    "values": "values learned, price of money frozen",
    "pacing": "pacing, all users alike",
    "both": "values learned, pacing",
}


def draw_day(days: "Mapping[str, Days]") -> "Figure":
    """How the money goes over the day, and how the clicks come; days as `agents.bandits.play_day` tells them."""
    import numpy as np

    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.8))
    auctions, worlds = next(iter(days.values()))[0]["clicks"].shape
    hours = np.linspace(0, 24, auctions + 1)
    for (name, each), colour in zip(days.items(), colours, strict=False):
        spent = 100 * (1 - np.concatenate([day["money"] for day in each], axis=1))
        clicks = np.concatenate([np.cumsum(day["clicks"], 0) / day["optimum"] for day in each], axis=1)
        low, high = np.quantile(spent, (0.1, 0.9), axis=1)
        left.plot(hours, spent.mean(1), "-", color=colour, linewidth=2, label=BIDDERS[name])
        left.fill_between(hours, low, high, color=colour, alpha=0.1, linewidth=0)
        right.plot(hours[1:], 100 * clicks.mean(1), "-", color=colour, linewidth=2)
    left.plot((0, 24), (0, 100), ":", color="black", linewidth=1, label="evenly")
    left.set(ylabel="budget spent (%)", title="Money over the day (8 in 10 days shaded)")
    right.set(ylabel="clicks to expect, % of the best in hindsight", title="Clicks over the day", ylim=(0, 103))
    right.axhline(100, color="black", linewidth=1, linestyle=":")
    for axes in (left, right):
        axes.set(xlabel="time of day (h)", xticks=range(0, 25, 4), xlim=(0, 24))
    figure.legend(loc="outside lower center", ncols=5, fontsize=9)
    figure.suptitle(f"Test days, an equal budget for all: mean of {worlds} worlds")
    return figure


def draw_comparison(means: "Mapping[str, NDArray[np.float64]]", agent: "BiddingAgent") -> "Figure":
    """Every world a dot: each bidder against the fixed bid; and what the learning bidder knows of users."""
    import numpy as np

    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.8))
    scatter = np.random.default_rng(0).uniform(-0.12, 0.12, len(means["fixed"]))
    for place, (mean, colour) in enumerate(zip(means.values(), colours, strict=False)):
        left.plot(100 * mean, place + scatter, "o", color=colour, markersize=5, alpha=0.6)
        left.plot([100 * mean.mean()] * 2, (place - 0.28, place + 0.28), "-", color="black", linewidth=2.5)
    left.set_yticks(range(len(means)), [BIDDERS[name].replace(", ", ",\n") for name in means])
    left.set(xlabel="clicks to expect, % of the best in hindsight", title="Test days: a dot a world, a line the mean")
    left.invert_yaxis()
    clicks: Any = agent.bidder.clicks
    worlds: Any = agent.interaction.environments
    right.plot((0, 0.6), (0, 0.6), ":", color="black", linewidth=1)
    right.plot(worlds.weights.ravel(), clicks.weights[:, 0].ravel(), "o", color=colours[0], markersize=5, alpha=0.6)
    right.set(xlabel="true click probability", ylabel="as learned from won auctions", title="Interests of all worlds")
    return figure
