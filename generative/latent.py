"""Where generators start from: the space of latents."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from foundations.errors import require

CODE = 3.0
"""The number that stands for the chosen category, so that it weighs as much as the noise beside it."""


@dataclass(frozen=True)
class Latent:
    """Latents (noise, code): noise ~ N(0, I) of `size` numbers, code one of `categories` chosen by a fair die.

    Noise alone is one cloud, and what is drawn from neighbouring points is alike: between a 4 and a 9 there lies a path
    of shapes that are neither. Categories make it several clouds with nothing between, so that kinds of images may
    part. Nobody says which kind is which: no labels are used. The code has 3 in the chosen place, else 0.

    Raises: InputError unless size >= 1 and categories is 0 (none) or at least 2.
    Source: Gurumurthy et al. 2017, arXiv:1706.02071 (a mixture); Chen et al. 2016, arXiv:1606.03657 (a code).
    """

    size: int
    categories: int = 0

    def __post_init__(self) -> None:
        require(self.size >= 1, "latent_size", self.size, "at least 1")
        require(self.categories == 0 or self.categories >= 2, "categories", self.categories, "0, or at least 2")

    @property
    def width(self) -> int:
        """Numbers in a latent: of noise and of code."""
        return self.size + self.categories

    def draw(self, count: int, stream: torch.Generator, device: torch.device | str = "cpu") -> Tensor:
        """`count` latents from `stream`, which must be on `device`: (count, width)."""
        noise = torch.randn(count, self.size, generator=stream, device=device)
        if not self.categories:
            return noise
        chosen = torch.randint(self.categories, (count,), generator=stream, device=device)
        return self.of_category(noise, chosen)

    def of_category(self, noise: Tensor, chosen: Tensor) -> Tensor:
        """`noise` (n, size) with the code of the categories `chosen` (n), numbered from 0, beside it: (n, width)."""
        code = CODE * F.one_hot(chosen, self.categories).to(noise.dtype)
        return torch.cat([noise, code], dim=1)
