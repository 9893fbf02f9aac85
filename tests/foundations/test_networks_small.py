import pytest
import torch

from foundations.errors import InputError
from foundations.inspection import count_parameters
from foundations.layers import Linear
from foundations.networks.small import small_conv_net


def _kinds(**options):
    return [type(layer).__name__ for layer in small_conv_net(**options)]


def test_it_has_the_weights_that_arithmetic_gives_and_ten_logits():
    network = small_conv_net(channels=4, units=16)
    assert count_parameters(network) == (25 + 1) * 4 + (4 * 25 + 1) * 8 + (8 * 16 + 1) * 16 + (16 + 1) * 10
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_norms_and_dropout_stand_where_they_belong():
    plain = ["Conv2d", "MaxPool2d", "ReLU"] * 2 + ["Flatten", "Linear", "ReLU", "Linear"]
    block = ["Conv2d", "BatchNorm", "MaxPool2d", "ReLU", "SpatialDropout"]
    assert _kinds() == plain
    added = _kinds(batch_norm=True, spatial_dropout=0.1, dropout=0.5)
    assert added == block * 2 + ["Flatten", "Linear", "BatchNorm", "ReLU", "Dropout", "Linear"]


def test_the_first_weights_are_the_same_whatever_is_added():
    settings = ({}, {"batch_norm": True, "spatial_dropout": 0.1, "dropout": 0.5})
    networks = [small_conv_net(generator=torch.Generator().manual_seed(0), **each) for each in settings]
    dense = [[layer.weight for layer in network if isinstance(layer, Linear)] for network in networks]
    assert all(map(torch.equal, *dense))
    assert torch.equal(networks[0][0].weight, networks[1][0].weight)


@pytest.mark.parametrize("wrong", [{"classes": 0}, {"channels": 0}, {"units": 0}, {"dropout": 1.5}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong)) if "dropout" not in wrong else "p=1.5"):
        small_conv_net(**wrong)
