"""Augmentation of whole batches of images: each image gets its own random change, drawn from a given stream."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from foundations.errors import require
from foundations.layers import require_floating


def affine(images: Tensor, maps: Tensor) -> Tensor:
    """Move every image by its own map: output(p) = image(A p + t), [A | t] the map, bilinear between pixels.

    Places p are (x, y) in [-1, 1] from the upper left to the lower right corner; what comes from outside is 0.
    Shapes: images (batch, channels, height, width), maps (batch, 2, 3).
    Raises: InputError for other shapes and for images of bytes.
    """
    _require_images(images)
    require_floating(images)
    require(maps.shape == (len(images), 2, 3), "maps shape", tuple(maps.shape), f"({len(images)}, 2, 3)")
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def random_affine(
    images: Tensor, generator: torch.Generator, *, degrees: float = 0, scale: float = 0, shift: float = 0
) -> Tensor:
    """Turn, scale and shift each image a little, at random.

    The angle is uniform in +-degrees, the factor on the size in 1 +- scale, and the shift along each axis in +-shift,
    as a share of the image's side. A turn keeps angles and distances, in images that are not square too.
    Shapes: (batch, channels, height, width), kept. Raises: InputError for a negative bound, for scale >= 1, and for
    images of bytes.
    """
    require(degrees >= 0, "degrees", degrees, "at least 0")
    require(0 <= scale < 1, "scale", scale, "at least 0 and below 1")
    require(shift >= 0, "shift", shift, "at least 0")
    _require_images(images)
    draws = 2 * torch.rand(4, len(images), generator=generator, device=images.device) - 1
    angle = draws[0] * math.radians(degrees)
    shrink = 1 / (1 + draws[1] * scale)  # the map goes from the output back to the image
    cosine, sine = shrink * angle.cos(), shrink * angle.sin()
    across, down = 2 * shift * draws[2], 2 * shift * draws[3]  # the image's side is 2 long
    aspect = images.shape[2] / images.shape[3]  # places count from -1 to 1 along each side, whatever its length
    rows = [torch.stack([cosine, -sine * aspect, across], dim=1), torch.stack([sine / aspect, cosine, down], dim=1)]
    return affine(images, torch.stack(rows, dim=1))


def random_flip(
    images: Tensor, generator: torch.Generator, *, horizontal: float = 0.5, vertical: float = 0.0
) -> Tensor:
    """Mirror each image: left to right with probability `horizontal`, top to bottom with probability `vertical`.

    Not for digits and letters, which become something else in a mirror.
    Shapes: (batch, channels, height, width), kept; any type. Raises: InputError unless both lie in [0, 1].
    """
    require(0 <= horizontal <= 1, "horizontal", horizontal, "a probability between 0 and 1")
    require(0 <= vertical <= 1, "vertical", vertical, "a probability between 0 and 1")
    _require_images(images)
    draws = torch.rand(2, len(images), 1, 1, 1, generator=generator, device=images.device)
    images = torch.where(draws[0] < horizontal, images.flip(3), images)
    return torch.where(draws[1] < vertical, images.flip(2), images)


def random_crop(images: Tensor, generator: torch.Generator, *, size: int | tuple[int, int], padding: int = 0) -> Tensor:
    """A window of `size` at a random place of each image, all places alike, after `padding` zeros on every side.

    Shapes: (batch, channels, height, width) -> (batch, channels, *size), an integer for a square; any type.
    Raises: InputError for a negative padding, and a window larger than the padded image.
    Source: the padded crops of He et al. 2015, arXiv:1512.03385, section 4.2.
    """
    _require_images(images)
    require(padding >= 0, "padding", padding, "at least 0")
    height, width = (size, size) if isinstance(size, int) else size
    rows, columns = images.shape[2] + 2 * padding, images.shape[3] + 2 * padding
    fits = 1 <= height <= rows and 1 <= width <= columns
    require(fits, "size", size, f"between 1 and the padded image's ({rows}, {columns})")
    draws = torch.rand(2, len(images), generator=generator, device=images.device)
    top, left = (draws[0] * (rows - height + 1)).long(), (draws[1] * (columns - width + 1)).long()
    padded = F.pad(images, [padding] * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (batch, channels, tops, lefts, height, width), a view
    return windows[torch.arange(len(images), device=images.device), :, top, left]


def random_noise(images: Tensor, generator: torch.Generator, *, largest: float, share: float = 0.5) -> Tensor:
    """Add N(0, s^2) to a `share` of the images, each with its own s, uniform in (0, largest); clipped to [0, 1].

    Shapes: (batch, *), kept; values in [0, 1]. Raises: InputError unless largest >= 0 and 0 <= share <= 1, and for
    images of bytes.
    """
    require_floating(images)
    require(largest >= 0, "largest", largest, "at least 0")
    require(0 <= share <= 1, "share", share, "between 0 and 1")
    draws = torch.rand(2, len(images), generator=generator, device=images.device)
    size = largest * draws[0] * (draws[1] < share)
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return (images + size.view(-1, *[1] * (images.dim() - 1)) * noise).clamp_(0, 1)


def _require_images(images: Tensor) -> None:
    require(images.dim() == 4, "images shape", tuple(images.shape), "(batch, channels, height, width)")
