"""What the lab of convolutions says about geometry, and what it finds in a network."""

import torch
from torch import nn

from foundations.convolution import Conv2d
from foundations.pooling import MaxPool2d
from foundations.streams import Streams
from labs import convolutions


def _layers() -> nn.Sequential:
    """The first layers of the lab's network, which all answer to bright patches."""
    layers = nn.Sequential(Conv2d(1, 2, 5), nn.ReLU(), MaxPool2d(2), Conv2d(2, 3, 3))
    for parameter in layers.parameters():
        nn.init.constant_(parameter, 0.01)
    return layers


def test_a_patch_of_the_stated_field_makes_exactly_one_answer():
    assert _layers()(torch.zeros(1, 1, convolutions.FIELD, convolutions.FIELD)).shape == (1, 3, 1, 1)


def test_the_most_exciting_patches_give_the_answers_that_found_them():
    layers, images = _layers(), torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    strongest, patches = convolutions.most_exciting(layers, images, count=2)
    assert patches.shape == (3, 2, 1, convolutions.FIELD, convolutions.FIELD)
    torch.testing.assert_close(layers(patches[:, 0]).flatten(1).diagonal().detach(), strongest)


def test_climbing_reaches_white_where_every_weight_is_positive():
    layer = Conv2d(1, 3, convolutions.FIELD)
    nn.init.constant_(layer.weight, 0.01)
    assert convolutions.climb(layer, 3, Streams(0)).min() > 0.9


def test_the_photograph_is_in_colour_and_in_range():
    image = convolutions.photograph()
    assert image.shape == (1, 3, 213, 320)
    assert image.min() >= 0
    assert 0.5 < image.max() <= 1


def test_every_size_in_the_table_is_the_formulas():
    found = {row["layer"]: (row["1 x 28 x 28 becomes"], row["weights"]) for row in convolutions.sizes()}
    assert found["convolution 3x3, stride 2, padding 1"] == ("1 x 14 x 14", 10)
    assert found["convolution 5x5, 8 kernels"] == ("8 x 24 x 24", 208)
    assert found["average pooling 3x3, stride 2"] == ("1 x 13 x 13", 0)
    assert found["average pooling 3x3, stride 2, rounded up"] == ("1 x 14 x 14", 0)
