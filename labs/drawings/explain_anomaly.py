"""The pictures of the lab `explain_anomaly`: what is blamed for an alarm, and whether planted defects are found."""

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

    from explain import Alarm, Blamed, Localisation

    Array = NDArray[np.float64]

WAYS = {"away": "LIME, ink taken away", "mended": "LIME, mended", "errors": "map of errors", "chance": "chance"}
"""The ways of blaming, and what they are called in pictures and tables."""
EACH = 3
"""Planted defects of each kind in the picture."""


def draw_alarms(cases: "Sequence[Blamed]", names: Sequence[str], alarm: "Alarm", defect: str) -> "Figure":
    """The oddest defects and the oddest ordinary digits: what they are, what the autoencoder makes of them, blame."""
    titles = [f"{name}\n{case.score / alarm.threshold:.1f} × limit" for name, case in zip(names, cases, strict=True)]
    figure = _sheet(cases, titles, alarm)
    words = f"Why the alarm was raised: blue cells raise the score, orange ones lower it ({defect} was never shown)"
    figure.suptitle(words, fontweight="bold")
    return figure


def draw_planted(planted: "Mapping[str, Sequence[Blamed]]", alarm: "Alarm") -> "Figure":
    """Planted defects, outlined, and where each way looks for them."""
    cases = [case for found in planted.values() for case in found[:EACH]]
    titles = [kind for kind, found in planted.items() for _ in found[:EACH]]
    figure = _sheet(cases, titles, alarm)
    figure.suptitle("Planted defects (outlined in green): does the blame fall on them?", fontweight="bold")
    return figure


def draw_localisation(
    found: "Mapping[str, Mapping[str, Sequence[Localisation]]]", falls: "Mapping[str, Array]"
) -> "Figure":
    """Left how well planted defects are found, right how soon mending the blamed cells ends an alarm."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    import numpy as np
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 4.4), width_ratios=(1, 1.15))
    styles = dict(zip(falls, zip(colours, ("o", "s", "D", "x"), ("-", "--", "-.", ":"), strict=False), strict=False))
    for kind_place, ways in enumerate(found.values()):
        for way_place, (way, each) in enumerate(ways.items()):
            areas = np.array([one.roc_auc for one in each])
            colour, marker, _ = styles[way]
            middle = kind_place + 0.16 * (way_place - (len(ways) - 1) / 2)
            if areas.std() > 0:
                spread = np.linspace(-0.045, 0.045, len(areas))
                left.plot(middle + spread, areas, ".", color=colour, alpha=0.25, markersize=4)
            left.plot(middle, areas.mean(), marker, color=colour, markersize=8, markeredgecolor=colour, zorder=3)
    left.set_xticks(range(len(found)), found)
    left.grid(axis="x", visible=False)
    left.set(
        title="Are planted defects found? (large: means)", xlabel="kind of defect", ylabel="ROC AUC of planted cells"
    )
    for way, curves in falls.items():
        colour, marker, line = styles[way]
        at = np.linspace(0, 100, curves.shape[1])
        label = {"label": WAYS[way], "marker": marker, "markevery": max(1, curves.shape[1] // 7), "markersize": 6}
        right.plot(at, curves.mean(axis=0), color=colour, linestyle=line, linewidth=1.8, **label)
    right.axhline(1, color="black", linewidth=1)
    right.annotate("threshold of the alarm", (100, 1), ha="right", va="bottom", fontsize=8.5)
    right.set(title="Does mending what is blamed end the alarm?", xlabel="cells mended (%), the most blamed first")
    right.set(ylabel="score / threshold", xlim=(0, 100), ylim=(0, None))
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def located_rows(found: "Mapping[str, Mapping[str, Sequence[Localisation]]]") -> list[dict[str, str]]:
    """The table of how well each way finds each kind of defect."""
    import numpy as np

    rows = []
    for kind, ways in found.items():
        for way, each in ways.items():
            areas, hits = np.array([one.roc_auc for one in each]), np.mean([one.hit for one in each])
            row = {"defect": kind, "blamed by": WAYS[way]}
            row |= {"ROC AUC of planted cells": f"{areas.mean():.3f} ± {areas.std():.3f}"}
            rows.append({**row, "most blamed cell is planted": f"{hits:.0%}"})
    return rows


def _sheet(cases: "Sequence[Blamed]", titles: Sequence[str], alarm: "Alarm") -> "Figure":
    """A column a case: the image, its reconstruction, and the blame by each way."""
    _ = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    ways = tuple(cases[0].blame)
    figure, panels = plt.subplots(
        2 + len(ways), len(cases), figsize=(1.2 * len(cases) + 1.6, 1.32 * (2 + len(ways)) + 0.9), squeeze=False
    )
    for column, (case, title) in enumerate(zip(cases, titles, strict=True)):
        show_grey(panels[0, column], case.image[0].numpy())
        show_grey(panels[1, column], case.mended[0].numpy())
        panels[0, column].set_title(title, fontsize=9.5)
        for row, way in enumerate(ways, start=2):
            show_painted(panels[row, column], case.image, case.blame[way], alarm.segments)
        for row in (0, *range(2, 2 + len(ways))):
            _outline(panels[row, column], case)
    rows = ("the image", "what the\nautoencoder\nmakes of it", *(WAYS[way].replace(", ", ",\n") for way in ways))
    name_rows(panels, rows)
    return figure


def _outline(axes: "Axes", case: "Blamed") -> None:
    """Where the defect was planted, if one was."""
    if case.truth.any():
        axes.contour(case.truth.astype(float), levels=[0.5], colors=[kit.figures.COLOURS[2]], linewidths=1.3)
