"""Residual networks: each block adds a correction to its input, so that very deep networks can be trained."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from foundations.activations import Identity, ReLU
from foundations.convolution import require_images
from foundations.errors import require
from foundations.layers import Linear, Residual
from foundations.networks.common import (
    SMALL_SIDE,
    conv_norm,
    conv_norm_relu,
    require_network,
    scaled,
)
from foundations.pooling import GlobalAveragePool, MaxPool2d

EXPANSION = 4
"""A bottleneck's output has so many times the channels of its 3x3 convolution."""


class ResNet(nn.Module):
    """The residual network for ImageNet: four stages of blocks, the image halved and the channels doubled in between.

    A block is y = ReLU(x + F(x)). F is two convolutions of 3x3, or with `bottleneck` three: 1x1 to a quarter of the
    channels, 3x3, 1x1 back. Every convolution has batch norm. Where the shape changes, x passes a 1x1 convolution.
    `blocks` is the number of them in each stage; the first stage has 64 channels times `width`.

    Below 64 pixels a side the first convolution is 3x3 with stride 1, and no pooling follows.

    Shapes: images (batch, channels, height, width), logits (batch, classes). `image_side` only chooses the first
    layers.
    Raises: InputError for other images, no blocks, and sizes or a `width` that are not above 0.
    Source: He et al. 2015, arXiv:1512.03385; a bottleneck's stride is in its 3x3, as in later implementations.
    """

    def __init__(
        self,
        blocks: Sequence[int],
        classes: int = 1000,
        channels: int = 3,
        *,
        bottleneck: bool = False,
        width: float = 1.0,
        image_side: int = 224,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        require_network(classes, channels, width, image_side)
        require(
            len(blocks) >= 1 and min(blocks) >= 1, "blocks", tuple(blocks), "one or more stages of 1 or more blocks"
        )
        self.channels = channels
        into = scaled(64, width)
        layers: dict[str, nn.Module] = {"stem": _stem(channels, into, image_side, generator)}
        for stage, count in enumerate(blocks):
            out = scaled(64, width) * 2**stage * (EXPANSION if bottleneck else 1)
            stage_blocks = []
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                branch = (_bottleneck if bottleneck else _basic)(into, out, stride, generator)
                change = stride > 1 or into != out
                shortcut = conv_norm(into, out, 1, stride, generator=generator) if change else None
                stage_blocks.append(nn.Sequential(Residual(branch, shortcut), ReLU()))
                into = out
            layers[f"stage{stage + 1}"] = nn.Sequential(*stage_blocks)
        self.body = nn.Sequential(OrderedDict(layers, pool=GlobalAveragePool()))
        self.head = Linear(into, classes, generator=generator)

    def forward(self, images: Tensor) -> Tensor:
        """Shapes: (batch, channels, height, width) -> (batch, classes)."""
        require_images(images, self.channels)
        logits: Tensor = self.head(self.body(images))
        return logits


def resnet18(classes: int = 1000, channels: int = 3, **options: Any) -> ResNet:
    """ResNet-18, 11,689,512 weights. `options` are those of `ResNet`."""
    return ResNet((2, 2, 2, 2), classes, channels, **options)


def resnet34(classes: int = 1000, channels: int = 3, **options: Any) -> ResNet:
    """ResNet-34, 21,797,672 weights. `options` are those of `ResNet`."""
    return ResNet((3, 4, 6, 3), classes, channels, **options)


def resnet50(classes: int = 1000, channels: int = 3, **options: Any) -> ResNet:
    """ResNet-50, bottlenecks, 25,557,032 weights. `options` are those of `ResNet`."""
    return ResNet((3, 4, 6, 3), classes, channels, bottleneck=True, **options)


class CifarResNet(nn.Module):
    """The residual network for small images, of 6n + 2 layers: three stages of n blocks with 16, 32 and 64 channels.

    Layers are counted as convolutions and the dense one: depth 20 has 0.27 million weights, 32 has 0.46, 56 has 0.85.
    Where the image is halved, the shortcut takes every second pixel and fills the new channels with 0. It has no
    weights: with `residual` False, the plain network of the same depth, y = ReLU(F(x)), has exactly as many.

    Shapes: images (batch, channels, height, width), logits (batch, classes).
    Raises: InputError for other images, a depth that is not 6n + 2, and sizes or a `width` that are not above 0.
    Source: He et al. 2015, arXiv:1512.03385, section 4.2.
    """

    def __init__(
        self,
        depth: int,
        classes: int = 10,
        channels: int = 3,
        *,
        residual: bool = True,
        width: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        require_network(classes, channels, width, image_side=1)
        require(depth >= 8 and depth % 6 == 2, "depth", depth, "6n + 2: 8, 14, 20, 26, 32, 44, 56, 110, ...")
        self.channels = channels
        into = scaled(16, width)
        layers: dict[str, nn.Module] = {"stem": conv_norm_relu(channels, into, 3, 1, 1, generator=generator)}
        for stage in range(3):
            out = scaled(16, width) * 2**stage
            blocks = []
            for index in range((depth - 2) // 6):
                stride = 2 if stage > 0 and index == 0 else 1
                branch: nn.Module = _basic(into, out, stride, generator)
                if residual:
                    branch = Residual(branch, Identity() if into == out else PaddedShortcut(stride, out - into))
                blocks.append(nn.Sequential(branch, ReLU()))
                into = out
            layers[f"stage{stage + 1}"] = nn.Sequential(*blocks)
        self.body = nn.Sequential(OrderedDict(layers, pool=GlobalAveragePool()))
        self.head = Linear(into, classes, generator=generator)

    def forward(self, images: Tensor) -> Tensor:
        """Shapes: (batch, channels, height, width) -> (batch, classes)."""
        require_images(images, self.channels)
        logits: Tensor = self.head(self.body(images))
        return logits


class PaddedShortcut(nn.Module):
    """A shortcut without weights to a smaller image of more channels: every `stride`-th pixel, new channels 0.

    Shapes: (batch, channels, height, width) -> (batch, channels + extra, ceil(height / stride), ceil(width / stride)).
    """

    def __init__(self, stride: int, extra: int) -> None:
        super().__init__()
        self.stride, self.extra = stride, extra

    def forward(self, x: Tensor) -> Tensor:
        """Take every `stride`-th pixel, then append channels of 0."""
        return nn.functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"stride={self.stride}, extra={self.extra}"


def _stem(channels: int, out: int, image_side: int, generator: torch.Generator | None) -> nn.Sequential:
    if image_side < SMALL_SIDE:
        return conv_norm_relu(channels, out, 3, 1, 1, generator=generator)
    return conv_norm_relu(channels, out, 7, 2, 3, generator=generator).append(MaxPool2d(3, 2, 1))


def _basic(into: int, out: int, stride: int, generator: torch.Generator | None) -> nn.Sequential:
    return nn.Sequential(
        *conv_norm_relu(into, out, 3, stride, 1, generator=generator),
        *conv_norm(out, out, 3, 1, 1, generator=generator),
    )


def _bottleneck(into: int, out: int, stride: int, generator: torch.Generator | None) -> nn.Sequential:
    narrow = out // EXPANSION
    return nn.Sequential(
        *conv_norm_relu(into, narrow, 1, generator=generator),
        *conv_norm_relu(narrow, narrow, 3, stride, 1, generator=generator),
        *conv_norm(narrow, out, 1, generator=generator),
    )
