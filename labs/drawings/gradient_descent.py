"""The pictures of the lab `gradient_descent`: paths in the bowl, distances to the closed form, learning rates."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.contour import QuadContourSet
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from foundations.linear_regression import Descent, LeastSquares

AXES = ("weight of body mass", "weight of triglycerides")
DRAWN = 120
"""Updates that the pictures of the paths show."""


def draw_paths(problem: "LeastSquares", ways: "Mapping[str, Descent]") -> "Figure":
    """One panel a way, as many updates in each."""
    from matplotlib import pyplot as plt

    colours = dict(zip(("full batch", "mini-batch", "stochastic"), kit.figures.COLOURS, strict=False))
    figure, panels = plt.subplots(1, 3, figsize=(12, 4.6), sharex=True, sharey=True)
    for axes, (name, colour) in zip(panels, colours.items(), strict=True):
        way = ways[name]
        shown = min(DRAWN, len(way.path) - 1)
        loss = _draw_bowl(axes, problem, way.path[0], (-0.85, 1.25), (-0.55, 1.35))
        axes.plot(*way.path[: shown + 1].T, color=colour, linewidth=1.1, marker="o", markersize=2.5, linestyle="-")
        axes.set_title(f"{name}\n{shown} updates, {way.epochs[shown]:.2g} epochs")
    panels[0].set_ylabel(AXES[1])
    panels[0].legend(loc="lower left", fontsize=9)
    figure.colorbar(loss, ax=panels, label="mean squared error", format="%.1f")
    return figure


def _draw_bowl(
    axes: "Axes",
    problem: "LeastSquares",
    start: "NDArray[np.float64]",
    across: tuple[float, float],
    up: tuple[float, float],
) -> "QuadContourSet":
    import numpy as np

    grid = np.stack(np.meshgrid(np.linspace(*across, 160), np.linspace(*up, 160)), axis=-1)
    heights = problem.least_loss + problem.excess(grid)
    levels = problem.least_loss + np.linspace(0, float(heights.max() - problem.least_loss) ** 0.5, 14) ** 2
    loss = axes.contourf(grid[..., 0], grid[..., 1], heights, levels=levels, cmap="Greys", alpha=0.45)
    axes.contour(grid[..., 0], grid[..., 1], heights, levels=levels[1:], colors="#888888", linewidths=0.5)
    axes.plot(*problem.best, marker="*", color="black", markersize=13, linestyle="none", label="closed form", zorder=5)
    axes.plot(*start, marker="s", color="black", markersize=6, linestyle="none", label="start", zorder=5)
    axes.set(xlim=across, ylim=up, xlabel=AXES[0])
    axes.grid(visible=False)
    return loss


def draw_distances(problem: "LeastSquares", ways: "Mapping[str, Descent]") -> "Figure":
    """Distance over the work done; the floors that theory expects."""
    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8.4, 4.6))
    for (name, way), colour in zip(ways.items(), colours, strict=False):
        few = max(1, len(way.path) // 1500)
        distances = way.distances.clip(min=1e-16)
        axes.plot(way.epochs[::few], distances[::few], color=colour, linewidth=1.2, linestyle="-", label=name)
        if name in ("mini-batch", "stochastic"):
            floor = problem.noise_floor(way.rate, way.batch_size)
            axes.axhline(floor, color=colour, linestyle="--", linewidth=1.2, label=f"its floor in theory, {floor:.2f}")
    axes.axhline(1e-6, color="black", linewidth=1, linestyle=":", label="one millionth")
    axes.set(yscale="log", xlabel="passes over the data (epochs)", ylabel="distance to the closed form")
    axes.set_title("A constant rate stops at a floor of noise; the full batch has none")
    figure.legend(loc="outside right upper", fontsize=9)
    return figure


def draw_rates(problem: "LeastSquares", rates: "Mapping[str, Descent]") -> "Figure":
    """Above a path for each rate, below their losses."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=(12, 7.4))
    places = figure.add_gridspec(2, len(rates))
    panels = [figure.add_subplot(places[0, column]) for column in range(len(rates))]
    axes = figure.add_subplot(places[1, :])
    for place, ((name, way), colour) in enumerate(zip(rates.items(), colours, strict=False)):
        _draw_bowl(panels[place], problem, way.path[0], (-0.85, 1.35), (-0.45, 1.35))
        panels[place].plot(*way.path.T, color=colour, linewidth=1, marker="o", markersize=2.5, linestyle="-")
        panels[place].set_title(f"{name}: {way.rate:.3f}")
        panels[place].tick_params(labelleft=place == 0)
        excess = problem.excess(way.path).clip(min=1e-15)
        label = f"{name}: {way.rate / problem.stable_below:.2f} of the bound"
        axes.plot(range(len(excess)), excess, color=colour, linewidth=1.8, linestyle="-", label=label)
    panels[0].set_ylabel(AXES[1])
    axes.set(yscale="log", xlabel="update of the full batch", ylabel="loss above the least", ylim=(1e-15, None))
    axes.set_title(f"Stable below a learning rate of 2 / $\\lambda_{{max}}$ = {problem.stable_below:.3f}")
    axes.legend(fontsize=9, loc="lower left")
    return figure
