"""What the pictures of the labs on explanation share: bare and painted images, bars, and how much the seeds agree."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from explain import Explanation
    from explain.quality import Growth

    Array = NDArray[np.float64]
    Cells = NDArray[np.int64]

FOR, AGAINST = 0, 4
"""Blue and orange, by number among the kit's colours."""


def bare(axes: "Axes") -> None:
    """Without ticks, lines and frame, as images are shown."""
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def show_grey(axes: "Axes", picture: Any) -> None:
    """An image with values in [0, 1], grey or painted."""
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
    bare(axes)


def show_painted(axes: "Axes", image: Any, weights: "Array", cells: "Cells") -> None:
    """An image (1, height, width) covered with the weights of its cells (cells,)."""
    from explain.overlays import paint, weight_map

    show_grey(axes, paint(image, weight_map(weights, cells), layout="CHW"))


def name_rows(panels: Any, names: Sequence[str]) -> None:
    """Words to the left of each row of `panels` (rows, columns)."""
    for row, name in enumerate(names):
        panels[row, 0].set_ylabel(name, fontsize=9.5, rotation=0, ha="right", va="center")


def bars(axes: "Axes", names: Sequence[str], values: "Array | Sequence[float]", colours: Any) -> None:
    """Bars from the top downwards, each with its name."""
    places = range(len(names))
    axes.barh(places, values, color=colours, height=0.7)
    axes.set_yticks(places, names, fontsize=9)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_axisbelow(True)


def contribution_bars(axes: "Axes", found: "Explanation", label: int, count: int, scale: float = 1.0) -> None:
    """The `count` largest contributions to `label`, in units of 1 / `scale`: blue raises its answer, orange lowers."""
    import numpy as np

    adds = found.contributions(label) * scale
    order = np.argsort(-np.abs(adds), kind="stable")[:count].tolist()
    colours = [kit.figures.COLOURS[FOR if adds[i] >= 0 else AGAINST] for i in order]
    bars(axes, [found.described(i).replace("_", " ") for i in order], adds[order], colours)
    axes.axvline(0, color="black", linewidth=0.8)


def fit_histogram(axes: "Axes", fits: "Mapping[str, Sequence[float]]", what: str) -> None:
    """How well the lines fit: the weighted R² of all explanations of `what`, by name, with the medians."""
    import numpy as np

    lowest = min(0.0, *(float(np.min(values)) for values in fits.values()))
    edges = np.linspace(lowest, 1, 41).tolist()
    for (name, values), number in zip(fits.items(), (0, 2, 4), strict=False):
        label = f"{name}: median {np.median(values):.2f}" if name else f"median {np.median(values):.2f}"
        axes.hist(values, bins=edges, color=kit.figures.COLOURS[number], alpha=0.7, label=label)
    axes.set(xlabel="weighted R² of the line", ylabel=what)
    axes.legend(fontsize=9, loc="upper left")


def draw_growth(grown: "Mapping[str, Growth]") -> "Figure":
    """How alike the seeds are as samples are added, for each case."""
    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.6, 4))
    for place, (name, growth) in enumerate(grown.items()):
        samples, shares = zip(*growth.stages, strict=True)
        # Those drawn first are larger, so that lines that lie on each other are all seen.
        style: dict[str, Any] = {
            "markersize": max(4, 11 - 2 * place),
            "linewidth": max(1, 3.6 - 0.8 * place),
            "alpha": 0.9,
        }
        axes.plot(samples, shares, "os^Dvphx"[place % 8] + "-", color=colours[place % 7], label=name, **style)
    axes.set(xscale="log", xlabel="samples", ylabel="mean Jaccard index of the top five", ylim=(0, 1.05))
    counts = sorted({count for growth in grown.values() for count, _ in growth.stages})
    axes.set_xticks([each for each in counts if each == counts[-1] or 1.4 * each < counts[-1]])  # room for the last
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()
    axes.set_title("Were the samples enough? At 1 all seeds name the same five", loc="left")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
    return figure
