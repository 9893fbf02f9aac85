"""A Gaussian over codes: how an autoencoder, or principal components, come to draw images that nobody has seen."""

import torch
from torch import Tensor

from generative.codes import Coder, decode, embed
from generative.metrics import gaussian_of


class GaussianCodes:
    """N(mean, covariance) fitted to the `codes` of images: a draw z from it, decoded, is a new image.

    z = mean + S e, e ~ N(0, I), with S S^T the covariance: S = V sqrt(W) of its eigenvectors V and eigenvalues W. Codes
    need not look like this Gaussian, and where they do not, draws fall between them; a variational autoencoder learns
    codes that do.

    Shapes: codes (n, width). Raises: InputError for fewer than 5 codes for each of their numbers.
    Source: Ghosh et al. 2020, arXiv:1903.12436, section 4 (a density fitted after training).
    """

    def __init__(self, codes: Tensor) -> None:
        self.mean, covariance = gaussian_of(codes)
        values, vectors = torch.linalg.eigh(covariance)
        self._root = vectors * values.clamp(min=0).sqrt()  # rounding may have put a value a little below 0
        self._dtype = codes.dtype

    def draw(self, count: int, stream: torch.Generator) -> Tensor:
        """`count` codes from `stream`, which is on the codes' device: (count, width)."""
        shape, mean = (count, len(self.mean)), self.mean
        noise = torch.randn(shape, generator=stream, device=mean.device, dtype=mean.dtype)
        codes: Tensor = mean + noise @ self._root.T
        return codes.to(self._dtype)


class CodeSampler:
    """Draws images by a coder that never heard of drawing: codes from the Gaussian of its codes of `images`, decoded.

    Shapes: images (n, *), bytes or floats in [0, 1]. Raises: InputError as `GaussianCodes`.
    """

    def __init__(self, coder: Coder, images: Tensor) -> None:
        self.coder, self.codes = coder, GaussianCodes(embed(coder, images))

    def sample(self, count: int, stream: torch.Generator) -> Tensor:
        """`count` images, clipped to [0, 1], from `stream`, which is on the images' device: (count, *)."""
        return decode(self.coder, self.codes.draw(count, stream)).clamp(0, 1)
