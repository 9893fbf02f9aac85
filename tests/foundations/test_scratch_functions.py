"""Every backward pass of the NumPy network, against torch.autograd and against central differences."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st

from foundations import scratch
from foundations.errors import InputError
from foundations.scratch.convolution import Window, unwindow, windows

Operands = dict[str, np.ndarray]


class Case(NamedTuple):
    """A pair of functions, its twin in torch, and what both are given."""

    shapes: dict[str, tuple[int, ...]]
    forward: Callable[..., Any]
    backward: Callable[..., Any]
    twin: Callable[..., torch.Tensor]
    exact: bool = True
    """Whether the backward pass is meant to be the true gradient; a truncated one is not."""


def torch_recurrent(x, first, u, w, v, b, c, truncate=None):
    state, outputs = first, []
    for t in range(x.shape[1]):
        if truncate and t % truncate == 0 and t:
            state = state.detach()
        state = torch.tanh(x[:, t] @ u.T + state @ w.T + b)
        outputs.append(state @ v.T + c)
    return torch.stack(outputs, 1)


def recurrent(*operands):
    y, _, cache = scratch.recurrent_forward(*operands)
    return y, cache


def activation(name: str, twin: Callable[[torch.Tensor], torch.Tensor]) -> Case:
    forward, backward = getattr(scratch, f"{name}_forward"), getattr(scratch, f"{name}_backward")
    return Case({"z": (4, 5)}, forward, backward, twin)


def convolving(stride: int, padding: int, kernel: tuple[int, int] = (3, 3)) -> Case:
    return Case(
        {"x": (2, 3, 7, 6), "w": (4, 3, *kernel), "b": (4,)},
        lambda x, w, b: scratch.convolution_forward(x, w, b, stride, padding),
        scratch.convolution_backward,
        lambda x, w, b: F.conv2d(x, w, b, stride, padding),
    )


def pooling(name: str, twin: Callable[..., torch.Tensor], size: int, stride: int, padding: int) -> Case:
    forward, backward = getattr(scratch, f"{name}_forward"), getattr(scratch, f"{name}_backward")
    return Case(
        {"x": (2, 3, 7, 6)},
        lambda x: forward(x, size, stride, padding),
        backward,
        lambda x: twin(x, size, stride, padding),
    )


NETWORK = {"x": (2, 5, 3), "h0": (2, 4), "U": (4, 3), "W": (4, 4), "V": (2, 4), "b": (4,), "c": (2,)}
CASES = {
    "dense": Case({"x": (4, 3), "w": (2, 3), "b": (2,)}, scratch.dense_forward, scratch.dense_backward, F.linear),
    "dense over time": Case(
        {"x": (4, 5, 3), "w": (2, 3), "b": (2,)}, scratch.dense_forward, scratch.dense_backward, F.linear
    ),
    "identity": activation("identity", lambda z: z),
    "sigmoid": activation("sigmoid", torch.sigmoid),
    "tanh": activation("tanh", torch.tanh),
    "relu": activation("relu", torch.relu),
    "leaky relu": activation("leaky_relu", F.leaky_relu),
    "softmax": activation("softmax", lambda z: torch.softmax(z, -1)),
    "convolution": convolving(1, 0),
    "convolution, stride 2, padding 1": convolving(2, 1),
    "convolution, kernel 1x4, stride 3": convolving(3, 2, (1, 4)),
    "max pooling": pooling("max_pool", F.max_pool2d, 2, 2, 0),
    "max pooling, overlapping, padded": pooling("max_pool", F.max_pool2d, 3, 2, 1),
    "average pooling": pooling("average_pool", F.avg_pool2d, 2, 2, 0),
    "average pooling, overlapping, padded": pooling("average_pool", F.avg_pool2d, 3, 1, 1),
    "batch norm of vectors": Case(
        {"x": (6, 3), "weight": (3,), "bias": (3,)},
        scratch.batch_norm_forward,
        scratch.batch_norm_backward,
        lambda x, weight, bias: F.batch_norm(x, None, None, weight, bias, training=True),
    ),
    "batch norm of images": Case(
        {"x": (2, 3, 4, 5), "weight": (3,), "bias": (3,)},
        scratch.batch_norm_forward,
        scratch.batch_norm_backward,
        lambda x, weight, bias: F.batch_norm(x, None, None, weight, bias, training=True),
    ),
    "batch norm with running statistics": Case(
        {"x": (2, 3, 4, 5), "weight": (3,), "bias": (3,)},
        lambda x, *weights: scratch.batch_norm_forward(x, *weights, tuple(np.full((2, 3), [[0.3], [1.7]], x.dtype))),
        scratch.batch_norm_backward,
        lambda x, weight, bias: F.batch_norm(x, x.new_full((3,), 0.3), x.new_full((3,), 1.7), weight, bias),
    ),
    "dropout": Case(
        {"x": (4, 5)},
        lambda x: scratch.dropout_forward(x, 0.4, np.random.default_rng(3)),
        scratch.dropout_backward,
        lambda x: x * torch.from_numpy(scratch.dropout_forward(np.ones((4, 5)), 0.4, np.random.default_rng(3))[0]),
    ),
    "recurrent cell": Case(
        {"x": (2, 3), "h": (2, 4), "U": (4, 3), "W": (4, 4), "b": (4,)},
        scratch.recurrent_cell_forward,
        scratch.recurrent_cell_backward,
        lambda x, h, u, w, b: torch.tanh(x @ u.T + h @ w.T + b),
    ),
    "recurrent network": Case(NETWORK, recurrent, scratch.recurrent_backward, torch_recurrent),
    "recurrent network, gradient cut every 2 steps": Case(
        NETWORK,
        recurrent,
        lambda dy, cache: scratch.recurrent_backward(dy, cache, truncate=2),
        lambda *each: torch_recurrent(*each, truncate=2),
        exact=False,
    ),
}


def operands_of(case: Case, dtype: type = np.float64) -> Operands:
    generator = np.random.default_rng(0)
    return {name: generator.standard_normal(shape).astype(dtype) for name, shape in case.shapes.items()}


def own_gradients(case: Case, operands: Operands) -> tuple[np.ndarray, np.ndarray, Operands]:
    """The value, the upstream gradient that was taken, the gradients of the operands."""
    y, cache = case.forward(*operands.values())
    upstream = np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype)
    found = case.backward(upstream, cache)
    return y, upstream, dict(zip(operands, found if isinstance(found, tuple) else (found,), strict=True))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
@pytest.mark.parametrize("name", CASES)
def test_value_and_gradients_agree_with_autograd(name, dtype, tolerance):
    operands = operands_of(CASES[name], dtype)
    y, upstream, found = own_gradients(CASES[name], operands)
    leaves = [torch.tensor(operand, requires_grad=True) for operand in operands.values()]
    wanted = CASES[name].twin(*leaves)
    wanted.backward(torch.from_numpy(upstream))
    np.testing.assert_allclose(y, wanted.detach().numpy(), rtol=tolerance, atol=tolerance)
    for (operand, gradient), leaf in zip(found.items(), leaves, strict=True):
        assert gradient.dtype == dtype, operand
        np.testing.assert_allclose(gradient, leaf.grad.numpy(), rtol=tolerance, atol=tolerance, err_msg=operand)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.exact])
def test_gradients_agree_with_central_differences(name):
    operands = operands_of(CASES[name])
    _, upstream, found = own_gradients(CASES[name], operands)

    def error() -> float:
        return float((CASES[name].forward(*operands.values())[0] * upstream).sum())

    for operand, gradient in found.items():
        numerical = scratch.numerical_gradient(error, operands[operand])
        assert scratch.relative_error(gradient, numerical) <= 1e-6, operand


LOSSES = {
    "mean squared error": (scratch.mean_squared_error, F.mse_loss),
    "binary cross-entropy": (scratch.binary_cross_entropy_from_logits, F.binary_cross_entropy_with_logits),
    "cross-entropy": (scratch.cross_entropy_from_logits, F.cross_entropy),
}


def loss_operands(name: str) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    prediction = 2 * generator.standard_normal((5, 4))
    return prediction, generator.integers(0, 4, 5) if name == "cross-entropy" else generator.random((5, 4))


@pytest.mark.parametrize("name", LOSSES)
def test_loss_and_its_gradient_agree_with_autograd(name):
    own, twin = LOSSES[name]
    prediction, target = loss_operands(name)
    value, gradient = own(prediction, target)
    leaf = torch.tensor(prediction, requires_grad=True)
    wanted = twin(leaf, torch.from_numpy(target))
    wanted.backward()
    assert value == pytest.approx(wanted.item(), rel=1e-12)
    np.testing.assert_allclose(gradient, leaf.grad.numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_of_the_loss_agrees_with_central_differences(name):
    own, _ = LOSSES[name]
    prediction, target = loss_operands(name)
    numerical = scratch.numerical_gradient(lambda: own(prediction, target)[0], prediction)
    assert scratch.relative_error(own(prediction, target)[1], numerical) <= 1e-6


def test_gradient_of_cross_entropy_is_softmax_minus_one_hot():
    logits = np.array([[1.0, 2.0, 0.5]])
    _, gradient = scratch.cross_entropy_from_logits(logits, np.array([1]))
    np.testing.assert_allclose(gradient, scratch.softmax(logits) - [[0, 1, 0]], atol=1e-15)


def test_cross_entropies_of_huge_logits_are_exact():
    logits = np.array([[1e4, -1e4]])
    assert scratch.cross_entropy_from_logits(logits, np.array([1]))[0] == 2e4
    assert scratch.binary_cross_entropy_from_logits(logits, np.array([[0.0, 0.0]]))[0] == 5e3


@pytest.mark.filterwarnings("error")
def test_sigmoid_of_huge_values_neither_overflows_nor_warns():
    assert scratch.sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0, 0.5, 1]


def test_kernel_is_not_flipped():
    image = np.zeros((1, 1, 3, 3))
    image[0, 0, 0, 2] = 1
    kernel = np.arange(9.0).reshape(1, 1, 3, 3)
    assert scratch.convolution_forward(image, kernel, np.zeros(1))[0].item() == kernel[0, 0, 0, 2]


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(3, 8), st.integers(3, 8))
def test_laying_windows_back_is_the_transpose_of_taking_them(size, stride, padding, height, width):
    assume(size <= min(height, width) + 2 * padding)
    generator = np.random.default_rng(0)
    x = generator.standard_normal((2, 2, height, width))
    window = Window((size, size), stride, padding)
    taken = windows(x, window)
    other = generator.standard_normal(taken.shape)
    assert (taken * other).sum() == pytest.approx((x * unwindow(other, x.shape, window)).sum())  # <Ax, y> = <x, A^T y>


@given(st.floats(0, 0.9), st.integers(0, 100))
def test_dropout_keeps_the_expected_value_of_what_it_keeps(p, seed):
    y, _ = scratch.dropout_forward(np.ones(400), p, np.random.default_rng(seed))
    np.testing.assert_allclose(y[y > 0], 1 / (1 - p))
    assert y.mean() == pytest.approx(1, abs=5 * (p / (1 - p) / 400) ** 0.5 + 1e-9)


def test_a_cut_keeps_later_outputs_from_teaching_earlier_inputs():
    operands = operands_of(CASES["recurrent network"])
    y, cache = recurrent(*operands.values())
    upstream = np.zeros_like(y)
    upstream[:, 4] = 1  # only the last of five steps errs; cuts lie before steps 2 and 4
    found = scratch.recurrent_backward(upstream, cache, truncate=2)
    assert found.x[:, 4].any()
    assert not found.x[:, :4].any()


BAD = {
    "x shape=(4, 5): must be (..., 3)": lambda: scratch.dense_forward(np.ones((4, 5)), np.ones((2, 3)), np.ones(2)),
    "b shape=(3,): must be (2,)": lambda: scratch.dense_forward(np.ones((4, 3)), np.ones((2, 3)), np.ones(3)),
    "x dtype='int64': must be float": lambda: scratch.dense_forward(np.ones((4, 3), int), np.ones((2, 3)), np.ones(2)),
    "z dtype='int64'": lambda: scratch.relu_forward(np.ones(3, int)),
    "x shape=(1, 2, 5, 5): must be (batch, 3": lambda: scratch.convolution_forward(
        np.ones((1, 2, 5, 5)), np.ones((4, 3, 3, 3)), np.ones(4)
    ),
    "x shape=(1, 3, 2, 5): must be no smaller": lambda: scratch.convolution_forward(
        np.ones((1, 3, 2, 5)), np.ones((4, 3, 3, 3)), np.ones(4)
    ),
    "stride=0": lambda: scratch.max_pool_forward(np.ones((1, 1, 4, 4)), 2, 0),
    "padding=-1": lambda: scratch.average_pool_forward(np.ones((1, 1, 4, 4)), 2, 2, -1),
    "padding=2: must be between 0 and half": lambda: scratch.max_pool_forward(np.ones((1, 1, 4, 4)), 3, 1, 2),
    "p=1.0": lambda: scratch.dropout_forward(np.ones(3), 1.0, np.random.default_rng()),
    "x shape=(1, 3): must be more than one": lambda: scratch.batch_norm_forward(
        np.ones((1, 3)), np.ones(3), np.ones(3)
    ),
    "state shape=(2, 5)": lambda: scratch.recurrent_cell_forward(
        np.ones((2, 3)), np.ones((2, 5)), np.ones((4, 3)), np.ones((4, 4)), np.ones(4)
    ),
    "target shape=(4,): must be the prediction": lambda: scratch.mean_squared_error(np.ones((4, 1)), np.ones(4)),
    "labels=(0, 3): must be from 0 to 2": lambda: scratch.cross_entropy_from_logits(np.ones((2, 3)), np.array([0, 3])),
    "labels dtype='float64'": lambda: scratch.cross_entropy_from_logits(np.ones((2, 3)), np.ones(2)),
    "labels shape=(0,)": lambda: scratch.cross_entropy_from_logits(np.ones((0, 3)), np.ones(0, int)),
    "weights dtype='float32'": lambda: scratch.numerical_gradient(lambda: 0.0, np.ones(3, np.float32)),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_refused_by_name(message):
    with pytest.raises(InputError) as caught:
        BAD[message]()
    assert str(caught.value).startswith(message)
