"""The networks that the lab compares, and the two claims that its figures make."""

from itertools import islice

import pytest
import torch
from unwatched import Unwatched

from foundations.errors import InputError
from foundations.inspection import count_parameters
from foundations.losses import cross_entropy_from_logits
from foundations.optimizers import SGD
from foundations.training import SupervisedLearner
from labs.cnn_architectures import FAMILIES, NARROW, Config, build, build_deep, load


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("width", [0.5, 1.0])
def test_every_family_gives_ten_logits_of_a_digit(family, width):
    run = Unwatched()
    network = build(family, width * NARROW[family], run.data, run.streams, run)
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert count_parameters(network) < 400_000


def test_plain_and_residual_networks_begin_with_the_same_weights():
    run = Unwatched()
    images = run.data
    plain, residual = (build_deep(20, kind, images, Config(), run.streams) for kind in ("plain", "residual"))
    assert all(map(torch.equal, plain.parameters(), residual.parameters()))


def test_an_impossible_depth_is_refused_before_anything_is_trained():
    with pytest.raises(InputError, match="depths=21: must be 6n"):
        load(Config(depths=(20, 21)), Unwatched())


@pytest.mark.parametrize("twice", [{"widths": (0.5, 0.5)}, {"depths": (8, 8)}])
def test_a_network_asked_for_twice_is_refused_before_anything_is_trained(twice):
    with pytest.raises(InputError, match="must be different from each other"):
        load(Config(**twice), Unwatched())


@pytest.mark.slow
def test_thirty_two_residual_layers_fit_the_training_images_better_than_plain_ones():
    run = Unwatched()
    images = run.data
    losses = {}
    for kind in ("plain", "residual"):
        network = build_deep(32, kind, images, Config(deep_width=0.25), run.streams)
        optimizer = SGD(network.parameters(), lr=0.05, momentum=0.9)
        x, labels = images.train_images / 255, images.train_labels
        learner = SupervisedLearner(
            network, optimizer, cross_entropy_from_logits, x, labels, batch_size=32, streams=run.streams
        )
        losses[kind] = torch.stack([metrics["loss/training"] for metrics in islice(learner.learn(), 120)])[-20:].mean()
    assert losses["residual"] < 0.7 * losses["plain"]
