"""The space of latents: where generators start from, and the ways through it that show what they have learnt."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from foundations.errors import require

CODE = 3.0
"""The number that stands for the chosen category, so that it weighs as much as the noise beside it."""
STRAIGHT = 1e-6
"""Directions whose cosine is this near to 1 or -1 count as the same or as opposite."""


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

    def draw_of(self, chosen: Tensor, stream: torch.Generator) -> Tensor:
        """A latent from `stream` for each of the categories `chosen` (n), on the device of both: (n, width)."""
        noise = torch.randn(len(chosen), self.size, generator=stream, device=chosen.device)
        return self.of_category(noise, chosen)

    def of_category(self, noise: Tensor, chosen: Tensor) -> Tensor:
        """`noise` (n, size) with the code of the categories `chosen` (n), numbered from 0, beside it: (n, width)."""
        code = CODE * F.one_hot(chosen, self.categories).to(noise.dtype)
        return torch.cat([noise, code], dim=1)


def interpolate(start: Tensor, end: Tensor, steps: int, *, spherical: bool = False) -> Tensor:
    """`steps` latents on the way from `start` to `end`, both ends among them to the bit.

    In a straight line z(t) = (1 - t) a + t b; or `spherical`, with w the angle between a and b,
    z(t) = (sin((1 - t) w) a + sin(t w) b) / sin w: halfway between two draws of N(0, I) in many dimensions a straight
    line is shorter than any draw ever is, an arc is not. Where a and b lie on one ray the arc is the line.
    Shapes: start, end (width) -> (steps, width).
    Raises: InputError unless steps >= 2, for two shapes, and for opposite ends, which no one arc joins.
    Source: White 2016, arXiv:1609.04468; Shoemake 1985.
    """
    shape = tuple(start.shape)
    require(steps >= 2, "steps", steps, "at least 2: the two ends")
    require(len(shape) == 1, "start shape", shape, "(width)")
    require(end.shape == start.shape, "end shape", tuple(end.shape), f"{shape}, the start's")
    t = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device).unsqueeze(1)  # (steps, 1)
    along, across = _weights_on_arc(start, end, t) if spherical else (1 - t, t)
    path = along * start + across * end
    path[0], path[-1] = start, end
    return path


def _weights_on_arc(start: Tensor, end: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """What of `start` and of `end` there is at each `t`."""
    cosine = torch.dot(start, end) / (start.norm() * end.norm()).clamp(min=torch.finfo(start.dtype).tiny)
    require(float(cosine) > -1 + STRAIGHT, "end", "opposite to start", "in another direction: many arcs join the two")
    if float(cosine) > 1 - STRAIGHT:
        return 1 - t, t
    angle = cosine.acos()
    return ((1 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin()


def traverse(latent: Tensor, dimension: int, values: Tensor) -> Tensor:
    """`latent` again and again, with number `dimension` set to each of `values` in turn: what that number means.

    Shapes: latent (width), values (n) -> (n, width).
    Raises: InputError for a dimension that the latent has not, and for other shapes.
    """
    shape = tuple(latent.shape)
    require(len(shape) == 1, "latent shape", shape, "(width)")
    require(values.dim() == 1 and len(values) >= 1, "values shape", tuple(values.shape), "(n) with n >= 1")
    require(0 <= dimension < len(latent), "dimension", dimension, f"between 0 and {len(latent) - 1}")
    latents = latent.repeat(len(values), 1)
    latents[:, dimension] = values.to(latent)
    return latents
