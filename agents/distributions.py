"""What a policy says: a distribution over actions, made of a network's outputs.

Each has `log_prob` and `entropy` (nats), a draw and the likeliest action. They are torch's own of the same names in
value and gradient, with less around them: a policy gradient makes one a minibatch.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from foundations.errors import require

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Distribution(Protocol):
    """A distribution for each row of the batch."""

    def log_prob(self, actions: Tensor) -> Tensor:
        """The log probability (density) of each row's action: (batch, ...) -> (batch)."""
        ...

    def entropy(self) -> Tensor:
        """The entropy of each row: (batch)."""
        ...

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """An action for each row, drawn from `generator` (None: torch's default stream)."""
        ...

    @property
    def mode(self) -> Tensor:
        """The likeliest action of each row."""
        ...


class Categorical:
    """One of n actions: p_i = e^logit_i / sum_j e^logit_j.

    Shapes: logits (batch, n), actions int64 (batch).
    """

    def __init__(self, logits: Tensor) -> None:
        self.log_p = torch.log_softmax(logits, dim=-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """The log probability log p_a."""
        return self.log_p.gather(-1, actions.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """H = -sum_i p_i log p_i, from 0 (sure) to log n (no idea)."""
        return -(self.log_p.exp() * self.log_p).sum(dim=-1)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """By the inverse of the distribution function."""
        p = self.log_p.exp()
        drawn = torch.multinomial(p.reshape(-1, p.shape[-1]), 1, replacement=True, generator=generator)
        return drawn.view(p.shape[:-1])

    @property
    def mode(self) -> Tensor:
        """argmax_i p_i."""
        return self.log_p.argmax(dim=-1)


class MultiCategorical:
    """Several choices at once, independent of each other given the state: p(a) = prod_k p_k(a_k).

    Shapes: logits (batch, sum of sizes), one block a choice; actions int64 (batch, choices).
    Raises: InputError for logits of another width.
    """

    def __init__(self, logits: Tensor, sizes: Sequence[int]) -> None:
        width = sum(sizes)
        require(logits.shape[-1] == width, "logits shape", tuple(logits.shape), f"(..., {width}), the sum of the sizes")
        self.choices = [Categorical(part) for part in logits.split(list(sizes), dim=-1)]

    def log_prob(self, actions: Tensor) -> Tensor:
        """sum_k log p_k(a_k)."""
        each = zip(self.choices, actions.unbind(dim=-1), strict=True)
        return torch.stack([choice.log_prob(action) for choice, action in each]).sum(dim=0)

    def entropy(self) -> Tensor:
        """sum_k H_k."""
        return torch.stack([choice.entropy() for choice in self.choices]).sum(dim=0)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Each choice by itself."""
        return torch.stack([choice.sample(generator) for choice in self.choices], dim=-1)

    @property
    def mode(self) -> Tensor:
        """The likeliest of each choice."""
        return torch.stack([choice.mode for choice in self.choices], dim=-1)


class DiagonalGaussian:
    """Numbers, independent of each other given the state: a ~ N(mean, diag(std^2)), std = e^log_std.

    Shapes: mean (batch, d), log_std (d) or (batch, d), actions (batch, d).
    """

    def __init__(self, mean: Tensor, log_std: Tensor) -> None:
        self.mean, self.log_std = mean, log_std.expand_as(mean)

    def log_prob(self, actions: Tensor) -> Tensor:
        """-sum_k ((a_k - mean_k)^2 / (2 std_k^2) + log std_k + log(2 pi) / 2)."""
        z = (actions - self.mean) * torch.exp(-self.log_std)
        return -(0.5 * z.square() + self.log_std + HALF_LOG_2PI).sum(dim=-1)

    def entropy(self) -> Tensor:
        """sum_k (log std_k + log(2 pi e) / 2)."""
        return (self.log_std + (0.5 + HALF_LOG_2PI)).sum(dim=-1)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """As mean + std * noise, noise ~ N(0, 1)."""
        noise = torch.empty_like(self.mean).normal_(generator=generator)
        return self.mean + self.log_std.exp() * noise

    @property
    def mode(self) -> Tensor:
        """The mean."""
        return self.mean
