"""LeNet-5: two convolutions, each with pooling, and three dense layers; it read the digits on bank cheques."""

from collections import OrderedDict
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from foundations.activations import ReLU, Tanh
from foundations.convolution import Conv2d
from foundations.errors import require, require_choice
from foundations.layers import Flatten, Linear
from foundations.networks.common import require_network, require_square, scaled
from foundations.pooling import AveragePool2d, MaxPool2d

Variant = Literal["modern", "original"]


class LeNet5(nn.Module):
    """LeNet-5, exactly 61,706 weights with ten classes of grey images.

    C1 6 of 5x5 -> S2 pool 2x2 -> C3 16 of 5x5 -> S4 pool 2x2 -> C5 120 of 5x5, all that is left -> F6 84 -> logits.

    "original": tanh, then average pooling, close to 1998; there C3 saw a chosen few of the six maps, pooling had
    weights and was squashed again, and the output was Gaussian. "modern": ReLU and max pooling. It pools first, since
    max(0, max(a, b)) = max(max(0, a), max(0, b)): the values are the same, and ReLU has a quarter of the work.

    Shapes: images (batch, channels, image_side, image_side) with a side of 28, framed by two pixels of 0, or 32;
    logits (batch, classes). On a CPU a tenth to a fifth faster after `.to(memory_format=torch.channels_last)`.
    Raises: InputError for other sides and images, an unknown variant, and sizes or a `width` that are not above 0.
    Source: LeCun et al. 1998, Proc. IEEE 86(11).
    """

    def __init__(
        self,
        classes: int = 10,
        channels: int = 1,
        *,
        variant: Variant = "modern",
        width: float = 1.0,
        image_side: int = 28,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        require_network(classes, channels, width, image_side)
        require_choice("variant", variant, get_args(Variant))
        require(image_side in (28, 32), "image_side", image_side, "28 or 32 pixels")
        self.channels, self.image_side = channels, image_side
        c1, c3, c5, f6 = (scaled(size, width) for size in (6, 16, 120, 84))
        original = variant == "original"
        squash = Tanh if original else ReLU

        def smaller() -> nn.Sequential:
            return nn.Sequential(Tanh(), AveragePool2d(2)) if original else nn.Sequential(MaxPool2d(2), ReLU())

        layers: dict[str, nn.Module] = {
            "c1": Conv2d(channels, c1, 5, padding=(32 - image_side) // 2, generator=generator),  # 28 x 28
            "s2": smaller(),  # 14 x 14
            "c3": Conv2d(c1, c3, 5, generator=generator),  # 10 x 10
            "s4": smaller(),  # 5 x 5
            "flatten": Flatten(),
            # A 5x5 convolution of a 5x5 image has one place: it is a dense layer.
            "c5": nn.Sequential(Linear(c3 * 5 * 5, c5, generator=generator), squash()),
            "f6": nn.Sequential(Linear(c5, f6, generator=generator), squash()),
        }
        self.body = nn.Sequential(OrderedDict(layers))
        self.head = Linear(f6, classes, generator=generator)

    def forward(self, images: Tensor) -> Tensor:
        """Shapes: (batch, channels, image_side, image_side) -> (batch, classes)."""
        require_square(images, self.channels, self.image_side)
        logits: Tensor = self.head(self.body(images))
        return logits
