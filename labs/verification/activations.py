"""Activations and losses against torch's."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import foundations
from foundations import activations, losses
from labs.verification.twin import Difference, Twin, functions, generator, largest, normal, same_arguments

_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z * 1,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softmax": partial(torch.softmax, dim=-1),
}
_LAYERS: list[tuple[type[nn.Module], type[nn.Module], dict[str, Any]]] = [
    (foundations.Identity, nn.Identity, {}),
    (foundations.Sigmoid, nn.Sigmoid, {}),
    (foundations.Tanh, nn.Tanh, {}),
    (foundations.ReLU, nn.ReLU, {}),
    (foundations.LeakyReLU, nn.LeakyReLU, {"negative_slope": 0.2}),
    (foundations.ELU, nn.ELU, {"alpha": 1.5}),
    (foundations.GELU, nn.GELU, {}),
    (foundations.SiLU, nn.SiLU, {}),
    (foundations.Softmax, nn.Softmax, {"dim": -1}),
]


def _z() -> Tensor:
    return 3 * normal(8, 5)


def _derivative(name: str) -> Callable[[], Difference]:
    """The derivative as written, against the one that autograd finds of torch's own function."""

    def compare() -> Difference:
        z, function = _z(), _FUNCTIONS[name]
        own = getattr(activations, f"{name}_derivative")(z)
        if name == "softmax":
            rows = [torch.autograd.functional.jacobian(function, row) for row in z]
            return Difference(largest(own, torch.stack(rows)))
        leaf = z.clone().requires_grad_()
        return Difference(largest(own, torch.autograd.grad(function(leaf).sum(), leaf)[0]))

    return compare


def activation_twins() -> list[Twin]:
    """Each as a layer, as a function, and its derivative."""
    twins = []
    for own, reference, options in _LAYERS:
        twins += same_arguments(own, reference, (8, 5), area="activations", **options)
    for name, function in _FUNCTIONS.items():
        compare = functions(getattr(activations, name), function, _z)
        home = "torch" if hasattr(torch, name) else "torch.nn.functional"
        theirs = "its input" if name == "identity" else f"{home}.{name}"
        twins.append(Twin(name, "activations", theirs, compare))
        twins.append(Twin(f"{name}_derivative", "activations", "torch.autograd", _derivative(name)))
    return twins


Loss = Callable[..., Tensor]


def loss_twins() -> list[Twin]:
    """Each loss in all its reductions, both bodies, smoothing where it exists."""
    numbers = normal(8, 5, seed=2)
    chances = torch.rand(8, 5, generator=generator(5), dtype=torch.float64)
    classes = torch.randint(0, 5, (8,), generator=generator(6))
    binary, categorical = losses.binary_cross_entropy_from_logits, losses.cross_entropy_from_logits
    return [
        *_loss(losses.mean_squared_error, F.mse_loss, numbers),
        *_loss(losses.mean_absolute_error, F.l1_loss, numbers),
        *_loss(losses.huber, F.huber_loss, numbers, delta=0.7),
        *_loss(binary, F.binary_cross_entropy_with_logits, chances),
        *_loss(binary, _smoothed_binary, chances, label_smoothing=0.1),
        *_loss(categorical, F.cross_entropy, classes),
        *_loss(categorical, F.cross_entropy, classes, label_smoothing=0.1),
        Twin("log_sum_exp", "losses", "torch.logsumexp", _log_sum_exp),
    ]


def _loss(own: Loss, reference: Loss, target: Tensor, **options: float) -> list[Twin]:
    def reductions(loss: Loss, **more: Any) -> Callable[[Tensor], Tensor]:
        ways = ("mean", "sum", "none")
        return lambda z: torch.cat([loss(z, target, reduction=way, **options, **more).flatten() for way in ways])

    name = ", ".join([own.__name__, *(f"{option} {number}" for option, number in options.items())])
    theirs = "torch.nn.functional." + reference.__name__.removeprefix("_")
    twins = [Twin(name, "losses", theirs, functions(reductions(own), reductions(reference), _z))]
    if "body" in inspect.signature(own).parameters:
        both = functions(reductions(own, body="equations"), reductions(own), _z)
        twins.append(Twin(f"{name}, equations", "losses", "its own kernel body", both))
    return twins


def _smoothed_binary(z: Tensor, target: Tensor, label_smoothing: float, reduction: str) -> Tensor:
    target = (1 - label_smoothing) * target + label_smoothing / 2
    return F.binary_cross_entropy_with_logits(z, target, reduction=reduction)


_smoothed_binary.__name__ = F.binary_cross_entropy_with_logits.__name__
_log_sum_exp = functions(lambda z: losses.log_sum_exp(z, 1), lambda z: torch.logsumexp(z, 1), _z)
