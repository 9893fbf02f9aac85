"""The models by name: their two players, and what each is trained with unless told otherwise."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import nn

from foundations.errors import require, require_choice
from generative.gan.networks import (
    ConditionalDiscriminator,
    dcgan_discriminator,
    dcgan_generator,
    dense_discriminator,
    dense_generator,
)
from generative.gan.objectives import Loss, Slope
from generative.gan.spectral import with_spectral_norm

Model = Literal["dense", "dcgan", "conditional", "wgan_gp"]
"""The 2014 network of dense layers; the convolutional one; the same told which class to make; with a Wasserstein critic
and gradient penalty."""

Norm = Literal["batch", "spectral", "none"]
"""What keeps the discriminator in bounds layer by layer; its first layer has no batch norm in any case."""


@dataclass(frozen=True)
class Recipe:
    """What a model is trained with: Adam's step size and memories, losses, critic steps for one of the generator's."""

    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.999)
    loss: Loss = "non_saturating"
    penalty: Slope = "none"
    norm: Norm = "batch"
    critic_steps: int = 1


RECIPES: dict[Model, Recipe] = {
    "dense": Recipe(learning_rate=5e-4, norm="none"),
    "dcgan": Recipe(),
    "conditional": Recipe(),
    "wgan_gp": Recipe(2e-3, (0.0, 0.9), "wasserstein", "gradient", "none", 5),
}
"""Betas and critic steps of the Wasserstein model: Gulrajani et al. 2017, arXiv:1704.00028, algorithm 1."""


def build_players(
    model: Model, latent_width: int, stream: torch.Generator, *, channels: int, norm: Norm, classes: int
) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of `model`, first weights drawn from `stream`.

    `channels` is the width of the outer convolutions; the dense model has none. The conditional model's discriminator
    takes labels of `classes` beside the images.
    Raises: InputError for unknown names, and for batch norm in the dense discriminator, which has none.
    """
    require_choice("model", model, get_args(Model))
    require_choice("norm", norm, get_args(Norm))
    require(channels >= 1, "channels", channels, "at least 1")
    generator: nn.Module
    discriminator: nn.Module
    if model == "dense":
        require(norm != "batch", "norm", norm, "spectral or none with the model 'dense'")
        generator, discriminator = dense_generator(latent_width, stream), dense_discriminator(stream)
    else:
        generator = dcgan_generator(latent_width, stream, channels=channels)
        told = model == "conditional"
        plain = dcgan_discriminator(stream, channels=channels, batch_norm=norm == "batch", planes=2 if told else 1)
        discriminator = ConditionalDiscriminator(plain, classes, stream) if told else plain
    if norm == "spectral":
        discriminator = with_spectral_norm(discriminator, stream)
    return generator, discriminator
