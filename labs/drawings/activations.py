"""The pictures of the lab `activations`: functions and slopes, softmax, gradients on their way back, silent units."""

import math
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from labs.activations import Found

MARKERS = ("o", "s", "^")


def draw_functions(
    curves: "Mapping[str, tuple[Tensor, Tensor, Tensor]]", steep: Mapping[str, tuple[float, float]], flat: float
) -> "Figure":
    """Every activation and its slope; saturated stretches shaded.

    `curves`: activation -> places, values, slopes; `steep`: activation -> the stretch beyond which all is saturated,
    with slopes below `flat`.
    """
    from matplotlib import pyplot as plt

    blue, orange, yellow = (kit.figures.COLOURS[i] for i in (0, 1, 4))
    figure, grid = plt.subplots(2, 4, figsize=(11, 5.4), sharex=True, sharey=True)
    for axes, (name, (z, values, slopes)) in zip(grid.flat, curves.items(), strict=True):
        low, high = steep[name]
        for left, right in ((float(z[0]), low), (high, float(z[-1]))):
            axes.axvspan(left, right, color=yellow, alpha=0.25, linewidth=0)
        axes.plot(z.tolist(), values.tolist(), color=blue, linestyle="-", linewidth=2)
        axes.plot(z.tolist(), slopes.tolist(), color=orange, linestyle="--", linewidth=1.6)
        axes.set(title=name.replace("_", " "), ylim=(-1.3, 3), xlim=(-8, 8))
    for axes in grid[1]:
        axes.set_xlabel("input z")
    value, slope = grid[0, 0].lines
    value.set_label("value f(z)")
    slope.set_label("slope f'(z)")
    shade = grid[0, 1].patches[0]
    shade.set_label(f"saturated: |slope| < {flat:g}, hardly any gradient passes")
    figure.legend(handles=[value, slope, shade], loc="outside lower center", ncols=3)
    figure.suptitle("Activations and their slopes", fontweight="bold")
    return figure


def draw_softmax() -> "Figure":
    """Softmax of the same logits over three temperatures, and its entropy over all."""
    import torch
    from matplotlib import pyplot as plt

    colours = kit.figures.COLOURS
    logits = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0], dtype=torch.float64)
    figure, panels = plt.subplots(1, 4, figsize=(11, 3.1), width_ratios=(1, 1, 1, 1.5))
    for axes, temperature, colour in zip(panels, (0.3, 1.0, 4.0), colours, strict=False):
        shares = foundations.activations.softmax(logits / temperature)
        axes.bar([f"{logit:g}" for logit in logits.tolist()], shares.tolist(), color=colour)
        axes.set(title=f"T = {temperature:g}", ylim=(0, 1), xlabel="logit z")
        axes.grid(visible=False, axis="x")
    panels[0].set_ylabel("probability")
    temperatures = torch.logspace(-1.5, 2, 200, dtype=torch.float64)
    shares = foundations.activations.softmax(logits / temperatures[:, None])
    panels[3].plot(temperatures.tolist(), torch.special.entr(shares).sum(1).tolist(), color="black", linewidth=2)
    panels[3].axhline(math.log(5), color="grey", linestyle=":", label=f"log 5 = {math.log(5):.2f}: all alike")
    for temperature, colour in zip((0.3, 1.0, 4.0), colours, strict=False):
        entropy = torch.special.entr(foundations.activations.softmax(logits / temperature)).sum()
        panels[3].plot(temperature, float(entropy), "o", color=colour, markersize=8)
    panels[3].set(title="Entropy by temperature", xscale="log", xlabel="temperature T", ylabel="entropy in nats")
    panels[3].set_ylim(-0.05, 1.9)
    panels[3].legend(loc="lower right", fontsize=9)
    figure.suptitle("softmax(z / T): the same logits, sharper or flatter", fontweight="bold")
    return figure


def draw_gradients(came_back: Mapping[tuple[str, str], list[float]]) -> "Figure":
    """The gradient's size over the layers, one curve an activation; a panel for each kind of gain."""
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(10.5, 4.4), sharey=True)
    names = list(dict.fromkeys(name for _, name in came_back))
    titles = {"1": "Weights from N(0, 1/n): slopes alone decide", "own": "Weights scaled by the activation's own gain"}
    for axes, (kind, title) in zip(panels, titles.items(), strict=True):
        for name, colour in zip(names, (*kit.figures.COLOURS, "grey"), strict=True):
            values, dashed = came_back[kind, name], name in ("leaky_relu", "silu")  # each lies upon the one before it
            style = (0, (3, 4)) if dashed else "-"  # wide gaps, through which that one is seen
            axes.plot(range(1, len(values) + 1), values, color=colour, linestyle=style, linewidth=1.8)
        axes.set(title=title, yscale="log", xlabel="hidden layer (1 is next to the image)")
        axes.set_ylim(1e-8, 1e3)
    panels[0].set_ylabel("size of the gradient (1 where it is sent)")
    labels = [name.replace("_", " ") for name in names]
    figure.suptitle("A gradient of length 1 on its way back through the hidden layers", fontweight="bold")
    figure.legend(panels[0].lines, labels, loc="outside lower center", ncols=8, fontsize=9)
    return figure


def draw_silent(found: "Found", rates: tuple[float, ...]) -> "Figure":
    """Silent units and accuracy over the learning rate, a column for each start: every repeat, and their mean."""
    from matplotlib import pyplot as plt

    from labs.activations import repeats

    colours = kit.figures.COLOURS
    figure, grid = plt.subplots(2, 2, figsize=(9.6, 6), sharex=True, sharey=True)
    activations = dict.fromkeys(activation for activation, *_ in found["accuracy"])
    starts = list(dict.fromkeys(start for _, start, *_ in found["accuracy"]))
    for (i, name), (j, start) in product(enumerate(found), enumerate(starts)):
        for k, (activation, marker) in enumerate(zip(activations, MARKERS, strict=True)):
            values = [repeats(found[name], activation, start, rate) for rate in rates]
            beside = [rate * 1.08 ** (k - 1) for rate in rates]  # so that equal ones can all be seen
            means = [sum(each) / len(each) for each in values]
            grid[i, j].plot(beside, means, color=colours[k], linestyle="-", label=activation.replace("_", " "))
            grid[i, j].plot(beside, values, color=colours[k], linestyle="", marker=marker, alpha=0.6)
        grid[i, j].set(xscale="log", ylim=(-0.04, 1.04))
    for j, start in enumerate(starts):
        grid[0, j].set_title("Biases begin at 0" if start == 0 else f"Biases begin at {start:g}: many begin silent")
        grid[1, j].set_xlabel("learning rate")
    grid[0, 0].set_ylabel("share of hidden units silent\n(no image lifts them above 0)")
    grid[1, 0].set_ylabel("accuracy on test images")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    title = "Silent units and accuracy after training, by learning rate (marks: repeats, lines: means)"
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure
