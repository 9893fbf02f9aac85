"""Augmentation of whole batches of images: every image drawn its own change, from a given stream."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from foundations.errors import require


def affine(images: Tensor, maps: Tensor) -> Tensor:
    """Move every image by its own map: output(p) = image(A p + t), [A | t] the map, bilinear between pixels.

    Places p are (x, y) in [-1, 1] from the left upper to the right lower corner; what comes from outside is 0.
    Shapes: images (batch, channels, height, width), maps (batch, 2, 3).
    Raises: InputError for other shapes.
    """
    require(images.dim() == 4, "images shape", tuple(images.shape), "(batch, channels, height, width)")
    require(maps.shape == (len(images), 2, 3), "maps shape", tuple(maps.shape), f"({len(images)}, 2, 3)")
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def random_affine(
    images: Tensor, generator: torch.Generator, *, degrees: float = 0, scale: float = 0, shift: float = 0
) -> Tensor:
    """Turn, scale and shift each image a little, at random.

    The angle is uniform in +-degrees, the factor on the size in 1 +- scale, and the shift along each axis in +-shift,
    as a share of the image's side.
    Shapes: (batch, channels, height, width), kept. Raises: InputError for a negative bound, and for scale >= 1.
    """
    require(degrees >= 0, "degrees", degrees, "at least 0")
    require(0 <= scale < 1, "scale", scale, "at least 0 and below 1")
    require(shift >= 0, "shift", shift, "at least 0")
    draws = 2 * torch.rand(4, len(images), generator=generator, device=images.device) - 1
    angle = draws[0] * math.radians(degrees)
    shrink = 1 / (1 + draws[1] * scale)  # the map goes from the output back to the image
    cosine, sine = shrink * angle.cos(), shrink * angle.sin()
    across, down = 2 * shift * draws[2], 2 * shift * draws[3]  # the image's side is 2 long
    rows = [torch.stack([cosine, -sine, across], dim=1), torch.stack([sine, cosine, down], dim=1)]
    return affine(images, torch.stack(rows, dim=1))


def random_noise(images: Tensor, generator: torch.Generator, *, largest: float, share: float = 0.5) -> Tensor:
    """Add N(0, s^2) to a `share` of the images, each with its own s, uniform in (0, largest); clipped to [0, 1].

    Shapes: (batch, *), kept; values in [0, 1]. Raises: InputError unless largest >= 0 and 0 <= share <= 1.
    """
    require(largest >= 0, "largest", largest, "at least 0")
    require(0 <= share <= 1, "share", share, "between 0 and 1")
    draws = torch.rand(2, len(images), generator=generator, device=images.device)
    size = largest * draws[0] * (draws[1] < share)
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return (images + size.view(-1, *[1] * (images.dim() - 1)) * noise).clamp_(0, 1)
