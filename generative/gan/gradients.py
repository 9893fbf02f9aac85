"""Ways back: each player gets the gradient of its own loss from one look of the discriminator at the images.

Both leave the discriminator's gradients in its `weights`, and return the gradient of the generator's loss at the made
images `shown`, from where it goes on into the generator. It flows through the discriminator, whose own weights get none
of it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

NEGLIGIBLE = 1e-12
"""A gradient of an answer that changes no weight: float32 rounds sums of gradients more coarsely."""


def back_in_turn(
    generator_loss: Tensor, discriminator_loss: Tensor, shown: Tensor, weights: Sequence[Tensor]
) -> Tensor:
    """A pass back for each player. Shapes: losses scalar, shown and result (batch, ...)."""
    (pull,) = torch.autograd.grad(generator_loss, shown, retain_graph=True)
    discriminator_loss.backward(inputs=list(weights))
    return pull


def back_at_once(
    generator_loss: Tensor,
    discriminator_loss: Tensor,
    answers: tuple[Tensor, Tensor],
    shown: Tensor,
    weights: Sequence[Tensor],
) -> Tensor:
    """The same from one pass back, for a discriminator that judges each image by itself.

    One answer an image: whatever the loss, its gradient at image i is dL/danswer_i times the same danswer_i/dimage_i.
    So the discriminator's loss is passed back, and at the images rescaled to the generator's, image by image. An image
    that the discriminator's loss does not look at is given a weight too small to matter, to be rescaled too.
    Shapes: losses scalar, `answers` (to real images, to made ones) each (batch, 1), shown and result (batch, ...).
    """
    on_real, on_fake = torch.autograd.grad(discriminator_loss, answers, retain_graph=True)
    (of_generator,) = torch.autograd.grad(generator_loss, answers[1], retain_graph=True)
    on_fake = torch.where(on_fake.abs() < NEGLIGIBLE, NEGLIGIBLE, on_fake)
    torch.autograd.backward(answers, (on_real, on_fake), inputs=[*weights, shown])
    assert shown.grad is not None
    return shown.grad * (of_generator / on_fake).view(-1, *[1] * (shown.dim() - 1)).to(shown.dtype)
