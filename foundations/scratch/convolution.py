"""Convolution and pooling over images: each place of the window as a row of numbers, forward and backward.

A window laid over an image is a view, `windows`, and needs no copy; `unwindow` is its transpose: gradients of all
windows are laid back onto the image, adding up where windows overlap.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from foundations.errors import require
from foundations.scratch.arrays import Array, require_floats


class Window(NamedTuple):
    """A window that moves over an image: its (height, width), the steps it makes, the border added on each side."""

    size: tuple[int, int]
    stride: int = 1
    padding: int = 0

    def check(self, x: Array) -> None:
        """Raises: InputError for impossible settings, and for an image smaller than the window."""
        require(min(self.size) >= 1, "window size", self.size, "at least 1 high and wide")
        require(self.stride >= 1, "stride", self.stride, "at least 1")
        require(self.padding >= 0, "padding", self.padding, "at least 0")
        require_floats("x", x, axes=4)
        room = all(side + 2 * self.padding >= size for side, size in zip(x.shape[2:], self.size, strict=True))
        require(room, "x shape", x.shape, f"no smaller than the window {self.size} after padding")


def windows(x: Array, window: Window, border: float = 0.0) -> Array:
    """All windows of x: element [n, c, i, j, u, v] is x[n, c, s i + u - p, s j + v - p], `border` outside the image.

    Shapes: (batch, channels, height, width) -> (batch, channels, rows, columns, window height, window width), with
    rows = floor((height + 2 p - window height) / s) + 1, columns likewise.
    """
    window.check(x)
    _, stride, padding = window
    edge = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    padded = np.pad(x, edge, constant_values=border) if padding else x
    return sliding_window_view(padded, window.size, axis=(2, 3))[:, :, ::stride, ::stride]


def unwindow(dwindows: Array, shape: tuple[int, ...], window: Window) -> Array:
    """dx[n, c, s i + u - p, s j + v - p] = the sum of dwindows[n, c, i, j, u, v] over all windows that saw the pixel.

    Shapes: those of `windows`, backwards; `shape` is that of x.
    """
    (high, wide), stride, padding = window
    rows, columns = dwindows.shape[2:4]
    batch, channels, height, width = shape
    padded = np.zeros((batch, channels, height + 2 * padding, width + 2 * padding), dwindows.dtype)
    for u in range(high):  # one slice for each element of the window: all windows at once
        for v in range(wide):
            padded[:, :, u : u + stride * rows : stride, v : v + stride * columns : stride] += dwindows[..., u, v]
    return padded[:, :, padding : padding + height, padding : padding + width]


class ConvolutionCache(NamedTuple):
    """What the backward pass needs: the windows as rows, the kernels, and where they lay."""

    rows: Array
    w: Array
    shape: tuple[int, ...]
    window: Window


def convolution_forward(
    x: Array, w: Array, b: Array, stride: int = 1, padding: int = 0
) -> tuple[Array, ConvolutionCache]:
    """y[o, i, j] = b[o] + sum over c, u, v of w[o, c, u, v] x[c, s i + u - p, s j + v - p] (the kernel is not flipped).

    Every window becomes a row (im2col); one matrix product with all kernels then does the sums.
    Shapes: x (batch, channels, height, width), w (outputs, channels, kernel height, kernel width), b (outputs),
    y (batch, outputs, rows, columns). Raises: InputError for others, impossible stride or padding.
    Source: LeCun et al. 1998, Proc. IEEE 86(11).
    """
    require_floats("w", w, axes=4)
    outputs, channels, high, wide = w.shape
    require(b.shape == (outputs,), "b shape", b.shape, f"({outputs},), one for each kernel")
    require(x.ndim == 4 and x.shape[1] == channels, "x shape", x.shape, f"(batch, {channels}, height, width)")
    window = Window((high, wide), stride, padding)
    patches = windows(x, window).transpose(0, 2, 3, 1, 4, 5)  # (batch, rows, columns, channels, u, v)
    rows = patches.reshape(-1, channels * high * wide)
    y = rows @ w.reshape(outputs, -1).T + b
    y = y.reshape(*patches.shape[:3], outputs).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(y), ConvolutionCache(rows, w, x.shape, window)


def convolution_backward(dy: Array, cache: ConvolutionCache) -> tuple[Array, Array, Array]:
    """With the windows as rows it is a dense layer: dw = dy^T rows, db = sum dy, drows = dy w, laid back onto x.

    Shapes: dy (batch, outputs, rows, columns); dx, dw, db those of x, w, b.
    """
    outputs, channels, high, wide = cache.w.shape
    deltas = dy.transpose(0, 2, 3, 1).reshape(-1, outputs)  # (batch * rows * columns, outputs)
    dw = (deltas.T @ cache.rows).reshape(cache.w.shape)
    db = deltas.sum(axis=0)
    drows = deltas @ cache.w.reshape(outputs, -1)
    patches = drows.reshape(dy.shape[0], *dy.shape[2:], channels, high, wide)
    dx = unwindow(patches.transpose(0, 3, 1, 2, 4, 5), cache.shape, cache.window)
    return dx, dw, db


class MaxPoolCache(NamedTuple):
    """What the backward pass needs: the place of the largest in each window."""

    largest: NDArray[np.intp]
    shape: tuple[int, ...]
    window: Window


def max_pool_forward(x: Array, size: int, stride: int, padding: int = 0) -> tuple[Array, MaxPoolCache]:
    """y[i, j] = the largest of the window at (i, j); the first of equals. What is padded is never the largest.

    Shapes: x (batch, channels, height, width), y (batch, channels, rows, columns). Raises: InputError for others.
    """
    window = _pooling_window(size, stride, padding)
    flat = _flat(windows(x, window, border=-np.inf))  # (batch, channels, rows, columns, size^2)
    largest = flat.argmax(axis=-1)
    y = np.take_along_axis(flat, largest[..., None], axis=-1)[..., 0]
    return y, MaxPoolCache(largest, x.shape, window)


def max_pool_backward(dy: Array, cache: MaxPoolCache) -> Array:
    """The gradient goes to the largest alone: the others could move a little and change nothing."""
    high, wide = cache.window.size
    dwindows = np.zeros((*dy.shape, high * wide), dy.dtype)
    np.put_along_axis(dwindows, cache.largest[..., None], dy[..., None], axis=-1)
    return unwindow(dwindows.reshape(*dy.shape, high, wide), cache.shape, cache.window)


class AveragePoolCache(NamedTuple):
    """What the backward pass needs."""

    shape: tuple[int, ...]
    window: Window


def average_pool_forward(x: Array, size: int, stride: int, padding: int = 0) -> tuple[Array, AveragePoolCache]:
    """y[i, j] = the mean of the window at (i, j), padded zeros counted.

    Shapes: x (batch, channels, height, width), y (batch, channels, rows, columns). Raises: InputError for others.
    """
    window = _pooling_window(size, stride, padding)
    return windows(x, window).mean(axis=(-2, -1)), AveragePoolCache(x.shape, window)


def average_pool_backward(dy: Array, cache: AveragePoolCache) -> Array:
    """Every one of the window's n values gets dy / n."""
    high, wide = cache.window.size
    share = (dy / (high * wide))[..., None, None]
    return unwindow(np.broadcast_to(share, (*dy.shape, high, wide)), cache.shape, cache.window)


def _pooling_window(size: int, stride: int, padding: int) -> Window:
    require(0 <= 2 * padding <= size, "padding", padding, f"between 0 and half the window's size {size}")
    return Window((size, size), stride, padding)


def _flat(patches: Array) -> NDArray[Any]:
    return patches.reshape(*patches.shape[:-2], -1)
