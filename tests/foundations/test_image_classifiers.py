"""Classifiers of images that are stored as bytes."""

from itertools import islice

import pytest
import torch
from torch import nn

from foundations.augmentation import random_affine
from foundations.errors import InputError
from foundations.images import augmented, channels_last, image_accuracy, image_classifier, scaled
from foundations.layers import Flatten, Linear
from foundations.losses import cross_entropy_from_logits
from foundations.networks import LeNet5
from foundations.optimizers import SGD
from foundations.schedules import warmup_cosine
from foundations.streams import Streams
from foundations.training import SupervisedLearner

IMAGES = torch.randint(0, 256, (40, 1, 6, 6), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
LABELS = torch.arange(40) % 4


def _network():
    return nn.Sequential(Flatten(), Linear(36, 4, generator=torch.Generator().manual_seed(1)))


def _losses(learner, steps=12):
    return [float(metrics["loss/training"]) for metrics in islice(learner.learn(), steps)]


def _usual(**options):
    network = _network()
    optimizer = SGD(network.parameters(), lr=0.5)
    return image_classifier(
        network, optimizer, IMAGES, LABELS, batch_size=8, steps=12, streams=Streams(2), **{"warmup": 3} | options
    )


def test_bytes_become_numbers_from_zero_to_one_and_nothing_else_is_scaled():
    assert scaled(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0, 0.2, 1])
    with pytest.raises(InputError, match="values from 0 to 255"):
        scaled(torch.rand(3))


def test_the_usual_learner_is_cross_entropy_on_scaled_images_with_warm_up_and_cosine():
    network = _network()
    plain = SupervisedLearner(
        network,
        SGD(network.parameters(), lr=0.5),
        cross_entropy_from_logits,
        IMAGES,
        LABELS,
        batch_size=8,
        prepare=lambda images, _: images / 255,
        schedule=warmup_cosine(3, 12),
        streams=Streams(2),
    )
    assert _losses(_usual()) == _losses(plain)


def test_the_rate_rises_for_a_tenth_of_the_steps_unless_told():
    assert _losses(_usual(warmup=None)) == _losses(_usual(warmup=1))
    assert _losses(_usual(warmup=None)) != _losses(_usual(warmup=2))


def test_options_replace_what_is_usual():
    prepare = augmented(degrees=20, scale=0.1, shift=0.1)
    assert _losses(_usual(prepare=prepare)) != _losses(_usual())
    assert _losses(_usual(schedule=lambda step: 0.0))[0] == _losses(_usual())[0]  # the first batch, no step taken yet
    still = _usual(schedule=lambda step: 0.0)
    before = [each.clone() for each in still.network.parameters()]
    _losses(still, 3)
    assert all(map(torch.equal, before, still.network.parameters()))


def test_augmented_images_are_those_of_random_affine():
    bounds = {"degrees": 20, "scale": 0.1, "shift": 0.1}
    found = augmented(**bounds)(IMAGES, torch.Generator().manual_seed(3))
    assert torch.equal(found, random_affine(IMAGES / 255, torch.Generator().manual_seed(3), **bounds))


def test_accuracy_is_the_share_of_images_that_are_taken_for_what_they_are():
    brightness = torch.tensor([0, 255, 0, 255], dtype=torch.uint8).view(4, 1, 1, 1)
    network = nn.Sequential(Flatten(), Linear(1, 2, generator=torch.Generator()))
    network[1].weight.data, network[1].bias.data = torch.tensor([[0.0], [1.0]]), torch.tensor([0.5, 0.0])
    assert image_accuracy(network, brightness, torch.tensor([0, 1, 1, 1])) == 0.75


def test_channels_lie_side_by_side_and_the_answers_stay():
    network = LeNet5(generator=torch.Generator().manual_seed(0))
    digits = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    before = network(digits)
    assert channels_last(network, "cpu") is network
    assert network.body.c3.weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(network(digits), before)
