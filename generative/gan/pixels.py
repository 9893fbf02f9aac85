"""Images as generators make them: floats in [-1, 1], where tanh ends."""

import torch
from torch import Tensor


def to_signed(images: Tensor) -> Tensor:
    """Bytes 0 .. 255 to floats in [-1, 1], where tanh ends; each pixel's channels side by side, as kernels like it."""
    return (images / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def from_signed(images: Tensor) -> Tensor:
    """Floats in [-1, 1] to [0, 1]."""
    return ((images.float() + 1) / 2).clamp(0, 1)
