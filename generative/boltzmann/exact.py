"""The partition function of a small machine, by adding up all of its states."""

import torch
from torch import Tensor

from foundations.errors import require
from generative.boltzmann.rbm import RBM

MOST_HIDDEN = 24
"""Hidden units at most: 2^24 states take seconds, each further unit doubles that."""
AT_ONCE = 2**12


@torch.no_grad()
def exact_log_partition(rbm: RBM) -> float:
    """The exact log Z = log sum over h of exp(c.h) sum over v of exp(v.(b + W^T h)), in nats and in float64.

    The inner sum is a product over visible units, so only the 2^hidden hidden states are gone through.
    Raises: InputError for more than 24 hidden units: see `log_partition` for an estimate.
    """
    require(rbm.hidden <= MOST_HIDDEN, "hidden", rbm.hidden, f"at most {MOST_HIDDEN} to be added up; use log_partition")
    weight, visible_bias, hidden_bias = (
        parameter.detach().double() for parameter in (rbm.weight, rbm.visible_bias, rbm.hidden_bias)
    )
    parts = []
    for numbers in torch.arange(2**rbm.hidden, device=weight.device).split(AT_ONCE):
        hidden = binary_states(numbers, rbm.hidden)
        sums = hidden @ hidden_bias + rbm.log_visible_sum(hidden @ weight + visible_bias)
        parts.append(sums.logsumexp(dim=0))
    return float(torch.stack(parts).logsumexp(dim=0))


def binary_states(numbers: Tensor, width: int) -> Tensor:
    """The binary digits of whole `numbers` (n), lowest first: (n, width), float64."""
    return (numbers.unsqueeze(1) >> torch.arange(width, device=numbers.device) & 1).double()
