"""The pictures and tables of the lab `cnn_architectures`: what an error costs, and what depth does."""

from collections.abc import Callable, Sequence
from statistics import mean
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from labs.cnn_architectures import Deep, Member


def published_rows() -> list[dict[str, str]]:
    """The full-size networks, counted here, beside the published counts."""
    from foundations.networks.published import PUBLISHED

    counts = [(network, network.count()) for network in PUBLISHED]
    return [
        {
            "network": network.name,
            "weights published": f"{network.weights:,}",
            "weights here": f"{counted.parameters:,}",
            "multiply-adds (million an image)": f"{counted.multiply_adds / 1e6:,.1f}",
        }
        for network, counted in counts
    ]


def member_row(member: "Member") -> dict[str, str]:
    """What a network of a family costs, and how good it is: the mean and the range over the seeds."""
    lowest, highest = 100 * min(member.accuracies), 100 * max(member.accuracies)
    spread = f" ({lowest:.2f} to {highest:.2f})" if lowest < highest else ""
    return {
        "network": f"{member.family} x {member.share:g}",
        "weights": f"{member.parameters:,}",
        "multiply-adds (million an image)": f"{member.multiply_adds / 1e6:.2f}",
        "training (images/s)": f"{member.training_speed:,.0f}",
        "inference (images/s)": f"{member.inference_speed:,.0f}",
        "test accuracy %": f"{100 * member.accuracy:.2f}{spread}",
    }


def deep_row(deep: "Deep", window: int) -> dict[str, object]:
    """How well a plain or a residual network fits the training images, and what it is worth: means over the seeds."""
    return {
        "layers": deep.depth,
        "kind": deep.kind,
        f"training loss, last {window} updates (nats)": f"{deep.loss:.4f}",
        "test error %": f"{mean(deep.errors):.2f}",
    }


def draw_members(members: "Sequence[Member]") -> "Figure":
    """Test error against weights, work and speed: low is good; far left is cheap, in the last panel far right."""
    costs: dict[str, Callable[[Member], float]] = {
        "weights": lambda member: member.parameters,
        "multiply-adds an image": lambda member: member.multiply_adds,
        "training speed (images/s)": lambda member: member.training_speed,
    }
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    families = dict.fromkeys(member.family for member in members)
    figure, panels = plt.subplots(1, 3, figsize=(11, 4), sharey=True)
    for axes, (label, cost) in zip(panels, costs.items(), strict=True):
        for family, colour, marker in zip(families, colours, "osD^", strict=False):
            line = sorted((cost(member), 100 * (1 - member.accuracy)) for member in members if member.family == family)
            axes.plot(*zip(*line, strict=True), marker, linestyle="-", color=colour, markersize=8, label=family)
        axes.set(xlabel=label, xscale="log", yscale="log")
        ticks = {"major_locator": LogLocator(subs=(1, 3)), "major_formatter": EngFormatter(sep="")}
        axes.xaxis.set(**ticks, minor_formatter=NullFormatter())
        axes.margins(0.15)
    panels[0].set_ylabel("test error (%)")
    panels[0].yaxis.set_major_formatter("{x:g}")
    panels[0].yaxis.set_minor_formatter("{x:g}")
    figure.suptitle("What an error costs: four families of networks on the same images", fontweight="bold")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def draw_degradation(deep: "Sequence[Deep]", window: int) -> "Figure":
    """Training curves of plain and of residual networks, and where they end by depth: in the last `window` updates."""
    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(12, 4.2), sharey=True)
    depths = sorted({each.depth for each in deep})
    shades = plt.get_cmap("viridis_r")
    ends = dict(zip(("plain", "residual"), colours[1::-1], strict=True))
    for axes, kind in zip(panels, ends, strict=False):
        for index, depth in enumerate(depths):
            steps, losses = next(each.curve for each in deep if (each.depth, each.kind) == (depth, kind))
            shade = shades(0.15 + 0.85 * index / max(1, len(depths) - 1))
            axes.plot(steps, kit.figures.running_median(losses), color=shade, linewidth=1.8, label=f"{depth} layers")
        axes.set(title=f"{kind} networks", xlabel="update")
        axes.legend()
    panels[0].set(ylabel="training loss (nats), running median", yscale="log")
    panels[0].yaxis.set_major_formatter("{x:g}")
    panels[0].yaxis.set_minor_formatter("{x:g}")
    for kind, colour in ends.items():
        chosen = sorted((each for each in deep if each.kind == kind), key=lambda each: each.depth)
        means = [each.loss for each in chosen]
        spread = [(each.loss - min(each.losses), max(each.losses) - each.loss) for each in chosen]
        bars = list(zip(*spread, strict=True))
        panels[2].errorbar(depths, means, bars, marker="o", color=colour, capsize=4, linestyle="-", label=kind)
    panels[2].set(title=f"mean of the last {window} updates", xlabel="layers", xticks=depths)
    panels[2].legend()
    figure.suptitle("Depth in plain and in residual networks: how well they fit the training images", fontweight="bold")
    return figure
