"""What the two players of a GAN minimise, from the discriminator's logits; all in nats, averaged over the batch.

D(x) = sigma(logit) is the probability that x is real.
"""

import torch
from torch import Tensor

from foundations.errors import require
from foundations.losses import binary_cross_entropy_from_logits


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """L_D = -mean log D(real) - mean log(1 - D(fake)): the cross-entropy of telling real from fake.

    It is 2 log 2 = 1.386 for a discriminator that guesses.
    Smoothing by s aims at 1 - s for real images. It is one-sided: fakes still aim at 0, since smoothing them would
    reward the generator for staying where it is (Salimans et al. 2016, arXiv:1606.03498).
    Shapes: both (batch, 1); scalar. Raises: InputError for smoothing outside [0, 1).
    Source: Goodfellow et al. 2014, arXiv:1406.2661.
    """
    require(0 <= label_smoothing < 1, "label_smoothing", label_smoothing, "at least 0 and below 1")
    real_target = torch.full_like(real_logits, 1 - label_smoothing)
    on_real = binary_cross_entropy_from_logits(real_logits, real_target)
    on_fake = binary_cross_entropy_from_logits(fake_logits, torch.zeros_like(fake_logits))
    return on_real + on_fake


def non_saturating_loss(fake_logits: Tensor) -> Tensor:
    """L_G = -mean log D(fake): unlike mean log(1 - D(fake)), steep where the discriminator is sure of a fake.

    Shapes: (batch, 1); scalar. Source: Goodfellow et al. 2014, arXiv:1406.2661, section 3.
    """
    return binary_cross_entropy_from_logits(fake_logits, torch.ones_like(fake_logits))
