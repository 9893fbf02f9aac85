"""The players: generators from latents (batch, latent) to images in [-1, 1], discriminators from images to logits.

Images are (batch, 1, 28, 28), logits (batch, 1). First weights are drawn from `stream`.
"""

import torch
from torch import Tensor, nn

from foundations.activations import LeakyReLU, Tanh
from foundations.convolution import Conv2d, ConvTranspose2d
from foundations.embedding import Embedding
from foundations.errors import require
from foundations.initializers import dcgan_
from foundations.layers import Flatten, Linear, Reshape
from foundations.normalization import BatchNorm

SIDE = 28
PIXELS = SIDE * SIDE
SLOPE = 0.2
"""Of every leaky ReLU below zero: a dead unit would pass no gradient from discriminator to generator."""


def dense_generator(latent_size: int, stream: torch.Generator) -> nn.Sequential:
    """The dense generator: latent -> 256 -> 512 -> 1024 -> 784 -> image.

    Source: Goodfellow et al. 2014, arXiv:1406.2661; batch norm after the first layer as is usual since.
    """
    return nn.Sequential(
        *(Linear(latent_size, 256, generator=stream), LeakyReLU(SLOPE)),
        *(Linear(256, 512, generator=stream), BatchNorm(512), LeakyReLU(SLOPE)),
        *(Linear(512, 1024, generator=stream), BatchNorm(1024), LeakyReLU(SLOPE)),
        *(Linear(1024, PIXELS, generator=stream), Tanh(), Reshape(1, SIDE, SIDE)),
    )


def dense_discriminator(stream: torch.Generator) -> nn.Sequential:
    """The generator's mirror: image -> 784 -> 1024 -> 512 -> 256 -> logit.

    Without batch norm: it judges each image by itself.
    """
    return nn.Sequential(
        Flatten(),
        *(Linear(PIXELS, 1024, generator=stream), LeakyReLU(SLOPE)),
        *(Linear(1024, 512, generator=stream), LeakyReLU(SLOPE)),
        *(Linear(512, 256, generator=stream), LeakyReLU(SLOPE)),
        Linear(256, 1, generator=stream),
    )


def dcgan_generator(latent_size: int, stream: torch.Generator, *, channels: int = 64) -> nn.Sequential:
    """A small DCGAN's generator: latent -> 512 -> 7x7 x128 -> 14x14 x64 -> 28x28 image; each step doubles the side.

    (512, 128 and 64 are 8, 2 and 1 times `channels`.) The dense layers see the whole image and choose the digit;
    without the first one strokes are fine and digits wrong.
    Source: Radford et al. 2015, arXiv:1511.06434; in this shape for MNIST Chen et al. 2016, arXiv:1606.03657.
    """
    hidden, wide = 8 * channels, 2 * channels
    generator = nn.Sequential(
        *(Linear(latent_size, hidden, bias=False, generator=stream), BatchNorm(hidden), LeakyReLU(SLOPE)),
        *(Linear(hidden, wide * 7 * 7, bias=False, generator=stream), Reshape(wide, 7, 7)),
        *(BatchNorm(wide), LeakyReLU(SLOPE)),
        ConvTranspose2d(wide, channels, 4, stride=2, padding=1, bias=False, generator=stream),
        *(BatchNorm(channels), LeakyReLU(SLOPE)),
        *(ConvTranspose2d(channels, 1, 4, stride=2, padding=1, generator=stream), Tanh()),
    )
    dcgan_(generator, generator=stream)
    return generator


def dcgan_discriminator(
    stream: torch.Generator, *, channels: int = 64, batch_norm: bool = True, planes: int = 1
) -> nn.Sequential:
    """The generator's mirror: image -> 14x14 x64 -> 7x7 x128 -> 256 -> logit; each step halves the side.

    Its hidden dense layer, too, sees the whole digit: convolutions alone would judge strokes. Batch norm lets the two
    players keep up with each other where such a layer is; without it each image is judged by itself.
    """
    hidden, wide = 4 * channels, 2 * channels

    def normalized(width: int) -> list[nn.Module]:
        return [BatchNorm(width)] if batch_norm else []

    bias = not batch_norm  # batch norm has one of its own
    discriminator = nn.Sequential(
        *(Conv2d(planes, channels, 4, stride=2, padding=1, generator=stream), LeakyReLU(SLOPE)),
        Conv2d(channels, wide, 4, stride=2, padding=1, bias=bias, generator=stream),
        *(*normalized(wide), LeakyReLU(SLOPE), Flatten()),
        Linear(wide * 7 * 7, hidden, bias=bias, generator=stream),
        *(*normalized(hidden), LeakyReLU(SLOPE)),
        Linear(hidden, 1, generator=stream),
    )
    dcgan_(discriminator, generator=stream)
    return discriminator


class ConditionalDiscriminator(nn.Module):
    """Does image x look real, and like class y? The plain `discriminator` of x and of a second channel, learned for y.

    Shapes: images (batch, 1, 28, 28), labels (batch) from 0, int64 -> answers (batch, 1); `discriminator` takes
    (batch, 2, 28, 28).
    Raises: InputError unless there are at least two classes, and for unknown labels.
    Source: Mirza & Osindero 2014, arXiv:1411.1784.
    """

    def __init__(self, discriminator: nn.Module, classes: int, stream: torch.Generator) -> None:
        super().__init__()
        require(classes >= 2, "classes", classes, "at least 2")
        self.discriminator = discriminator
        self.planes = Embedding(classes, PIXELS, generator=stream)  # N(0, 1): about as large as the pixels beside it

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Shapes: (batch, 1, 28, 28), (batch) -> (batch, 1)."""
        planes = self.planes(labels).view(-1, 1, SIDE, SIDE)
        both = torch.cat([images, planes.to(images.dtype)], dim=1)  # (batch, 2, 28, 28)
        answers: Tensor = self.discriminator(both.contiguous(memory_format=torch.channels_last))
        return answers
