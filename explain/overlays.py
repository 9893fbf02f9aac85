"""An explanation seen on its image: blue segments speak for the label, orange ones against it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explain.explanation import AGAINST, FOR, Explanation, short_number
from explain.segments import Layout, as_array, as_segments, channels_last
from foundations.errors import require

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
STRONGEST = 0.8
"""How much of the image a segment of the largest weight covers."""


def weight_map(weights: ArrayLike, segments: ArrayLike) -> Array:
    """For each pixel the weight of its segment: (segments,) and (height, width) -> (height, width).

    Raises: InputError unless there is one weight a segment.
    """
    values, numbers = np.asarray(weights, np.float64), np.asarray(segments)
    count = int(numbers.max()) + 1
    require(values.shape == (count,), "weights shape", values.shape, f"({count},), one for each of the segments")
    return np.take(values, numbers)


def paint(image: Any, weights: ArrayLike, *, layout: Layout, limit: float | None = None) -> Array:
    """The image in grey, covered in blue and orange the more, the larger the weight is: (height, width, 3) in [0, 1].

    Shapes: weights (height, width). `limit`: the weight that covers most, None for the largest.
    """
    pixels = channels_last(as_array(image, layout), layout).astype(np.float64).mean(axis=-1)
    low, high = pixels.min(), pixels.max()
    grey = (pixels - low) / (high - low if high > low else 1.0)
    values = np.asarray(weights, np.float64)
    require(values.shape == grey.shape, "weights shape", values.shape, f"{grey.shape}, the image's")
    largest = limit or float(np.abs(values).max()) or 1.0
    cover = STRONGEST * np.minimum(np.abs(values) / largest, 1)[..., None]
    tint = np.where(values[..., None] >= 0, _rgb(FOR), _rgb(AGAINST))
    painted: Array = (1 - cover) * grey[..., None] + cover * tint
    return painted


def weight_colours() -> "Colormap":
    """From orange over white to blue, for colour bars beside painted images."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("against and for", [AGAINST, "white", FOR])


def overlay(
    explanation: Explanation, image: Any, *, layout: Layout, segments: ArrayLike, label: int | None = None
) -> "Figure":
    """The image, and beside it the image painted with the weights for `label` (None: the first)."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    chosen = explanation.labels[0] if label is None else label
    pixels = channels_last(as_array(image, layout), layout)
    weights = weight_map(explanation.weights_of(chosen), as_segments(segments, *pixels.shape[:2]))
    limit = float(np.abs(weights).max()) or 1.0
    figure = Figure(figsize=(7.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    colours = pixels.shape[-1] == 3
    left.imshow(_unit(pixels) if colours else pixels.mean(axis=-1), cmap="gray")
    right.imshow(paint(image, weights, layout=layout, limit=limit))
    said = short_number(explanation.local_predictions[chosen])
    left.set_title(explanation.title(chosen).replace(": ", ":\n", 1), loc="left", fontsize=11)
    right.set_title(f"weights of the cells;\nthe surrogate says {said}", loc="left", fontsize=11)
    for axes in (left, right):
        axes.set_axis_off()
    bar = figure.colorbar(ScalarMappable(Normalize(-limit, limit), weight_colours()), ax=right, shrink=0.85)
    bar.set_label(f"weight for {explanation.names[chosen]}   (R² {explanation.r2[chosen]:.2f})")
    return figure


def _rgb(colour: str) -> Array:
    return np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])


def _unit(pixels: NDArray[Any]) -> Array:
    """Values stretched to [0, 1], all channels alike."""
    low, high = float(pixels.min()), float(pixels.max())
    stretched: Array = (pixels.astype(np.float64) - low) / (high - low if high > low else 1.0)
    return stretched
