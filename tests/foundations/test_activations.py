import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from foundations import activations
from foundations.errors import InputError

TWINS = {
    "sigmoid": (activations.Sigmoid, nn.Sigmoid(), {}),
    "tanh": (activations.Tanh, nn.Tanh(), {}),
    "relu": (activations.ReLU, nn.ReLU(), {}),
    "leaky_relu": (activations.LeakyReLU, nn.LeakyReLU(0.2), {"negative_slope": 0.2}),
    "elu": (activations.ELU, nn.ELU(0.7), {"alpha": 0.7}),
    "gelu": (activations.GELU, nn.GELU(), {}),
    "silu": (activations.SiLU, nn.SiLU(), {}),
    "softmax over dimension 1": (activations.Softmax, nn.Softmax(dim=1), {"dim": 1}),
}
FUNCTIONS = ["identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu"]
EXTREMES = torch.tensor([-1000.0, -100.0, -20.0, -1.0, 0.5, 1.0, 20.0, 100.0, 1000.0])


@pytest.mark.parametrize("body", ["kernel", "equations"])
@pytest.mark.parametrize("name", TWINS)
def test_layer_agrees_with_torch(name, body, assert_twins, generator):
    kind, reference, settings = TWINS[name]
    assert_twins(kind(**settings, body=body), reference, 3 * torch.randn(5, 4, 3, generator=generator))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_written_derivative_is_the_one_of_autograd(name, generator):
    z = (3 * torch.randn(200, generator=generator, dtype=torch.float64)).requires_grad_()
    (wanted,) = torch.autograd.grad(getattr(activations, name)(z).sum(), z)
    torch.testing.assert_close(getattr(activations, f"{name}_derivative")(z.detach()), wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", [*FUNCTIONS, "softmax"])
def test_equation_passes_gradcheck(name, generator):
    z = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(getattr(activations, name), z)


@pytest.mark.parametrize("name", [*FUNCTIONS, "softmax"])
def test_equation_and_its_gradient_are_finite_for_huge_inputs(name):
    z = EXTREMES.clone().requires_grad_()
    value = getattr(activations, name)(z)
    value.sum().backward()
    assert value.isfinite().all()
    assert z.grad.isfinite().all()


@pytest.mark.parametrize(("name", "slope"), [("sigmoid", 0.25), ("tanh", 1.0), ("gelu", 0.5), ("silu", 0.5)])
def test_slope_at_zero(name, slope):
    z = torch.zeros(1, requires_grad=True)
    getattr(activations, name)(z).backward()
    assert z.grad.item() == slope


@pytest.mark.parametrize("name", [*FUNCTIONS, "softmax"])
def test_nan_stays_nan(name):
    assert getattr(activations, name)(torch.tensor([float("nan")])).isnan().all()


def test_softmax_derivative_is_the_jacobian_of_each_row(generator):
    z = torch.randn(2, 4, generator=generator, dtype=torch.float64)
    jacobians = torch.stack([torch.autograd.functional.jacobian(activations.softmax, row) for row in z])
    torch.testing.assert_close(activations.softmax_derivative(z), jacobians, rtol=1e-10, atol=1e-10)


def test_sigmoid_of_one_has_a_plus_in_its_denominator():
    assert activations.sigmoid(torch.tensor(1.0)).item() == pytest.approx(1 / (1 + math.exp(-1)))


@given(st.lists(st.floats(-500, 500), min_size=1, max_size=20))
def test_softmax_is_a_distribution(values):
    p = activations.softmax(torch.tensor(values, dtype=torch.float64))
    assert (p >= 0).all()
    assert p.sum().item() == pytest.approx(1)


def test_identity_layer_gives_back_what_came():
    z = torch.ones(2)
    assert activations.Identity()(z) is z


def test_unknown_body_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match=r"body='kernal'.*did you mean 'kernel'"):
        activations.ReLU(body="kernal")
