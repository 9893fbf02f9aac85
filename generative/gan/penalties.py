"""What keeps a discriminator's slope down: a price on the gradient of its answers with respect to the images.

Each image's gradient counts by itself, so the discriminator must judge each image by itself: without batch norm.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Judging = Callable[[Tensor], Tensor]
"""A discriminator, its condition given: images (batch, ...) -> answers (batch, 1)."""

Penalty = Callable[[Judging, Tensor, Tensor, torch.Generator], Tensor]
"""From a discriminator, real images, made images and a stream to what is added to the discriminator's loss."""


def gradient_penalty(
    judging: Judging, real: Tensor, fake: Tensor, stream: torch.Generator, *, weight: float = 10.0
) -> Tensor:
    """P = weight mean (|dD/dx| - 1)^2 at x = e real + (1 - e) fake, one e ~ U(0, 1) for each pair from `stream`.

    The best critic of the Wasserstein distance has slope 1 nearly everywhere between the two sets of images.
    Shapes: real, fake (batch, ...); scalar.
    Source: Gulrajani et al. 2017, arXiv:1704.00028, algorithm 1.
    """
    share = torch.rand(len(real), *[1] * (real.dim() - 1), generator=stream, device=real.device)
    between = share * real.detach() + (1 - share) * fake.detach()
    lengths: Tensor = slopes(judging, between).flatten(start_dim=1).norm(dim=1)
    return weight * (lengths - 1).square().mean()


def r1_penalty(
    judging: Judging, real: Tensor, fake: Tensor, stream: torch.Generator, *, weight: float = 10.0
) -> Tensor:
    """P = weight / 2 mean |dD/dx|^2 at real images x: flat where the images are, so that the game comes to rest there.

    `fake` and `stream` are not looked at.
    Shapes: real (batch, ...); scalar. Source: Mescheder et al. 2018, arXiv:1801.04406, equation 9.
    """
    return weight / 2 * slopes(judging, real.detach()).flatten(start_dim=1).square().sum(dim=1).mean()


def slopes(judging: Judging, images: Tensor) -> Tensor:
    """dD/dx for each image by itself, in float32 at least, itself differentiable: (batch, ...), as `images`."""
    looked_at = images.requires_grad_()
    (slope,) = torch.autograd.grad(judging(looked_at).sum(), looked_at, create_graph=True)
    return slope.to(torch.promote_types(slope.dtype, torch.float32))
