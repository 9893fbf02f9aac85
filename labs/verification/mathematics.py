"""Linear algebra against NumPy, derivatives against autograd, probability against SciPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.stats
import torch
from torch import Tensor

from foundations import derivatives, linear_algebra, probability
from foundations.probability import Bernoulli, Categorical, Distribution, Normal, Uniform
from labs.verification.twin import SCIPY, Difference, Twin, largest, normal, values

CENTRAL = 1e-8
"""How near central differences come to a derivative in float64."""


def linear_algebra_twins() -> list[Twin]:
    """Products of vectors and matrices, and images as vectors."""
    a, b, vector = normal(4, 3), normal(3, 5, seed=2), normal(3, seed=3)
    image, colour = (
        normal(2, 28, 28),
        torch.rand(3, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),
    )
    luminance = np.array([0.299, 0.587, 0.114])

    def twin(name: str, reference: str, own: Callable[[], Tensor], formula: Callable[[], Any]) -> Twin:
        return Twin(name, "linear algebra", reference, values(own, formula))

    algebra = linear_algebra
    return [
        twin("dot", "numpy.dot", lambda: algebra.dot(a, vector), lambda: np.dot(a.numpy(), vector.numpy())),
        twin("matrix_product", "numpy.matmul", lambda: algebra.matrix_product(a, b), lambda: a.numpy() @ b.numpy()),
        twin("transpose", "numpy.transpose", lambda: algebra.transpose(a), lambda: a.numpy().T.copy()),
        twin(
            *("image_to_vector", "numpy.reshape"),
            lambda: algebra.image_to_vector(image),
            lambda: image.numpy().reshape(2, 784),
        ),
        twin(
            *("vector_to_image", "numpy.reshape"),
            lambda: algebra.vector_to_image(image.flatten(1)),
            lambda: image.numpy().reshape(2, 28, 28),
        ),
        twin(
            *("to_grey", "numpy.tensordot"),
            lambda: algebra.to_grey(colour),
            lambda: np.tensordot(luminance, colour.numpy(), 1),
        ),
    ]


def derivative_twins() -> list[Twin]:
    """Central differences against autograd; for f(x) = sin(x_1 x_2) + e^x_3 and relatives of it."""
    x = normal(3)

    def field(x: Tensor) -> Tensor:
        return torch.sin(x[0] * x[1]) + torch.exp(x[2])

    def wave(x: Tensor) -> Tensor:
        return torch.sin(x) * x

    def flow(x: Tensor) -> Tensor:
        return torch.stack([x[0] * x[1], torch.exp(x[1] - x[2])])

    exact: Callable[..., Tensor] = torch.autograd.functional.jacobian
    rows = [
        ("derivative", lambda: derivatives.derivative(wave, x), lambda: torch.sin(x) + x * torch.cos(x), "closed form"),
        ("partial_derivative", lambda: derivatives.partial_derivative(field, x, 1), lambda: exact(field, x)[1], ""),
        ("gradient", lambda: derivatives.gradient(field, x), lambda: exact(field, x), ""),
        ("jacobian", lambda: derivatives.jacobian(flow, x), lambda: exact(flow, x), ""),
        (
            "chain_rule",
            lambda: derivatives.chain_rule([flow, wave], x)[-1].total,
            lambda: exact(lambda x: wave(flow(x)), x),
            "",
        ),
    ]
    twins = [
        Twin(name, "derivatives", reference or "torch.autograd", values(own, formula), CENTRAL)
        for name, own, formula, reference in rows
    ]
    return [*twins, Twin("check_gradients", "derivatives", "an error of 1 % put in", _found_error, CENTRAL)]


class _SlightlyWrong(torch.autograd.Function):
    """x^2 whose backward pass is one per cent too large."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        context.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(context: Any, upstream: Tensor) -> Tensor:
        x: Tensor = context.saved_tensors[0]
        return 2 * 1.01 * x * upstream


def _found_error() -> Difference:
    """The relative error that the check reports of a gradient that is one per cent too large: 0.01 / 1.01."""
    report = derivatives.check_gradients(_SlightlyWrong.apply, normal(1))
    return Difference(abs(report.relative - 0.01 / 1.01))


def probability_twins() -> list[Twin]:
    """Densities, moments and entropies of the four distributions; measures of information."""
    pairs: list[tuple[Distribution, Any]] = [
        (Uniform(-1.0, 3.0), scipy.stats.uniform(-1, 4)),
        (Normal(0.5, 2.0), scipy.stats.norm(0.5, 2)),
        (Bernoulli(0.3), scipy.stats.bernoulli(0.3)),
        (Categorical((0.2, 0.5, 0.3)), scipy.stats.rv_discrete(values=([0, 1, 2], [0.2, 0.5, 0.3]))),
    ]
    p, q = normal(4, 5).softmax(-1), normal(4, 5, seed=2).softmax(-1)
    rows = p.numpy(), q.numpy()
    twins = [twin for own, reference in pairs for twin in _distribution(own, reference)]

    def twin(name: str, reference: str, own: Callable[[], Any], formula: Callable[[], Any]) -> Twin:
        return Twin(name, "probability", reference, values(own, formula), SCIPY)

    return [
        *twins,
        twin(
            "entropy",
            "scipy.stats.entropy",
            lambda: probability.entropy(p),
            lambda: scipy.stats.entropy(rows[0], axis=1),
        ),
        twin(
            *("cross_entropy", "scipy.stats.entropy"),
            lambda: probability.cross_entropy(p, q),
            lambda: scipy.stats.entropy(rows[0], axis=1) + scipy.stats.entropy(*rows, axis=1),
        ),
        twin(
            *("kl_divergence", "scipy.stats.entropy"),
            lambda: probability.kl_divergence(p, q),
            lambda: scipy.stats.entropy(*rows, axis=1),
        ),
        twin(
            *("normal_kl_divergence", "torch.distributions.kl_divergence"),
            lambda: probability.normal_kl_divergence(Normal(0.5, 2.0), Normal(-1.0, 0.7)),
            _torch_normal_kl,
        ),
    ]


def _distribution(own: Distribution, reference: Any) -> list[Twin]:
    name = type(own).__name__
    discrete = isinstance(own, Bernoulli | Categorical)
    theirs = f"scipy.stats.{'rv_discrete' if isinstance(own, Categorical) else reference.dist.name}"
    x = torch.tensor([0.0, 1.0]) if discrete else torch.tensor([-0.9, 0.0, 0.1, 2.5], dtype=torch.float64)
    points = x.double()

    def density() -> Difference:
        logarithm = reference.logpmf if discrete else reference.logpdf
        return Difference(largest(own.log_prob(points), logarithm(points.numpy())))

    def moments() -> Difference:
        ours = [own.mean, own.variance, own.entropy, own.expectation(lambda v: v**3)]
        return Difference(largest(ours, [reference.mean(), reference.var(), reference.entropy(), reference.moment(3)]))

    return [
        Twin(f"{name}, log_prob", "probability", theirs, density, SCIPY),
        Twin(f"{name}, mean, variance, entropy, third moment", "probability", theirs, moments, SCIPY),
    ]


def _torch_normal_kl() -> Tensor:
    p = _torch_normal(0.5, 2.0)
    return torch.distributions.kl_divergence(p, _torch_normal(-1.0, 0.7))


def _torch_normal(mean: float, deviation: float) -> torch.distributions.Normal:
    moments = torch.tensor([mean, deviation], dtype=torch.float64)
    return torch.distributions.Normal(moments[0], moments[1])
