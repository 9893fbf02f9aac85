"""Defects planted into images at a known place, and whether blame falls on them."""

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explain.segments import Segments
from foundations.errors import InputError, require, require_choice

Array = NDArray[np.float64]
Defect = Literal["blob", "stroke", "gap"]
"""A blob and a stroke are ink where there was none; a gap is ink taken out of a stroke."""
RADIUS = {"blob": 3.2, "stroke": 1.6, "gap": 3.7}
"""In pixels; a stroke's is half its width."""
HALF_LENGTH = 4.0
"""Of a stroke."""
MARGIN = 5
"""Pixels between the frame and the middle of a blob or stroke, at least."""
VISIBLE = 0.3
"""Change of a pixel from which it belongs to the defect."""
FEWEST = 12
"""Pixels of a defect, at least."""
TRIES = 100
TOUCHED = 2
"""Planted pixels from which a segment counts as planted; of a segment of one pixel that one."""


def plant_defect(kind: Defect, image: ArrayLike, random: np.random.Generator) -> tuple[Array, NDArray[np.bool_]]:
    """`image` with a defect at a random place, and which pixels are it.

    Shapes: image (height, width) in [0, 1], ink near 1 -> both (height, width).
    Raises: InputError for an unknown kind, an image of fewer than 12 x 12 pixels or of no ink where a gap is to be,
        and where no place is found at which the defect would be seen.
    """
    require_choice("kind", kind, get_args(Defect))
    before = np.asarray(image)
    large = before.ndim == 2 and min(before.shape) > 2 * MARGIN + 1
    require(large, "image shape", before.shape, f"(height, width), at least {2 * MARGIN + 2} each")
    inked = np.argwhere(before > 0.5)
    require(kind != "gap" or len(inked) > 0, "image", "without ink", "with pixels above 0.5, where a gap is to be")
    half = HALF_LENGTH if kind == "stroke" else 0.0
    for _ in range(TRIES):
        middle = inked[random.integers(len(inked))] if kind == "gap" else _middle(before.shape, random)
        ink = np.clip(RADIUS[kind] - _distances(before.shape, middle, random.uniform(0, np.pi), half), 0, 1)
        after = before * (1 - ink) if kind == "gap" else np.maximum(before, ink)
        truth = np.abs(after - before) > VISIBLE
        if truth.sum() >= FEWEST:
            return after, truth
    raise InputError(f"image: has no place where a {kind} of {FEWEST} pixels is seen; give one with ink and background")


def plant_defects(
    kind: Defect, images: NDArray[np.float32], count: int, random: np.random.Generator
) -> list[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """`count` of the images, drawn at random, each with a defect: see `plant_defect`.

    Each image is drawn once, unless there are fewer than `count`.
    Shapes: images (n, 1, height, width) -> of each image drawn (1, height, width), and of its defect (height, width).
    Raises: InputError as `plant_defect`, and for no images.
    """
    require(len(images) >= 1, "images", len(images), "at least 1")
    chosen = random.choice(len(images), count, replace=len(images) < count)
    spoilt = [plant_defect(kind, images[number, 0], random) for number in chosen]
    return [(image.astype(np.float32)[None], truth) for image, truth in spoilt]


def _middle(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """A point at least `MARGIN` from the frame: row and column."""
    return random.uniform(MARGIN, np.subtract(shape, MARGIN + 1))


def _distances(shape: tuple[int, ...], middle: ArrayLike, angle: float, half: float) -> Array:
    """The distance of each pixel from a line of length 2 `half` through `middle`; from the point itself for 0."""
    rows, columns = np.indices(shape)
    row, column = np.asarray(middle)
    down, right = rows - row, columns - column
    along = np.clip(down * np.sin(angle) + right * np.cos(angle), -half, half)
    distances: Array = np.hypot(down - along * np.sin(angle), right - along * np.cos(angle))
    return distances


class Localisation(NamedTuple):
    """How well blame finds what was planted, for one image."""

    roc_auc: float
    """Of the segments' blame, planted ones against the others: 1 where all planted are blamed most, 0.5 by chance."""
    hit: float
    """1 where the most blamed segment is a planted one, else 0: the pointing game."""
    share: float
    """The share of planted segments."""

    @property
    def by_chance(self) -> "Localisation":
        """What is expected of blame at random: half the area, and a hit as often as a segment is a planted one."""
        return Localisation(0.5, self.share, self.share)


def localisation(blame: ArrayLike, truth: NDArray[np.bool_], segments: Segments) -> Localisation:
    """Whether the weights of an image's segments point at its defect.

    Shapes: blame (segments,), truth and segments (height, width).
    Raises: InputError unless some segments are planted and some are not.
    Source: Zhang et al. 2016, arXiv:1608.00507 (the pointing game).
    """
    from sklearn.metrics import roc_auc_score

    pixels, touched = np.bincount(segments.ravel()), np.bincount(segments.ravel(), truth.ravel())
    planted = touched >= np.minimum(TOUCHED, pixels)
    values = np.asarray(blame, np.float64)
    require(values.shape == planted.shape, "blame shape", values.shape, f"{planted.shape}, one a segment")
    count = int(planted.sum())
    require(0 < count < len(planted), "planted segments", count, f"some of the {len(planted)}, but not all")
    return Localisation(float(roc_auc_score(planted, values)), float(planted[values.argmax()]), float(planted.mean()))
