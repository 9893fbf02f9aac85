"""The learning-rate range test: which learning rates a network can be trained with, found in one short run."""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from foundations.errors import require
from foundations.streams import generators_of

SMOOTHING = 0.95
"""Memory of the running mean of the losses, in steps: 1 / (1 - 0.95) = 20."""


@dataclass(frozen=True)
class RangeTest:
    """What a range test saw, one entry a step: learning rate, loss, and the running mean of the losses so far."""

    learning_rates: list[float]
    losses: list[float]
    smoothed: list[float]

    @property
    def suggestion(self) -> float | None:
        """A tenth of the rate at which the smoothed loss was lowest, to be used as it is or as a schedule's peak.

        None where the loss never fell.
        """
        lowest = self.smoothed.index(min(self.smoothed))
        return self.learning_rates[lowest] / 10 if lowest else None


def learning_rate_range_test(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    next_loss: Callable[[], Tensor],
    *,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 200,
    diverged: float = 4.0,
) -> RangeTest:
    """Train with a rate that grows at each step by the same factor, from `lowest` to `highest`, and watch the loss.

    `next_loss` gives the loss of `network` on its next batch; `optimizer` holds the network's weights. The test stops
    early where the smoothed loss is not finite, or above `diverged` times its lowest (for a lowest l below 0: above
    l + (diverged - 1) |l|). Groups keep the ratios of their rates.
    Afterwards all is as before: weights, buffers, gradients, modes, optimizer, torch's default random stream and the
    generators of the network's layers. The stream behind `next_loss` is the caller's: give it batches of its own.
    Raises: InputError unless 0 < lowest < highest, steps >= 2, diverged > 1, and the first loss is finite.
    Source: Smith 2015, arXiv:1506.01186.
    """
    require(0 < lowest < highest < math.inf, "lowest", lowest, f"above 0 and below highest={highest}")
    require(steps >= 2, "steps", steps, "at least 2")
    require(diverged > 1, "diverged", diverged, "above 1")
    with _put_back(network, optimizer):
        network.train()
        shares = _shares(optimizer)
        rates: list[float] = []
        losses: list[float] = []
        smoothed: list[float] = []
        mean = 0.0
        for step in range(steps):
            rate = lowest * (highest / lowest) ** (step / (steps - 1))
            for group, share in zip(optimizer.param_groups, shares, strict=True):
                group["lr"] = share * rate
            loss = _update(optimizer, next_loss)
            require(step > 0 or math.isfinite(loss), "first loss", loss, "finite; see to the data and the weights")
            mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
            if not math.isfinite(mean):
                break
            rates.append(rate)
            losses.append(loss)
            smoothed.append(mean / (1 - SMOOTHING ** (step + 1)))  # the mean begins at 0, which this makes up for
            lowest_loss = min(smoothed)
            if smoothed[-1] > lowest_loss + (diverged - 1) * abs(lowest_loss):
                break
    return RangeTest(rates, losses, smoothed)


def _shares(optimizer: torch.optim.Optimizer) -> list[float]:
    """Each group's learning rate as a multiple of the first group's."""
    first = optimizer.param_groups[0]["lr"]
    require(first > 0, "lr of the first group", first, "above 0: the others are set in proportion")
    return [group["lr"] / first for group in optimizer.param_groups]


def _update(optimizer: torch.optim.Optimizer, next_loss: Callable[[], Tensor]) -> float:
    optimizer.zero_grad()
    loss = next_loss()
    loss.backward()
    optimizer.step()
    return loss.item()


@contextmanager
def _put_back(network: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Leave network, optimizer and random streams as they are now, whatever happens meanwhile."""
    weights, memory = copy.deepcopy(network.state_dict()), copy.deepcopy(optimizer.state_dict())
    gradients = [(each, each.grad) for group in optimizer.param_groups for each in group["params"]]
    modes = [(module, module.training) for module in network.modules()]
    streams = [(generator, generator.get_state()) for generator in generators_of(network)]
    default = torch.get_rng_state()
    try:
        for parameter, _ in gradients:
            parameter.grad = None  # the old gradients stay as they are, aside
        yield
    finally:
        network.load_state_dict(weights)
        optimizer.load_state_dict(memory)
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for module, training in modes:
            module.training = training
        for generator, state in streams:
            generator.set_state(state)
        torch.set_rng_state(default)
