"""The recurrent networks that are used: RNN, GRU, LSTM."""

from typing import Literal, Unpack, get_args

import torch
from torch import Tensor

from foundations.errors import require_choice
from foundations.layers import Body
from foundations.recurrent.cells import GRUCell, LSTMCell, RNNCell, States, Weights
from foundations.recurrent.stack import Recurrent, RecurrentSettings

_SHUT = 1e4
"""As the sum before a sigmoid: 1 to the last bit, and 0 with the minus sign."""


class RNN(Recurrent):
    """Elman's network: h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh).

    What it shows is h: the outputs V h_t + c of the notes are a `Linear` behind it. See `Recurrent` for the rest.
    Twin: torch.nn.RNN with batch_first.
    Source: Elman 1990, Cognitive Science 14.
    """

    cell = RNNCell


class GRU(Recurrent):
    """Gated recurrent unit: h_t = (1 - z) * n + z * h_{t-1} with the candidate n = tanh(W x_t + r * (W' h_{t-1})).

    The update gate z mixes the candidate and the old state, the reset gate r acts inside the candidate. See `Recurrent`
    for the rest.
    Twin: torch.nn.GRU with batch_first.
    Source: Cho et al. 2014, arXiv:1406.1078.
    """

    cell = GRUCell


class LSTM(Recurrent):
    """Long short-term memory: c_t = f * c_{t-1} + i * g, h_t = o * tanh(c_t), with gates f, i, o and candidate g.

    The state is (h, c). The kernel is about twice as fast as the equations. See `Recurrent` for the rest.
    Twin: torch.nn.LSTM with batch_first.
    Raises: InputError for an unknown `body`.
    Source: Hochreiter & Schmidhuber 1997, Neural Computation 9; forget gate: Gers et al. 2000, Neural Computation 12.
    """

    cell = LSTMCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        body: Body = "kernel",
        **settings: Unpack[RecurrentSettings],
    ) -> None:
        require_choice("body", body, get_args(Body))
        super().__init__(input_size, hidden_size, num_layers, **settings)
        self.body: Body = body

    def _walk(
        self, weights: Weights, x: Tensor, state: States, real: Tensor | None, *, backwards: bool
    ) -> tuple[Tensor, States]:
        """The equations, or torch's kernel, which knows neither padding nor, here, a second direction."""
        if self.body == "equations":
            return super()._walk(weights, x, state, real, backwards=backwards)
        if not backwards:
            return _forwards(weights, x, state, real, training=self.training)
        if real is None:
            shown, state = _forwards(weights, x.flip(0), state, None, training=self.training)
            return shown.flip(0), state
        order = _last_to_first(real)
        shown, state = _forwards(weights, _in_order(x, order), state, real, training=self.training)
        return _in_order(shown, order), state


RecurrentKind = Literal["rnn", "gru", "lstm"]
RECURRENT: dict[RecurrentKind, type[Recurrent]] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}
"""The networks by the names that larger networks and labs choose them by."""


def _forwards(
    weights: Weights, x: Tensor, state: States, real: Tensor | None, *, training: bool
) -> tuple[Tensor, States]:
    """The kernel from the first step to the last."""
    if real is not None:
        weights, x = _held_in_padding(weights, x, real)
    first = [each.unsqueeze(0) for each in state]
    shown, h, c = torch.lstm(x, first, list(weights), True, 1, 0.0, training, False, False)
    if real is None:
        return shown, (h[0], c[0])
    last = real.sum(dim=0, keepdim=True) - 1
    h = shown.gather(0, last.expand(-1, -1, shown.shape[2]))
    return shown.masked_fill(~real, 0.0), (h[0], c[0])


def _held_in_padding(weights: Weights, x: Tensor, real: Tensor) -> tuple[Weights, Tensor]:
    """One more feature, 1 in padding, that shuts the input gate and opens the forget gate: c is kept there to the bit.

    h is not, but it can be read off at the last real step. Packing the sequences does without, and is slower by far.
    """
    hold = weights.input.new_zeros(4, len(weights.input) // 4)
    hold[0], hold[1] = -_SHUT, _SHUT
    wider = torch.cat([weights.input, hold.view(-1, 1)], dim=1)
    return weights._replace(input=wider), torch.cat([x, (~real).to(x.dtype)], dim=2)


def _last_to_first(real: Tensor) -> Tensor:
    """For each sequence its steps from the last to the first, then the padding. Shapes: (time, batch, 1), kept."""
    steps = torch.arange(len(real), device=real.device).view(-1, 1, 1)
    return torch.where(real, real.sum(dim=0) - 1 - steps, steps)


def _in_order(x: Tensor, order: Tensor) -> Tensor:
    """Step order[t] of each sequence at t."""
    return x.gather(0, order.expand(-1, -1, x.shape[2]))
