"""The pictures of the lab `table_preparation`: columns before and after each preparation, and how fair splits are."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

IN_UNITS = 3
"""Preparations, from the left, that keep a column's unit."""


def draw_preparations(columns: Sequence[str], prepared: "Mapping[str, NDArray[np.float64]]") -> "Figure":
    """A row a column of the table, a histogram a preparation. Shape of each of `prepared`: (rows, columns)."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    size = 2 * len(prepared), 1.9 * len(columns)
    figure, grid = plt.subplots(len(columns), len(prepared), figsize=size, squeeze=False)
    for column, (name, values) in enumerate(prepared.items()):
        for row, axes in enumerate(grid[:, column]):
            axes.hist(values[:, row], bins=40, color=colours[row % 7])
            axes.set_yticks([])
            axes.locator_params(axis="x", nbins=3)
            axes.tick_params(labelsize=8)
        grid[0, column].set_title(name, fontsize=9)
        grid[-1, column].set_xlabel("as in the table" if column < IN_UNITS else "no unit", fontsize=9)
    for axes, name in zip(grid[:, 0], columns, strict=True):
        axes.set_ylabel(f"{name.replace('_', ' ')}\n(rows)", fontsize=9)
    figure.suptitle("Scales keep a distribution's shape; ranks and clipping change it", fontweight="bold", fontsize=11)
    return figure


def draw_splits(misses: Mapping[str, Sequence[float]], column: str, bins: int) -> "Figure":
    """A dot a split, spread upwards so that none hides another."""
    colours = kit.figures.COLOURS
    import numpy as np
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3))
    for row, miss in enumerate(misses.values()):
        heights = row + 0.3 * np.linspace(-1, 1, len(miss))
        axes.scatter(miss, heights, s=10, linewidths=0, alpha=0.7, color=colours[row])
    axes.set_yticks(range(len(misses)), [f"{name} splits" for name in misses])
    axes.set_xlabel(f"share of the highest of {bins} bins of {column}:\ntest rows - whole table (percentage points)")
    axes.set_title("How well test rows stand for the table, a dot a split", loc="left")
    return figure
