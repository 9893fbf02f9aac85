import pytest
import torch
from torch import nn

from foundations.errors import InputError
from foundations.hidden_layers import (
    LayerHealth,
    gradients_sent_back,
    hidden_dense_layers,
    layer_health,
    preactivations,
    silent_share,
)
from foundations.losses import cross_entropy_from_logits
from foundations.networks.mlp import MLP


def _constant(network: nn.Module, weight: float, bias: float) -> nn.Module:
    for parameter in network.parameters():
        nn.init.constant_(parameter, weight if parameter.dim() == 2 else bias)
    return network


def test_preactivations_are_the_affine_maps_of_every_hidden_layer(generator):
    network, x = MLP((5, 4, 3, 2), "tanh", generator=generator), torch.randn(6, 5, generator=generator)
    w1, b1, w2, b2, *_ = network.parameters()
    first, second = preactivations(network, x)
    torch.testing.assert_close(first, x @ w1.T + b1)
    torch.testing.assert_close(second, torch.tanh(first) @ w2.T + b2)


def test_looking_leaves_no_hook_behind_even_where_the_input_is_refused(generator):
    network = MLP((5, 4, 3, 2), generator=generator)
    with pytest.raises(InputError):
        preactivations(network, torch.zeros(6, 99))
    assert not any(layer._forward_hooks for layer in network.modules())


@pytest.mark.parametrize(("bias", "share"), [(-100.0, 1.0), (100.0, 0.0)])
def test_units_far_below_zero_are_silent_and_those_above_are_not(bias, share):
    assert silent_share(_constant(MLP((5, 4, 4, 2)), 0.1, bias), torch.rand(7, 5)) == share


def test_a_unit_that_one_sample_lifts_above_zero_is_not_silent():
    network = _constant(MLP((1, 2, 1)), 1.0, 0.0)
    with torch.no_grad():
        network.body[1][0].bias.copy_(torch.tensor([-1.5, -2.5]))
    assert silent_share(network, torch.tensor([[1.0], [2.0]])) == 0.5


def test_the_gradient_sent_back_is_multiplied_by_each_layers_weight_and_slope():
    network = _constant(MLP((1, 1, 1, 1, 1), "sigmoid"), 0.5, 0.0).double()
    nn.init.zeros_(network.body[1][0].weight)
    x = torch.ones(1, 1, dtype=torch.float64)
    z = [each.item() for each in preactivations(network, x)]
    slopes = [torch.sigmoid(torch.tensor(each)).item() * torch.sigmoid(torch.tensor(-each)).item() for each in z]
    wanted = [0.5 * slopes[1] * 0.5 * slopes[2], 0.5 * slopes[2], 1.0]
    assert gradients_sent_back(network, x) == pytest.approx(wanted)


def test_a_network_without_hidden_layers_is_refused():
    with pytest.raises(InputError, match="dense layers=1: must be at least 2"):
        preactivations(MLP((3, 2)), torch.zeros(1, 3))
    with pytest.raises(InputError, match="hidden layers=0"):
        gradients_sent_back(MLP((3, 2)), torch.zeros(1, 3))


def test_hidden_dense_layers_are_all_but_the_output(generator):
    network = MLP((5, 4, 3, 2), norm="layer", dropout=0.5, generator=generator)
    assert [layer.out_features for layer in hidden_dense_layers(network)] == [4, 3]


def test_the_health_of_layers_is_that_of_a_pass_in_double_precision(generator):
    network, x = MLP((5, 4, 3, 2), generator=generator), torch.randn(6, 5, generator=generator)
    labels = torch.arange(6) % 2
    health = layer_health(network, x, labels)
    w1, b1, w2, b2, w3, b3 = (parameter.detach().double().requires_grad_() for parameter in network.parameters())
    first = torch.relu(x.double() @ w1.T + b1)
    second = torch.relu(first @ w2.T + b2)
    loss = cross_entropy_from_logits(second @ w3.T + b3, labels)
    wanted = [gradient.norm().item() for gradient in torch.autograd.grad(loss, (w1, w2))]
    assert health.gradients == pytest.approx(wanted, rel=1e-6)
    assert health.spreads == pytest.approx([layer.std(correction=0).item() for layer in (first, second)], rel=1e-6)
    assert health.zeros == pytest.approx([(layer == 0).double().mean().item() for layer in (first, second)], abs=1e-6)
    assert 0 < health.zeros[0] < 1


def test_a_gradient_too_small_for_single_precision_is_measured(generator):
    network = _constant(MLP((3, *[2] * 60, 2), "sigmoid"), 0.1, 0.0)
    network.head.weight.data = torch.randn(2, 2, generator=generator)  # so that the loss has a slope at all
    assert 0 < layer_health(network, torch.rand(4, 3), torch.zeros(4, dtype=torch.int64)).gradients[0] < 1e-46


def test_measuring_the_health_of_layers_leaves_the_network_as_it_is(generator):
    network = MLP((5, 4, 3, 2), norm="batch", generator=generator).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    layer_health(network, torch.randn(6, 5, generator=generator), torch.arange(6) % 2)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not network.training


def test_the_first_gradient_is_told_as_a_multiple_of_the_last():
    assert LayerHealth([1.0, 3.0, 2.0], [], []).first_to_last == 0.5
    assert LayerHealth([1.0, 0.0], [], []).first_to_last == float("inf")
