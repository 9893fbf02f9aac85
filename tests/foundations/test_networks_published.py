import pytest

from foundations.networks.published import PUBLISHED


@pytest.mark.parametrize("network", PUBLISHED, ids=lambda network: network.name)
def test_a_network_has_as_many_weights_as_published(network):
    assert abs(network.count().parameters - network.weights) <= network.rounded / 2


TORCHVISION = {
    "AlexNet, one graphics card": 0.714,
    "GoogLeNet with batch norm": 1.498,
    "ResNet-18": 1.814,
    "ResNet-34": 3.664,
    "ResNet-50": 4.089,
}
"""Billions of multiply-adds of an image, as torchvision's documentation has them."""


@pytest.mark.parametrize("name", TORCHVISION)
def test_an_image_takes_as_many_multiply_adds_as_torchvision_says(name):
    (network,) = (each for each in PUBLISHED if each.name == name)
    assert round(network.count().multiply_adds / 1e9, 3) == TORCHVISION[name]
