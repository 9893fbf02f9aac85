"""The pictures and the table of the lab `generative_compare`: what each model draws, how good it is, what it cost."""

from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from labs.generative_compare import Entry

MARKERS = "osv^DPXd<"
TICKS = [digit * 10.0**power for power in range(-3, 6) for digit in (1, 2, 5)]


def row(name: str, entry: "Entry") -> dict[str, object]:
    """A row of the table: how good the images are, and what they cost (nothing: the real ones)."""
    found, made = entry.assessment, entry.made
    quality = {
        "Frechet distance": f"{found.frechet_distance:.2f}",
        "Inception Score": f"{found.inception_score:.2f}",
        "precision": f"{found.precision:.3f}",
        "recall": f"{found.recall:.3f}",
        "rarest digit": f"{found.smallest_class_share:.1%}",
    }
    cost = {
        "seconds to learn": f"{made.learning_seconds:.1f}" if made else "",
        "seconds to draw": f"{made.drawing_seconds:.1f}" if made else "",
        "weights to draw": f"{made.drawing_weights:,}" if made else "",
        "weights to learn": f"{made.learning_weights:,}" if made else "",
    }
    return {"images": name, **quality, "judged": f"{found.count:,}", **cost}


def draw_samples(entries: "dict[str, Entry]") -> "Figure":
    """A sheet of 36 images of each, beside each other, real ones first."""
    kit.figures.COLOURS  # noqa: B018  # the project's style comes with them
    from matplotlib import pyplot as plt

    columns = 5
    rows = -(-len(entries) // columns)
    figure, panels = plt.subplots(rows, columns, figsize=(2.7 * columns, 3.1 * rows))
    for axes in panels.flat:
        axes.axis("off")
    for axes, (name, entry) in zip(panels.flat, entries.items(), strict=False):
        axes.imshow(kit.figures.grid(entry.shown, 6), cmap="gray", vmin=0, vmax=255)
        axes.set_title(f"{name}\nFrechet distance {entry.assessment.frechet_distance:.1f}")
    return figure


def draw_quality(entries: "dict[str, Entry]", real: str) -> "Figure":
    """Left: precision against recall; right: Frechet distance against seconds, the real images' as a line."""
    kit.figures.COLOURS  # noqa: B018  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 4.9))
    floor = entries[real].assessment
    left.plot(floor.recall, floor.precision, "*", color="black", markersize=14, label=real)
    right.axhline(floor.frechet_distance, color="black", linestyle=":")
    right.annotate(
        "real test images", (0.99, floor.frechet_distance), xycoords=("axes fraction", "data"), ha="right", va="bottom"
    )
    for place, (name, entry) in enumerate((name, entry) for name, entry in entries.items() if entry.made):
        found, made = entry.assessment, entry.made
        assert made is not None
        _dot(left, found.recall, found.precision, place, name)
        _dot(right, made.learning_seconds + made.drawing_seconds, found.frechet_distance, place, name)
    left.set(title="Look real, and cover what is real", xlabel="recall (share of real digits covered, k = 3)")
    left.set(ylabel="precision (share among real digits, k = 3)", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    right.set(title="Quality against time", xlabel="seconds to learn and to draw", xscale="log", yscale="log")
    right.set_ylabel("Frechet distance (lower is better)")
    for axis, (low, high) in ((right.xaxis, right.get_xlim()), (right.yaxis, right.get_ylim())):
        axis.set_ticks([tick for tick in TICKS if low <= tick <= high])
        axis.set_ticks([], minor=True)
        axis.set_major_formatter("{x:g}")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def _dot(axes: "Axes", x: float, y: float, place: int, name: str) -> None:
    colours = kit.figures.COLOURS[:6]
    colour, marker = colours[place % len(colours)], MARKERS[place % len(MARKERS)]
    axes.plot(x, y, marker, color=colour, markersize=9, markeredgecolor="black", label=name)
