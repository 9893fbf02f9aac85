"""First weights of recurrent networks: uniform, orthogonal, and biases for long memories."""

from functools import partial

import pytest
import torch
from torch import nn

from foundations.errors import InputError
from foundations.recurrent import GRU, LSTM, RNN, chrono_biases_, initialize_recurrent_

FEATURES, HIDDEN = 3, 4
KINDS = {
    "RNN": RNN,
    "GRU": GRU,
    "LSTM kernel": partial(LSTM, body="kernel"),
    "LSTM equations": partial(LSTM, body="equations"),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def test_the_same_generator_gives_the_same_first_weights():
    first, second = (LSTM(FEATURES, HIDDEN, 2, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(torch.equal(left, right) for left, right in zip(first.parameters(), second.parameters(), strict=True))


@every_kind
def test_first_weights_are_uniform_within_one_over_the_root_of_the_hidden_size(kind, generator):
    for parameter in KINDS[kind](30, 100, generator=generator).parameters():
        assert 0.09 < parameter.abs().max() <= 0.1


@every_kind
def test_initialize_makes_each_gates_recurrent_weights_orthogonal(kind, generator):
    own = KINDS[kind](FEATURES, HIDDEN, 2, bidirectional=True, generator=generator)
    initialize_recurrent_(own, generator)
    for name, parameter in own.named_parameters():
        if name.startswith("weight_hh"):
            for gate in parameter.split(HIDDEN):
                torch.testing.assert_close(gate @ gate.T, torch.eye(HIDDEN), rtol=0, atol=1e-5)


def test_initialize_sets_the_forget_bias_and_no_other(generator):
    network = nn.ModuleDict({"encoder": LSTM(FEATURES, HIDDEN, 2), "decoder": GRU(FEATURES, HIDDEN)})
    initialize_recurrent_(network, generator, forget_bias=3.0)
    gates = network["encoder"].bias_ih_l1 + network["encoder"].bias_hh_l1
    assert gates.view(4, HIDDEN)[:, 0].tolist() == [0, 3, 0, 0]
    assert (network["decoder"].bias_ih_l0 == 0).all()


def test_chrono_biases_spread_the_memories_of_an_lstm_evenly_up_to_the_longest(generator):
    network = LSTM(FEATURES, 2_000)
    chrono_biases_(network, 101, generator)
    i, f, *_ = (network.bias_ih_l0 + network.bias_hh_l0).view(4, -1)
    memories = 1 / (1 - torch.sigmoid(f))
    assert 2 <= memories.min() < 3
    assert 100 < memories.max() <= 101.01
    assert abs(memories.mean() - 51.5) < 3
    assert torch.equal(i, -f)


def test_chrono_biases_let_a_gru_keep_its_state(generator):
    network = GRU(FEATURES, 500, generator=generator)
    others = network.bias_ih_l0.detach().clone().view(3, -1)[[0, 2]]
    chrono_biases_(network, 101, generator)
    z = torch.sigmoid((network.bias_ih_l0 + network.bias_hh_l0).view(3, -1)[1])
    assert 0.95 < z.median() < 0.99
    assert torch.equal(network.bias_ih_l0.view(3, -1)[[0, 2]], others)


@pytest.mark.parametrize(
    ("network", "longest", "message"),
    [(LSTM, 2, r"^longest=2: must be at least 3 steps$"), (RNN, 9, r"^module='RNN': must be an LSTM or a GRU")],
)
def test_chrono_biases_refuse_what_they_cannot_fill(network, longest, message):
    with pytest.raises(InputError, match=message):
        chrono_biases_(network(2, 3), longest)


def test_initialize_refuses_a_module_without_recurrence(generator):
    with pytest.raises(InputError, match=r"^module='Linear': must be a recurrent network"):
        initialize_recurrent_(nn.Linear(2, 2), generator)
