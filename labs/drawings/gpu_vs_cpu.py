"""The pictures of the lab `gpu_vs_cpu`: rates by size, times of training steps, where a GPU begins to pay."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from foundations.hardware import Curve, Offload, Place


def draw_products(curves: "Mapping[Place, Curve]", peaks: Mapping[str, float]) -> "Figure":
    """The measured rates by size; where no GPU was measured, beside the published `peaks` (TFLOP/s) of some."""
    from matplotlib import pyplot as plt

    colours = kit.figures.COLOURS  # the project's style comes with them
    figure, axes = plt.subplots(figsize=(7.2, 4.6))
    styles = {"float32": "-", "TF32": "-.", "bf16": "--"}
    for index, (place, curve) in enumerate(curves.items()):
        style, colour = styles[place.precision], colours[index % len(colours)]
        axes.plot(list(curve), list(curve.values()), style, color=colour, marker="o", markersize=3.5, label=place.name)
    if all(place.device.type == "cpu" for place in curves):
        for index, (peak, name) in enumerate(sorted((1e3 * peak, name) for name, peak in peaks.items())):
            axes.axhline(peak, color="grey", linestyle=":", linewidth=1)
            where, side = ((0.02, "top"), (0.52, "bottom"))[index % 2]  # neighbours' names apart
            text = axes.text(where, peak, f"{name}: {peak / 1e3:g} TFLOP/s", fontsize=8, color="dimgrey", va=side)
            text.set_transform(axes.get_yaxis_transform())
        axes.plot([], [], ":", color="grey", label="published float32 peak, not measured")
    axes.set(xscale="log", yscale="log", xlabel="side of the square matrices (log)", ylabel="GFLOP/s (log)")
    axes.set_title("Matrix products: rate by size", loc="left")
    _label_sides(axes, sorted({n for curve in curves.values() for n in curve}))
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure


def draw_steps(steps: "Mapping[Place, Mapping[str, float]]", batch: int) -> "Figure":
    """What a training step of each network takes at each place."""
    import numpy as np
    from matplotlib import pyplot as plt

    colours = kit.figures.COLOURS
    names, height = list(next(iter(steps.values()))), 0.8 / len(steps)
    figure, axes = plt.subplots(figsize=(7.2, 1.6 + 0.24 * len(names) * len(steps)))
    for index, (place, found) in enumerate(steps.items()):
        where = np.arange(len(names)) + height * (index - (len(steps) - 1) / 2)
        times, colour = [1e3 * found[name] for name in names], colours[index % len(colours)]
        bars = axes.barh(where, times, height * 0.92, color=colour, label=place.name)
        axes.bar_label(bars, fmt="{:,.4g}", padding=3, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="milliseconds a training step (log): shorter is better")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.12)
    axes.grid(visible=False, axis="y")
    axes.set_title(f"One training step of {batch} samples: forward, backward, Adam", loc="left")
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure


def draw_break_even(cpu: "Curve", offers: "Sequence[Offload]", reached: float) -> "Figure":
    """How many times faster a GPU does one product, with and without its data travelling.

    `reached`: share of a published peak that a GPU that was not measured is assumed to reach.
    """
    from matplotlib import pyplot as plt

    colours = kit.figures.COLOURS  # the project's style comes with them
    figure, both = plt.subplots(1, 2, figsize=(9, 4.4), sharey=True)
    tried = [n for k in range(64) if (n := round(min(cpu) * 2 ** (k / 4))) <= max(cpu)]
    slowest = min(offer.speed_up(cpu, n, travels=True) for offer in offers for n in tried)
    for axes, travels in zip(both, (True, False), strict=True):
        for colour, offer in zip(colours, offers, strict=False):
            ratios = [offer.speed_up(cpu, n, travels=travels) for n in tried]
            axes.plot(tried, ratios, color=colour, label=offer.name if travels else None)
        axes.axhspan(slowest / 2, 1, color="grey", alpha=0.15, linewidth=0)
        axes.annotate("the CPU is faster", (0.97, 0.03), xycoords="axes fraction", ha="right", fontsize=9)
        axes.set(xscale="log", yscale="log", xlabel="side of the square matrices (log)")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_title("data travel each time" if travels else "data stay on the GPU", loc="left")
        _label_sides(axes, sorted(cpu))
    both[0].set_ylim(bottom=slowest / 2)
    both[0].set_ylabel("GPU's speed / this CPU's (log)")
    kind = f"published peaks at {reached:.0%}, not measured" if offers[0].call else "measured"
    figure.suptitle(f"One float32 matrix product on a GPU ({kind})", fontsize=11, fontweight="bold")
    figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    return figure


def _label_sides(axes: "Axes", values: Sequence[int]) -> None:
    axes.set_xticks(values, [f"{n:,}" for n in values], fontsize=8)
    axes.minorticks_off()
