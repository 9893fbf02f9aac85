import pytest
import torch

import foundations
from foundations import evaluation_mode


@pytest.fixture
def network():
    parts = foundations.Linear(2, 2), foundations.BatchNorm(2), foundations.Dropout(0.5)
    return torch.nn.Sequential(*parts).train()


def test_every_layer_is_in_evaluation_mode_meanwhile(network):
    with evaluation_mode(network):
        assert not any(layer.training for layer in network.modules())


def test_a_frozen_layer_of_a_network_in_training_stays_frozen(network):
    network[1].eval()
    with evaluation_mode(network):
        pass
    assert [layer.training for layer in network.modules()] == [True, True, False, True]


def test_the_modes_come_back_after_an_error(network):
    with pytest.raises(ZeroDivisionError), evaluation_mode(network):
        raise ZeroDivisionError
    assert all(layer.training for layer in network.modules())


def test_what_has_no_modes_is_left_alone():
    with evaluation_mode(len):
        assert len("two") == 3
