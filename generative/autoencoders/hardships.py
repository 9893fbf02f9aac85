"""What makes the task hard, so that a code has to hold what matters: corrupted inputs, and sparse codes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from foundations.augmentation import random_affine, random_noise
from foundations.errors import require

Change = Callable[[Tensor, torch.Generator], Tensor]
"""From a batch of images to a changed one of the same shape, drawn from the generator."""

Sparsity = Callable[[Tensor], Tensor]
"""From codes (batch, code) to a scalar that is added to the loss."""


def mask(images: Tensor, generator: torch.Generator, *, share: float) -> Tensor:
    """Masking noise: every pixel is put to 0 with probability `share`, each by itself.

    Shapes: any, kept. Raises: InputError unless 0 <= share < 1.
    Source: Vincent et al. 2010, JMLR 11.
    """
    require(0 <= share < 1, "share", share, "a probability, at least 0 and below 1")
    return images * (torch.rand(images.shape, generator=generator, device=images.device) >= share)


def add_noise(images: Tensor, generator: torch.Generator, *, std: float) -> Tensor:
    """Gaussian noise: N(0, std^2) is added to every pixel, without clipping.

    Shapes: any, kept. Raises: InputError unless std is at least 0 and finite.
    Source: Vincent et al. 2010, JMLR 11.
    """
    require(0 <= std < math.inf, "std", std, "at least 0 and finite")
    return images + std * torch.randn(images.shape, generator=generator, device=images.device)


def l1_sparsity(strength: float) -> Sparsity:
    """Omega = strength mean over images of sum_j |h_j|: few units far from 0 for each image.

    Where the code's size costs the decoder nothing, smaller codes meet it as well as sparse ones: fix their spread
    (`fixed_spread`), or add noise to units of a bounded range; `build_autoencoder` does.
    Raises: InputError unless strength is at least 0 and finite.
    Source: Olshausen & Field 1996, Nature 381.
    """
    require(0 <= strength < math.inf, "strength", strength, "at least 0 and finite")
    return lambda codes: strength * codes.abs().sum(dim=1).mean()


def kl_sparsity(strength: float, rate: float = 0.1) -> Sparsity:
    """Omega = strength sum_j KL(rate || r_j), r_j the mean of unit j over the batch: each unit speaks at that rate.

    That a unit is on for few images, not a little on for all, takes more: noise on the code, say (`build_autoencoder`).
    KL(p || r) = p log(p / r) + (1 - p) log((1 - p) / (1 - r)), in nats. Units must lie in (0, 1), as a sigmoid's do;
    others give not-a-number.
    Raises: InputError unless strength is at least 0 and finite and 0 < rate < 1.
    Source: Lee et al. 2007, NIPS 20; in this form Ng 2011, CS294A lecture notes.
    """
    require(0 <= strength < math.inf, "strength", strength, "at least 0 and finite")
    require(0 < rate < 1, "rate", rate, "above 0 and below 1")

    def penalty(codes: Tensor) -> Tensor:
        r = codes.mean(dim=0)
        divergence = rate * (math.log(rate) - r.log()) + (1 - rate) * (math.log1p(-rate) - (-r).log1p())
        return strength * divergence.sum()

    return penalty


def soil(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images in [0, 1] turned, scaled and shifted a little, and half of them made noisy.

    To put that right, a network has to see past where and how large a shape is: codes then tell shapes apart.
    Shapes: (batch, channels, height, width), kept.
    """
    moved = random_affine(images, generator, degrees=10, scale=0.1, shift=0.03)
    return random_noise(moved, generator, largest=0.5)
