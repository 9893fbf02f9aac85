"""The pictures and tables of the lab `gradient_health`: gradients and signals by layer and depth, and clipping."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from foundations.hidden_layers import LayerHealth
    from labs.gradient_health import Case, Config, Line

POWERS = (-9.0, 7.0)
"""Powers of ten of a gradient's norm that the maps tell apart; white lies between them, at 0.1."""


def health_row(case: "Case", health: "LayerHealth") -> dict[str, object]:
    """A row of the table of first weights."""
    figures = {
        "first layer's gradient": health.gradients[0],
        "last layer's": health.gradients[-1],
        "first to last": health.first_to_last,
        "last output's std": health.spreads[-1],
        "zeros in it": health.zeros[-1],
    }
    return {"network": case.label, **{name: f"{value:.1e}" for name, value in figures.items()}}


def draw_gradient_maps(
    title: str, panels: "Mapping[str, Mapping[Case, LayerHealth]]", size: tuple[float, float]
) -> "Figure":
    """A map for each of `panels`, two beside each other: a row a case, a column a layer."""
    from matplotlib import pyplot as plt

    figure, grid = plt.subplots(len(panels) // 2, 2, figsize=size, sharex=True, sharey=True, squeeze=False)
    for axes, (name, maps) in zip(grid.flat, panels.items(), strict=True):
        image = _heat_map(axes, maps, without=f", {name}")
        axes.set_title(name)
    figure.suptitle(title, fontweight="bold")
    bar = figure.colorbar(image, ax=grid, extend="both", ticks=[-9, -5, -1, 3, 7])
    bar.ax.set_yticklabels(["$10^{-9}$\nvanished", "$10^{-5}$", "$10^{-1}$", "$10^3$", "$10^7$\nexploded"], fontsize=8)
    bar.set_label("norm of the layer's gradient")
    return figure


def _heat_map(axes: "Axes", maps: "Mapping[Case, LayerHealth]", *, without: str) -> "AxesImage":
    """Powers of ten of the gradients' norms; the labels go `without` what the panel's title says."""
    rows = [[math.log10(max(norm, 1e-300)) for norm in health.gradients] for health in maps.values()]
    depth = len(rows[0])
    extent = (0.5, depth + 0.5, len(rows) - 0.5, -0.5)
    image = axes.imshow(rows, aspect="auto", cmap="RdBu_r", vmin=POWERS[0], vmax=POWERS[1], extent=extent)
    axes.set_yticks(range(len(rows)), [case.label.removesuffix(without) for case in maps], fontsize=8)
    axes.set_xlabel("hidden layer (1 is next to the image)")
    axes.label_outer()
    axes.grid(visible=False)
    return image


def draw_activations(maps: "Mapping[Case, LayerHealth]") -> "Figure":
    """The spread of each layer's output in plain networks: a panel an activation, a line a way to begin."""
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True)
    for axes, activation in zip(panels, dict.fromkeys(case.activation for case in maps), strict=True):
        for case, health in maps.items():
            if (case.activation, case.form) == (activation, "plain"):
                layers = range(1, len(health.spreads) + 1)
                axes.plot(layers, health.spreads, label=case.label.removeprefix(f"{activation}, "), linewidth=1.8)
        axes.set(title=activation, yscale="log", ylim=(1e-9, 10), xlabel="hidden layer")
    panels[0].set_ylabel("standard deviation of the layer's output")
    figure.suptitle("How far the signal comes in plain networks before the first step", fontweight="bold")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def draw_depths(lines: "Mapping[str, Line]") -> "Figure":
    """The first layer's gradient against the number of layers, beside the bound of the sigmoid's slope."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2))
    for label, (depths, norms) in lines.items():
        axes.plot(depths, norms, label=label, linewidth=1.8, marker="o", markersize=3, linestyle="-")
    axes.plot(depths, [0.25 ** (depth - 1) for depth in depths], "k:", label="(1/4)^(layers - 1): the sigmoid's slope")
    axes.set(yscale="log", ylim=(1e-32, 1e8), xlabel="hidden layers", ylabel="norm of the first layer's gradient")
    axes.set_title("What reaches the first layer before the first step", loc="left")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure


def draw_clipping(unclipped: Sequence[float], losses: "Line", norms: "Line", config: "Config") -> "Figure":
    """The exploding network: its loss with and without clipping, and the gradient's norm before clipping."""
    from matplotlib import pyplot as plt
    from matplotlib.ticker import NullFormatter

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6))
    left.plot(range(1, len(unclipped) + 1), unclipped, marker="o", markersize=3, label="not clipped")
    end = f"overflow at step {len(unclipped) + 1}" if len(unclipped) < config.steps else ""
    left.annotate(end, (len(unclipped), unclipped[-1]), (8, 0), textcoords="offset points", va="center", fontsize=9)
    left.plot(*losses, label=f"norm clipped to {config.clip_norm:g}")
    left.set(xscale="log", yscale="log", xlabel="step", ylabel="training loss (nats)", title="loss")
    left.legend()
    right.plot(*norms, color=kit.figures.COLOURS[1], label="before clipping")
    right.axhline(config.clip_norm, color="black", linestyle=":", label="largest allowed")
    right.set(xscale="log", yscale="log", xlabel="step", ylabel="norm of the whole gradient", title="gradient")
    right.legend()
    for axes in (left, right):
        axes.xaxis.set_minor_formatter(NullFormatter())  # over few steps its labels would lie upon each other
    figure.suptitle(f"Residual network with first weights N(0, {config.explosive_std:g}²)", fontweight="bold")
    return figure
