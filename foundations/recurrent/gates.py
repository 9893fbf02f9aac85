"""How far the gates of an LSTM or a GRU are open while it reads."""

import torch
import torch.nn.functional as F
from torch import Tensor

from foundations.errors import require
from foundations.recurrent.layers import GRU, LSTM


@torch.no_grad()
def gate_openings(network: LSTM | GRU, x: Tensor) -> dict[str, Tensor]:
    """The gates of the first layer, forwards, at each step: "input", "forget", "output", or "reset", "update".

    Each is sigma(W x_t + b + W' h_{t-1} + b'), see `LSTMCell` and `GRUCell`.
    Shapes: x (batch, time, features) without padding -> (batch, time, hidden) each, between 0, shut, and 1, open.
    Raises: InputError for another network and for other shapes.
    """
    gated = "an LSTM or a GRU: others have no gates"
    require(isinstance(network, LSTM | GRU), "network", type(network).__name__, gated)
    first = type(network)(network.input_size, network.hidden_size).to(x)
    first.load_state_dict({name: each for name, each in network.state_dict().items() if name.endswith("_l0")})
    after = first(x)[0]
    before = torch.cat([torch.zeros_like(after[:, :1]), after[:, :-1]], dim=1)
    weights = first.weights(0)
    sums = F.linear(x, weights.input, weights.input_bias) + F.linear(before, weights.hidden, weights.hidden_bias)
    parts = sums.sigmoid().chunk(network.cell.gates, dim=2)
    if isinstance(network, LSTM):
        return {"input": parts[0], "forget": parts[1], "output": parts[3]}
    return {"reset": parts[0], "update": parts[1]}
