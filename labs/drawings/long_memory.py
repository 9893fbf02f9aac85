"""The pictures of the lab `long_memory`: who remembers, how that is learnt, how far back gradients reach."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from labs.long_memory import Result, Task

WIDTHS = {"RNN": 1.5, "LSTM": 3.5, "GRU": 1.5}
"""Of curves that may lie on each other."""


def _panels(title: str, tasks: "Mapping[str, Task]", solved: float) -> "tuple[Figure, dict[str, Axes]]":
    """A panel for each task with the error of one who has forgotten, and the error at which training ends."""
    _ = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(tasks), figsize=(9.5, 3.8))
    for axes, task in zip(panels, tasks.values(), strict=True):
        axes.axhline(task.baseline, color="black", linestyle=":", label="all forgotten")
        axes.axhline(solved * task.baseline, color="grey", linestyle="--", linewidth=1, label="solved: training ends")
        axes.set(title=task.title, yscale="log", ylabel=f"error ({task.error})")
    figure.suptitle(title, fontweight="bold")
    return figure, dict(zip(tasks, panels, strict=True))


def _legend(figure: "Figure", axes: "Axes") -> "Figure":
    """One legend for all panels, below them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def draw_errors(results: "Sequence[Result]", tasks: "Mapping[str, Task]", solved: float) -> "Figure":
    """The test error against the length: the mean of the repetitions as a line, each of them as a point."""
    figure, panels = _panels("Who still remembers, by the length of the sequence", tasks, solved)
    for (task, axes), (cell, colour) in product(panels.items(), zip(WIDTHS, kit.figures.COLOURS, strict=False)):
        of = [result for result in results if (result.trial.task, result.trial.cell) == (task, cell)]
        lengths = sorted({result.trial.length for result in of})
        errors = [[result.error for result in of if result.trial.length == length] for length in lengths]
        axes.plot(lengths, [sum(each) / len(each) for each in errors], color=colour, linestyle="-", label=cell)
        axes.plot([each.trial.length for each in of], [each.error for each in of], "o", color=colour, markersize=4)
        axes.set(xlabel="steps in a sequence", xticks=lengths)
    return _legend(figure, next(iter(panels.values())))


def draw_curves(results: "Sequence[Result]", tasks: "Mapping[str, Task]", solved: float) -> "Figure":
    """The validation error as it falls, at the greatest length of each task, first repetition."""
    figure, panels = _panels("Learning the longest sequences", tasks, solved)
    for task, axes in panels.items():
        longest = max(result.trial.length for result in results if result.trial.task == task)
        first = [
            each for each in results if (each.trial.task, each.trial.length, each.trial.seed) == (task, longest, 0)
        ]
        for result, colour in zip(first, kit.figures.COLOURS, strict=False):
            axes.plot(*result.history, color=colour, linestyle="-", marker="o", markersize=3, label=result.trial.cell)
        axes.set(xlabel="update", xlim=(0, None), title=f"{axes.get_title()}, {longest} steps a sequence")
    return _legend(figure, next(iter(panels.values())))


def draw_reach(reached: "Mapping[str, Mapping[str, Tensor]]") -> "Figure":
    """How far back the gradient reaches, a panel for each state of the networks. Shapes: (steps) each."""
    _ = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(reached), figsize=(11, 3.8), sharey=True)
    for axes, (title, by_cell) in zip(panels, reached.items(), strict=True):
        for (cell, reach), colour in zip(by_cell.items(), kit.figures.COLOURS, strict=False):
            axes.plot(range(len(reach)), reach, color=colour, linestyle="-", linewidth=WIDTHS[cell], label=cell)
        axes.set(title=title, yscale="log", xlabel="steps before the end")
        axes.xaxis.get_major_locator().set_params(integer=True)
    panels[0].set_ylabel("gradient of the loss at that state\nas a multiple of that at the end")
    title = f"How far back the gradient reaches: adding problem, {len(reach)} steps"
    figure.suptitle(title, fontweight="bold")
    return _legend(figure, panels[0])
