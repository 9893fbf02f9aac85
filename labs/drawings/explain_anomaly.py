"""The pictures of the lab `explain_anomaly`: what is blamed for an alarm, and whether planted defects are found."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from labs.explain_anomaly import Case

    Array = NDArray[np.float64]
    Cells = NDArray[np.int64]

EACH = 3
"""Planted defects of each kind in the picture."""


def draw_alarms(alarms: "Sequence[Case]", false: "Sequence[Case]", cells: "Cells", defect: str) -> "Figure":
    """The oddest defects and the oddest ordinary digits: what they are, what the autoencoder makes of them, blame."""
    cases = [*alarms, *false]
    titles = [f"a {defect}"] * len(alarms) + ["ordinary,\nfalse alarm"] * len(false)
    figure = _sheet(cases, titles, cells)
    words = f"Why the alarm was raised: blue cells raise the score, orange ones lower it ({defect} was never shown)"
    figure.suptitle(words, fontweight="bold")
    return figure


def draw_planted(planted: "Mapping[str, Sequence[Case]]", cells: "Cells") -> "Figure":
    """Planted defects, outlined, and where each way looks for them."""
    cases = [case for found in planted.values() for case in found[:EACH]]
    titles = [kind for kind, found in planted.items() for _ in found[:EACH]]
    figure = _sheet(cases, titles, cells)
    figure.suptitle("Planted defects (outlined in green): does the blame fall on them?", fontweight="bold")
    return figure


def draw_localisation(
    found: "Mapping[str, Mapping[str, tuple[Array, Array]]]", falls: "Mapping[str, Array]"
) -> "Figure":
    """Left how well planted defects are found, right how soon mending the blamed cells ends an alarm."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    import numpy as np
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 4.4), width_ratios=(1, 1.15))
    styles = dict(zip(falls, zip(colours, ("o", "s", "D", "x"), ("-", "--", "-.", ":"), strict=False), strict=False))
    for kind_place, ways in enumerate(found.values()):
        for way_place, (way, (areas, _)) in enumerate(ways.items()):
            colour, marker, _ = styles[way]
            middle = kind_place + 0.16 * (way_place - (len(ways) - 1) / 2)
            if areas.std() > 0:
                spread = np.linspace(-0.045, 0.045, len(areas))
                left.plot(middle + spread, areas, ".", color=colour, alpha=0.25, markersize=4)
            left.plot(middle, areas.mean(), marker, color=colour, markersize=8, markeredgecolor=colour, zorder=3)
    left.set_xticks(range(len(found)), found)
    left.grid(axis="x", visible=False)
    left.set(title="Are planted defects found?", xlabel="kind of defect", ylabel="ROC AUC of planted cells")
    for way, curves in falls.items():
        colour, marker, line = styles[way]
        at = np.linspace(0, 100, curves.shape[1])
        label = {"label": way, "marker": marker, "markevery": max(1, curves.shape[1] // 7), "markersize": 6}
        right.plot(at, curves.mean(axis=0), color=colour, linestyle=line, linewidth=1.8, **label)
    right.axhline(1, color="black", linewidth=1)
    right.annotate("threshold of the alarm", (100, 1), ha="right", va="bottom", fontsize=8.5)
    right.set(title="Does mending what is blamed end the alarm?", xlabel="cells mended (%), the most blamed first")
    right.set(ylabel="score / threshold", xlim=(0, 100), ylim=(0, None))
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _sheet(cases: "Sequence[Case]", titles: Sequence[str], cells: "Cells") -> "Figure":
    """A column a case: the image, its reconstruction, and the blame by each way."""
    from matplotlib import pyplot as plt

    from explain.overlays import paint, weight_map

    ways = tuple(cases[0].blame)
    figure, panels = plt.subplots(
        2 + len(ways), len(cases), figsize=(1.2 * len(cases) + 1.6, 1.32 * (2 + len(ways)) + 0.9), squeeze=False
    )
    for column, (case, title) in enumerate(zip(cases, titles, strict=True)):
        _show(panels[0, column], case.image[0].numpy(), case)
        _show(panels[1, column], case.mended[0].numpy(), None)
        panels[0, column].set_title(title, fontsize=9.5)
        for row, way in enumerate(ways, start=2):
            painted = paint(case.image, weight_map(case.blame[way], cells), layout="CHW")
            _show(panels[row, column], painted, case)
    rows = ("the image", "what the\nautoencoder\nmakes of it", *(way.replace(", ", ",\n") for way in ways))
    for row, text in enumerate(rows):
        panels[row, 0].set_ylabel(text, fontsize=9.5, rotation=0, ha="right", va="center")
    return figure


def _show(axes: "Axes", picture: Any, case: "Case | None") -> None:
    """The picture, and where the defect was planted."""
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
    if case is not None and case.truth.any():
        axes.contour(case.truth.astype(float), levels=[0.5], colors=[kit.figures.COLOURS[2]], linewidths=1.3)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
