import math

import pytest
import torch
from torch import nn

from foundations import initializers
from foundations.activations import ELU, GELU, LeakyReLU, ReLU, SiLU, Tanh
from foundations.convolution import Conv2d
from foundations.errors import InputError
from foundations.layers import Linear
from foundations.normalization import BatchNorm

FILLERS = {
    "normal": lambda weight, **stream: initializers.normal_(weight, 0.02, **stream),
    "glorot uniform": initializers.glorot_uniform_,
    "glorot normal": initializers.glorot_normal_,
    "he uniform": initializers.he_uniform_,
    "he normal": initializers.he_normal_,
    "orthogonal": initializers.orthogonal_,
}


@pytest.mark.parametrize("fill", FILLERS.values(), ids=FILLERS)
def test_a_passed_generator_is_the_only_source(fill, generator):
    before = torch.get_rng_state()
    first = fill(torch.empty(4, 5), generator=generator)
    again = fill(torch.empty(4, 5), generator=torch.Generator().manual_seed(0))
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("fill", FILLERS.values(), ids=FILLERS)
def test_weights_are_filled_in_place_and_still_learn(fill, generator):
    weight = nn.Parameter(torch.zeros(4, 5))
    assert fill(weight, generator=generator) is weight
    assert weight.requires_grad
    assert weight.is_leaf
    assert weight.count_nonzero() == 20


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot uniform", 2 / (300 + 700)),
        ("glorot normal", 2 / (300 + 700)),
        ("he uniform", 2 / 300),
        ("he normal", 2 / 300),
        ("normal", 0.02**2),
    ],
)
def test_variance_of_the_weights(name, variance, generator):
    weight = FILLERS[name](torch.empty(700, 300), generator=generator)
    assert weight.var().item() == pytest.approx(variance, rel=0.02)
    assert weight.mean().item() == pytest.approx(0, abs=5 * math.sqrt(variance / weight.numel()))


@pytest.mark.parametrize(
    ("name", "bound"), [("glorot uniform", math.sqrt(6 / 1000)), ("he uniform", math.sqrt(6 / 300))]
)
def test_uniform_weights_fill_their_bounds(name, bound, generator):
    largest = FILLERS[name](torch.empty(700, 300), generator=generator).abs().max().item()
    assert 0.999 * bound < largest <= bound


def test_fans_count_the_elements_of_the_kernel():
    assert initializers.fans(torch.empty(8, 3, 5, 2)) == (30, 80)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (8, 2, 3, 3)])
def test_orthogonal_rows_or_columns_have_length_gain(shape, generator):
    matrix = initializers.orthogonal_(torch.empty(shape), gain=3, generator=generator).flatten(1)
    small = matrix if len(matrix) <= matrix.shape[1] else matrix.T
    torch.testing.assert_close(small @ small.T, 9 * torch.eye(len(small)), rtol=1e-5, atol=1e-5)


def test_orthogonal_matrices_of_doubles_are_orthogonal_in_double_precision(generator):
    matrix = initializers.orthogonal_(torch.empty(6, 6, dtype=torch.float64), generator=generator)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(6, dtype=torch.float64), rtol=0, atol=1e-14)


def test_orthogonal_matrices_are_reflections_as_often_as_rotations(generator):
    signs = [initializers.orthogonal_(torch.empty(3, 3), generator=generator).det().item() for _ in range(200)]
    assert 70 < sum(sign > 0 for sign in signs) < 130


@pytest.mark.parametrize(
    ("name", "activation"),
    [("relu", ReLU()), ("leaky_relu", LeakyReLU()), ("elu", ELU()), ("gelu", GELU()), ("silu", SiLU())],
)
def test_gain_restores_the_mean_square_of_a_normal_signal(name, activation):
    z = torch.linspace(-10, 10, 200_001, dtype=torch.float64)
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    mean_square = torch.trapezoid(activation(z) ** 2 * density, z).item()
    assert initializers.gain(name) == pytest.approx(1 / math.sqrt(mean_square), rel=1e-4)


@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu", "leaky_relu"])
def test_gain_is_torchs(name):
    assert initializers.gain(name) == pytest.approx(nn.init.calculate_gain(name))


def _spreads(activation: nn.Module, fill, generator: torch.Generator) -> tuple[float, float]:
    """Mean squares after 50 layers of width 256: of the signal, and of the gradient that has come back."""
    layers = []
    for _ in range(50):
        layer = Linear(256, 256, bias=False, generator=generator)
        fill(layer.weight, generator=generator)
        layers += [layer, activation]
    x = torch.randn(256, 256, generator=generator, requires_grad=True)
    y = nn.Sequential(*layers)(x)
    (gradient,) = torch.autograd.grad(y, x, torch.randn(y.shape, generator=generator))
    return y.square().mean().item(), gradient.square().mean().item()


def test_he_weights_carry_signal_and_gradient_through_fifty_relu_layers(generator):
    signal, gradient = _spreads(ReLU(), initializers.he_normal_, generator)
    assert 0.1 < signal < 10
    assert 0.1 < gradient < 10


def test_glorot_weights_lose_both_in_fifty_relu_layers(generator):
    assert max(_spreads(ReLU(), initializers.glorot_normal_, generator)) < 1e-10


def test_the_gain_of_tanh_keeps_the_signal_and_a_gain_of_one_the_gradient_through_fifty_layers(generator):
    def with_gain(weight, generator):
        initializers.glorot_normal_(weight, initializers.gain("tanh"), generator=generator)

    signal, _ = _spreads(Tanh(), with_gain, generator)
    _, gradient = _spreads(Tanh(), initializers.glorot_normal_, generator)
    assert 0.3 < signal < 0.5
    assert 0.01 < gradient < 1


def test_orthogonal_weights_keep_the_length_through_fifty_linear_layers(generator):
    signal, gradient = _spreads(nn.Identity(), initializers.orthogonal_, generator)
    assert signal == pytest.approx(1, abs=0.05)
    assert gradient == pytest.approx(1, abs=0.05)


def test_dcgan_sets_weights_scales_and_biases(generator):
    net = nn.Sequential(Conv2d(16, 64, 4, generator=generator), BatchNorm(64), Linear(64, 64, generator=generator))
    initializers.dcgan_(net, generator=generator)
    for layer in (net[0], net[2]):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
        assert layer.bias.count_nonzero() == 0
    assert net[1].weight.mean().item() == pytest.approx(1, abs=0.01)
    assert net[1].weight.std().item() == pytest.approx(0.02, rel=0.3)
    assert net[1].bias.count_nonzero() == 0


def test_zeros_are_zero():
    assert initializers.zeros_(torch.ones(3)).count_nonzero() == 0


def test_unknown_activation_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match="did you mean 'leaky_relu'"):
        initializers.gain("leakyrelu")


def test_a_vector_has_no_fan_in():
    with pytest.raises(InputError, match=r"weight shape=\(3,\)"):
        initializers.he_normal_(torch.empty(3))


def test_a_negative_deviation_is_refused():
    with pytest.raises(InputError, match="std=-1"):
        initializers.normal_(torch.empty(3), -1)
