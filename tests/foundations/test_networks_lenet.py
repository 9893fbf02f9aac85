import pytest
import torch
import torch.nn.functional as F
from torch import nn

from foundations.errors import InputError
from foundations.networks import LeNet5


def _count(network):
    return sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize("variant", ["modern", "original"])
@pytest.mark.parametrize("image_side", [28, 32])
def test_lenet_has_exactly_61706_weights(variant, image_side):
    assert _count(LeNet5(variant=variant, image_side=image_side)) == 61_706


@pytest.mark.parametrize("image_side", [28, 32])
def test_lenet_gives_a_logit_a_class(image_side):
    network = LeNet5(7, 3, image_side=image_side)
    assert network(torch.zeros(2, 3, image_side, image_side)).shape == (2, 7)


def _by_hand(network, images, squash, shrink):
    """The order that the literature draws: convolution, activation, pooling."""
    weights = list(network.parameters())
    x = shrink(squash(F.conv2d(images, weights[0], weights[1], padding=2)))
    x = shrink(squash(F.conv2d(x, weights[2], weights[3]))).flatten(1)
    x = squash(F.linear(x, weights[4], weights[5]))
    return F.linear(squash(F.linear(x, weights[6], weights[7])), weights[8], weights[9])


def test_pooling_before_relu_gives_what_pooling_after_it_gives(generator):
    network, images = LeNet5(generator=generator), torch.rand(3, 1, 28, 28, generator=generator)
    wanted = _by_hand(network, images, torch.relu, lambda x: F.max_pool2d(x, 2))
    torch.testing.assert_close(network(images), wanted)


def test_the_original_squashes_by_tanh_and_pools_by_the_average(generator):
    network = LeNet5(variant="original", generator=generator)
    images = torch.rand(3, 1, 28, 28, generator=generator)
    wanted = _by_hand(network, images, torch.tanh, lambda x: F.avg_pool2d(x, 2))
    torch.testing.assert_close(network(images), wanted)


def test_channels_last_changes_no_value(generator):
    network, images = LeNet5(generator=generator), torch.rand(3, 1, 28, 28, generator=generator)
    usual = network(images)
    network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(network(images.contiguous(memory_format=torch.channels_last)), usual)


def test_a_small_image_in_a_frame_of_zeros_is_the_large_one(generator):
    small = LeNet5(generator=generator)
    large = LeNet5(image_side=32)
    large.load_state_dict(small.state_dict())
    images = torch.rand(2, 1, 28, 28, generator=generator)
    torch.testing.assert_close(small(images), large(nn.functional.pad(images, (2, 2, 2, 2))))


def test_width_scales_every_layer_but_the_last():
    network = LeNet5(width=0.5)
    assert [len(each) for each in network.parameters() if each.dim() > 1] == [3, 8, 60, 42, 10]


def test_the_same_seed_gives_the_same_lenet():
    first, second = (LeNet5(generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(map(torch.equal, first.parameters(), second.parameters()))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"classes": 0}, "classes=0"),
        ({"channels": 0}, "channels=0"),
        ({"width": 0.0}, "width=0.0"),
        ({"width": float("nan")}, "width=nan"),
        ({"image_side": 30}, "image_side=30"),
        ({"variant": "modem"}, "did you mean 'modern'"),
    ],
)
def test_lenet_refuses_impossible_settings(settings, named):
    with pytest.raises(InputError, match=named):
        LeNet5(**settings)


@pytest.mark.parametrize("shape", [(2, 3, 28, 28), (2, 1, 32, 32), (1, 28, 28)])
def test_lenet_refuses_other_images(shape):
    with pytest.raises(InputError, match=r"input shape=.*\(batch, 1, 28, 28\)"):
        LeNet5()(torch.zeros(shape))
