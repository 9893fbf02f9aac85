import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from foundations.convolution import Conv2d
from foundations.errors import InputError
from foundations.layers import Residual
from foundations.networks import CifarResNet, ResNet, resnet18, resnet34, resnet50
from foundations.networks.resnet import PaddedShortcut

PUBLISHED = [(resnet18, 11_689_512), (resnet34, 21_797_672), (resnet50, 25_557_032)]


def _count(network):
    return sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize(("make", "weights"), PUBLISHED)
def test_resnet_has_the_published_number_of_weights(make, weights):
    with torch.device("meta"):
        assert _count(make()) == weights


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_cifar_resnet_has_the_published_number_of_weights(depth, millions):
    with torch.device("meta"):
        assert _count(CifarResNet(depth)) / 1e6 == pytest.approx(millions, abs=0.03 if depth == 110 else 0.005)


def test_the_plain_network_has_the_very_weights_of_the_residual_one(generator):
    residual, plain = CifarResNet(20, width=0.25, generator=generator), CifarResNet(20, residual=False, width=0.25)
    shapes = [[each.shape for each in network.parameters()] for network in (residual, plain)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("depth", [8, 20, 32])
def test_cifar_resnet_of_depth_n_has_n_layers_with_weights(depth):
    network = CifarResNet(depth, width=0.25)
    assert sum(each.dim() > 1 for each in network.parameters()) == depth


@pytest.mark.parametrize("make", [resnet18, resnet34, resnet50])
@pytest.mark.parametrize("image_side", [28, 64])
def test_resnet_gives_a_logit_a_class(make, image_side):
    with torch.device("meta"):
        network = make(7, 1, width=0.125, image_side=image_side)
        assert network(torch.zeros(2, 1, image_side, image_side)).shape == (2, 7)


@pytest.mark.parametrize(("image_side", "last"), [(224, 7), (28, 4)])
def test_small_images_are_halved_three_times_and_large_ones_five_times(image_side, last):
    with torch.device("meta"):
        network = resnet18(image_side=image_side)
        assert network.body[:-1](torch.zeros(1, 3, image_side, image_side)).shape == (1, 512, last, last)


@settings(max_examples=10)
@given(st.integers(4, 20), st.integers(4, 20), st.booleans())
def test_cifar_resnet_takes_images_of_every_size(height, width, residual):
    network = CifarResNet(8, channels=1, width=0.25, residual=residual)
    assert network(torch.zeros(2, 1, height, width)).shape == (2, 10)


def test_a_basic_block_agrees_with_its_equation(generator):
    block = ResNet((1,), 10, 4, width=1 / 16, image_side=28, generator=generator).eval().body.stage1[0]
    w = dict(block.named_parameters())
    x = torch.randn(2, 4, 6, 6, generator=generator)
    convs = [each for each in w.values() if each.dim() == 4]
    scale = 1 / (1 + 1e-5) ** 0.5  # batch norm that has seen nothing
    change = F.conv2d(torch.relu(scale * F.conv2d(x, convs[0], padding=1)), convs[1], padding=1) * scale
    torch.testing.assert_close(block(x), torch.relu(x + change))


def test_padded_shortcut_takes_every_second_pixel_and_adds_empty_channels(generator):
    x = torch.randn(2, 3, 5, 4, generator=generator)
    y = PaddedShortcut(2, 3)(x)
    assert y.shape == (2, 6, 3, 2)
    assert torch.equal(y[:, :3], x[:, :, ::2, ::2])
    assert not y[:, 3:].any()


def test_gradient_passes_fifty_residual_convolutions_but_not_fifty_plain_ones():
    norms = {}
    for residual in (False, True):
        stream = torch.Generator().manual_seed(0)
        layers = [nn.Sequential(Conv2d(4, 4, 3, padding=1, generator=stream), nn.Tanh()) for _ in range(50)]
        x = torch.randn(2, 4, 8, 8, generator=stream, requires_grad=True)
        nn.Sequential(*(Residual(layer) if residual else layer for layer in layers))(x).sum().backward()
        norms[residual] = x.grad.norm().item()
    assert norms[False] < 1e-6
    assert norms[True] > 1


def test_first_convolutions_are_he_normal(generator):
    weight = resnet18(width=0.5, generator=generator).body.stage4[1][0].branch[0].weight
    assert weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.01)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: CifarResNet(21), "depth=21"),
        (lambda: CifarResNet(2), "depth=2"),
        (lambda: ResNet(()), r"blocks=\(\)"),
        (lambda: ResNet((2, 0)), r"blocks=\(2, 0\)"),
        (lambda: resnet18(width=0), "width=0"),
        (lambda: CifarResNet(8)(torch.zeros(2, 1, 8, 8)), "input shape"),
        (lambda: resnet18(10, width=0.1)(torch.zeros(3, 64, 64)), "input shape"),
    ],
)
def test_resnets_refuse_impossible_settings_and_images(make, named):
    with pytest.raises(InputError, match=named):
        make()
