"""Pixels as numbers: what images are stored as, and what models look at."""

import torch
from torch import Tensor

from foundations.errors import require


def in_unit_range(images: Tensor) -> Tensor:
    """Bytes 0 .. 255 as floats in [0, 1]; floats as they are, whatever their range.

    Shapes: any, kept. Raises: InputError for any other type, whose range nobody knows.
    """
    if images.dtype == torch.uint8:
        return images / 255
    require(images.is_floating_point(), "images dtype", images.dtype, "torch.uint8 (0 to 255), or floating point")
    return images
