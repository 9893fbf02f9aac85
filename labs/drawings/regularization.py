"""The pictures and the table of the lab `regularization`: accuracy and loss, the weights left, where training stops."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

    from foundations.early_stopping import EarlyStopping
    from labs.regularization import Config, Result

    Line = tuple[list[int], list[float]]

LABELS = {"l1_penalty": "L1 penalty", "l1_proximal": "L1, proximal steps", "l2": "L2 penalty"}
"""What the figures call a method, where it is not by its name."""
HISTOGRAMS = ("none", "l2", "l1_penalty", "l1_proximal")
"""Methods whose weights are shown."""


def label(name: str) -> str:
    """What the figures call a method."""
    return LABELS.get(name, name.replace("_and_", " + ").replace("_", " "))


def row(name: str, results: "Sequence[Result]", points: float, deviations: float) -> dict[str, object]:
    """A row of the table: shares in %, mean ± standard deviation of the seeds; what the method gains, in `points`."""
    columns = {
        "training %": [100 * result.train for result in results],
        "test %": [100 * result.test for result in results],
        "gap": [100 * (result.train - result.test) for result in results],
        "test loss (nats)": [result.loss for result in results],
    }
    return {
        "method": label(name),
        **{column: f"{mean(values):.2f} ± {stdev(values):.2f}" for column, values in columns.items()},
        "gain": round(points, 2),
        "gain in deviations": round(deviations, 1),
        "zero weights %": round(mean(100 * result.zeros for result in results), 1),
    }


def draw_accuracy_and_loss(results: "Mapping[str, Sequence[Result]]", config: "Config") -> "Figure":
    """Left the gap between training and test accuracy, right the test loss, a line a method, the best on top."""
    blue, orange = kit.figures.COLOURS[:2]  # the project's style comes with them
    from matplotlib import pyplot as plt

    order = sorted(results, key=lambda name: mean(result.test for result in results[name]))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.8), sharey=True, width_ratios=(3, 2))
    train, test, loss = (
        [[getattr(result, kind) * factor for result in results[name]] for name in order]
        for kind, factor in (("train", 100), ("test", 100), ("loss", 1))
    )
    means = [[mean(values) for values in each] for each in (train, test, loss)]
    places = range(len(order))
    left.hlines(places, means[1], means[0], color="0.8", linewidth=5, zorder=1)
    for axes, kind, colour, marker, name in (
        (left, 0, orange, "s", "training images"),
        (left, 1, blue, "o", "test images"),
        (right, 2, blue, "o", "test images"),
    ):
        spread = [stdev(values) for values in (train, test, loss)[kind]]
        axes.errorbar(means[kind], places, xerr=spread, fmt=marker, color=colour, capsize=3, label=name)
    left.set_yticks(places, [label(name) for name in order])
    left.set(xlabel="accuracy (%)", title="accuracy: the grey bar is the generalisation gap")
    right.set(xlabel="loss (nats)", title="loss on the test images")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    title = f"Learning from {config.images:,} images: mean and standard deviation of {config.repetitions} seeds"
    figure.suptitle(title, fontweight="bold")
    return figure


def draw_weights(networks: Mapping[str, "nn.Module"]) -> "Figure":
    """The weights of the widest layer, a panel a method, on a logarithmic count; exact zeros told in the title."""
    kit.figures.COLOURS  # noqa: B018  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(networks), figsize=(11, 3.2), sharey=True)
    for axes, (name, network) in zip(panels, networks.items(), strict=True):
        weights = max(foundations.regularizers.weights_to_penalize(network), key=lambda each: each.numel()).detach()
        zeros = float((weights == 0).double().mean())
        axes.hist(weights.flatten().cpu(), bins=61, range=(-0.3, 0.3), log=True)
        axes.set(title=f"{label(name)}\n{zeros:.0%} exactly 0", xlabel="weight")
    panels[0].set_ylabel("number of weights")
    figure.suptitle("Weights of the wide dense layer after training (first seed)", fontweight="bold")
    return figure


def draw_stopping(curves: Mapping[str, Sequence["Line"]], stopper: "EarlyStopping | None") -> "Figure":
    """Loss on training images and on unseen ones, a panel a method; where early stopping went back to is marked."""
    kit.figures.COLOURS  # noqa: B018  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(curves), figsize=(11, 3.6), sharey=True, sharex=True)
    for axes, (name, (training, unseen)) in zip(panels, curves.items(), strict=True):
        for line, what in ((unseen, "unseen images"), (training, "training images")):
            marker = "o" if len(line[0]) < 25 else None  # a line through one point alone would be invisible
            axes.plot(*line, label=what, linewidth=1.8, marker=marker, markersize=3)
        axes.set(title=label(name), xlabel="step", yscale="log")
        if name == "early_stopping" and stopper and stopper.best_step is not None:
            axes.axvline(stopper.best_step, color="black", linestyle=":", label="best weights, put back")
    panels[0].set_ylabel("loss (nats)")
    figure.suptitle("Overfitting begins where the curves part (first seed)", fontweight="bold")
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
