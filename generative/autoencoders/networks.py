"""The networks of autoencoders: an encoder from images to codes, a decoder back."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from foundations.activations import ReLU, Sigmoid
from foundations.convolution import Conv2d, ConvTranspose2d
from foundations.errors import require
from foundations.layers import Flatten, Linear, Reshape
from foundations.networks import MLP
from foundations.normalization import BatchNorm


class Autoencoder(nn.Module):
    """x' = decode(encode(x)), of any encoder and decoder that fit each other.

    Shapes: images (batch, *), codes (batch, code).
    Source: Rumelhart et al. 1986; Hinton & Salakhutdinov 2006, Science 313.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def encode(self, images: Tensor) -> Tensor:
        """(batch, *) -> (batch, code)."""
        codes: Tensor = self.encoder(images)
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """(batch, code) -> (batch, *)."""
        images: Tensor = self.decoder(codes)
        return images

    def forward(self, images: Tensor) -> Tensor:
        """The reconstruction: (batch, *), kept."""
        return self.decode(self.encode(images))


def fixed_spread(code_size: int) -> BatchNorm:
    """Batch norm of a code whose scale and shift stay 1 and 0: each number keeps mean 0 and standard deviation 1.

    Noise on the code, or a penalty on its size, then costs what it says; a trained scale would grow, or shrink, until
    neither is felt. Shapes: (batch, code_size), kept.
    """
    norm = BatchNorm(code_size)
    norm.requires_grad_(False)
    return norm


def dense_autoencoder(
    shape: Sequence[int],
    code_size: int,
    stream: torch.Generator,
    *,
    hidden: Sequence[int],
    end: nn.Module | None = None,
) -> Autoencoder:
    """Dense layers of widths `hidden` to the code, and their mirror, with batch norm and ReLU; pixels in [0, 1].

    `end` is the code's last layer; None: batch norm with a trained scale and shift.
    Shapes: images (batch, *shape), codes (batch, code_size).
    """
    pixels, into, back = math.prod(shape), tuple(hidden), tuple(reversed(hidden))
    encoder = MLP((pixels, *into, code_size), norm="batch", generator=stream)
    decoder = MLP((code_size, *back, pixels), norm="batch", generator=stream)
    return Autoencoder(
        nn.Sequential(encoder, end or BatchNorm(code_size)), nn.Sequential(decoder, Sigmoid(), Reshape(*shape))
    )


def conv_autoencoder(
    shape: Sequence[int],
    code_size: int,
    stream: torch.Generator,
    *,
    channels: int = 16,
    end: nn.Module | None = None,
) -> Autoencoder:
    """Two convolutions, each halving the side, a dense layer to the code, and their mirror; pixels in [0, 1].

    `end` is the code's last layer; None: batch norm with a trained scale and shift.
    Shapes: images (batch, *shape), shape (channels, height, width); codes (batch, code_size).
    Raises: InputError unless height and width are multiples of 4, and for channels below 1.
    """
    colours, height, width = shape
    require(height % 4 == width % 4 == 0, "images shape", tuple(shape), "of height and width that 4 divides, for conv")
    require(channels >= 1, "channels", channels, "at least 1")
    wide, inner = 2 * channels, (2 * channels, height // 4, width // 4)
    places = math.prod(inner)
    encoder = nn.Sequential(
        *(Conv2d(colours, channels, 4, stride=2, padding=1, bias=False, generator=stream), BatchNorm(channels), ReLU()),
        *(Conv2d(channels, wide, 4, stride=2, padding=1, bias=False, generator=stream), BatchNorm(wide), ReLU()),
        *(Flatten(), Linear(places, code_size, bias=False, generator=stream), end or BatchNorm(code_size)),
    )
    decoder = nn.Sequential(
        *(Linear(code_size, places, bias=False, generator=stream), BatchNorm(places), ReLU(), Reshape(*inner)),
        ConvTranspose2d(wide, channels, 4, stride=2, padding=1, bias=False, generator=stream),
        *(BatchNorm(channels), ReLU()),
        *(ConvTranspose2d(channels, colours, 4, stride=2, padding=1, generator=stream), Sigmoid()),
    )
    return Autoencoder(encoder, decoder)
