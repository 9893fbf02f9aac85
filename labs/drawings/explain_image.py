"""The pictures of the lab `explain_image`: painted digits, mistakes, the trial."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import labs.kit as kit
from labs.drawings.explaining import name_rows, show_grey, show_painted
from labs.drawings.explaining import show_trust as show_trust

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from explain import Agreement, ExplainedImages, Mended, Trial
    from labs.kit.data import ImageData

    Array = NDArray[np.float64]
    Cells = NDArray[np.int64]


def draw_right(digits: "ExplainedImages", images: "ImageData") -> "Figure":
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
        show_painted(panels[1, place], image, reason.weights_of(), digits.segments)
        show_painted(panels[2, place], image, digits.gradients[place], digits.segments)
    name_rows(panels, ("the digit", "LIME", "integrated\ngradients"))
    figure.suptitle(
        "Right answers: blue cells speak for the digit, orange ones against it",
        fontweight="bold",
    )
    return figure


def draw_doubtful(doubtful: "ExplainedImages", turned: "Sequence[Mended]", images: "ImageData", most: int) -> "Figure":
    """The surest mistakes: why the wrong answer, why not the right one, and what is said without what misled.

    Of right answers, those least sure: why the answer, and why not the next best; nothing is hidden.
    """
    _ = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    import explain

    names = images.class_names
    shown = range(min(most, len(doubtful.reasons)))
    rows = 4 if turned else 3
    figure, panels = plt.subplots(rows, len(shown), figsize=(1.9 * len(shown) + 1.6, 2.15 * rows), squeeze=False)
    for place in shown:
        reason, image = doubtful.reasons[place], doubtful.images[place].numpy()
        said, rival = doubtful.said[place], doubtful.rivals[place]
        verdict = f"a {names[int(doubtful.truth[place])]}, says {names[said]}"
        show_grey(panels[0, place], image[0])
        panels[0, place].set_title(f"{verdict}\n{_percent(reason.predictions[said])}")
        for row, label in ((1, said), (2, rival)):
            doubt = "\nin doubt" if explain.doubts(reason, label=label) else ""
            show_painted(panels[row, place], image, reason.weights_of(label), doubtful.segments)
            panels[row, place].set_title(f"why {names[label]}  (R² {reason.r2[label]:.2f}){doubt}", fontsize=9.5)
        if turned:
            _show_mended(panels[3, place], image, turned[place], doubtful.segments, rival, names)
    if turned:
        name_rows(panels, ("the surest\nmistakes", "for what\nit says", "for what\nit is", _misled(turned)))
    else:
        name_rows(panels, ("the least sure\nright answers", "for what\nit says", "for the\nnext best"))
    what = "Mistakes" if turned else "Right answers that it was least sure of"
    figure.suptitle(f"{what}: blue cells speak for the digit named above, orange ones against it", fontweight="bold")
    return figure


def _show_mended(
    axes: "Axes", image: "Array", mended: "Mended", cells: "Cells", truth: int, names: Sequence[str]
) -> None:
    """The digit without the cells that misled, and what is said of it."""
    from explain.hiding import hide_segments

    hidden, now = mended.hidden, mended.answers[0]
    left = hide_segments(image, layout="CHW", segments=cells, fill=0)(hidden[None])[0]
    show_grey(axes, left[0])
    axes.contour(hidden[cells].astype(float), levels=[0.5], colors=[kit.figures.COLOURS[4]], linewidths=1.2)
    verdict = "now right" if now.argmax() == truth else "still wrong"
    axes.set_title(f"{verdict}: {names[now.argmax()]}\n{_percent(now.max())}", fontsize=9.5)


def _misled(turned: "Sequence[Mended]") -> str:
    return f"the {turned[0].hidden.sum()} cells\nthat misled,\nhidden"


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
        axes.legend(title="area: mean ± spread over the digits", loc=where, fontsize=9, title_fontsize=9)
        axes.set(xlim=(0, 100), ylim=(0, 102))
    left, right = panels
    left.set(title="Deletion: the sooner it falls, the better", ylabel="probability of the answer (%)")
    right.set(title="Insertion: the sooner it rises, the better")
    left.set_xlabel("cells hidden (%), the most important first")
    right.set_xlabel("cells shown (%), the most important first")
    figure.suptitle(f"{len(trial.deletion)} digits; lines are means, bands the middle half", fontsize=10.5)
    return figure


def draw_agreement(digits: "ExplainedImages", agreements: "Sequence[Agreement]") -> "Figure":
    """Both methods' weights of every cell, and how strongly they agree digit by digit."""
    colours = kit.figures.COLOURS
    import numpy as np
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

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
    right.yaxis.set_major_locator(MaxNLocator(integer=True))
    right.legend()
    figure.suptitle("Do LIME and integrated gradients agree?", fontweight="bold")
    return figure


def area_rows(areas: "Mapping[str, Trial]") -> list[dict[str, str]]:
    """The table of the areas under the curves of each order, over the digits."""
    return [
        {
            "cells in the order of": way,
            "deletion area (lower is better)": f"{area.deletion.mean():.3f} ± {area.deletion.std(ddof=1):.3f}",
            "insertion area (higher is better)": f"{area.insertion.mean():.3f} ± {area.insertion.std(ddof=1):.3f}",
        }
        for way, area in areas.items()
    ]


def quality_rows(figures: "Mapping[str, Sequence[float]]", top: int, misled: int, tried: int) -> list[dict[str, str]]:
    """The table of the figures of quality, each in words."""
    import numpy as np

    words = {
        "r2": "R² of the surrogate, right digits",
        "r2_of_mistakes": "R² of the surrogate, mistakes",
        "r2_of_least_sure": "R² of the surrogate, least sure answers",
        "jaccard_over_seeds": f"top {top} cells shared by two seeds (Jaccard; {tried} digits)",
        "rank_correlation_with_gradients": "rank correlation with integrated gradients, cells with ink",
        "top_overlap_with_gradients": f"top {top} cells shared with integrated gradients",
        "mended": f"mistakes read rightly once the {misled} misleading cells are hidden",
        "mended_by_chance": f"the same with {misled} inked cells drawn at random",
    }
    return [
        {"what": words[name], "mean ± spread": f"{np.mean(each):.2f} ± {np.std(each):.2f}"}
        for name, each in figures.items()
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} % sure"
