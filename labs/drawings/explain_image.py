"""The pictures of the lab `explain_image`: painted digits, mistakes, the trial."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import labs.kit as kit
from labs.drawings.explaining import draw_growth as draw_growth
from labs.drawings.explaining import name_rows, show_grey, show_painted

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from explain import Mended, Trial
    from explain.gradients import Agreement
    from labs.explain_image import Explained
    from labs.kit.data import ImageData

    Array = NDArray[np.float64]
    Cells = NDArray[np.int64]


def draw_right(digits: "Explained", cells: "Cells", images: "ImageData") -> "Figure":
    """A digit of each class, and what its reading hangs on, by both methods."""
    _ = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    shown = range(min(10, len(digits.reasons)))
    figure, panels = plt.subplots(3, len(shown), figsize=(1.15 * len(shown) + 1.4, 4.6), squeeze=False)
    for place in shown:
        reason, image = digits.reasons[place], digits.images[place].numpy()
        sure = 100 * reason.predictions[reason.labels[0]]
        panels[0, place].set_title(f"{images.class_names[digits.said[place]]}\n{sure:.1f} %", fontsize=9)
        show_grey(panels[0, place], image[0])
        show_painted(panels[1, place], image, reason.weights_of(), cells)
        show_painted(panels[2, place], image, digits.gradients[place], cells)
    name_rows(panels, ("the digit", "LIME", "integrated\ngradients"))
    figure.suptitle(
        "Right answers: blue cells speak for the digit, orange ones against it",
        fontweight="bold",
    )
    return figure


def draw_mistakes(
    mistakes: "Explained", turned: "Sequence[Mended]", cells: "Cells", images: "ImageData", most: int
) -> "Figure":
    """The surest mistakes: why the wrong answer, why not the right one, and what is said without what misled."""
    _ = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    import explain
    from explain.hiding import hide_segments

    names = images.class_names
    shown = range(min(most, len(mistakes.reasons)))
    figure, panels = plt.subplots(4, len(shown), figsize=(1.9 * len(shown) + 1.6, 8.6), squeeze=False)
    for place in shown:
        reason, image = mistakes.reasons[place], mistakes.images[place].numpy()
        said, truth = mistakes.said[place], int(mistakes.truth[place])
        hidden, now = turned[place].hidden, turned[place].answers[0]
        left = hide_segments(image, layout="CHW", segments=cells, fill=0)(hidden[None])[0]
        show_grey(panels[0, place], image[0])
        show_painted(panels[1, place], image, reason.weights_of(said), cells)
        show_painted(panels[2, place], image, reason.weights_of(truth), cells)
        show_grey(panels[3, place], left[0])
        _hatch(panels[3, place], hidden[cells])
        panels[0, place].set_title(f"a {names[truth]}, says {names[said]}\n{_percent(reason.predictions[said])}")
        for row, label in ((1, said), (2, truth)):
            doubt = "\nin doubt" if explain.doubts(reason, label=label) else ""
            panels[row, place].set_title(f"why {names[label]}  (R² {reason.r2[label]:.2f}){doubt}", fontsize=9.5)
        verdict = "now right" if now.argmax() == truth else "still wrong"
        panels[3, place].set_title(f"{verdict}: {names[now.argmax()]}\n{_percent(now.max())}", fontsize=9.5)
    rows = (
        "the surest\nmistakes",
        "for what\nit says",
        "for what\nit is",
        f"the {turned[0].hidden.sum()} cells\nthat misled,\nhidden",
    )
    name_rows(panels, rows)
    figure.suptitle("Mistakes: blue cells speak for the digit named above, orange ones against it", fontweight="bold")
    return figure


def draw_curves(trials: "Mapping[str, Trial]") -> "Figure":
    """The answer as cells are hidden and shown, by each order; the bands hold half of the digits."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    import numpy as np
    from matplotlib import pyplot as plt

    import explain

    figure, panels = plt.subplots(1, 2, figsize=(11, 4.3), sharey=True)
    for kind, axes in zip(("deletion", "insertion"), panels, strict=True):
        for (way, trial), colour, line in zip(trials.items(), colours, ("-", "--", ":"), strict=False):
            curves = 100 * np.asarray(getattr(trial, kind))
            at = np.linspace(0, 100, curves.shape[1])
            area = explain.area_under(curves / 100)
            label = f"{way}: {area.mean():.2f} ± {area.std(ddof=1):.2f}"
            axes.plot(at, curves.mean(axis=0), color=colour, linestyle=line, linewidth=2, label=label)
            axes.fill_between(at, *np.quantile(curves, (0.25, 0.75), axis=0), color=colour, alpha=0.13, linewidth=0)
        where = "upper right" if kind == "deletion" else "lower right"
        axes.legend(title="area under the mean ± spread", loc=where, fontsize=9, title_fontsize=9)
        axes.set(xlim=(0, 100), ylim=(0, 102))
    left, right = panels
    left.set(title="Deletion: the sooner it falls, the better", ylabel="probability of the answer (%)")
    right.set(title="Insertion: the sooner it rises, the better")
    left.set_xlabel("cells hidden (%), the most important first")
    right.set_xlabel("cells shown (%), the most important first")
    figure.suptitle(f"{len(trial.deletion)} digits; lines are means, bands the middle half", fontsize=10.5)
    return figure


def draw_agreement(digits: "Explained", agreements: "Sequence[Agreement]") -> "Figure":
    """Both methods' weights of every cell, and how strongly they agree digit by digit."""
    colours = kit.figures.COLOURS
    import numpy as np
    from matplotlib import pyplot as plt

    lime = np.stack([reason.weights_of() for reason in digits.reasons])
    found = [each.rank_correlation for each in agreements]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.9))
    left.scatter(digits.gradients.ravel(), lime.ravel(), s=7, alpha=0.25, color=colours[0], linewidths=0)
    left.axhline(0, color="black", linewidth=0.6)
    left.axvline(0, color="black", linewidth=0.6)
    left.set(
        title=f"Every cell of {len(lime)} digits", ylabel="LIME's weight", xlabel="integrated gradient of the cell"
    )
    right.hist(found, np.linspace(min(0.0, *found), 1, 21), color=colours[0])
    right.axvline(float(np.mean(found)), color=colours[1], linestyle="--", label=f"mean {np.mean(found):.2f}")
    right.set(title="Agreement digit by digit", xlabel="rank correlation over the cells with ink", ylabel="digits")
    right.legend()
    return figure


def _percent(share: float) -> str:
    return f"{100 * share:.1f} % sure"


def _hatch(axes: "Axes", hidden: Any) -> None:
    """Outline and hatch the pixels that are hidden (height, width)."""
    axes.contourf(hidden.astype(float), levels=[0.5, 1.5], colors="none", hatches=["////"])
    axes.contour(hidden.astype(float), levels=[0.5], colors=[kit.figures.COLOURS[4]], linewidths=1.2)
