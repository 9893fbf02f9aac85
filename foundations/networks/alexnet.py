"""AlexNet: five convolutions and three dense layers; with it, in 2012, deep networks won the ImageNet challenge."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from foundations.activations import ReLU
from foundations.convolution import Conv2d
from foundations.errors import require, require_choice
from foundations.initializers import he_normal_
from foundations.layers import Dropout, Flatten, Linear
from foundations.networks.common import SMALL_SIDE, require_network, require_square, scaled
from foundations.pooling import MaxPool2d

Variant = Literal["two_path", "merged", "one_gpu"]


@dataclass(frozen=True)
class _Plan:
    """What tells the variants apart."""

    channels: tuple[int, int, int, int, int]
    groups: tuple[int, int, int, int, int]
    normalize: bool


_TOGETHER = (1, 1, 1, 1, 1)
_PLANS = {
    # Two graphics cards held half of the channels each; they met in the third convolution and the dense layers.
    "two_path": _Plan((96, 256, 384, 384, 256), (1, 2, 1, 2, 2), normalize=True),
    "merged": _Plan((96, 256, 384, 384, 256), _TOGETHER, normalize=True),
    "one_gpu": _Plan((64, 192, 384, 256, 256), _TOGETHER, normalize=False),
}
_DENSE = 4096


class AlexNet(nn.Module):
    """AlexNet: 60,965,224 weights as "two_path", 62,378,344 "merged" into one, 61,100,840 as "one_gpu".

    Convolutions of 11x11 (stride 4), 5x5 and thrice 3x3, each with ReLU; max pooling 3x3 of stride 2 after
    the first, second and fifth; two dense layers of 4096 with dropout; logits. Between the first layers the two older
    variants normalise each value by its neighbours in the channels: b_c = a_c / (2 + 1e-4 sum of a_k^2)^0.75 over the
    five channels k around c.

    The hidden layers begin He-normal, which suits every width, instead of N(0, 0.01^2).
    Below 64 pixels a side the first convolution is 5x5 with stride 1, since little would be left otherwise.

    Shapes: images (batch, channels, image_side, image_side), logits (batch, classes).
    Raises: InputError for other images, too few pixels, an unknown variant, sizes or a `width` that are not above 0.
    Source: Krizhevsky et al. 2012, NeurIPS; one_gpu: Krizhevsky 2014, arXiv:1404.5997.
    """

    def __init__(
        self,
        classes: int = 1000,
        channels: int = 3,
        *,
        variant: Variant = "two_path",
        width: float = 1.0,
        image_side: int = 224,
        dropout: float = 0.5,
        generator: torch.Generator | None = None,
        dropout_generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        require_network(classes, channels, width, image_side)
        require_choice("variant", variant, get_args(Variant))
        require(image_side >= 15, "image_side", image_side, "at least 15 pixels: three poolings leave nothing of fewer")
        self.channels, self.image_side = channels, image_side
        plan = _PLANS[variant]
        sizes = [scaled(size, width, multiple=max(plan.groups)) for size in plan.channels]
        dense = scaled(_DENSE, width)
        layers = _convolutions(channels, sizes, plan, image_side, generator)
        places = _side_after(image_side) ** 2
        layers["flatten"] = Flatten()
        for name, into in (("dense6", sizes[-1] * places), ("dense7", dense)):
            drop = Dropout(dropout, generator=dropout_generator)
            layers[name] = nn.Sequential(drop, Linear(into, dense, generator=generator), ReLU())
        self.body = nn.Sequential(OrderedDict(layers))
        self.head = Linear(dense, classes, generator=generator)
        for weight in self.body.parameters():
            if weight.dim() > 1:
                he_normal_(weight, generator=generator)

    def forward(self, images: Tensor) -> Tensor:
        """Shapes: (batch, channels, image_side, image_side) -> (batch, classes)."""
        require_square(images, self.channels, self.image_side)
        logits: Tensor = self.head(self.body(images))
        return logits


def _convolutions(
    channels: int, sizes: list[int], plan: _Plan, image_side: int, generator: torch.Generator | None
) -> dict[str, nn.Module]:
    first = (5, 1, 2) if image_side < SMALL_SIDE else (11, 4, 2)
    shapes = (first, (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1))  # kernel, stride, padding
    layers: dict[str, nn.Module] = {}
    for index, (into, out, shape, groups) in enumerate(
        zip([channels, *sizes[:-1]], sizes, shapes, plan.groups, strict=True), start=1
    ):
        conv = Conv2d(into, out, *shape, groups=groups, generator=generator)
        layers[f"conv{index}"] = nn.Sequential(conv, ReLU())
        if plan.normalize and index <= 2:
            # torch multiplies alpha with the mean of the five squares, the paper with their sum.
            layers[f"norm{index}"] = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
        if index in (1, 2, 5):
            layers[f"pool{index}"] = MaxPool2d(3, 2)
    return layers


def _side_after(side: int) -> int:
    """Pixels a side behind the last pooling: 6 of 224."""
    if side >= SMALL_SIDE:
        side = (side + 2 * 2 - 11) // 4 + 1
    for _ in range(3):
        side = (side - 3) // 2 + 1
    return side
