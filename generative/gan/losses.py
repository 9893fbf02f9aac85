"""What the two players of a GAN minimise, from the discriminator's answers; all averaged over the batch.

Where the loss is a cross-entropy the answer is a logit, D(x) = sigma(logit) the probability that x is real, and the
loss in nats; else the answer itself is D(x), a score of any size. Shapes: answers (batch, 1), losses scalar.
"""

import torch
from torch import Tensor

from foundations.errors import require
from foundations.losses import binary_cross_entropy_from_logits

# Cross-entropy -------------------------------------------------------------------------------------------------------


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """L_D = -mean log D(real) - mean log(1 - D(fake)): the cross-entropy of telling real from fake.

    It is 2 log 2 = 1.386 for a discriminator that guesses.
    Smoothing by s aims at 1 - s for real images. It is one-sided: fakes still aim at 0, since smoothing them would
    reward the generator for staying where it is (Salimans et al. 2016, arXiv:1606.03498).
    Shapes: both (batch, 1); scalar. Raises: InputError for smoothing outside [0, 1).
    Source: Goodfellow et al. 2014, arXiv:1406.2661.
    """
    _require_smoothing(label_smoothing)
    real_target = torch.full_like(real_logits, 1 - label_smoothing)
    on_real = binary_cross_entropy_from_logits(real_logits, real_target)
    on_fake = binary_cross_entropy_from_logits(fake_logits, torch.zeros_like(fake_logits))
    return on_real + on_fake


def non_saturating_loss(fake_logits: Tensor) -> Tensor:
    """L_G = -mean log D(fake): unlike mean log(1 - D(fake)), steep where the discriminator is sure of a fake.

    Shapes: (batch, 1); scalar. Source: Goodfellow et al. 2014, arXiv:1406.2661, section 3.
    """
    return binary_cross_entropy_from_logits(fake_logits, torch.ones_like(fake_logits))


def minimax_loss(fake_logits: Tensor) -> Tensor:
    """L_G = mean log(1 - D(fake)): the game as it is written, at most 0; flat where the discriminator is sure.

    Shapes: (batch, 1); scalar. Source: Goodfellow et al. 2014, arXiv:1406.2661, equation 1.
    """
    return -binary_cross_entropy_from_logits(fake_logits, torch.zeros_like(fake_logits))


# Least squares -------------------------------------------------------------------------------------------------------


def least_squares_discriminator_loss(
    real_scores: Tensor, fake_scores: Tensor, *, label_smoothing: float = 0.0
) -> Tensor:
    """L_D = 1/2 mean (D(real) - 1)^2 + 1/2 mean D(fake)^2; smoothing by s aims at 1 - s for real images.

    Shapes: both (batch, 1); scalar. Raises: InputError for smoothing outside [0, 1).
    Source: Mao et al. 2017, arXiv:1611.04076, equation 9.
    """
    _require_smoothing(label_smoothing)
    return ((real_scores - (1 - label_smoothing)).square().mean() + fake_scores.square().mean()) / 2


def least_squares_loss(fake_scores: Tensor) -> Tensor:
    """L_G = 1/2 mean (D(fake) - 1)^2: fakes far from the border are pulled back from either side.

    Shapes: (batch, 1); scalar. Source: Mao et al. 2017, arXiv:1611.04076, equation 9.
    """
    return (fake_scores - 1).square().mean() / 2


# Hinge and Wasserstein -----------------------------------------------------------------------------------------------


def hinge_discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """L_D = mean max(0, 1 - D(real)) + mean max(0, 1 + D(fake)): what lies beyond the margin teaches nothing more.

    Shapes: both (batch, 1); scalar. Source: Lim & Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957.
    """
    return (1 - real_scores).relu().mean() + (1 + fake_scores).relu().mean()


def wasserstein_discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """L_D = mean D(fake) - mean D(real): minus the distance between the two sets of images, if D has slope 1 at most.

    Nothing here keeps its slope down: that is left to a penalty, or to spectral norm.
    Shapes: both (batch, 1); scalar. Source: Arjovsky et al. 2017, arXiv:1701.07875.
    """
    return fake_scores.mean() - real_scores.mean()


def wasserstein_loss(fake_scores: Tensor) -> Tensor:
    """L_G = -mean D(fake), for the Wasserstein and for the hinge discriminator.

    Shapes: (batch, 1); scalar. Source: Arjovsky et al. 2017, arXiv:1701.07875; Miyato et al. 2018, arXiv:1802.05957.
    """
    return -fake_scores.mean()


def _require_smoothing(label_smoothing: float) -> None:
    require(0 <= label_smoothing < 1, "label_smoothing", label_smoothing, "at least 0 and below 1")
