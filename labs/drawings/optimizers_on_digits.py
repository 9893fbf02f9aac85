"""The pictures of the lab `optimizers_on_digits`: losses, learning-rate schedules, range tests."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import foundations
import labs.kit as kit
from labs.drawings.optimizers import styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from foundations.range_test import RangeTest


def draw_losses(
    curves: Mapping[str, tuple[Sequence[int], Sequence[float]]], rates: Mapping[str, float], steps: int
) -> "Figure":
    """The training loss (nats) over the steps. `curves`: optimizer -> steps, losses; `steps`: updates in all."""
    looks = styles()  # the project's style comes with them
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    figure, axes = plt.subplots(figsize=(9, 4.8))
    for name, (at, losses) in curves.items():
        label = f"{name}, {rates[name]:.2g}"
        axes.plot(at, losses, linewidth=1.6, marker="o", markersize=3, label=label, **looks[name])
    axes.set(yscale="log", xlabel="update", ylabel="cross-entropy (nats)", xlim=(0, steps))
    axes.set_title("Loss on the training images, from the same first weights")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    figure.legend(loc="outside right upper", title="optimizer, learning rate", fontsize=9)
    return figure


def draw_schedules(steps: int = 100) -> "Figure":
    """What each schedule makes of a learning rate of 1."""
    schedules = foundations.schedules
    plateau = schedules.ReduceOnPlateau(factor=0.5, patience=4)

    def reduced(step: int) -> float:
        plateau.observe(max(1 - step / 30, 0.0) + 1)  # a loss that falls until step 30
        return plateau(step)

    shown = {
        "constant()": schedules.constant(),
        "step_decay(25, 0.5)": schedules.step_decay(25, 0.5),
        "exponential_decay(0.97)": schedules.exponential_decay(0.97),
        "linear_decay(100)": schedules.linear_decay(steps),
        "cosine(100)": schedules.cosine(steps),
        "linear_warmup(20)": schedules.linear_warmup(20),
        "warmup_cosine(20, 100)": schedules.warmup_cosine(20, steps),
        "one_cycle(100)": schedules.one_cycle(steps),
        "ReduceOnPlateau(factor=0.5,\npatience=4); the loss falls until 30": reduced,
    }
    colour = kit.figures.COLOURS[0]
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(3, 3, figsize=(10, 6.6), sharex=True, sharey=True)
    for axes, (name, schedule) in zip(panels.flat, shown.items(), strict=True):
        axes.step(range(steps + 1), [schedule(step) for step in range(steps + 1)], where="post", color=colour)
        axes.set_title(name, fontsize=9.5)
        axes.set(xlabel="step", ylabel="factor", ylim=(-0.04, 1.08))
        axes.label_outer()
    figure.suptitle("Learning-rate schedules", fontweight="bold")
    return figure


def draw_range_tests(tests: "Mapping[str, RangeTest]", rates: Mapping[str, float]) -> "Figure":
    """The loss while the rate grows, one panel an optimizer."""
    looks = styles()  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(tests), figsize=(11, 4.2), sharey=True)
    for axes, (name, test) in zip(panels, tests.items(), strict=True):
        axes.plot(test.learning_rates, test.losses, linewidth=0.8, alpha=0.4, label="each batch", **looks[name])
        axes.plot(test.learning_rates, test.smoothed, linewidth=2, label="smoothed", **looks[name])
        if test.suggestion:
            label = f"suggestion: {test.suggestion:.2g}"
            axes.axvline(test.suggestion, color="black", linewidth=1.2, linestyle="-", label=label)
        label = f"best rate tried: {rates[name]:.2g}"
        axes.axvline(rates[name], color="black", linewidth=1.2, linestyle=":", label=label)
        top = 1.6 * test.smoothed[0]
        axes.set(xscale="log", xlabel="learning rate", ylabel="cross-entropy (nats)", ylim=(0, top), title=name)
        axes.legend(loc="lower left", fontsize=9)
    figure.suptitle("Range test: the rate grows at each step until the loss explodes", fontweight="bold")
    return figure
