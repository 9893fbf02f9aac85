import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foundations.convolution import Conv2d
from foundations.errors import InputError
from foundations.networks import AlexNet

PUBLISHED = {"two_path": 60_965_224, "merged": 62_378_344, "one_gpu": 61_100_840}


@pytest.mark.parametrize(("variant", "weights"), PUBLISHED.items())
def test_alexnet_has_the_published_number_of_weights(variant, weights):
    with torch.device("meta"):
        network = AlexNet(variant=variant)
    assert sum(each.numel() for each in network.parameters()) == weights


@pytest.mark.parametrize("image_side", [224, 227])
def test_images_of_224_and_of_227_pixels_end_as_six_by_six(image_side):
    with torch.device("meta"):
        network = AlexNet(image_side=image_side)
        assert network.body[:10](torch.zeros(1, 3, image_side, image_side)).shape == (1, 256, 6, 6)


@pytest.mark.parametrize("variant", PUBLISHED)
def test_alexnet_gives_a_logit_a_class(variant):
    network = AlexNet(10, 1, variant=variant, width=0.05, image_side=28)
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


@settings(max_examples=20)
@given(st.integers(15, 100))
def test_alexnet_fits_images_of_every_side(image_side):
    with torch.device("meta"):
        network = AlexNet(10, width=0.1, image_side=image_side)
        assert network(torch.zeros(2, 3, image_side, image_side)).shape == (2, 10)


def test_the_two_paths_do_not_see_each_other_in_the_second_convolution(generator):
    conv = AlexNet(width=0.05, image_side=28, generator=generator).body.conv2[0]
    assert isinstance(conv, Conv2d)
    x = torch.rand(1, conv.in_channels, 5, 5, generator=generator, requires_grad=True)
    conv(x)[:, : conv.out_channels // 2].sum().backward()
    half = conv.in_channels // 2
    assert x.grad[:, :half].abs().sum() > 0
    assert x.grad[:, half:].abs().sum() == 0


def test_neighbouring_channels_damp_each_other_as_published(generator):
    norm = AlexNet(width=0.1, image_side=28, generator=generator).body.norm1
    a = 50 * torch.rand(1, 8, 2, 2, generator=generator)
    squares = torch.stack([(a[:, max(0, c - 2) : c + 3] ** 2).sum(1) for c in range(8)], dim=1)
    torch.testing.assert_close(norm(a), a / (2 + 1e-4 * squares) ** 0.75)


def test_dropout_of_alexnet_draws_from_its_own_stream(generator):
    stream = torch.Generator().manual_seed(1)
    network = AlexNet(10, 1, width=0.05, image_side=28, generator=generator, dropout_generator=stream)
    images = torch.rand(2, 1, 28, 28, generator=generator)
    state = stream.get_state()
    first = network(images)
    assert not torch.equal(network(images), first)
    stream.set_state(state)
    assert torch.equal(network(images), first)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"variant": "three_path"}, "variant='three_path'"),
        ({"image_side": 14}, "image_side=14"),
        ({"width": -1.0}, "width=-1.0"),
        ({"dropout": 1.0}, "p=1.0"),
    ],
)
def test_alexnet_refuses_impossible_settings(settings, named):
    with pytest.raises(InputError, match=named), torch.device("meta"):
        AlexNet(**settings)


def test_alexnet_refuses_images_of_another_side():
    with pytest.raises(InputError, match=r"input shape=\(1, 1, 32, 32\): must be \(batch, 1, 28, 28\)"):
        AlexNet(10, 1, width=0.05, image_side=28)(torch.zeros(1, 1, 32, 32))
