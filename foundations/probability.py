"""Distributions, expectation, and the measures of information that losses are made of. All logarithms are natural.

Plain numbers and samples are float64; what is computed of a floating-point tensor stays in its type.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from foundations.errors import require

NODES = 64
"""Points of a quadrature: the expectation of a polynomial is exact up to degree 127."""


class Distribution(ABC):
    """What the four distributions share."""

    @property
    @abstractmethod
    def mean(self) -> float:
        """E[X]."""

    @property
    @abstractmethod
    def variance(self) -> float:
        """E[(X - E[X])^2]."""

    @property
    @abstractmethod
    def entropy(self) -> float:
        """H = -E[log p(X)], in nats; that of a density may be negative."""

    @abstractmethod
    def log_prob(self, x: Tensor | float) -> Tensor:
        """The logarithm of p(x), in nats; -inf outside the support. Shapes: x's."""

    @abstractmethod
    def sample(self, generator: torch.Generator, shape: Sequence[int] = ()) -> Tensor:
        """Independent draws, on the generator's device. Shapes: `shape`."""

    @abstractmethod
    def weighted_values(self) -> tuple[Tensor, Tensor]:
        """Values x_i and weights w_i with E[f(X)] = sum_i w_i f(x_i); for a density these are quadrature nodes."""

    def probability(self, x: Tensor | float) -> Tensor:
        """p(x): a probability, or for Uniform and Normal a density (1 / x's unit). Shapes: x's."""
        return self.log_prob(x).exp()

    def expectation(self, function: Callable[[Tensor], Tensor]) -> float:
        """E[f(X)] = sum_x p(x) f(x), or the integral of p(x) f(x) dx by Gauss's quadrature.

        The sum is exact; the integral is exact for polynomials up to degree 127, close for smooth functions, rough
        where f has jumps or kinks. `function` maps a tensor element by element.
        Raises: InputError where it gives another shape.
        """
        values, weights = self.weighted_values()
        results = function(values)
        require(results.shape == values.shape, "function's shape", tuple(results.shape), f"{tuple(values.shape)}")
        return float((weights * results).sum())


@dataclass(frozen=True)
class Uniform(Distribution):
    """p(x) = 1 / (high - low) from `low` to `high`, 0 elsewhere. Raises: InputError unless low < high, both finite."""

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        require(math.isfinite(self.low), "low", self.low, "a finite number")
        require(math.isfinite(self.high) and self.high > self.low, "high", self.high, f"finite, above low={self.low}")

    @property
    def mean(self) -> float:
        """(low + high) / 2."""
        return (self.low + self.high) / 2

    @property
    def variance(self) -> float:
        """(high - low)^2 / 12."""
        return (self.high - self.low) ** 2 / 12

    @property
    def entropy(self) -> float:
        """= log(high - low)."""
        return math.log(self.high - self.low)

    def log_prob(self, x: Tensor | float) -> Tensor:
        """-log(high - low) within."""
        x = _floating(x)
        inside = (x >= self.low) & (x <= self.high)
        return torch.where(inside, torch.full_like(x, -self.entropy), -math.inf)

    def sample(self, generator: torch.Generator, shape: Sequence[int] = ()) -> Tensor:
        """A draw from [0, 1), stretched and moved."""
        return self.low + (self.high - self.low) * _rand(generator, shape)

    def weighted_values(self) -> tuple[Tensor, Tensor]:
        """Gauss-Legendre nodes."""
        nodes, weights = map(torch.from_numpy, np.polynomial.legendre.leggauss(NODES))
        return self.mean + (self.high - self.low) / 2 * nodes, weights / 2


@dataclass(frozen=True)
class Normal(Distribution):
    """Normal distribution: p(x) = exp(-((x - mu) / sigma)^2 / 2) / (sigma sqrt(2 pi)).

    Raises: InputError unless sigma > 0, both finite.
    """

    mu: float = 0.0
    sigma: float = 1.0

    def __post_init__(self) -> None:
        require(math.isfinite(self.mu), "mu", self.mu, "a finite number")
        require(math.isfinite(self.sigma) and self.sigma > 0, "sigma", self.sigma, "a finite number above 0")

    @property
    def mean(self) -> float:
        """The parameter mu."""
        return self.mu

    @property
    def variance(self) -> float:
        """sigma^2."""
        return self.sigma**2

    @property
    def entropy(self) -> float:
        """= log(2 pi e sigma^2) / 2."""
        return (math.log(2 * math.pi) + 1) / 2 + math.log(self.sigma)

    def log_prob(self, x: Tensor | float) -> Tensor:
        """-((x - mu) / sigma)^2 / 2 - log sigma - log(2 pi) / 2."""
        standard = (_floating(x) - self.mu) / self.sigma
        return -standard.square() / 2 - math.log(self.sigma) - math.log(2 * math.pi) / 2

    def sample(self, generator: torch.Generator, shape: Sequence[int] = ()) -> Tensor:
        """A standard normal draw, stretched and moved: the reparameterisation of a VAE."""
        noise = torch.randn(tuple(shape), generator=generator, device=generator.device, dtype=torch.float64)
        return self.mu + self.sigma * noise

    def weighted_values(self) -> tuple[Tensor, Tensor]:
        """Gauss-Hermite nodes, for the weight exp(-x^2 / 2)."""
        nodes, weights = map(torch.from_numpy, np.polynomial.hermite_e.hermegauss(NODES))
        return self.mu + self.sigma * nodes, weights / math.sqrt(2 * math.pi)


@dataclass(frozen=True)
class Categorical(Distribution):
    """p(k) = probabilities[k] for the classes k = 0, 1, ... Raises: InputError unless they are >= 0 and sum to 1."""

    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", tuple(map(float, self.probabilities)))  # lists and arrays, too
        _require_distributions(probabilities=self._row)

    @property
    def _row(self) -> Tensor:
        return torch.tensor(self.probabilities, dtype=torch.float64)

    @property
    def mean(self) -> float:
        """sum_k k p_k: of use where the classes' numbers mean something."""
        return self.expectation(lambda k: k)

    @property
    def variance(self) -> float:
        """sum_k (k - mean)^2 p_k."""
        mean = self.mean
        return self.expectation(lambda k: (k - mean).square())

    @property
    def entropy(self) -> float:
        """-sum_k p_k log p_k."""
        return float(entropy(self._row))

    def log_prob(self, x: Tensor | float) -> Tensor:
        """The class's log p_k; -inf for what is no class."""
        x = torch.as_tensor(x)
        logs = self._row.log().to(x.device)
        known = (x >= 0) & (x < len(logs)) & (x == x.floor())
        chosen = logs[torch.where(known, x, 0).long()]
        return torch.where(known, chosen, -math.inf)

    def sample(self, generator: torch.Generator, shape: Sequence[int] = ()) -> Tensor:
        """The first class whose cumulated probability exceeds a uniform draw: int64."""
        reached = self._row.cumsum(0).to(generator.device)
        # Divided by the last, it ends at exactly 1: rounding then never draws a class of probability 0.
        return torch.searchsorted(reached / reached[-1], _rand(generator, shape), right=True)

    def weighted_values(self) -> tuple[Tensor, Tensor]:
        """The classes and their probabilities."""
        return torch.arange(len(self.probabilities), dtype=torch.float64), self._row


@dataclass(frozen=True)
class Bernoulli(Distribution):
    """p(1) = p, p(0) = 1 - p: a coin. Raises: InputError unless 0 <= p <= 1."""

    p: float = 0.5

    def __post_init__(self) -> None:
        require(0 <= self.p <= 1, "p", self.p, "a probability, 0 <= p <= 1")

    @property
    def _two(self) -> Categorical:
        return Categorical((1 - self.p, self.p))

    @property
    def mean(self) -> float:
        """The parameter p."""
        return self.p

    @property
    def variance(self) -> float:
        """= p (1 - p)."""
        return self.p * (1 - self.p)

    @property
    def entropy(self) -> float:
        """-p log p - (1 - p) log(1 - p), log 2 at most."""
        return self._two.entropy

    def log_prob(self, x: Tensor | float) -> Tensor:
        """= log p for 1, log(1 - p) for 0."""
        return self._two.log_prob(x)

    def sample(self, generator: torch.Generator, shape: Sequence[int] = ()) -> Tensor:
        """1 where a uniform draw lies below p: int64."""
        return (_rand(generator, shape) < self.p).long()

    def weighted_values(self) -> tuple[Tensor, Tensor]:
        """0 and 1, and their probabilities."""
        return self._two.weighted_values()


def entropy(p: Tensor) -> Tensor:
    """H(p) = -sum_k p_k log p_k, in nats, with 0 log 0 = 0: the expected surprisal -log p_k.

    Shapes: (..., classes) -> (...). Raises: InputError for rows that are no distributions.
    """
    _require_distributions(p=p)
    return -torch.xlogy(p, p).sum(-1)


def cross_entropy(p: Tensor, q: Tensor) -> Tensor:
    """H(p, q) = -sum_k p_k log q_k = H(p) + D(p || q), in nats; infinite where q_k = 0 < p_k.

    Shapes: both (..., classes) -> (...). Raises: InputError for rows that are no distributions, or differing shapes.
    """
    _require_distributions(p=p, q=q)
    return -torch.xlogy(p, q).sum(-1)


def kl_divergence(p: Tensor, q: Tensor) -> Tensor:
    """D(p || q) = sum_k p_k log(p_k / q_k) >= 0, in nats; infinite where q_k = 0 < p_k. Not symmetric.

    Shapes: both (..., classes) -> (...). Raises: InputError for rows that are no distributions, or differing shapes.
    Source: Kullback & Leibler 1951, Annals of Mathematical Statistics 22(1).
    """
    _require_distributions(p=p, q=q)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


def normal_kl_divergence(p: Normal, q: Normal) -> float:
    """D(p || q) = log(sigma_q / sigma_p) + (sigma_p^2 + (mu_p - mu_q)^2) / (2 sigma_q^2) - 1/2, in nats."""
    spread = p.variance / q.variance
    return (spread - 1 - math.log(spread) + ((p.mu - q.mu) / q.sigma) ** 2) / 2


def _floating(x: Tensor | float) -> Tensor:
    x = torch.as_tensor(x, dtype=None if isinstance(x, Tensor) else torch.float64)
    return x if x.is_floating_point() else x.double()


def _rand(generator: torch.Generator, shape: Sequence[int]) -> Tensor:
    return torch.rand(tuple(shape), generator=generator, device=generator.device, dtype=torch.float64)


def _require_distributions(**rows: Tensor) -> None:
    """Each of `rows` (..., classes) holds probabilities that sum to 1, as nearly as its precision can tell."""
    shapes = {name: tuple(row.shape) for name, row in rows.items()}
    first = next(iter(shapes.values()))
    for name, row in rows.items():
        require(row.is_floating_point(), f"{name} dtype", row.dtype, "floating-point")
        require(row.dim() >= 1 and row.numel() > 0, f"{name} shape", shapes[name], "(..., classes), not empty")
        require(shapes[name] == first, f"{name} shape", shapes[name], f"{first}, as the other")
        lowest, off = float(row.detach().min()), float((row.detach().sum(-1) - 1).abs().max())
        require(lowest >= 0, f"smallest of {name}", lowest, "at least 0: a probability")
        # Written so that NaN fails as well.
        require(
            off <= math.sqrt(torch.finfo(row.dtype).eps), f"largest error of {name}'s sums", off, "0: rows sum to 1"
        )
