"""How far gates are open, against the equations of the cells."""

import pytest
import torch

from foundations.errors import InputError
from foundations.recurrent import GRU, LSTM, RNN, gate_openings


def test_the_gates_of_an_lstm_make_its_outputs(generator):
    network = LSTM(3, 4, 2, bidirectional=True, generator=generator).double()
    x = torch.rand(2, 5, 3, generator=generator).double()
    found, first = gate_openings(network, x), LSTM(3, 4).double()
    first.load_state_dict({name: each for name, each in network.state_dict().items() if name.endswith("_l0")})
    shown, (h, c) = first(x)
    torch.testing.assert_close(found["output"][:, -1] * c[0].tanh(), h[0], rtol=1e-10, atol=1e-10)
    _, (_, earlier) = first(x[:, :4])
    candidate = (c[0] - found["forget"][:, -1] * earlier[0]) / found["input"][:, -1]
    weights = first.weights(0)
    sums = x[:, 4] @ weights.input.T + weights.input_bias + shown[:, 3] @ weights.hidden.T + weights.hidden_bias
    torch.testing.assert_close(candidate, sums.chunk(4, dim=1)[2].tanh(), rtol=1e-8, atol=1e-8)


def test_the_update_gate_of_a_gru_mixes_old_and_new(generator):
    network = GRU(3, 4, generator=generator).double()
    x = torch.rand(2, 5, 3, generator=generator).double()
    found, shown = gate_openings(network, x), network(x)[0]
    weights = network.weights(0)
    x_n = (x[:, 4] @ weights.input.T + weights.input_bias).chunk(3, dim=1)[2]
    h_n = (shown[:, 3] @ weights.hidden.T + weights.hidden_bias).chunk(3, dim=1)[2]
    new, z = torch.tanh(x_n + found["reset"][:, 4] * h_n), found["update"][:, 4]
    torch.testing.assert_close(shown[:, 4], (1 - z) * new + z * shown[:, 3], rtol=1e-10, atol=1e-10)


def test_a_network_without_gates_is_refused():
    with pytest.raises(InputError, match="network='RNN'"):
        gate_openings(RNN(3, 4), torch.rand(1, 2, 3))
