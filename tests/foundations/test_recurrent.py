import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from foundations.errors import InputError
from foundations.recurrent import GRU, LSTM, RNN, Recurrent, State, detach_state
from foundations.streams import Streams
from foundations.training import SupervisedLearner

FEATURES, HIDDEN, BATCH, TIME = 3, 4, 5, 7
LENGTHS = torch.tensor([3, 7, 1, 5, 3])  # in no order
TWINS = {
    "RNN": (RNN, nn.RNN, {}),
    "GRU": (GRU, nn.GRU, {}),
    "LSTM kernel": (LSTM, nn.LSTM, {"body": "kernel"}),
    "LSTM equations": (LSTM, nn.LSTM, {"body": "equations"}),
}
FORMS = {
    "plain": {},
    "bidirectional": {"bidirectional": True},
    "three layers": {"num_layers": 3},
    "two layers, bidirectional": {"num_layers": 2, "bidirectional": True},
}
every_twin = pytest.mark.parametrize("twin", TWINS)
every_form = pytest.mark.parametrize("form", FORMS)


class Everything(nn.Module):
    """Outputs and states in one row a sequence, so that a gradient meets all of them; packed where it is torch's."""

    def __init__(self, network: nn.Module, state: State | None = None, lengths: Tensor | None = None) -> None:
        super().__init__()
        self.network, self.state, self.lengths = network, state, lengths

    def forward(self, x: Tensor) -> Tensor:
        state = None if self.state is None else _to(self.state, x.dtype)
        if isinstance(self.network, Recurrent):
            outputs, after = self.network(x, state, self.lengths)
        elif self.lengths is None:
            outputs, after = self.network(x, state)
        else:
            packed = pack_padded_sequence(x, self.lengths, batch_first=True, enforce_sorted=False)
            outputs, after = self.network(packed, state)
            outputs, _ = pad_packed_sequence(outputs, batch_first=True)
        states = (after,) if isinstance(after, Tensor) else after
        return torch.cat([outputs.flatten(1), *(each.transpose(0, 1).flatten(1) for each in states)], dim=1)


def _to(state: State, dtype: torch.dtype) -> State:
    return state.to(dtype) if isinstance(state, Tensor) else (state[0].to(dtype), state[1].to(dtype))


def _pair(twin: str, form: str, generator: torch.Generator) -> tuple[Recurrent, nn.Module]:
    own, reference, body = TWINS[twin]
    options = FORMS[form]
    return (
        own(FEATURES, HIDDEN, generator=generator, **options, **body),
        reference(FEATURES, HIDDEN, batch_first=True, **options),
    )


def _state(network: Recurrent, generator: torch.Generator) -> State:
    shape = (network.num_layers * network.directions, BATCH, HIDDEN)
    h, c = (torch.randn(shape, generator=generator) for _ in range(2))
    return (h, c) if isinstance(network, LSTM) else h


def _sequences(generator: torch.Generator) -> Tensor:
    return torch.randn(BATCH, TIME, FEATURES, generator=generator)


@every_form
@every_twin
def test_agrees_with_torch(twin, form, assert_twins, generator):
    own, reference = _pair(twin, form, generator)
    assert_twins(Everything(own), Everything(reference), _sequences(generator))


@every_form
@every_twin
def test_agrees_with_torch_from_a_given_state(twin, form, assert_twins, generator):
    own, reference = _pair(twin, form, generator)
    state = _state(own, generator)
    assert_twins(Everything(own, state), Everything(reference, state), _sequences(generator))


@every_form
@every_twin
def test_agrees_with_torchs_packed_sequences(twin, form, assert_twins, generator):
    own, reference = _pair(twin, form, generator)
    state = _state(own, generator)
    ours, torchs = Everything(own, state, LENGTHS), Everything(reference, state, LENGTHS)
    assert_twins(ours, torchs, _sequences(generator))


@every_twin
def test_long_sequences_agree_with_torchs_packed_ones(twin, assert_twins, generator):
    own, reference, body = TWINS[twin]
    ours = Everything(own(FEATURES, 16, generator=generator, **body), None, torch.tensor([150, 31, 100]))
    torchs = Everything(reference(FEATURES, 16, batch_first=True), None, torch.tensor([150, 31, 100]))
    assert_twins(ours, torchs, torch.randn(3, 150, FEATURES, generator=generator))


@every_twin
def test_passes_gradcheck_of_values_weights_and_state(twin, generator):
    own, _ = _pair(twin, "two layers, bidirectional", generator)
    own.double()
    names = [name for name, _ in own.named_parameters()]
    state = _to(_state(own, generator), torch.float64)
    states = [each.requires_grad_() for each in ((state,) if isinstance(state, Tensor) else state)]
    x = _sequences(generator).double()[:, :3].requires_grad_()

    def outputs(x: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        before = others[0] if len(states) == 1 else others[:2]
        weights = dict(zip(names, others[len(states) :], strict=True))
        y, after = torch.func.functional_call(own, weights, (x, before, LENGTHS.clamp(max=3)))
        return y, *((after,) if isinstance(after, Tensor) else after)

    assert torch.autograd.gradcheck(outputs, (x, *states, *own.parameters()), fast_mode=True)


@every_twin
def test_weights_load_from_and_into_torch(twin, generator):
    own, reference = _pair(twin, "two layers, bidirectional", generator)
    own.load_state_dict(reference.state_dict())
    reference.load_state_dict(own.state_dict())
    names = [name for name, _ in reference.named_parameters()]
    assert [name for name, _ in own.named_parameters()] == names


@pytest.mark.parametrize("form", ["plain", "two layers, bidirectional"])
@every_twin
def test_a_sequence_in_a_padded_batch_is_the_sequence_alone(twin, form, generator):
    own, _ = _pair(twin, form, generator)
    x = _sequences(generator)
    outputs, after = own(x, lengths=LENGTHS)
    h = after if isinstance(after, Tensor) else after[0]
    for k, length in enumerate(LENGTHS):
        alone, after_alone = own(x[k : k + 1, :length])
        h_alone = after_alone if isinstance(after_alone, Tensor) else after_alone[0]
        torch.testing.assert_close(outputs[k, :length], alone[0])
        torch.testing.assert_close(h[:, k], h_alone[:, 0])


@every_twin
def test_outputs_in_padding_are_exactly_zero(twin, generator):
    own, _ = _pair(twin, "two layers, bidirectional", generator)
    outputs, _ = own(_sequences(generator), lengths=LENGTHS)
    padding = torch.arange(TIME) >= LENGTHS[:, None]
    assert (outputs[padding] == 0).all()
    assert (outputs[~padding] != 0).all()


@every_twin
def test_what_stands_in_padding_reaches_neither_values_nor_gradients(twin, generator):
    own, _ = _pair(twin, "two layers, bidirectional", generator)
    clean = _sequences(generator)
    padding = torch.arange(TIME) >= LENGTHS[:, None]
    found = []
    for filling in (0.0, float("nan")):
        own.zero_grad()
        outputs, _ = own(clean.masked_fill(padding[..., None], filling), lengths=LENGTHS)
        outputs.square().sum().backward()
        found.append([outputs, *(each.grad for each in own.parameters())])
    assert all(torch.equal(left, right) for left, right in zip(*found, strict=True))


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5), backwards=st.booleans())
def test_the_kernel_agrees_with_the_equations_whatever_the_lengths(lengths, backwards):
    generator = torch.Generator().manual_seed(0)
    kernel = LSTM(2, 3, bidirectional=backwards, generator=generator)
    equations = LSTM(2, 3, bidirectional=backwards, body="equations")
    equations.load_state_dict(kernel.state_dict())
    x = torch.randn(len(lengths), max(lengths), 2, generator=generator)
    torch.testing.assert_close(kernel(x, lengths=torch.tensor(lengths)), equations(x, lengths=torch.tensor(lengths)))


@every_twin
def test_a_sequence_in_pieces_gives_the_outputs_of_the_whole(twin, generator):
    own, _ = _pair(twin, "three layers", generator)
    x = _sequences(generator)
    first, state = own(x[:, :4])
    second, _ = own(x[:, 4:], detach_state(state))
    torch.testing.assert_close(torch.cat([first, second], dim=1), own(x)[0])


@every_twin
def test_a_detached_state_lets_no_gradient_into_the_piece_before(twin, generator):
    own, _ = _pair(twin, "plain", generator)
    x = _sequences(generator).requires_grad_()
    _, state = own(x[:, :4])
    own(x[:, 4:], detach_state(state))[0].sum().backward()
    assert (x.grad[:, :4] == 0).all()
    assert (x.grad[:, 4:] != 0).all()


@every_twin
def test_the_truncated_gradient_is_torchs(twin, generator):
    own, reference = _pair(twin, "plain", generator)
    reference.load_state_dict(own.state_dict())
    x = _sequences(generator)
    for network in (own, reference):
        state = None
        for piece in x.split(3, dim=1):
            outputs, state = network(piece, state)
            outputs.square().sum().backward()
            state = detach_state(state)
    for (name, left), right in zip(own.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(left.grad, right.grad, rtol=1e-5, atol=1e-5, msg=name)


def test_back_propagation_through_time_of_one_linear_unit_is_the_sum_of_powers(generator):
    # tanh is the identity near 0: h_T = sum_t w^(T - t) u x_t, so dh_T/dx_t = u w^(T - t)
    own = RNN(1, 1, generator=generator).double()
    for name, parameter in own.named_parameters():
        nn.init.constant_(parameter, {"weight_ih_l0": 2.0, "weight_hh_l0": 0.7}.get(name, 0.0))
    x = torch.full((1, 5, 1), 1e-9, dtype=torch.float64, requires_grad=True)
    own(x)[0][0, -1].sum().backward()
    wanted = 2 * 0.7 ** torch.arange(4, -1, -1, dtype=torch.float64)
    torch.testing.assert_close(x.grad.flatten(), wanted)


def test_the_lstm_shows_the_squashed_cell_under_the_output_gate():
    # all gates open, candidate 1: c = c + 1, and h = tanh(c), not the candidate
    own = LSTM(1, 1, body="equations")
    for parameter in own.parameters():
        nn.init.zeros_(parameter)
    nn.init.constant_(own.bias_ih_l0, 50.0)
    outputs, (_, c) = own(torch.zeros(1, 3, 1))
    torch.testing.assert_close(c.flatten(), torch.tensor([3.0]))
    torch.testing.assert_close(outputs.flatten(), torch.tanh(torch.tensor([1.0, 2.0, 3.0])))


@pytest.mark.parametrize(("update_bias", "wanted"), [(50.0, 0.25), (-50.0, 0.9)])
def test_the_update_gate_keeps_the_old_state_where_open_and_takes_the_candidate_where_shut(update_bias, wanted):
    own = GRU(1, 1)
    for parameter in own.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        own.bias_ih_l0.copy_(torch.tensor([0.0, update_bias, torch.tensor(0.9).atanh()]))
    _, h = own(torch.zeros(1, 1, 1), torch.full((1, 1, 1), 0.25))
    torch.testing.assert_close(h.item(), wanted)


def test_the_reset_gate_acts_inside_the_candidate():
    own = GRU(1, 1)
    for parameter in own.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        own.weight_hh_l0.copy_(torch.tensor([[0.0], [0.0], [1.0]]))
        own.bias_ih_l0.copy_(torch.tensor([-50.0, -50.0, 0.0]))  # reset gate and update gate shut
    _, h = own(torch.zeros(1, 1, 1), torch.full((1, 1, 1), 0.8))
    assert abs(h.item()) < 1e-6


def test_a_copy_keeps_its_weights_apart(generator):
    own = LSTM(FEATURES, HIDDEN, generator=generator)
    other = copy.deepcopy(own)
    nn.init.zeros_(other.weight_hh_l0)
    assert (own.weight_hh_l0 != 0).all()


class Last(nn.Module):
    """What is shown after the last step."""

    def __init__(self, network: Recurrent) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)[0][:, -1]


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@every_twin
def test_learns_to_name_the_sign_of_the_first_step(twin, precision, generator):
    own, _, body = TWINS[twin]
    network = Last(own(1, 8, generator=generator, **body))
    x = torch.randn(64, 5, 1, generator=generator)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.03)
    loss = lambda y, target: (y[:, 0] - target).square().mean()  # noqa: E731
    learner = SupervisedLearner(
        network, optimizer, loss, x, 0.8 * x[:, 0, 0].sign(), batch_size=64, streams=Streams(0), precision=precision
    )
    losses = [float(metrics["loss/training"]) for _, metrics in zip(range(120), learner.learn(), strict=False)]
    assert losses[0] > 0.4
    assert losses[-1] < 0.12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_size": 0}, r"^input_size=0: must be at least 1$"),
        ({"hidden_size": 0}, r"^hidden_size=0: must be at least 1$"),
        ({"num_layers": 0}, r"^num_layers=0: must be at least 1$"),
        ({"dropout": 1.0, "num_layers": 2}, r"^p=1.0: must be a probability"),
        ({"dropout": 0.5}, r"^dropout=0.5: must be 0 with one layer"),
        ({"residual": True}, r"^residual=True: must be False with one layer"),
        ({"body": "kernels"}, r"^body='kernels': must be one of equations, kernel; did you mean 'kernel'\?$"),
    ],
)
def test_impossible_sizes_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        LSTM(**{"input_size": 3, "hidden_size": 4, **change})


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(5, 3), r"^input shape=\(5, 3\): must be \(batch, time, 3\) with at least one sequence"),
        (torch.zeros(5, 7, 2), r"^input shape=\(5, 7, 2\): must be \(batch, time, 3\)"),
        (torch.zeros(5, 0, 3), r"^input shape=\(5, 0, 3\): .* one step$"),
        (torch.zeros(0, 7, 3), r"^input shape=\(0, 7, 3\): .* one sequence"),
        (torch.zeros(5, 7, 3, dtype=torch.int64), r"^input dtype=torch.int64: must be a floating-point type"),
        (torch.zeros(5, 7, 3, dtype=torch.float64), r"^input dtype=torch.float64: must be torch.float32"),
    ],
)
@pytest.mark.parametrize("network", [RNN, LSTM, GRU])
def test_input_of_another_form_is_refused(network, x, message):
    with pytest.raises(InputError, match=message):
        network(3, 4)(x)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([0, 7, 1, 5, 3]), r"^lengths='0 to 7': must be between 1 and 7"),
        (torch.tensor([8, 7, 1, 5, 3]), r"^lengths='1 to 8': must be between 1 and 7, the number of steps$"),
        (torch.tensor([7, 7]), r"^lengths shape=\(2,\): must be one for each of 5 sequences$"),
        (torch.full((5,), 3.0), r"^lengths dtype=torch.float32: must be whole numbers$"),
        (torch.full((5,), True), r"^lengths dtype=torch.bool: must be whole numbers$"),
    ],
)
def test_impossible_lengths_are_refused(lengths, message, generator):
    with pytest.raises(InputError, match=message):
        LSTM(FEATURES, HIDDEN)(_sequences(generator), lengths=lengths)


@pytest.mark.parametrize(
    ("network", "state", "message"),
    [
        (RNN, torch.zeros(1, 4, HIDDEN), r"^state shape=\(1, 4, 4\): must be .* = \(1, 5, 4\)$"),
        (RNN, torch.zeros(1, 5, HIDDEN).double(), r"^state dtype=torch.float64: must be torch.float32"),
        (LSTM, torch.zeros(1, 5, HIDDEN), r"^state='1 tensors': must be 2$"),
        (GRU, (torch.zeros(1, 5, HIDDEN), torch.zeros(1, 5, HIDDEN)), r"^state='2 tensors': must be 1$"),
    ],
)
def test_a_state_of_another_form_is_refused(network, state, message, generator):
    with pytest.raises(InputError, match=message):
        network(FEATURES, HIDDEN)(_sequences(generator), state)
