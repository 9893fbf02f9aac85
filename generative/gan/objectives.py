"""The two losses of a GAN that belong together, by name, with the penalty on the discriminator's slope."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

from torch import Tensor

from foundations.errors import require, require_choice
from generative.gan import losses, penalties

Loss = Literal["non_saturating", "minimax", "least_squares", "hinge", "wasserstein"]
"""Which pair of losses the players have; see `generative.gan.losses`."""

Slope = Literal["none", "gradient", "r1"]
"""What is charged for the discriminator's slope; see `generative.gan.penalties`."""


@dataclass(frozen=True)
class Objective:
    """What each player minimises: `discriminator` of real and made answers, plus the penalty; `generator` of made ones.

    `answers_logits`: whether the sigmoid of an answer is the discriminator's belief that an image is real.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]
    answers_logits: bool
    penalty: penalties.Penalty | None = None


def objective(loss: Loss, *, penalty: Slope = "none", label_smoothing: float = 0.0) -> Objective:
    """The objective named `loss`, with the penalty named.

    Raises: InputError for unknown names, smoothing outside [0, 1), and smoothing where there are no labels to smooth:
    with hinge and Wasserstein.
    """
    require_choice("loss", loss, get_args(Loss))
    require_choice("penalty", penalty, get_args(Slope))
    require(0 <= label_smoothing < 1, "label_smoothing", label_smoothing, "at least 0 and below 1")
    price = {"none": None, "gradient": penalties.gradient_penalty, "r1": penalties.r1_penalty}[penalty]
    if loss in ("hinge", "wasserstein"):
        require(label_smoothing == 0, "label_smoothing", label_smoothing, f"0 with the loss {loss!r}: it has no labels")
        judging = losses.hinge_discriminator_loss if loss == "hinge" else losses.wasserstein_discriminator_loss
        return Objective(judging, losses.wasserstein_loss, False, price)
    if loss == "least_squares":
        judging = partial(losses.least_squares_discriminator_loss, label_smoothing=label_smoothing)
        return Objective(judging, losses.least_squares_loss, False, price)
    judging = partial(losses.discriminator_loss, label_smoothing=label_smoothing)
    making = losses.minimax_loss if loss == "minimax" else losses.non_saturating_loss
    return Objective(judging, making, True, price)
