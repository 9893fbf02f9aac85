import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from foundations import derivatives, losses
from foundations.activations import Tanh
from foundations.errors import InputError
from foundations.layers import Dropout, Linear

A_MATRIX = torch.tensor([[1.0, 2.0, 0.5], [-1.0, 0.3, 2.0]], dtype=torch.float64)


class WrongTanh(torch.autograd.Function):
    """Tanh whose backward pass forgets the square."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.tanh()

    @staticmethod
    def backward(ctx, slope):
        (x,) = ctx.saved_tensors
        return slope * (1 - x.tanh())


def _swirl(x: Tensor) -> Tensor:
    return torch.stack([x[0] * x[1].sin(), x[0].exp() + x[1] ** 2, x[0] / x[1]])


@pytest.fixture
def network(generator) -> nn.Sequential:
    return nn.Sequential(Linear(3, 4, generator=generator), Tanh(), Linear(4, 2, generator=generator))


@pytest.fixture
def x(generator) -> Tensor:
    return torch.randn(5, 3, generator=generator)


@given(st.floats(-5, 5))
def test_derivative_agrees_with_the_closed_form(x):
    assert derivatives.derivative(torch.sin, x).item() == pytest.approx(math.cos(x), abs=1e-9)


def test_derivative_takes_each_entry_by_itself():
    x = torch.tensor([[-1.0, 0.0], [0.5, 2.0]], dtype=torch.float64)
    torch.testing.assert_close(derivatives.derivative(torch.exp, x), x.exp(), rtol=1e-9, atol=0)


def test_derivative_of_a_parabola_is_exact_at_any_step():
    assert derivatives.derivative(torch.square, 3.0, step=0.25).item() == 6.0


def test_derivative_stays_in_the_type_of_a_tensor():
    slope = derivatives.derivative(torch.sin, torch.tensor(1.0))
    assert slope.dtype == torch.float32
    assert slope.item() == pytest.approx(math.cos(1), abs=1e-4)


def test_halving_the_step_quarters_the_error():
    coarse, fine = (abs(derivatives.derivative(torch.exp, 0.0, step=h).item() - 1) for h in (0.02, 0.01))
    assert coarse / fine == pytest.approx(4, rel=1e-3)


def test_partial_derivative_moves_one_entry_alone():
    x = torch.tensor([2.0, 3.0], dtype=torch.float64)
    slopes = [derivatives.partial_derivative(lambda x: x[0] ** 2 * x[1], x, i).item() for i in (0, 1)]
    assert slopes == pytest.approx([12, 4], rel=1e-9)


def test_gradient_of_a_quadratic_form_agrees_with_the_closed_form(generator):
    matrix = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    x = torch.randn(4, generator=generator, dtype=torch.float64)
    found = derivatives.gradient(lambda x: x @ matrix @ x, x)
    torch.testing.assert_close(found, (matrix + matrix.T) @ x, rtol=1e-8, atol=1e-8)


@given(st.floats(-2, 2), st.floats(0.5, 3))
def test_jacobian_agrees_with_autograd(first, second):
    x = torch.tensor([first, second], dtype=torch.float64)
    wanted = torch.autograd.functional.jacobian(_swirl, x)
    torch.testing.assert_close(derivatives.jacobian(_swirl, x), wanted, rtol=1e-8, atol=1e-8)


def test_jacobian_has_the_shapes_of_value_and_input():
    x = torch.ones(2, 3, dtype=torch.float64)
    found = derivatives.jacobian(lambda x: x.sum(1).expand(4, 2), x)
    assert found.shape == (4, 2, 2, 3)


def test_jacobian_of_a_linear_map_is_its_matrix():
    found = derivatives.jacobian(lambda x: A_MATRIX @ x, torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(found, A_MATRIX, rtol=1e-9, atol=1e-9)


def test_the_point_stays_where_it_was():
    x = torch.ones(3, dtype=torch.float64)
    derivatives.gradient(lambda x: x.prod(), x)
    assert torch.equal(x, torch.ones(3, dtype=torch.float64))


def test_the_chain_rule_of_numbers_multiplies_slopes():
    sine, square = derivatives.chain_rule([torch.sin, torch.square], 1.0)
    assert sine.local.item() == pytest.approx(math.cos(1))
    assert square.value.item() == pytest.approx(math.sin(1) ** 2)
    assert square.local.item() == pytest.approx(2 * math.sin(1))
    assert square.total.item() == pytest.approx(2 * math.sin(1) * math.cos(1))


def test_the_chain_rule_through_a_network_is_the_gradient_of_autograd(network, x):
    network.double()
    stages = derivatives.chain_rule([*network, lambda y: y.square().sum()], x[0].double())
    leaf = x[0].double().requires_grad_()
    network(leaf).square().sum().backward()
    assert [tuple(stage.local.shape) for stage in stages] == [(4, 3), (4, 4), (2, 4), (2,)]
    torch.testing.assert_close(stages[-1].total, leaf.grad, rtol=1e-8, atol=1e-9)


def test_right_gradients_of_a_module_pass(network, x):
    report = derivatives.check_gradients(network, x)
    assert set(report.differences) == {"input 0", "0.weight", "0.bias", "2.weight", "2.bias"}
    assert report.relative < 1e-8
    assert report.passes()


def test_a_wrong_gradient_is_caught(x):
    report = derivatives.check_gradients(WrongTanh.apply, x)
    assert not report.passes()
    assert report.relative > 0.01


def test_a_wrong_gradient_leaves_those_behind_it_right(network, x):
    wrong = nn.Sequential(network[0], Tanh(), network[2])
    wrong[1].forward = WrongTanh.apply
    differences = derivatives.check_gradients(wrong, x).differences
    assert max(differences[name].relative for name in ("2.weight", "2.bias")) < 1e-8
    assert min(differences[name].relative for name in ("0.weight", "0.bias", "input 0")) > 0.01


def test_a_gradient_that_is_not_a_number_does_not_pass_behind_one_that_is_right():
    report = derivatives.check_gradients(lambda x, y: x.sum() + (0 * y).sqrt().sum(), torch.ones(2), torch.ones(2))
    assert report.differences["input 0"].relative < 1e-8
    assert report.differences["input 1"].relative == math.inf
    assert not report.passes()


def test_a_gradient_that_is_zero_passes(network, x):
    normalised = nn.Sequential(network[0], nn.BatchNorm1d(4), network[2])  # its first bias moves nothing
    assert derivatives.check_gradients(normalised, x).passes()


def test_labels_are_passed_on_unchecked(x):
    report = derivatives.check_gradients(losses.cross_entropy_from_logits, x, torch.tensor([0, 1, 2, 1, 0]))
    assert set(report.differences) == {"input 0"}
    assert report.passes()


def test_several_values_are_checked_together(generator):
    recurrent = nn.LSTM(3, 2)
    x = torch.randn(4, 2, 3, generator=generator)
    assert derivatives.check_gradients(recurrent, x).passes()


def test_the_module_and_its_inputs_stay_as_they_were(network, x):
    before, point = {name: weight.clone() for name, weight in network.state_dict().items()}, x.clone()
    derivatives.check_gradients(network, x)
    assert torch.equal(x, point)
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())


def test_weights_that_do_not_lie_row_by_row_are_checked_too(generator):
    layer = nn.Conv2d(2, 2, 2).to(memory_format=torch.channels_last)
    assert derivatives.check_gradients(layer, torch.randn(1, 2, 3, 3, generator=generator)).passes()


def test_the_report_reads_as_a_table_with_the_worst_first(network, x):
    wrong = nn.Sequential(network[0], Tanh(), network[2])
    wrong[1].forward = WrongTanh.apply
    lines = str(derivatives.check_gradients(wrong, x)).splitlines()
    assert lines[0].split() == ["absolute", "relative"]
    assert len(lines) == 6
    assert {line.split()[0] for line in lines[-2:]} == {"2.weight", "2.bias"}


def test_dropout_in_training_is_refused_and_in_evaluation_passes(network, x, generator):
    layers = nn.Sequential(network[0], Dropout(0.5, generator=generator))
    with pytest.raises(InputError, match=r"function='Sequential': must be the same at each call"):
        derivatives.check_gradients(layers, x)
    assert derivatives.check_gradients(layers.eval(), x).passes()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: derivatives.derivative(torch.sin, torch.tensor(1)), "x dtype=torch.int64"),
        (lambda: derivatives.derivative(torch.sin, math.nan), "x=nan: must be finite"),
        (lambda: derivatives.derivative(torch.sin, 1.0, step=0), "step=0: must be above 0"),
        (lambda: derivatives.derivative(torch.sin, 1.0, step=1e-17), "step=1e-17: must be large enough to change x"),
        (lambda: derivatives.derivative(torch.sum, torch.ones(2)), r"function's shape=\(\)"),
        (
            lambda: derivatives.gradient(lambda x: x, torch.ones(2)),
            r"function's shape=\(2,\): must be \(\), one number",
        ),
        (lambda: derivatives.jacobian(torch.sin, torch.ones(0)), r"x shape=\(0,\): must be not empty"),
        (lambda: derivatives.partial_derivative(torch.sum, torch.ones(2), 2), "index=2"),
        (lambda: derivatives.partial_derivative(torch.sum, torch.ones(2, 2), 1), "index=1"),
        (lambda: derivatives.chain_rule([], 1.0), r"functions=\[\]: must be one function or more"),
        (lambda: derivatives.check_gradients(torch.log, torch.tensor([-1.0])), "function='.*': must be finite"),
        (lambda: derivatives.check_gradients(torch.abs, torch.tensor([1])), r"inputs=\[torch.int64\]"),
        (
            lambda: derivatives.check_gradients(lambda x: x.detach(), torch.ones(1)),
            "function='function'.*differentiable",
        ),
        (lambda: derivatives.check_gradients(lambda x: "x", torch.ones(1)), "function's value='str'"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(InputError, match=message):
        call()
