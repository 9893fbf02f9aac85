"""The pictures of the lab `linear_algebra`: images as numbers, products as pictures, maps of the plane, similarity."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor


def _picture(axes: "Axes", image: "Tensor", title: str, **settings: object) -> None:
    """An image without ticks, as bright as its numbers."""
    axes.imshow(image, **{"cmap": "gray", "vmin": 0, "vmax": 1, **settings})  # type: ignore[arg-type]
    axes.set_title(title, fontsize=10)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)


def _write(
    axes: "Axes", matrix: "Tensor", form: Callable[[float], str], *, bright: float = -math.inf, size: int = 8
) -> None:
    """The entries of a picture as numbers: black where they are above `bright`, white elsewhere."""
    for row, entries in enumerate(matrix.tolist()):
        for column, entry in enumerate(entries):
            colour = "black" if entry > bright else "white"
            axes.text(column, row, form(entry), ha="center", va="center", fontsize=size, color=colour)


def draw_image_as_matrix(image: "Tensor") -> "Figure":
    """A digit, and the numbers of a part of it."""
    from matplotlib import pyplot as plt
    from matplotlib.patches import Rectangle

    colour, top, left, size = kit.figures.COLOURS[1], 5, 9, 12
    figure, (whole, part) = plt.subplots(1, 2, figsize=(11, 5.4))
    _picture(whole, image, "A grey image: 28 rows of 28 pixels")
    whole.add_patch(Rectangle((left - 0.5, top - 0.5), size, size, fill=False, edgecolor=colour, linewidth=2))
    whole.set(xticks=range(0, 28, 3), yticks=range(0, 28, 3), xlabel="column", ylabel="row")
    crop = image[top : top + size, left : left + size]
    _picture(part, crop, "The same as a matrix: 0 is black, 1 is white")
    _write(part, crop, lambda entry: f"{entry:.2f}".lstrip("0") if 0 < entry < 1 else f"{entry:.0f}", bright=0.5)
    part.set_xticks(range(size), range(left, left + size))
    part.set_yticks(range(size), range(top, top + size))
    part.set(xlabel="column", ylabel="row")
    part.spines[:].set(visible=True, color=colour, linewidth=2)
    return figure


def draw_image_as_vector(image: "Tensor") -> "Figure":
    """A digit, its rows in a line, the line in rows again, and in rows of a wrong length."""
    from matplotlib import pyplot as plt

    colours, vector = kit.figures.COLOURS, foundations.linear_algebra.image_to_vector(image)
    back, wrong = (foundations.linear_algebra.vector_to_image(vector[: 28 * n], 28, n) for n in (28, 27))
    figure, axes = plt.subplot_mosaic("ibw;lll", figsize=(10, 6.4), height_ratios=[1.6, 1])
    _picture(axes["i"], image, "1. A matrix, 28 × 28")
    for row, colour in ((7, colours[1]), (14, colours[0])):
        label = f"row {row}: places {28 * row} to {28 * row + 27}"
        axes["i"].axhspan(row - 0.5, row + 0.5, color=colour, alpha=0.45)
        axes["l"].axvspan(28 * row, 28 * (row + 1), color=colour, alpha=0.3, label=label)
    axes["l"].plot(vector, color="black", linewidth=0.9)
    axes["l"].set(title="2. Its rows, one behind the other: a vector of 784", xlim=(0, 784), ylim=(0, 1.35))
    axes["l"].set(xlabel="place = 28 × row + column", ylabel="brightness", xticks=range(0, 785, 112))
    axes["l"].legend(loc="upper right", ncols=2, fontsize=9)
    _picture(axes["b"], back, "3. Back, in rows of 28")
    _picture(axes["w"], wrong, "Rows of 27: each slips by one")
    return figure


def draw_colour_as_tensor(photo: "Tensor") -> "Figure":
    """A photograph, its three layers, and its grey."""
    import torch
    from matplotlib import pyplot as plt

    figure, axes = plt.subplot_mosaic("cc01;cc2g", figsize=(12, 4.1))
    _picture(axes["c"], photo.permute(1, 2, 0), f"A colour image: {' × '.join(map(str, photo.shape))} numbers")
    for channel, name in enumerate(("red", "green", "blue")):
        layer = torch.zeros_like(photo)
        layer[channel] = photo[channel]
        _picture(axes[str(channel)], layer.permute(1, 2, 0), f"layer {channel}: how much {name}")
    _picture(axes["g"], foundations.linear_algebra.to_grey(photo), "0.299 R + 0.587 G + 0.114 B")
    return figure


# Products -------------------------------------------------------------------------------------------------------------


def _sign(axes: "Axes", sign: str) -> None:
    """What stands before a picture in an equation of pictures."""
    axes.set_ylabel(sign, rotation=0, fontsize=20, labelpad=14, va="center")


def draw_one_entry() -> "Figure":
    """A row and a column, multiplied entry by entry and summed: one entry of the product."""
    import torch
    from matplotlib import pyplot as plt
    from matplotlib.patches import Rectangle

    colour, row, column = kit.figures.COLOURS[1], 1, 2
    a = torch.tensor([[1, 0, 2, 1], [3, 1, 0, 2], [0, 2, 1, 1]])
    b = torch.tensor([[1, 2, 0], [0, 1, 4], [2, 0, 1], [1, 1, 2]])
    matrices = {"A": a, "B": b, "C": foundations.linear_algebra.matrix_product(a, b)}
    figure, all_axes = plt.subplots(1, 3, figsize=(10, 4.3), width_ratios=[4.8, 3.8, 3.8])
    boxes = (((-0.5, row - 0.5), 4, 1), ((column - 0.5, -0.5), 1, 4), ((column - 0.5, row - 0.5), 1, 1))
    for axes, sign, (name, matrix), box in zip(all_axes, ("", "×", "="), matrices.items(), boxes, strict=True):
        _picture(axes, matrix, f"{name}, {matrix.shape[0]} × {matrix.shape[1]}", cmap="Blues", vmax=22)
        _write(axes, matrix, lambda entry: f"{entry:.0f}", size=13)
        axes.add_patch(Rectangle(*box, fill=False, edgecolor=colour, linewidth=3, clip_on=False))
        _sign(axes, sign)
    terms = " + ".join(f"{x}·{y}" for x, y in zip(a[row].tolist(), b[:, column].tolist(), strict=True))
    dot = int(foundations.linear_algebra.dot(a[row], b[:, column]))
    figure.suptitle(f"C[1, 2] is the dot product of A's row 1 and B's column 2: {terms} = {dot}", weight="bold")
    return figure


def draw_products(image: "Tensor") -> "Figure":
    """From the left a matrix mixes the rows of an image, from the right its columns; transposing swaps the two."""
    import torch
    from matplotlib import pyplot as plt

    flip_axis, unit = foundations.linear_algebra.transpose, torch.eye(28, dtype=torch.float64)
    ones = torch.ones_like(unit)
    blur, edge = ones.triu(-3).tril(3) / 7, ones.triu(1).tril(1) - unit
    factors = {
        "flips rows": (unit.flip(0), image),
        "averages 7 rows": (blur, image),
        "subtracts neighbouring columns": (image, edge),
        "(AB)ᵀ = BᵀAᵀ: rows are columns now": (flip_axis(edge), flip_axis(image)),
    }
    figure, axes = plt.subplots(4, 3, figsize=(7.2, 9.6))
    for line, (name, (left, right)) in zip(axes, factors.items(), strict=True):
        equation = (left, right, foundations.linear_algebra.matrix_product(left, right))
        for place, sign, matrix in zip(line, ("", "×", "="), equation, strict=True):
            signed, largest = bool((matrix < 0).any()), float(matrix.abs().max())
            _picture(place, matrix, "", cmap="RdBu_r" if signed else "gray", vmin=-largest * signed, vmax=largest)
            _sign(place, sign)
        line[0].set_title(name, loc="left", fontsize=10)
    figure.suptitle(
        "Matrix products as pictures (grey: 0 to the largest; colour: red above 0, blue below)", fontsize=10
    )
    return figure


def draw_maps_of_the_plane() -> "Figure":
    """Five matrices, and where they take a grid, the letter F and the two unit vectors."""
    from matplotlib import pyplot as plt

    cosine, sine = math.cos(math.radians(30)), math.sin(math.radians(30))
    maps: dict[str, list[list[float]]] = {
        "where it begins": [[1, 0], [0, 1]],
        "rotation by 30°": [[cosine, -sine], [sine, cosine]],
        "stretch": [[1.5, 0], [0, 0.6]],
        "shear": [[1, 0.6], [0, 1]],
        "reflection": [[-1, 0], [0, 1]],
        "projection": [[0.8, 0.4], [0.4, 0.2]],
    }
    figure, all_axes = plt.subplots(2, 3, figsize=(10.5, 7))
    for axes, (name, rows) in zip(all_axes.flat, maps.items(), strict=True):
        _map(axes, rows)
        (a, b), (c, d) = rows
        numbers = f"{name}: [{a:.3g} {b:.3g}; {c:.3g} {d:.3g}]\ndeterminant {a * d - b * c:.2f}"
        axes.set_title(numbers, fontsize=10)
        axes.set(xlim=(-2.5, 2.5), ylim=(-2.2, 2.2), xlabel="x", ylabel="y", aspect="equal")
        axes.grid(visible=False)
    title = "The columns are where the unit vectors go; areas grow by |determinant|, and turn over where it is negative"
    figure.suptitle(title, fontsize=11, weight="bold")
    return figure


def _map(axes: "Axes", rows: Sequence[Sequence[float]]) -> None:
    """The plane after the matrix of these `rows`."""
    import torch

    matrix, side = torch.tensor(rows, dtype=torch.float32), torch.linspace(-1.5, 1.5, 7)
    letter = torch.tensor([[2, 2, 11, 11, 5, 5, 9, 9, 5, 5], [0, 15, 15, 12, 12, 9, 9, 6, 6, 0]]) / 10
    for fixed in side:
        for ends in (torch.stack([side, fixed.expand(7)]), torch.stack([fixed.expand(7), side])):
            line = foundations.linear_algebra.matrix_product(matrix, ends)
            axes.plot(*line, color="grey", linewidth=0.6, linestyle="-")
    axes.fill(*foundations.linear_algebra.matrix_product(matrix, letter), color=kit.figures.COLOURS[5], alpha=0.7)
    for colour, (x, y) in zip(
        kit.figures.COLOURS[:2], foundations.linear_algebra.transpose(matrix).tolist(), strict=True
    ):
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 2.2, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (x, y), (0, 0), arrowprops=arrow)


# Similarity -----------------------------------------------------------------------------------------------------------


def draw_similarity(
    means: "Tensor", similarity: "Tensor", labels: "Tensor", names: Sequence[str], accuracy: float
) -> "Figure":
    """The mean images, and how similar the test images of each class are to each of them.

    Shapes: means (classes, 784), similarity (classes, n), labels (n). `accuracy`: how many are most similar to theirs.
    """
    import torch
    from matplotlib import pyplot as plt

    images = foundations.linear_algebra.vector_to_image(means).unsqueeze(1)
    sheet = kit.figures.grid(images / images.amax((2, 3), keepdim=True), 4)
    table = torch.stack([similarity[:, labels == name].mean(1) for name in range(len(names))])
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5), width_ratios=[1, 1.25])
    left.imshow(sheet, cmap="gray")
    left.set_title("The mean image of each class")
    left.axis("off")
    shown = right.imshow(table, cmap="viridis")
    _write(right, table, lambda entry: f"{entry:.2f}".lstrip("0"), bright=float(table.nanmean()))
    figure.colorbar(shown, ax=right, label="mean cosine (dot product at length 1)")
    right.set_xticks(range(len(names)), names)
    right.set_yticks(range(len(names)), names)
    right.set_title(f"The most similar mean is the right one for {accuracy:.1%} of {len(labels):,} images")
    right.set(xlabel="mean image", ylabel="test images of class")
    right.grid(visible=False)
    return figure
