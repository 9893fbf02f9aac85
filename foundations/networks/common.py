"""What the convolutional networks share: layers by width, convolutions with norm, checks."""

from torch import Generator, Tensor, nn

from foundations.activations import ReLU
from foundations.convolution import Conv2d, Pair
from foundations.errors import InputError, require
from foundations.initializers import he_normal_
from foundations.layers import require_floating
from foundations.normalization import BatchNorm

SMALL_SIDE = 64
"""Images of fewer pixels a side keep their size in a network's first layers, which would shrink larger ones."""


def scaled(channels: int, width: float, multiple: int = 1) -> int:
    """`channels` times `width`, as the nearest multiple of `multiple`, at least one of it."""
    return multiple * max(1, round(channels * width / multiple))


def conv_norm(
    into: int, out: int, kernel_size: Pair, stride: int = 1, padding: int = 0, *, generator: Generator | None = None
) -> nn.Sequential:
    """Convolution without bias (the norm has one), He-normal, then batch norm."""
    conv = Conv2d(into, out, kernel_size, stride, padding, bias=False, generator=generator)
    he_normal_(conv.weight, generator=generator)
    return nn.Sequential(conv, BatchNorm(out))


def conv_norm_relu(
    into: int, out: int, kernel_size: Pair, stride: int = 1, padding: int = 0, *, generator: Generator | None = None
) -> nn.Sequential:
    """The same and ReLU."""
    return conv_norm(into, out, kernel_size, stride, padding, generator=generator).append(ReLU())


def require_network(classes: int, channels: int, width: float, image_side: int) -> None:
    """Raise InputError for settings that no network can have."""
    require(classes >= 1, "classes", classes, "at least 1")
    require(channels >= 1, "channels", channels, "at least 1")
    require(0 < width < float("inf"), "width", width, "a factor above 0 on the channels of all layers")
    require(image_side >= 1, "image_side", image_side, "at least 1 pixel")


def require_square(x: Tensor, channels: int, side: int) -> None:
    """Raise InputError unless x is (batch, channels, side, side), of floating point."""
    if x.dim() != 4 or x.shape[1:] != (channels, side, side):
        raise InputError(f"input shape={tuple(x.shape)}: must be (batch, {channels}, {side}, {side})")
    require_floating(x)
