"""The parts of an image that are hidden and weighed as one: a grid, superpixels, or anybody's own."""

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foundations.errors import InputError, require, require_choice

Layout = Literal["HW", "HWC", "CHW"]
"""Where an image has its height, width and channels."""
Segments = NDArray[np.int64]
"""(height, width): for each pixel the number of its segment, 0 to n - 1."""


def grid(height: int, width: int, cells: int) -> Segments:
    """`cells` x `cells` rectangles of pixels, alike in size but for a row or column, numbered row by row.

    Right for small images: superpixels of a 28 x 28 digit are one to three, which explains nothing.
    Raises: InputError unless 1 <= cells <= height and width.
    """
    require(1 <= cells <= min(height, width), "cells", cells, f"from 1 to {min(height, width)}, the shorter side")
    rows, columns = np.arange(height) * cells // height, np.arange(width) * cells // width
    return rows[:, None] * cells + columns


def slic(image: ArrayLike, count: int, *, layout: Layout, compactness: float = 10.0) -> Segments:
    """About `count` superpixels: pixels close to each other in place and colour, clustered by k-means.

    `compactness`: larger makes them squares; grey images of values in [0, 1] want about 0.1.
    Raises: InputError for images of another layout, what is not finite, a count below 2, and a compactness of 0 or
    below or one that leaves a single superpixel.
    Source: Achanta et al. 2012, IEEE TPAMI 34(11), by scikit-image.
    """
    from skimage.segmentation import slic as clustered

    pixels = as_array(image, layout)
    require(count >= 2, "count", count, "at least 2 segments")
    require(compactness > 0, "compactness", compactness, "above 0")
    axis = {"HW": None, "HWC": -1, "CHW": 0}[layout]
    if axis is not None and pixels.shape[axis] == 1:
        pixels, axis = pixels.squeeze(axis), None
    found = clustered(pixels, n_segments=count, compactness=compactness, channel_axis=axis)
    numbers, renumbered = np.unique(found, return_inverse=True)
    require(len(numbers) >= 2, "compactness", compactness, "larger: all pixels came out as one superpixel")
    return renumbered.reshape(found.shape)


def as_array(image: Any, layout: Layout) -> NDArray[Any]:
    """The image as an array of its own kind of number. Raises: InputError for other shapes and what is not finite."""
    require_choice("layout", layout, get_args(Layout))
    tensor = image.detach().cpu().numpy() if hasattr(image, "detach") else image
    pixels = np.asarray(tensor)
    known = pixels.dtype.kind in "iuf" and pixels.dtype.itemsize <= 8
    require(known, "image dtype", pixels.dtype.name, "numbers of 8 bytes at most")
    fix = f"{len(layout)}-D, as layout={layout!r} says; 'HW' is grey, 'HWC' and 'CHW' have channels last or first"
    require(pixels.ndim == len(layout) and pixels.size > 0, "image shape", pixels.shape, fix)
    require(bool(np.isfinite(pixels).all()), "image", "NaN or infinite", "finite")
    return pixels


def channels_last(pixels: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """A view of the image as (height, width, channels)."""
    if layout == "HW":
        return pixels[..., None]
    return pixels if layout == "HWC" else np.moveaxis(pixels, 0, -1)


def as_segments(segments: ArrayLike, height: int, width: int) -> Segments:
    """`segments`, checked. Raises: InputError unless (height, width) whole numbers, each of 0 to n - 1, n >= 2."""
    numbers = np.asarray(segments)
    fits = numbers.shape == (height, width)
    require(fits, "segments shape", numbers.shape, f"{(height, width)}, the image's height and width (see `layout`)")
    require(numbers.dtype.kind in "iu", "segments dtype", numbers.dtype.name, "whole numbers")
    used, counts = np.unique(numbers, return_counts=True)
    if used[0] != 0 or used[-1] != len(used) - 1:
        told = f"numbered {used[0]} to {used[-1]}, {len(used)} of them"
        fix = "numpy.unique(segments, return_inverse=True)[1].reshape(segments.shape)"
        raise InputError(f"segments={told}: must be numbered 0 to n - 1 without gaps: {fix}")
    enough = "2 or more, to tell one part from another: finer ones, or explain.grid(height, width, 7)"
    require(len(counts) >= 2, "number of segments", len(counts), enough)
    return numbers.astype(np.int64)


def segment_names(segments: Segments) -> tuple[str, ...]:
    """Each segment with its middle: "segment 3 (row 7, column 12)"."""
    pixels = np.bincount(segments.ravel())
    rows, columns = np.indices(segments.shape)
    middles = [np.bincount(segments.ravel(), each.ravel()) / pixels for each in (rows, columns)]
    return tuple(
        f"segment {number} (row {row:.0f}, column {column:.0f})"
        for number, (row, column) in enumerate(zip(*middles, strict=True))
    )
