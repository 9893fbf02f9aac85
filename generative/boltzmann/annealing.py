"""Annealed importance sampling: the partition function of a machine too large for its states to be added up."""

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from foundations.errors import require
from generative.boltzmann.rbm import RBM

CORNERS = ((0.0, 0.0), (0.5, 1 / 29), (0.9, 9 / 29), (1.0, 1.0))
"""Of an annealing path: (temperature's inverse, share of the steps up to it). Source: Salakhutdinov & Murray 2008."""

FEWEST_CHAINS = 10
"""Equally weighted chains that an estimate must be worth at least to be trusted."""


@dataclass(frozen=True)
class LogPartition:
    """An estimate of log Z, in nats.

    `low` and `high` are log(Z -+ 3 standard errors of Z); `low` is minus infinity where the error exceeds Z itself.
    `effective_chains` says how many equally weighted chains the estimate is worth: a few of many mean that it rests on
    lucky ones, lies too low as a rule, and wants more temperatures.
    """

    value: float
    low: float
    high: float
    effective_chains: float

    def alarms(self, what: str) -> list[str]:
        """A sentence where it rests on fewer than ten chains; `what` follows from it, as a likelihood does."""
        if self.effective_chains >= FEWEST_CHAINS:
            return []
        few = f"the annealing rests on {self.effective_chains:.1f} of its chains"
        return [f"{few}: the {what} is too high, as a rule; take more temperatures"]


class LogLikelihood(NamedTuple):
    """The mean log p(v) of data, in nats, and its bounds at `LogPartition.high` and `LogPartition.low`."""

    value: float
    low: float
    high: float


@torch.no_grad()
def mean_log_likelihood(rbm: RBM, visible: Tensor, log_partition: LogPartition) -> LogLikelihood:
    """The mean of log p(v) = -F(v) - log Z over the rows, with the error bars of Z.

    No probability is above 1, so the upper bound is 0 at most, where that of Z is missing.
    Shapes: (n, visible), of 0 and 1.
    """
    mean = float(-rbm.free_energy(visible).mean())
    return LogLikelihood(mean - log_partition.value, mean - log_partition.high, min(mean - log_partition.low, 0.0))


def annealing_path(temperatures: int) -> Tensor:
    """So many inverse temperatures after 0, rising to 1: ever closer to each other, float64 (temperatures + 1).

    Of the steps 1/29 lead to 0.5, 8/29 on to 0.9 and 20/29 to 1, where most happens: 500, 4,000 and 10,000 of 14,500.
    Raises: InputError for fewer than 10 temperatures.
    """
    require(temperatures >= 10, "temperatures", temperatures, "at least 10")
    path = [0.0]
    for (low, _), (high, end) in itertools.pairwise(CORNERS):
        steps = max(1, round(temperatures * end) - len(path) + 1)
        path += [low + (high - low) * step / steps for step in range(1, steps + 1)]
    return torch.tensor(path, dtype=torch.float64)


@torch.no_grad()
def log_partition(
    rbm: RBM, chains: int, temperatures: int, stream: torch.Generator, base_rates: Tensor
) -> LogPartition:
    """An estimate of log Z by annealed importance sampling, with error bars.

    `chains` states are drawn from a machine without weights whose units are on at `base_rates` (visible), where Z is
    known, and led through machines p_t(v) ~ exp((1 - t) a.v + t b.v) prod_j (1 + exp(t (c_j + W_j. v))) to the one that
    is asked about, one Gibbs sweep at each t of `annealing_path(temperatures)`. On its way a chain gathers the weight
    w = prod over t of p_t(v_t) / p_t-1(v_t), unnormalised, and the mean of w is Z / Z_0 in expectation.

    Time is that of chains * temperatures rows through two matrix products; `stream` is on the machine's device.
    Raises: InputError for fewer than 2 chains or 10 temperatures, and for rates of another width or not in (0, 1).
    Source: Neal 2001, Statistics and Computing 11; Salakhutdinov & Murray 2008, ICML.
    """
    require(chains >= 2, "chains", chains, "at least 2, for an error bar")
    rbm.require_rates(base_rates)
    first = rbm.biases_of(base_rates).to(rbm.weight)
    log_first = float(rbm.log_visible_sum(first.double().unsqueeze(0))) + rbm.hidden * math.log(2)
    gathered = _anneal(rbm, chains, annealing_path(temperatures).tolist(), stream, first)
    return _summary(gathered, log_first)


def _anneal(rbm: RBM, chains: int, path: list[float], stream: torch.Generator, first: Tensor) -> Tensor:
    """The logarithm of each chain's weight: (chains), float64."""
    weight, turn = rbm.weight, rbm.visible_bias - first  # turn: from the first machine's biases to the last one's
    visible, logits = weight.new_zeros(chains, rbm.visible), first.expand(chains, -1).clone()
    hidden, inputs = weight.new_zeros(chains, rbm.hidden), weight.new_zeros(chains, rbm.hidden)
    rbm.draw_visible_(logits, visible.uniform_(generator=stream))
    gathered = torch.zeros(chains, dtype=torch.float64, device=weight.device)
    for before, now in itertools.pairwise(path):
        torch.addmm(rbm.hidden_bias, visible, weight.T, out=inputs)
        gain = F.softplus(now * inputs).sub_(F.softplus(before * inputs)).sum(dim=1, dtype=torch.float64)
        gathered += gain.add_((visible @ turn).double(), alpha=now - before)
        hidden.uniform_(generator=stream).lt_(inputs.mul_(now).sigmoid_())
        torch.addmm(first + now * turn, hidden, weight, alpha=now, out=logits)
        rbm.draw_visible_(logits, visible.uniform_(generator=stream))
    return gathered


def _summary(gathered: Tensor, log_first: float) -> LogPartition:
    count = len(gathered)
    value = log_first + float(gathered.logsumexp(dim=0)) - math.log(count)
    weights = (gathered - gathered.max()).exp()
    bar = 3 * float(weights.std() / weights.mean()) / math.sqrt(count)
    low = value + math.log1p(-bar) if bar < 1 else -math.inf
    return LogPartition(value, low, value + math.log1p(bar), float(weights.sum().square() / weights.square().sum()))
