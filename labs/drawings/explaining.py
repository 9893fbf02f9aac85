"""What the labs on explanation show alike: images, bars, and whether to believe single explanations."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from explain import Explanation, Trust

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


def show_trust(trust: "Trust", run: "kit.Run") -> None:
    """The table `trust`, the figure `stability`, and a note that names the explanations in doubt."""
    run.table("trust", trust.rows())
    run.figure("stability", draw_growth(trust))
    if told := trust.note():
        run.note(told)


def draw_growth(trust: "Trust") -> "Figure":
    """How alike the seeds are as samples are added: a row for each case, which ends where all of them agree."""
    _ = kit.figures.COLOURS  # the project's style comes with them
    import numpy as np
    from matplotlib import pyplot as plt

    counts = sorted({count for growth in trust.grown.values() for count, _ in growth.stages})
    shares = np.full((len(trust.grown), len(counts)), np.nan)
    for row, growth in enumerate(trust.grown.values()):
        for count, jaccard in growth.stages:
            shares[row, counts.index(count)] = jaccard
    size = (3.6 + 0.75 * len(counts), 1.5 + 0.32 * len(shares))
    figure, axes = plt.subplots(figsize=(max(7.6, size[0]), size[1]))
    shown = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        if not np.isnan(share):
            axes.text(column, row, f"{share:.2f}", ha="center", va="center", color="white" if share < 0.6 else "black")
    axes.set_xticks(range(len(counts)), [f"{count:,}" for count in counts])
    axes.set_yticks(range(len(shares)), list(trust.grown))
    axes.grid(visible=False)
    axes.tick_params(length=0)
    same = "strongest feature" if trust.top == 1 else f"{trust.top} strongest features"
    axes.set_title(f"Were the samples enough? At 1 all seeds name the same {same}", loc="left", fontsize=10)
    axes.set_xlabel("samples, doubled until all seeds agree")
    figure.colorbar(shown, ax=axes, label="mean Jaccard index")
    return figure
