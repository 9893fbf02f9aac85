import copy
import math
import pickle

import pytest
import torch
from torch import nn

from foundations.activations import ReLU, Tanh
from foundations.convolution import Conv2d
from foundations.errors import InputError
from foundations.gradient_health import GradientHealth
from foundations.initializers import he_normal_, orthogonal_
from foundations.layers import Dropout, Flatten, Linear, Residual
from foundations.normalization import BatchNorm

DEPTH, WIDTH = 50, 16


def linear_net(gain, depth=DEPTH):
    """A product of `depth` matrices, each `gain` times orthogonal, so that every factor has a known length."""
    layers = [Linear(WIDTH, WIDTH, bias=False) for _ in range(depth)]
    for seed, layer in enumerate(layers):
        orthogonal_(layer.weight, gain, generator=torch.Generator().manual_seed(seed))
    return nn.Sequential(*layers).double()


def backward(network, x):
    """A pass there and back; the gradient that arrives at the output has length 1."""
    y = network(x)
    (y.sum() / math.sqrt(y.numel())).backward()


@pytest.fixture
def x():
    return torch.randn(1, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(99))


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.25])
def test_through_a_product_of_scaled_rotations_every_layer_has_the_gradient_gain_to_the_others(gain, x):
    network = linear_net(gain)
    health = GradientHealth(network)
    backward(network, x)
    found = health()
    wanted = gain ** (DEPTH - 1) * x.norm().item()  # |dE/dW_k| = |W_L..W_k+1 back| |W_k-1..W_1 x|, whatever k is
    assert [found[f"gradients/{k}"].item() for k in range(DEPTH)] == pytest.approx([wanted] * DEPTH, rel=1e-5)


def test_the_gradient_of_a_layer_is_the_outer_product_of_what_comes_back_and_what_came_in(x):
    network = nn.Sequential(*[Linear(WIDTH, WIDTH, bias=False) for _ in range(4)]).double()
    health = GradientHealth(network)
    backward(network, x)
    weights = [layer.weight.detach() for layer in network]
    back = torch.full((WIDTH,), 1 / math.sqrt(WIDTH), dtype=torch.float64)
    for k in reversed(range(4)):
        came_in = x[0]
        for weight in weights[:k]:
            came_in = weight @ came_in
        torch.testing.assert_close(health()[f"gradients/{k}"], back.norm() * came_in.norm())
        back = weights[k].T @ back


def test_a_signal_through_scaled_rotations_has_the_spread_gain_to_the_depth(x):
    network = linear_net(0.9)
    health = GradientHealth(network)
    backward(network, x)
    for k in (0, 24, 49):
        mean, std = (health()[f"activations/{k}/{kind}"].item() for kind in ("mean", "std"))
        assert mean**2 + std**2 == pytest.approx(0.9 ** (2 * (k + 1)) * x.square().mean().item(), rel=1e-5)


def test_residual_branches_of_zero_pass_the_whole_gradient_to_the_first_layer(x):
    network = nn.Sequential(Linear(WIDTH, WIDTH), *[Residual(Linear(WIDTH, WIDTH)) for _ in range(DEPTH)]).double()
    for block in network[1:]:
        nn.init.zeros_(block.branch.weight)
        nn.init.zeros_(block.branch.bias)
    health = GradientHealth(network)
    backward(network, x)
    assert health()["gradients/0"].item() == pytest.approx(x.norm().item())


def test_statistics_are_those_of_the_layers_output():
    network = nn.Sequential(Linear(5, 7), ReLU())
    inputs = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
    with GradientHealth(network) as health:
        backward(network, inputs)
        found = health()
    output = network(inputs).detach()
    torch.testing.assert_close(found["activations/1/mean"], output.mean())
    torch.testing.assert_close(found["activations/1/std"], output.std(correction=0))
    torch.testing.assert_close(found["activations/1/zeros"], (output == 0).float().mean())
    torch.testing.assert_close(found["gradients/0"], network[0].weight.grad.norm())


def test_a_dead_relu_shows_as_zeros_everywhere():
    network = nn.Sequential(Linear(5, 7), ReLU())
    nn.init.constant_(network[0].bias, -100)
    health = GradientHealth(network)
    backward(network, torch.randn(8, 5))
    assert health()["activations/1/zeros"] == 1
    assert health()["gradients/0"] == 0


def test_he_initialisation_halves_the_living_units_and_keeps_the_size_of_the_signal():
    network = nn.Sequential(*[part for _ in range(30) for part in (Linear(256, 256), ReLU())])
    for seed, layer in enumerate(network[::2]):
        he_normal_(layer.weight, generator=torch.Generator().manual_seed(seed))
        nn.init.zeros_(layer.bias)
    health = GradientHealth(network)
    backward(network, torch.randn(64, 256, generator=torch.Generator().manual_seed(7)))
    found = health()
    assert found["activations/59/zeros"].item() == pytest.approx(0.5, abs=0.1)
    first, last = (found[f"activations/{k}/std"].item() ** 2 for k in (0, 58))
    assert 0.2 < last / first < 5


def test_layers_with_weights_and_activations_are_watched_and_nothing_else():
    network = nn.Sequential(Conv2d(1, 2, 3), BatchNorm(2), Tanh(), nn.ReLU(), Dropout(), Flatten(), Linear(8, 3))
    health = GradientHealth(network)
    backward(network, torch.randn(4, 1, 4, 4))
    found = health()
    assert [name for name in found if name.startswith("gradients")] == ["gradients/0", "gradients/6"]
    assert {name.split("/")[1] for name in found if name.startswith("activations")} == {"0", "2", "3", "6"}


def test_layers_can_be_chosen_and_named():
    network = nn.Sequential(Linear(3, 3), ReLU(), Linear(3, 3))
    health = GradientHealth(network, layers={"last": network[2]})
    backward(network, torch.randn(4, 3))
    assert list(health()) == ["gradients/last", *(f"activations/last/{kind}" for kind in ("mean", "std", "zeros"))]


def test_a_single_layer_is_a_network_too():
    network = Linear(3, 3)
    health = GradientHealth(network)
    backward(network, torch.randn(4, 3))
    assert "gradients/network" in health()


def test_a_recurrent_layers_gradient_is_the_norm_of_all_its_weights():
    layer = nn.LSTM(3, 4)
    health = GradientHealth(layer)
    layer(torch.randn(5, 2, 3))[0].sum().backward()
    weights = [layer.weight_ih_l0.grad, layer.weight_hh_l0.grad]
    torch.testing.assert_close(health()["gradients/network"], torch.cat([w.flatten() for w in weights]).norm())


def test_frozen_layers_have_no_gradient_to_show():
    network = nn.Sequential(Linear(3, 3), Linear(3, 3))
    network[0].requires_grad_(False)
    health = GradientHealth(network)
    backward(network, torch.randn(4, 3))
    assert "gradients/0" not in health()
    assert "gradients/1" in health()


def test_a_pass_without_gradients_does_not_count():
    network = nn.Sequential(Linear(3, 3), ReLU())
    health = GradientHealth(network)
    backward(network, torch.randn(4, 3))
    before = health()
    with torch.no_grad():
        network(100 * torch.ones(4, 3))
    assert torch.equal(health()["activations/0/mean"], before["activations/0/mean"])


def test_watching_changes_no_gradient():
    network = nn.Sequential(Linear(3, 8), ReLU(), Linear(8, 2))
    inputs = torch.randn(16, 3)
    backward(network, inputs)
    bare = [parameter.grad.clone() for parameter in network.parameters()]
    network.zero_grad()
    health = GradientHealth(network)
    backward(network, inputs)
    health()
    assert all(torch.equal(parameter.grad, each) for parameter, each in zip(network.parameters(), bare, strict=True))


def test_figures_are_scalar_tensors_that_later_steps_leave_alone():
    network = nn.Sequential(Linear(3, 3), ReLU())
    health = GradientHealth(network)
    backward(network, torch.ones(4, 3))
    figures = health()
    kept = {name: value.clone() for name, value in figures.items()}
    network.zero_grad(set_to_none=False)
    backward(network, 5 * torch.ones(4, 3))
    assert all(value.shape == () and not value.requires_grad for value in figures.values())
    assert all(torch.equal(figures[name], kept[name]) for name in kept)


def test_switched_off_it_measures_nothing_and_can_be_switched_on_again():
    network = nn.Sequential(Linear(3, 3), ReLU())
    health = GradientHealth(network)
    health.enabled = False
    backward(network, torch.randn(4, 3))
    assert health() == {}
    health.enabled = True
    backward(network, torch.randn(4, 3))
    assert len(health()) == 7


def test_after_the_context_no_hook_is_left():
    network = nn.Sequential(Linear(3, 3), ReLU())
    with GradientHealth(network) as health:
        assert all(layer._forward_hooks for layer in network)
    assert not any(layer._forward_hooks for layer in network)
    assert health() == {}


def test_a_watched_network_can_be_copied_and_pickled():
    network = nn.Sequential(Linear(3, 3), ReLU())
    health = GradientHealth(network)
    backward(network, torch.randn(4, 3))
    before = health()["activations/0/mean"]
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        backward(other, torch.randn(4, 3))
        assert torch.equal(other[0].weight, network[0].weight)
    assert torch.equal(health()["activations/0/mean"], before)  # the copies report to none but themselves


def test_asking_before_a_backward_pass_is_refused():
    network = Linear(3, 3)
    health = GradientHealth(network)
    network(torch.randn(4, 3))
    with pytest.raises(InputError, match=r"call it after loss\.backward"):
        health()


def test_a_network_with_nothing_to_watch_is_refused():
    with pytest.raises(InputError, match="at least one layer with weights"):
        GradientHealth(nn.Sequential(Flatten()))
