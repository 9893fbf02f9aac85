"""Copies of an image in which some of its segments are hidden: what LIME asks a model about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from explain.segments import Layout, Segments, as_array, as_segments, channels_last, segment_names
from foundations.errors import require, require_choice

Masks = NDArray[np.bool_]
Fill = float | Literal["mean"] | ArrayLike
"""What a hidden segment becomes: a number, its own mean colour, one number a channel, or the pixels of an array."""
Prepare = Callable[[Any], Any]
"""From a batch of images in the layout that was given to what the model reads: scaled, normalised."""
CACHE = 500_000
"""Bytes of copies that are made at a time."""


def hide_segments(
    image: Any, *, layout: Layout, segments: ArrayLike, fill: Fill, prepare: Prepare | None = None
) -> Callable[[Masks], Any]:
    """A function from masks (n, segments), True where hidden, to n copies of `image` with those segments hidden.

    For `deletion_curve` and `insertion_curve`.
    """
    (case,) = hidden_cases([image], layout, np.asarray(segments), fill, prepare)
    return lambda hidden: case.batch(as_bits(~np.asarray(hidden, np.bool_), case.pixels.itemsize))


class Parts:
    """Checked segments (height, width), what they are called, and the segment of each number of an image, flat."""

    def __init__(self, segments: Segments, shape: tuple[int, ...], layout: Layout) -> None:
        self.segments, self.names = segments, segment_names(segments)
        self.places = np.broadcast_to(segments[..., None] if layout == "HWC" else segments, shape).ravel()
        self._asked: tuple[NDArray[Any], int] | None = None
        self._made = np.empty(0)

    def spread(self, shown: NDArray[Any], rows: slice) -> NDArray[Any]:
        """From segments to the numbers of an image: (n, segments) -> (rows, numbers).

        What was made last is kept: the next image of these segments asks for it again.
        """
        if self._asked is None or self._asked[0] is not shown or self._asked[1] != rows.start:
            self._asked, self._made = (shown, rows.start), np.take(shown[rows], self.places, axis=1)
        return self._made


@dataclass(frozen=True, eq=False)
class Case:
    """An image, flat, and beside it what its numbers become where they are hidden."""

    pixels: NDArray[Any]
    hidden: NDArray[Any]
    shape: tuple[int, ...]
    parts: Parts
    tensor: bool
    prepare: Prepare | None

    def batch(self, shown: NDArray[Any]) -> Any:
        """Copies of the image, as the model reads them. Shapes: shown (n, segments), see `as_bits`, -> (n, *image).

        where(shown, pixels, hidden) = hidden ^ ((pixels ^ hidden) & shown), bit by bit: a third of the time; few rows
        at a time, so that what is between them stays in the processor's cache.
        """
        hidden, count = self.hidden.view(shown.dtype), len(shown)
        changes = self.pixels.view(shown.dtype) ^ hidden
        copies = np.empty((count, len(hidden)), shown.dtype)
        step = max(1, CACHE // hidden.nbytes)
        for start in range(0, count, step):
            rows = slice(start, min(start + step, count))
            np.bitwise_and(self.parts.spread(shown, rows), changes, out=copies[rows])
            copies[rows] ^= hidden
        images = copies.view(self.pixels.dtype).reshape(count, *self.shape)
        batch = torch.from_numpy(images) if self.tensor else images
        return self.prepare(batch) if self.prepare else batch


def as_bits(shown: Masks, size: int) -> NDArray[Any]:
    """Whole numbers of `size` bytes, all bits set where `shown` is True."""
    return -shown.astype(f"i{size}")


def hidden_cases(
    images: Sequence[Any], layout: Layout, segments: Any, fill: Fill, prepare: Prepare | None
) -> list[Case]:
    """Each image with its segments; those that share the array share the parts."""
    each = list(segments) if isinstance(segments, list | tuple) or np.ndim(segments) == 3 else [segments] * len(images)
    require(len(each) == len(images), "number of segmentations", len(each), f"one, or {len(images)}, one an image")
    known: dict[tuple[int, tuple[int, ...]], Parts] = {}
    cases = []
    for image, own in zip(images, each, strict=True):
        pixels = as_array(image, layout)
        key = id(own), pixels.shape
        if key not in known:
            checked = as_segments(own, *channels_last(pixels, layout).shape[:2])
            known[key] = Parts(checked, pixels.shape, layout)
        hidden = _hidden(pixels, known[key].segments, fill, layout).ravel()
        tensor = isinstance(image, torch.Tensor)
        cases.append(Case(pixels.ravel(), hidden, pixels.shape, known[key], tensor, prepare))
    return cases


def _hidden(pixels: NDArray[Any], segments: Segments, fill: Fill, layout: Layout) -> NDArray[Any]:
    """The image with all of its segments hidden: an array of its shape and kind of number."""
    hidden = np.empty_like(pixels, order="C")
    if isinstance(fill, str):
        require_choice("fill", fill, ("mean",))
        _take_means(channels_last(hidden, layout), channels_last(pixels, layout), segments)
    else:
        values = np.asarray(fill)
        channels = channels_last(hidden, layout).shape[-1]
        fix = f"a number, 'mean', one number for each of {channels} channels, or an array {pixels.shape}"
        fits = values.dtype.kind in "iuf" and values.shape in ((), (channels,), pixels.shape)
        require(fits, "fill shape", values.shape, fix)
        _require_held(values, pixels.dtype)
        by_channel = channels_last(hidden, layout) if values.shape == (channels,) else hidden
        by_channel[...] = values
    changes = not np.array_equal(hidden, pixels)
    require(changes, "fill", told_fill(fill), "other than the image: hiding would change nothing in it")
    return hidden


def _take_means(hidden: NDArray[Any], pixels: NDArray[Any], segments: Segments) -> None:
    """Give each segment of `hidden` its mean colour. Shapes: (height, width, channels)."""
    for number in range(int(segments.max()) + 1):
        inside = pixels[segments == number]  # (pixels, channels)
        hidden[segments == number] = [inside[:, channel].mean() for channel in range(inside.shape[1])]


def _require_held(values: NDArray[Any], dtype: np.dtype[Any]) -> None:
    """Raises: InputError where the fill is not finite, or would be cut to fit the image's whole numbers."""
    require(bool(np.isfinite(values).all()), "fill", "NaN or infinite", "finite")
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        whole = (values == np.round(values)) & (values >= bounds.min) & (values <= bounds.max)
        worst = values[~whole].flat
        held = f"a whole number from {bounds.min} to {bounds.max}: the image holds {dtype.name}"
        require(bool(whole.all()), "fill", float(next(worst, 0)), held)


def told_fill(fill: Fill) -> Any:
    """The fill as it is kept in an explanation's settings: an image is not."""
    return fill if isinstance(fill, str) else "array" if np.ndim(fill) > 1 else np.asarray(fill).tolist()
