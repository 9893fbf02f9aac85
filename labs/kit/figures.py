"""How every picture of the project looks: image grids, films, curves, in colours that colour-blind eyes tell apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from PIL import Image

from foundations.errors import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from labs.kit.data import ImageData

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, told apart by every kind of colour vision (jfly.uni-koeln.de/color)."""

plt.rcParams.update(
    {
        "axes.prop_cycle": cycler(linestyle=("-", "--", ":")) * cycler(color=COLOURS),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "axes.titleweight": "bold",
        "axes.titlesize": 11,
        "axes.labelsize": 10,
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
        "svg.hashsalt": "labs",
    }
)

GAP = 2
FILM_SECONDS = 8.0
FILM_FRAMES = 100
FILM_BYTES = 1_500_000
SMOOTHED_FROM = 60
"""A curve of so many points is smoothed as well."""


def grid(images: "Tensor", columns: int = 8, *, scale: int | None = None) -> Image.Image:
    """`images` (count, 1 or 3, height, width), values in [0, 1], row by row in one picture.

    Small images are enlarged by whole pixels (`scale`), so that a 28-pixel digit can be read on any screen.
    """
    require(images.ndim == 4 and images.shape[1] in (1, 3), "images.shape", tuple(images.shape), "(n, 1 or 3, h, w)")
    count, channels, height, width = images.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    pixels = (images.detach().cpu().float().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, channels), 96, np.uint8)
    for index, image in enumerate(pixels):
        top, left = GAP + index // columns * (height + GAP), GAP + index % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = image
    picture = Image.fromarray(sheet.squeeze(2) if channels == 1 else sheet)
    scale = scale or max(1, round(56 / width))
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def sheet(images: "Tensor", rows: Sequence[str], columns: Sequence[str]) -> "Figure":
    """`images` (rows x columns, 1 or 3, height, width) row by row, values in [0, 1], the rows and columns named."""
    height, width = images.shape[2:]
    size = 1.6 + 0.75 * len(columns), 1.1 + 0.75 * len(rows) * height / width
    figure, axes = plt.subplots(figsize=size, layout="compressed")  # made for axes of a fixed shape
    axes.imshow(grid(images, len(columns), scale=1), cmap="gray", vmin=0, vmax=255)
    axes.set_xticks([GAP + width / 2 + place * (width + GAP) for place in range(len(columns))], columns)
    axes.set_yticks([GAP + height / 2 + place * (height + GAP) for place in range(len(rows))], rows)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure


def film(frames: Sequence[Image.Image], file: Path) -> None:
    """An animated GIF of the pictures `frames`, about eight seconds long, resting on the last.

    Long films keep every second picture until they are light enough to be sent around.
    """
    pictures = [_few_colours(frame) for frame in _at_most(frames, FILM_FRAMES)]
    while True:
        each = int(min(500, max(60, 1000 * FILM_SECONDS / len(pictures))))
        durations = [each] * (len(pictures) - 1) + [2000]
        pictures[0].save(file, save_all=True, append_images=pictures[1:], duration=durations, loop=0, optimize=True)
        if file.stat().st_size <= FILM_BYTES or len(pictures) <= 8:
            return
        pictures = pictures[:-1:2] + pictures[-1:]


def _at_most(frames: Sequence[Image.Image], count: int) -> list[Image.Image]:
    """At most `count` of `frames`, evenly spread, both ends included."""
    return [frames[i * (len(frames) - 1) // (count - 1)] for i in range(count)] if len(frames) > count else list(frames)


def _few_colours(picture: Image.Image) -> Image.Image:
    """Sixteen greys, or 64 colours: what digits and small photographs need, at a fraction of the bytes.

    The octree keeps the colours of thin curves apart, which the median cut drowns in the greys around them.
    """
    if picture.mode == "L":
        return picture.quantize(16)
    colours = picture.convert("RGB")
    return colours.quantize(64, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def save(figure: "Figure", file: Path) -> None:
    """Write `figure` and close it."""
    figure.savefig(file, dpi=120)
    plt.close(figure)


def curves(title: str, series: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, label: str = "") -> "Figure":
    """Curves over the steps on one pair of axes: name -> (steps, values); `label` names the vertical axis.

    A long curve is drawn twice: thin as recorded, thick as its running median.
    """
    figure, axes = plt.subplots(figsize=(6.2, 3.4))
    for name, (steps, values) in series.items():
        if len(steps) < SMOOTHED_FROM:
            marker = "o" if len(steps) < 25 else None
            axes.plot(steps, values, label=name, linewidth=1.5, marker=marker, markersize=3)
        else:
            (thick,) = axes.plot(steps, running_median(values), label=name, linewidth=1.8, zorder=3)
            axes.plot(steps, values, color=thick.get_color(), linestyle="-", linewidth=0.8, alpha=0.35)
    axes.set_title(title, loc="left")
    axes.set_xlabel("step")
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))  # 0.00045 and 12,000, never an offset in a corner
    if len(series) > 1:
        figure.legend(loc="outside lower center", ncols=min(3, len(series)), fontsize=9)
    return figure


def running_median(values: Sequence[float]) -> list[float]:
    """The median of each value's neighbourhood, a tenth of the whole wide: spikes do not move it."""
    half = max(1, len(values) // 20)
    return [float(np.median(values[max(0, i - half) : i + half + 1])) for i in range(len(values))]


def mistakes(probabilities: "Tensor", images: "ImageData") -> "Figure":
    """The wrong answers to test images that a classifier was surest of.

    Shape: probabilities (test images, classes), on the CPU.
    """
    sureness, answers = probabilities.max(dim=1)
    wrong = (answers != images.test_labels).nonzero()[:, 0]
    worst = wrong[sureness[wrong].argsort(descending=True)][:24].tolist()
    rows = max(1, -(-len(worst) // 8))
    figure, panels = plt.subplots(rows, 8, figsize=(11, 0.7 + 1.5 * rows))
    for axes in panels.flat:
        axes.axis("off")
    for axes, index in zip(panels.flat, worst, strict=False):
        axes.imshow(images.test_images[index].permute(1, 2, 0).numpy(), cmap="gray", vmin=0, vmax=255)
        truth, said = (images.class_names[int(which[index])] for which in (images.test_labels, answers))
        axes.set_title(f"{truth}, says {said}\n{100 * sureness[index]:.1f} % sure", fontsize=9, fontweight="normal")
    figure.suptitle(f"The surest of {len(wrong)} mistakes: what it is, what the network says", fontweight="bold")
    return figure
