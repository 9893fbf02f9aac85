"""Kernels that people have designed: edges, blur, sharpening. A trained convolution finds its own, often like these.

A kernel is a matrix (height, width) of weights. It is laid on each pixel's neighbourhood, weight on pixel, and the
products are added up (cross-correlation: nothing is flipped). A vertical edge under `PREWITT_X`, dark side left:

    image  0 0 1     kernel  -1 0 1     products   0 0 1
           1 0 1             -1 0 1               -1 0 1     their sum: 2
           0 1 1             -1 0 1                0 0 1
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from foundations.convolution import require_images
from foundations.errors import require

IDENTITY = torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]])
"""Leaves the image as it is."""
PREWITT_X = torch.tensor([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]])
"""Brightness that rises to the right: vertical edges. Source: Prewitt 1970, "Object enhancement and extraction"."""
PREWITT_Y = PREWITT_X.T.contiguous()
"""Brightness that rises downwards: horizontal edges."""
SOBEL_X = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
"""As `PREWITT_X`, the middle row counting twice. Source: Sobel & Feldman 1968, talk at the Stanford AI project."""
SOBEL_Y = SOBEL_X.T.contiguous()
"""As `PREWITT_Y`, the middle column counting twice."""
LAPLACIAN = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
"""The sum of both second derivatives: edges of every direction, and single points."""
SHARPEN = IDENTITY - LAPLACIAN
"""The image minus its Laplacian: differences to the neighbours, exaggerated."""
EMBOSS = torch.tensor([[-2.0, -1, 0], [-1, 1, 1], [0, 1, 2]])
"""Light from the upper left, as on a relief."""


def box_blur(size: int = 3) -> Tensor:
    """The plain mean of a square of `size` pixels: every weight 1 / size^2. Raises: InputError for a size below 1."""
    require(size >= 1, "size", size, "at least 1")
    return torch.full((size, size), 1 / size**2)


def gaussian_blur(size: int = 5, sigma: float = 1.0) -> Tensor:
    """Weights in proportion to exp(-(u^2 + v^2) / (2 sigma^2)), u and v pixels from the middle; their sum is 1.

    Shape: (size, size). Raises: InputError for an even size, which has no middle pixel, and sigma not above 0.
    """
    require(size >= 1 and size % 2 == 1, "size", size, "an odd number, for the middle to be a pixel")
    require(0 < sigma < math.inf, "sigma", sigma, "a finite number of pixels above 0")
    distance = torch.arange(size) - size // 2
    along = torch.exp(-(distance**2) / (2 * sigma**2))
    along = along / along.sum()
    return torch.outer(along, along)


def filter_images(images: Tensor, kernel: Tensor) -> Tensor:
    """One kernel over every channel of every image; the size stays, since the edge pixels are repeated outwards.

    (Padding with zeros would draw a frame: it is an edge to any edge detector.)
    Shapes: images (batch, channels, height, width), kernel (height, width) of odd sizes.
    Raises: InputError for images of another shape or of bytes, and for a kernel that is no matrix of odd sizes.
    """
    require_images(images)
    odd = kernel.dim() == 2 and all(size % 2 == 1 for size in kernel.shape)
    require(odd, "kernel shape", tuple(kernel.shape), "(height, width), both odd, for the middle to be a pixel")
    height, width = kernel.shape
    padded = F.pad(images, (width // 2, width // 2, height // 2, height // 2), mode="replicate")
    channels = images.shape[1]
    weight = kernel.to(images).expand(channels, 1, height, width)  # one copy a channel, which sees that channel alone
    return F.conv2d(padded, weight, groups=channels)
