"""First weights of recurrent networks: state and gradient keep their length from step to step."""

import torch
from torch import Tensor, nn

from foundations import initializers
from foundations.errors import require
from foundations.recurrent.layers import GRU, LSTM
from foundations.recurrent.stack import Recurrent

INPUT_GATE, FORGET_GATE, UPDATE_GATE = 0, 1, 1
"""Their places: i, f, g, o in an LSTM, and r, z, n in a GRU."""


@torch.no_grad()
def initialize_recurrent_(
    module: nn.Module, generator: torch.Generator | None = None, forget_bias: float = 1.0
) -> None:
    """Fill every recurrent network in `module`: W_hh orthogonal, W_ih Glorot uniform (gate by gate), biases 0.

    The forget gates of LSTMs get the bias `forget_bias`. Before anything is learnt, c fades by the factor
    sigma(forget_bias) a step, 0.73 for 1 and 0.95 for 3: a higher bias lets the gradient reach further back.
    Raises: InputError where there is no recurrent network.
    Source: Saxe et al. 2013, arXiv:1312.6120; Jozefowicz et al. 2015, PMLR 37 (the bias).
    """
    found = _within(module, Recurrent)
    require(len(found) > 0, "module", type(module).__name__, "a recurrent network, or have one in it")
    for network in found:
        for weights in network.all_weights():
            for gate in range(network.cell.gates):
                initializers.glorot_uniform_(_of_gate(network, weights.input, gate), generator=generator)
                initializers.orthogonal_(_of_gate(network, weights.hidden, gate), generator=generator)
            weights.input_bias.zero_()
            weights.hidden_bias.zero_()
            if isinstance(network, LSTM):
                _of_gate(network, weights.input_bias, FORGET_GATE).fill_(forget_bias)


@torch.no_grad()
def chrono_biases_(module: nn.Module, longest: int, generator: torch.Generator | None = None) -> None:
    """Give the gates biases for memories of 1 to `longest` steps: b = ln u, u ~ U(1, longest - 1), for each unit.

    A unit whose forget gate stands at sigma(b) = u / (1 + u) forgets over 1 + u steps. LSTM: b_f = b, and b_i = -b, so
    that as much comes in as fades. GRU: b_z = b, as its update gate keeps the old state. All else stays as it is.
    Raises: InputError for `longest` below 3, and where there is neither LSTM nor GRU.
    Source: Tallec & Ollivier 2018, arXiv:1804.11188.
    """
    require(longest >= 3, "longest", longest, "at least 3 steps")
    found = [*_within(module, LSTM), *_within(module, GRU)]
    require(len(found) > 0, "module", type(module).__name__, "an LSTM or a GRU, or have one in it")
    for network in found:
        keeps = FORGET_GATE if isinstance(network, LSTM) else UPDATE_GATE
        for weights in network.all_weights():
            bias = _of_gate(network, weights.input_bias, keeps)
            bias.uniform_(1, longest - 1, generator=generator).log_()
            _of_gate(network, weights.hidden_bias, keeps).zero_()
            if isinstance(network, LSTM):
                _of_gate(network, weights.input_bias, INPUT_GATE).copy_(-bias)
                _of_gate(network, weights.hidden_bias, INPUT_GATE).zero_()


def _within(module: nn.Module, kind: type[Recurrent]) -> list[Recurrent]:
    return [each for each in module.modules() if isinstance(each, kind)]


def _of_gate(network: Recurrent, weight: Tensor, gate: int) -> Tensor:
    return weight.chunk(network.cell.gates)[gate]
