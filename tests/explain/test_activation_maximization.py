import pytest
import torch
from torch import nn

from explain.activation_maximization import maximize_activations, strongest_patches
from foundations.convolution import Conv2d
from foundations.errors import InputError
from foundations.layers import Linear
from foundations.pooling import MaxPool2d


def test_a_linear_unit_is_answered_by_ones_where_its_weight_is_positive_and_zeros_elsewhere(generator):
    layer = Linear(6, 3, generator=generator)
    made = maximize_activations(layer, 3, (6,), generator)
    torch.testing.assert_close(made, (layer.weight > 0).float(), rtol=0, atol=1e-6)


def test_every_unit_answers_more_to_its_own_input_than_to_what_it_began_with(generator):
    network = nn.Sequential(Conv2d(1, 4, 3, generator=generator), nn.Tanh(), Conv2d(4, 5, 4, generator=generator))
    begun = 0.1 * torch.rand(5, 1, 6, 6, generator=torch.Generator().manual_seed(9))
    made = maximize_activations(network, 5, (1, 6, 6), torch.Generator().manual_seed(9), steps=50)
    before, after = (network(x).flatten(1).diagonal() for x in (begun, made))
    assert (after > before).all()
    assert made.min() >= 0
    assert made.max() <= 1


def test_the_network_keeps_its_weights_gradients_and_modes(generator):
    network = nn.Sequential(Linear(4, 2, generator=generator), nn.Dropout(0.5)).train()
    weight = network[0].weight.detach().clone()
    maximize_activations(network, 2, (4,), generator, steps=2)
    assert torch.equal(network[0].weight, weight)
    assert network[0].weight.grad is None
    assert network.training
    assert network[1].training


def _bright() -> nn.Sequential:
    """Layers that all answer to bright patches: a field of 5 + 1 + 2 * 2 = 10 pixels, moved by 2."""
    layers = nn.Sequential(Conv2d(1, 2, 5), nn.ReLU(), MaxPool2d(2), Conv2d(2, 3, 3))
    for parameter in layers.parameters():
        nn.init.constant_(parameter, 0.01)
    return layers


def test_the_strongest_patches_give_the_answers_that_found_them(generator):
    layers, images = _bright(), torch.rand(5, 1, 28, 28, generator=generator)
    strongest, patches = strongest_patches(layers, images, field=10, stride=2, count=2)
    assert patches.shape == (3, 2, 1, 10, 10)
    torch.testing.assert_close(layers(patches[:, 0]).flatten(1).diagonal().detach(), strongest)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda g: maximize_activations(Linear(4, 2), 3, (4,), g), "units"),
        (lambda g: maximize_activations(Linear(4, 2), 2, (4,), g, steps=0), "steps"),
        (lambda g: maximize_activations(Linear(4, 2), 2, (4,), g, step_size=0.0), "step_size"),
        (lambda g: strongest_patches(_bright(), torch.zeros(1, 1, 28, 28), field=12, stride=2), "field"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(call, name, generator):
    with pytest.raises(InputError, match=f"^{name}="):
        call(generator)
