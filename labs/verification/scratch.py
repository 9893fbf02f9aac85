"""The NumPy network against autograd, operation by operation, and as a whole against finite differences."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from foundations import scratch
from foundations.scratch import Network, numerical_gradient, relative_error
from labs.verification.twin import Difference, Twin, largest

FINITE_DIFFERENCES = 1e-6
Arrays = Sequence[Any]


def scratch_twins() -> list[Twin]:
    """Every pair of forward and backward, every loss, and two networks."""
    return [*_operations(), *_losses(), *_networks()]


def _operations() -> list[Twin]:
    z, images = _normal(6, 5), _normal(2, 3, 7, 6)
    dense = (z, _normal(4, 5), _normal(4))
    kernels = (images, _normal(4, 3, 3, 3), _normal(4))
    norm = (images, _normal(3), _normal(3))
    elman = [_normal(*shape) for shape in ((2, 6, 3), (2, 4), (4, 3), (4, 4), (5, 4), (4,), (5,))]
    twins = [
        _twin(f"scratch.{name}", f"torch.{name}", _pair(name), getattr(torch, name), z)
        for name in ("sigmoid", "tanh", "relu")
    ]
    return [
        *twins,
        _twin("scratch.leaky_relu", "torch.nn.functional.leaky_relu", _pair("leaky_relu"), F.leaky_relu, z),
        _twin("scratch.softmax", "torch.softmax", _pair("softmax"), lambda z: torch.softmax(z, -1), z),
        _twin("scratch.dense", "torch.nn.functional.linear", _pair("dense"), F.linear, *dense),
        _twin(
            *("scratch.convolution, stride 2, padding 1", "torch.nn.functional.conv2d"),
            _pair("convolution", 2, 1),
            lambda x, w, b: F.conv2d(x, w, b, 2, 1),
            *kernels,
        ),
        _twin(
            *("scratch.max_pool, stride 2, padding 1", "torch.nn.functional.max_pool2d"),
            _pair("max_pool", 3, 2, 1),
            lambda x: F.max_pool2d(x, 3, 2, 1),
            images,
        ),
        _twin(
            *("scratch.average_pool, stride 2, padding 1", "torch.nn.functional.avg_pool2d"),
            _pair("average_pool", 3, 2, 1),
            lambda x: F.avg_pool2d(x, 3, 2, 1),
            images,
        ),
        _twin(
            *("scratch.batch_norm", "torch.nn.functional.batch_norm"),
            _pair("batch_norm"),
            lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
            *norm,
        ),
        _twin(
            *("scratch.recurrent", "torch.autograd of the same sums"),
            (lambda *arrays: scratch.recurrent_forward(*arrays)[::2], scratch.recurrent_backward),
            _elman,
            *elman,
        ),
    ]


def _losses() -> list[Twin]:
    prediction, target = _normal(6, 5), _normal(6, 5)
    chances, classes = 1 / (1 + np.exp(-_normal(6, 5))), np.arange(6) % 5
    rows: list[tuple[str, Callable[..., Tensor], Any]] = [
        ("mean_squared_error", F.mse_loss, target),
        ("binary_cross_entropy_from_logits", F.binary_cross_entropy_with_logits, chances),
        ("cross_entropy_from_logits", F.cross_entropy, classes),
    ]
    twins = []
    for name, reference, known in rows:
        compare = partial(_loss, getattr(scratch, name), reference, prediction, known)
        twins.append(Twin(f"scratch.{name}", "scratch", f"torch.nn.functional.{reference.__name__}", compare))
    return twins


def _networks() -> list[Twin]:
    return [
        Twin(
            *("scratch.Network, dense", "scratch", "finite differences, relative"),
            lambda: _against_differences(_dense_network(), _normal(4, 6)),
            FINITE_DIFFERENCES,
        ),
        Twin(
            *("scratch.Network, convolutional", "scratch", "finite differences, relative"),
            lambda: _against_differences(_convolutional_network(), _normal(4, 1, 8, 8)),
            FINITE_DIFFERENCES,
        ),
    ]


# --- how each is compared ---------------------------------------------------------------------------------------------


def _normal(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def _pair(name: str, *settings: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The forward function of an operation with its settings, and the backward one."""
    forward = getattr(scratch, f"{name}_forward")
    return lambda *arrays: forward(*arrays, *settings), getattr(scratch, f"{name}_backward")


def _twin(
    name: str,
    reference: str,
    pair: tuple[Callable[..., Any], Callable[..., Any]],
    formula: Callable[..., Tensor],
    *arrays: Any,
) -> Twin:
    return Twin(name, "scratch", reference, lambda: _operation(*pair, formula, arrays))


def _operation(
    forward: Callable[..., Any], backward: Callable[..., Any], formula: Callable[..., Tensor], arrays: Arrays
) -> Difference:
    y, cache = forward(*arrays)
    upstream = np.linspace(-1, 1, y.size).reshape(y.shape)
    found = backward(upstream, cache)
    leaves = [torch.tensor(array, requires_grad=True) for array in arrays]
    reference = formula(*leaves)
    wanted = torch.autograd.grad(reference, leaves, torch.from_numpy(upstream))
    pairs = zip(found if isinstance(found, tuple) else (found,), wanted, strict=True)
    return Difference(largest(y, reference), float(np.max([largest(ours, theirs) for ours, theirs in pairs])))


def _loss(own: Callable[..., Any], reference: Callable[..., Tensor], prediction: Any, target: Any) -> Difference:
    value, gradient = own(prediction, target)
    leaf = torch.tensor(prediction, requires_grad=True)
    wanted = reference(leaf, torch.from_numpy(target))
    return Difference(largest(value, wanted), largest(gradient, torch.autograd.grad(wanted, leaf)[0]))


def _elman(x: Tensor, first: Tensor, u: Tensor, w: Tensor, v: Tensor, b: Tensor, c: Tensor) -> Tensor:
    state, outputs = first, []
    for t in range(x.shape[1]):
        state = torch.tanh(x[:, t] @ u.T + state @ w.T + b)
        outputs.append(state @ v.T + c)
    return torch.stack(outputs, dim=1)


def _dense_network() -> Network:
    draws: dict[str, Any] = {"generator": np.random.default_rng(0), "dtype": np.float64}
    first, second, third = (scratch.Dense(*sizes, **draws) for sizes in ((6, 8), (8, 8), (8, 3)))
    return Network([first, scratch.Tanh(), second, scratch.Sigmoid(), third])


def _convolutional_network() -> Network:
    draws: dict[str, Any] = {"generator": np.random.default_rng(0), "dtype": np.float64}
    return Network(
        [
            scratch.Convolution(1, 3, 3, padding=1, **draws),
            scratch.Tanh(),
            scratch.BatchNorm(3, dtype=np.float64),
            scratch.MaxPool(2),
            scratch.Convolution(3, 2, 3, **draws),
            scratch.LeakyReLU(),
            scratch.Flatten(),
            scratch.Dense(8, 3, **draws),
        ]
    )


def _against_differences(network: Network, x: Any) -> Difference:
    """The largest relative error of any layer's gradient, and of the input's; the value is the loss of autograd's."""
    labels = np.arange(len(x)) % 3

    def error() -> float:
        return float(scratch.cross_entropy_from_logits(network.forward(x), labels)[0])

    logits = network.forward(x)
    value, upstream = scratch.cross_entropy_from_logits(logits, labels)
    dx = network.backward(upstream)
    gradients = {name: gradient.copy() for name, gradient in network.gradients().items()}
    errors = [relative_error(dx, numerical_gradient(error, x))]
    errors += [
        relative_error(gradients[name], numerical_gradient(error, w)) for name, w in network.parameters().items()
    ]
    reference = F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    return Difference(largest(value, reference), float(np.max(errors)))
