"""The pictures of the lab `perceptron`: decision boundaries, and the mistakes of each epoch."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from labs.perceptron import Pair


def draw_boundaries(shown: Mapping[tuple[str, str], "Pair"]) -> "Figure":
    """A row a problem, a column a model: its probability of class 1 at every point of the plane."""
    blue, orange = kit.figures.COLOURS[:2]  # named first: `kit.figures` then sets how pyplot draws
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D

    from labs.perceptron import MODELS, PROBLEMS, accuracy

    figure, axes = plt.subplots(len(PROBLEMS), len(MODELS), figsize=(9.5, 11.5), squeeze=False)
    for row, problem in enumerate(PROBLEMS):
        for column, model in enumerate(MODELS):
            panel = axes[row, column]
            _draw_panel(panel, shown[problem, model])
            right = accuracy(shown[problem, model].problem, shown[problem, model].own)
            panel.set_title(f"{PROBLEMS[problem]}: {right:.1%} right", loc="left", fontsize=10)
            panel.set_ylabel(r"input $x_2$" if column == 0 else "")
            panel.set_xlabel(r"input $x_1$" if row == len(PROBLEMS) - 1 else "")
    for column, title in enumerate(MODELS.values()):
        axes[0, column].annotate(title, (0.5, 1.2), xycoords="axes fraction", ha="center", fontsize=12)
    handles = [
        Line2D([], [], linestyle="none", marker="o", color=blue, label="test points of class 0"),
        Line2D([], [], linestyle="none", marker="^", color=orange, label="of class 1"),
        Line2D([], [], color="black", linestyle="-", label="our boundary"),
        Line2D([], [], color="black", linestyle=":", label="scikit-learn's"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    figure.suptitle("One neuron draws one straight line; a hidden layer bends it", weight="bold")
    return figure


def _draw_panel(panel: "Axes", pair: "Pair") -> None:
    """The plane shaded by the probability of class 1; both boundaries; the test points."""
    import torch
    from matplotlib.colors import LinearSegmentedColormap

    points = pair.problem.test_inputs
    low, high = points.amin(0) - 0.3, points.amax(0) + 0.3
    xs, ys = torch.linspace(low[0], high[0], 120), torch.linspace(low[1], high[1], 120)
    plane = torch.cartesian_prod(xs, ys)
    ours, theirs = (each(plane).reshape(120, 120).T for each in (pair.own, pair.peer))
    blue, orange = kit.figures.COLOURS[:2]
    shades = LinearSegmentedColormap.from_list("classes", ["#B3D5EA", "white", "#F5CDB0"])
    limits = float(low[0]), float(high[0]), float(low[1]), float(high[1])
    panel.imshow(ours, extent=limits, origin="lower", aspect="auto", cmap=shades, vmin=0, vmax=1)
    for values, style in ((ours, "-"), (theirs, ":")):
        panel.contour(xs, ys, values, levels=[0.5], colors="black", linewidths=1.4, linestyles=style)
    for label, colour, marker in ((0, blue, "o"), (1, orange, "^")):
        mine = points[pair.problem.test_labels == label]
        panel.scatter(mine[:, 0], mine[:, 1], s=9, color=colour, marker=marker, linewidths=0, alpha=0.8)
    panel.grid(visible=False)


def draw_mistakes(shares: Mapping[str, tuple[list[int], list[float]]]) -> "Figure":
    """The mistakes of each epoch: they end where a line separates the classes, and nowhere else.

    `shares`: problem -> epochs, and mistakes in each in % of the points.
    """
    assert kit.figures  # naming it sets the project's look
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    from labs.perceptron import PROBLEMS

    figure, axes = plt.subplots(figsize=(6.4, 3.8))
    for problem, (epochs, share) in shares.items():
        rests = " (rests)" if share and share[-1] == 0 else " (never rests)"
        axes.plot(epochs, share, marker="o", markersize=3.5, label=PROBLEMS[problem] + rests)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_title("Mistakes end only where one line separates the classes", loc="left")
    axes.set_xlabel("epoch (pass over the training points)")
    axes.set_ylabel("mistakes, % of the points")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    return figure
