"""GoogLeNet: its Inception blocks apply kernels of several sizes side by side."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from foundations.activations import ReLU
from foundations.convolution import Conv2d, require_images
from foundations.errors import require, require_choice
from foundations.initializers import he_normal_
from foundations.layers import Dropout, Flatten, Linear
from foundations.networks.common import SMALL_SIDE, conv_norm_relu, require_network, scaled
from foundations.pooling import AveragePool2d, GlobalAveragePool, MaxPool2d

Variant = Literal["batch_norm", "original"]

# Channels of each block: 1x1; 3x3 behind a 1x1 of fewer; the large kernel likewise; 1x1 behind pooling.
_BLOCKS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
_AUXILIARY_AFTER = ("4a", "4d")
_AUXILIARY_DROPOUT = 0.7


class Inception(nn.Module):
    """An Inception block: y = [A(x), B(x), C(x), D(x)], side by side in the channels.

    A is a convolution of 1x1; B one of 3x3 and C one of 5x5, each behind a 1x1 that makes the channels fewer and with
    them the work; D max pooling of 3x3, then 1x1. After each convolution comes ReLU. As "batch_norm" every convolution
    has batch norm in place of its bias, and C's kernel is 3x3, as in the weights that are in use today.

    `sizes` are the channels of A, B's 1x1, B, C's 1x1, C, D.
    Shapes: (batch, in_channels, height, width) -> (batch, out_channels, height, width).
    Raises: InputError for sizes that are not six numbers above 0, an unknown variant, and other inputs.
    Source: Szegedy et al. 2014, arXiv:1409.4842.
    """

    def __init__(
        self,
        in_channels: int,
        sizes: tuple[int, int, int, int, int, int],
        *,
        variant: Variant = "batch_norm",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        require(len(sizes) == 6 and min(sizes) >= 1, "sizes", sizes, "six numbers of channels, each at least 1")
        require_choice("variant", variant, get_args(Variant))
        one, before_three, three, before_large, large, pooled = sizes
        self.out_channels = one + three + large + pooled
        kernel = 5 if variant == "original" else 3

        def conv(into: int, out: int, kernel_size: int) -> nn.Sequential:
            return _conv(into, out, kernel_size, variant=variant, generator=generator)

        self.paths = nn.ModuleDict(
            {
                "1x1": conv(in_channels, one, 1),
                "3x3": nn.Sequential(conv(in_channels, before_three, 1), conv(before_three, three, 3)),
                "large": nn.Sequential(conv(in_channels, before_large, 1), conv(before_large, large, kernel)),
                "pooled": nn.Sequential(MaxPool2d(3, 1, 1), conv(in_channels, pooled, 1)),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (batch, in_channels, height, width) -> (batch, out_channels, height, width)."""
        return torch.cat([path(x) for path in self.paths.values()], dim=1)


class GoogLeNet(nn.Module):
    """GoogLeNet: three convolutions, nine Inception blocks, global average pooling, dropout, logits.

    As "batch_norm" 6,624,904 weights; as "original", without norm and with 5x5 kernels, 6,998,552 (see `Inception`).
    With `auxiliary` two more classifiers look at the middle of the network and shorten the gradient's way to its first
    layers: minimise loss(z) + 0.3 (loss(z1) + loss(z2)) over `all_logits`. `forward` does not use them.

    Below 64 pixels a side the first convolution is 3x3 with stride 1, and nothing is pooled before the first block: it
    then sees 28x28 images at their full size, as large as it sees 224x224 ones.

    Shapes: images (batch, channels, height, width), logits (batch, classes). `image_side` only chooses the first
    layers; auxiliary classifiers need a side of 224, or of 28.
    Raises: InputError for other images, an unknown variant, sizes or a `width` that are not above 0.
    Source: Szegedy et al. 2014, arXiv:1409.4842; batch norm: Ioffe & Szegedy 2015, arXiv:1502.03167.
    """

    def __init__(
        self,
        classes: int = 1000,
        channels: int = 3,
        *,
        variant: Variant = "batch_norm",
        width: float = 1.0,
        image_side: int = 224,
        auxiliary: bool = False,
        dropout: float = 0.2,
        generator: torch.Generator | None = None,
        dropout_generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        require_network(classes, channels, width, image_side)
        require_choice("variant", variant, get_args(Variant))
        require(not auxiliary or image_side in (28, 224), "auxiliary", auxiliary, "False, or image_side=224 or 28")
        self.channels = channels
        into = scaled(192, width)
        layers = _stem(channels, scaled(64, width), into, variant, image_side, generator)
        heads: dict[str, nn.Module] = {}
        for name, sizes in _BLOCKS.items():
            block = Inception(into, _narrowed(sizes, width), variant=variant, generator=generator)
            into = block.out_channels
            layers[f"inception{name}"] = block
            if name in ("3b", "4e"):
                layers[f"pool{name[0]}"] = MaxPool2d(3, 2, ceil_mode=True)
            if auxiliary and name in _AUXILIARY_AFTER:
                drop = Dropout(_AUXILIARY_DROPOUT, generator=dropout_generator)
                heads[f"inception{name}"] = _auxiliary_head(into, classes, width, variant, drop, generator)
        layers["pool5"] = GlobalAveragePool()
        layers["dropout"] = Dropout(dropout, generator=dropout_generator)
        self.body = nn.Sequential(OrderedDict(layers))
        self.head = Linear(into, classes, generator=generator)
        self.auxiliary = nn.ModuleDict(heads)

    def forward(self, images: Tensor) -> Tensor:
        """Shapes: (batch, channels, height, width) -> (batch, classes)."""
        require_images(images, self.channels)
        logits: Tensor = self.head(self.body(images))
        return logits

    def all_logits(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The logits of the network, and of its two auxiliary classifiers: z, z1, z2, each (batch, classes).

        Raises: InputError for a network without them.
        """
        require(len(self.auxiliary) == 2, "auxiliary", False, "True to have more logits than those of forward")
        require_images(images, self.channels)
        x, early = images, []
        for name, layer in self.body.named_children():
            x = layer(x)
            if name in self.auxiliary:
                early.append(self.auxiliary[name](x))
        return self.head(x), early[0], early[1]


def _narrowed(sizes: Iterable[int], width: float) -> tuple[int, int, int, int, int, int]:
    one, before_three, three, before_large, large, pooled = (scaled(size, width) for size in sizes)
    return one, before_three, three, before_large, large, pooled


def _conv(
    into: int,
    out: int,
    kernel_size: int,
    stride: int = 1,
    *,
    variant: Variant,
    generator: torch.Generator | None,
) -> nn.Sequential:
    """Convolution that keeps the size (apart from the stride), the variant's norm or bias, ReLU."""
    padding = kernel_size // 2
    if variant == "batch_norm":
        return conv_norm_relu(into, out, kernel_size, stride, padding, generator=generator)
    conv = Conv2d(into, out, kernel_size, stride, padding, generator=generator)
    he_normal_(conv.weight, generator=generator)
    return nn.Sequential(conv, ReLU())


def _stem(
    channels: int, first: int, out: int, variant: Variant, image_side: int, generator: torch.Generator | None
) -> dict[str, nn.Module]:
    small = image_side < SMALL_SIDE
    kernel, stride = (3, 1) if small else (7, 2)
    layers: dict[str, nn.Module] = {
        "conv1": _conv(channels, first, kernel, stride, variant=variant, generator=generator),
        "pool1": MaxPool2d(3, 2, ceil_mode=True),
        "reduce2": _conv(first, first, 1, variant=variant, generator=generator),
        "conv2": _conv(first, out, 3, variant=variant, generator=generator),
        "pool2": MaxPool2d(3, 2, ceil_mode=True),
    }
    return {name: layer for name, layer in layers.items() if not (small and name.startswith("pool"))}


def _auxiliary_head(
    into: int, classes: int, width: float, variant: Variant, drop: Dropout, generator: torch.Generator | None
) -> nn.Sequential:
    """Average pooling from 14x14 to 4x4, a 1x1 convolution of 128 channels, 1024 dense, logits."""
    narrow, dense = scaled(128, width), scaled(1024, width)
    return nn.Sequential(
        *(AveragePool2d(5, 3), _conv(into, narrow, 1, variant=variant, generator=generator), Flatten()),
        *(Linear(narrow * 4 * 4, dense, generator=generator), ReLU(), drop),
        Linear(dense, classes, generator=generator),
    )
