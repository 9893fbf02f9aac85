"""Convolutions over images, and the transposed ones that enlarge them: as matrix products, and as torch's kernels.

What networks call convolution is cross-correlation: the kernel is not flipped.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foundations import initializers
from foundations.errors import InputError, require
from foundations.layers import Body, TwoBodies, require_floating

Pair = int | tuple[int, int]
"""A size for height and width: one number for both, or (height, width)."""


def size_pair(name: str, value: Pair, least: int) -> tuple[int, int]:
    """`value` as (height, width). Raises: InputError naming `name` unless both are whole numbers of `least` or more."""
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    whole = len(pair) == 2 and all(isinstance(size, int) and size >= least for size in pair)
    require(whole, name, value, f"a whole number >= {least}, or two for (height, width)")
    return pair[0], pair[1]


def require_images(x: Tensor, channels: int | None = None) -> None:
    """Refuse what is no batch of images (batch, channels, height, width), or one of bytes. Raises: InputError."""
    if x.dim() != 4 or channels not in (None, x.shape[1]):
        raise InputError(f"input shape={tuple(x.shape)}: must be (batch, {channels or 'channels'}, height, width)")
    require_floating(x)


class Conv2d(TwoBodies):
    """Convolution: y[o, i, j] = b[o] + sum over c, u, v of w[o, c, u, v] x[c, s i + d u - p, s j + d v - p].

    s is the stride, d the dilation, p the padding with zeros. With g `groups`, each g-th part of the outputs sees only
    the g-th part of the input channels. Height (width likewise): floor((h + 2p - d (k - 1) - 1) / s) + 1.

    Shapes: x (batch, in_channels, height, width), weight (out_channels, in_channels / groups, kernel height, kernel
    width), bias (out_channels). Both begin uniform in +-1/sqrt(fan-in), drawn from `generator`.
    Raises: InputError for impossible sizes, inputs of another shape or of bytes, a kernel larger than the padded image.
    Source: LeCun et al. 1998, Proc. IEEE 86(11).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        generator: torch.Generator | None = None,
        body: Body = "kernel",
    ) -> None:
        super().__init__(body)
        require(groups >= 1, "groups", groups, "at least 1")
        divides = f"a positive multiple of groups={groups}"
        require(in_channels >= 1 and in_channels % groups == 0, "in_channels", in_channels, divides)
        require(out_channels >= 1 and out_channels % groups == 0, "out_channels", out_channels, divides)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = size_pair("kernel_size", kernel_size, 1), size_pair("stride", stride, 1)
        self.padding, self.dilation = size_pair("padding", padding, 0), size_pair("dilation", dilation, 1)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, *self.kernel_size))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        initializers.fan_in_uniform_(self.weight, self.bias, generator=generator)

    def equations(self, x: Tensor) -> Tensor:
        """Lay the patch under each place of the kernel out as a column; then one matrix product does them all."""
        height, width = self._output_size(x)
        patches = F.unfold(x, self.kernel_size, self.dilation, self.padding, self.stride)
        patches = patches.view(len(x), self.groups, -1, height * width)  # (batch, groups, c * u * v, places)
        weight = self.weight.view(self.groups, self.out_channels // self.groups, -1)  # (groups, o, c * u * v)
        y = (weight @ patches).view(len(x), self.out_channels, height, width)
        return y if self.bias is None else y + self.bias[:, None, None]

    def kernel(self, x: Tensor) -> Tensor:
        """The same without the copies."""
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (batch, in_channels, height, width) -> (batch, out_channels, new height, new width)."""
        require_images(x, self.in_channels)
        if min(self._output_size(x)) < 1:
            allowed = f"no smaller than the kernel {self.kernel_size} after padding"
            raise InputError(f"input shape={tuple(x.shape)}: must be {allowed}")
        return super().forward(x)

    def _output_size(self, x: Tensor) -> tuple[int, int]:
        height, width = (
            (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for size, kernel, stride, padding, dilation in zip(
                x.shape[2:], self.kernel_size, self.stride, self.padding, self.dilation, strict=True
            )
        )
        return height, width

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, {self.stride}, {self.padding}"


class ConvTranspose2d(TwoBodies):
    """Transposed convolution: every input pixel paints the kernel, times its value, onto a larger image.

    It is the gradient of `Conv2d` with respect to its input:
    y[o, s i + u - p, s j + v - p] = b[o] + sum of x[c, i, j] w[c, o, u, v] over c and all i, u, j, v that land there.
    Height (width likewise): s (h - 1) - 2p + k + q, q the `output_padding`: rows added at the end, since s sizes of the
    larger image shrink to the same h.

    Shapes: x (batch, in_channels, height, width), weight (in_channels, out_channels, kernel height, kernel width),
    bias (out_channels). Both begin uniform in +-1/sqrt(out_channels * kernel elements), drawn from `generator`.
    Raises: InputError for impossible sizes and for inputs of another shape or of bytes.
    Source: Zeiler et al. 2010, CVPR, "Deconvolutional Networks".
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        output_padding: Pair = 0,
        bias: bool = True,
        *,
        generator: torch.Generator | None = None,
        body: Body = "kernel",
    ) -> None:
        super().__init__(body)
        require(in_channels >= 1, "in_channels", in_channels, "at least 1")
        require(out_channels >= 1, "out_channels", out_channels, "at least 1")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride = size_pair("kernel_size", kernel_size, 1), size_pair("stride", stride, 1)
        self.padding, self.output_padding = (
            size_pair("padding", padding, 0),
            size_pair("output_padding", output_padding, 0),
        )
        smaller = all(extra < stride for extra, stride in zip(self.output_padding, self.stride, strict=True))
        require(smaller, "output_padding", output_padding, f"smaller than stride={self.stride}")
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels, *self.kernel_size))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        initializers.fan_in_uniform_(self.weight, self.bias, generator=generator)

    def equations(self, x: Tensor) -> Tensor:
        """One matrix product makes the patch of every pixel; `fold` lays them down, adding where they overlap."""
        pixels = x.flatten(start_dim=2)  # (batch, c, places)
        patches = self.weight.flatten(start_dim=1).T @ pixels  # (batch, o * u * v, places)
        y = F.fold(patches, self._output_size(x), self.kernel_size, 1, self.padding, self.stride)
        return y if self.bias is None else y + self.bias[:, None, None]

    def kernel(self, x: Tensor) -> Tensor:
        """The same without the copies."""
        return F.conv_transpose2d(x, self.weight, self.bias, self.stride, self.padding, self.output_padding)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (batch, in_channels, height, width) -> (batch, out_channels, new height, new width)."""
        require_images(x, self.in_channels)
        if min(self._output_size(x)) < 1:
            allowed = f"larger: padding={self.padding} cuts the whole image away"
            raise InputError(f"input shape={tuple(x.shape)}: must be {allowed}")
        return super().forward(x)

    def _output_size(self, x: Tensor) -> tuple[int, int]:
        height, width = (
            stride * (size - 1) - 2 * padding + kernel + extra
            for size, kernel, stride, padding, extra in zip(
                x.shape[2:], self.kernel_size, self.stride, self.padding, self.output_padding, strict=True
            )
        )
        return height, width

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, {self.stride}, {self.padding}"
