"""Pooling: what a neighbourhood of pixels holds, in one number for each channel; it has no weights."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foundations.convolution import Pair, require_images, size_pair
from foundations.errors import InputError, require
from foundations.layers import Body, TwoBodies, require_floating


class _Pool2d(TwoBodies):
    """What both poolings share: a window that slides over each channel by itself.

    Height (width likewise): floor((h + 2p - k) / s) + 1, s the stride, which is the kernel size unless given, p the
    padding. With `ceil_mode` the division rounds up, so that the last window may reach over the edge, as long as it
    begins within the image or the padding before it.
    """

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        ceil_mode: bool = False,
        *,
        body: Body = "kernel",
    ) -> None:
        super().__init__(body)
        self.kernel_size = size_pair("kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else size_pair("stride", stride, 1)
        self.padding, self.ceil_mode = size_pair("padding", padding, 0), ceil_mode
        half = all(2 * size <= kernel for size, kernel in zip(self.padding, self.kernel_size, strict=True))
        require(
            half, "padding", padding, f"at most half of kernel_size={self.kernel_size}: each window must see pixels"
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (batch, channels, height, width) -> (batch, channels, new height, new width)."""
        require_images(x)
        if min(self._output_size(x)) < 1:
            allowed = f"no smaller than the window {self.kernel_size} after padding"
            raise InputError(f"input shape={tuple(x.shape)}: must be {allowed}")
        return super().forward(x)

    def windows(self, x: Tensor, fill: float) -> Tensor:
        """The pixels under each place of the window, `fill` beyond the edge of x.

        Shapes: (batch, channels, height, width) -> (batch, channels, new height, new width, window height, width).
        """
        overhang = [
            (count - 1) * stride + kernel - size
            for count, stride, kernel, size in zip(
                self._output_size(x), self.stride, self.kernel_size, x.shape[2:], strict=True
            )
        ]
        (down, right), (height, width) = overhang, self.kernel_size
        top, left = self.padding
        padded = F.pad(x, (left, right - left, top, down - top), value=fill)
        return padded.unfold(2, height, self.stride[0]).unfold(3, width, self.stride[1])

    def _output_size(self, x: Tensor) -> tuple[int, int]:
        return self._count(x.shape[2], 0), self._count(x.shape[3], 1)

    def _count(self, size: int, axis: int) -> int:
        """Places of the window along an axis."""
        kernel, stride, padding = self.kernel_size[axis], self.stride[axis], self.padding[axis]
        room = size + 2 * padding - kernel
        if not self.ceil_mode:
            return room // stride + 1
        count = -(-room // stride) + 1
        return count if (count - 1) * stride < size + padding else count - 1

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.kernel_size}, {self.stride}, {self.padding}, ceil_mode={self.ceil_mode}"


class MaxPool2d(_Pool2d):
    """Max pooling: y[c, i, j] = max over u, v of x[c, s i + u - p, s j + v - p]; beyond the edge lies minus infinity.

    The gradient goes to the largest pixel alone (of equal ones, to the first). `stride` s is the kernel size unless
    given, p the padding. Height (width likewise): floor((h + 2p - k) / s) + 1, or ceil(...) + 1 with `ceil_mode`.
    Shapes: x (batch, channels, height, width).
    Raises: InputError for impossible sizes, inputs of another shape or of bytes, a window larger than the padded image.
    Source: Ranzato et al. 2007, CVPR, "Unsupervised Learning of Invariant Feature Hierarchies".
    """

    def equations(self, x: Tensor) -> Tensor:
        """The largest of each window."""
        return self.windows(x, -math.inf).flatten(start_dim=-2).max(dim=-1).values

    def kernel(self, x: Tensor) -> Tensor:
        """The same without the copies."""
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding, ceil_mode=self.ceil_mode)


class AveragePool2d(_Pool2d):
    """Average pooling: y[c, i, j] = mean over u, v of x[c, s i + u - p, s j + v - p]; the padding counts as zeros.

    `stride` s is the kernel size unless given, p the padding. Height (width likewise): floor((h + 2p - k) / s) + 1, or
    ceil(...) + 1 with `ceil_mode`; what a window then has beyond the padding does not count.
    Shapes: x (batch, channels, height, width).
    Raises: InputError for impossible sizes, inputs of another shape or of bytes, a window larger than the padded image.
    Source: LeCun et al. 1998, Proc. IEEE 86(11).
    """

    def equations(self, x: Tensor) -> Tensor:
        """The sum of each window over the number of places in it, padding included."""
        return self.windows(x, 0.0).sum(dim=(-2, -1)) / self._places(x)

    def _places(self, x: Tensor) -> Tensor:
        """How many places of each window lie on the image or its padding. Shape: (new height, new width)."""
        along = [
            torch.tensor([min(kernel, size + 2 * padding - i * stride) for i in range(count)], device=x.device)
            for kernel, size, padding, stride, count in zip(
                self.kernel_size, x.shape[2:], self.padding, self.stride, self._output_size(x), strict=True
            )
        ]
        return along[0][:, None] * along[1]

    def kernel(self, x: Tensor) -> Tensor:
        """The same without the copies."""
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode)


class GlobalAveragePool(nn.Module):
    """The mean of each channel over all its places: an image of any size becomes a vector of its channels.

    Shapes: (batch, channels, *) -> (batch, channels).
    Raises: InputError for an input without channels or places, and for one of whole numbers.
    Source: Lin et al. 2013, arXiv:1312.4400.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (batch, channels, *) -> (batch, channels)."""
        _require_places(x)
        return x.mean(dim=list(range(2, x.dim())))


class GlobalMaxPool(nn.Module):
    """The largest value of each channel over all its places; its gradient goes there alone.

    Shapes: (batch, channels, *) -> (batch, channels).
    Raises: InputError for an input without channels or places, and for one of whole numbers.
    Source: Oquab et al. 2015, CVPR, "Is object localization for free?".
    """

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (batch, channels, *) -> (batch, channels)."""
        _require_places(x)
        return x.flatten(start_dim=2).max(dim=-1).values


def _require_places(x: Tensor) -> None:
    if x.dim() < 3 or 0 in x.shape[2:]:
        raise InputError(f"input shape={tuple(x.shape)}: must be (batch, channels, ...) with one place or more")
    require_floating(x)
