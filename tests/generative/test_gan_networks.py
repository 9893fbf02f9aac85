from itertools import pairwise

import pytest
import torch

from foundations.errors import InputError
from foundations.normalization import BatchNorm
from generative.gan.models import build_players
from generative.gan.networks import (
    ConditionalDiscriminator,
    dcgan_discriminator,
    dcgan_generator,
    dense_discriminator,
    dense_generator,
)
from generative.gan.spectral import SpectralNorm


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def norms(module):
    """How many layers of each kind of normalisation there are: (batch, spectral)."""
    return tuple(sum(isinstance(layer, kind) for layer in module.modules()) for kind in (BatchNorm, SpectralNorm))


@pytest.mark.parametrize("build", [dense_generator, dcgan_generator])
def test_generators_make_images_between_minus_one_and_one(build):
    images = build(16, stream())(torch.randn(5, 16, generator=stream()))
    assert images.shape == (5, 1, 28, 28)
    assert images.abs().max() <= 1


@pytest.mark.parametrize("build", [dense_discriminator, dcgan_discriminator])
def test_discriminators_answer_each_image_with_one_number(build):
    assert build(stream())(torch.zeros(5, 1, 28, 28)).shape == (5, 1)


def test_the_dense_players_have_the_weights_of_their_layer_sizes():
    def dense(*sizes):
        return sum((into + 1) * out for into, out in pairwise(sizes))

    assert count(dense_generator(100, stream())) == dense(100, 256, 512, 1024, 784) + 2 * (512 + 1024)
    assert count(dense_discriminator(stream())) == dense(784, 1024, 512, 256, 1)


def test_the_convolutional_discriminators_weights_are_those_of_its_layers_with_and_without_batch_norm():
    convolutions, dense = 16 * 8 + 16 * 8 * 16, 16 * 49 * 32 + 32
    assert count(dcgan_discriminator(stream(), channels=8)) == convolutions + dense + 8 + 1 + 2 * (16 + 32)
    without = dcgan_discriminator(stream(), channels=8, batch_norm=False)
    assert count(without) == convolutions + dense + 8 + 1 + 16 + 32
    assert norms(without) == (0, 0)


@pytest.mark.parametrize("player", [dcgan_generator(16, stream()), dcgan_discriminator(stream())])
def test_first_weights_of_the_convolutional_players_spread_as_radford_and_others_say(player):
    matrices = [parameter for parameter in player.parameters() if parameter.dim() > 1]
    assert torch.cat([matrix.flatten() for matrix in matrices]).std().item() == pytest.approx(0.02, rel=0.02)


@pytest.mark.parametrize(
    ("model", "norm", "expected"),
    [
        ("dense", "spectral", (0, 4)),
        ("dcgan", "batch", (2, 0)),
        ("dcgan", "spectral", (0, 4)),
        ("wgan_gp", "none", (0, 0)),
        ("conditional", "spectral", (0, 4)),
    ],
)
def test_the_norm_asked_for_is_the_one_in_the_discriminator(model, norm, expected):
    assert norms(build_players(model, 16, stream(), channels=4, norm=norm, classes=10)[1]) == expected


def conditional(classes=10):
    return ConditionalDiscriminator(dcgan_discriminator(stream(), channels=4, planes=2), classes, stream(1)).eval()


def test_the_conditional_answer_is_the_plain_one_to_the_image_with_its_classs_plane():
    judging = conditional()
    images, labels = torch.rand(4, 1, 28, 28, generator=stream()), torch.tensor([0, 3, 3, 9])
    planes = torch.stack([judging.planes.weight[label].view(1, 28, 28) for label in labels])
    expected = judging.discriminator(torch.cat([images, planes], dim=1))
    torch.testing.assert_close(judging(images, labels), expected)


def test_the_same_image_is_judged_otherwise_as_another_class():
    image = torch.rand(1, 1, 28, 28, generator=stream()).repeat(10, 1, 1, 1)
    assert len(conditional()(image, torch.arange(10)).unique()) == 10


def test_unknown_labels_and_a_single_class_are_refused():
    with pytest.raises(InputError, match="10: must be from 0 to 9"):
        conditional()(torch.zeros(2, 1, 28, 28), torch.tensor([0, 10]))
    with pytest.raises(InputError, match="classes=1: must be at least 2"):
        conditional(classes=1)


def test_batch_norm_is_refused_in_the_dense_discriminator_which_has_none():
    with pytest.raises(InputError, match="norm='batch': must be spectral or none"):
        build_players("dense", 16, stream(), channels=4, norm="batch", classes=0)
