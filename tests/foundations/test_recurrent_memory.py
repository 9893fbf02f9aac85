import pytest
import torch

from foundations.errors import InputError
from foundations.recurrent import GRU, LSTM, RNN, Readout, adding_problem, copy_task, gradient_reach


def test_the_sum_asked_for_is_that_of_the_two_marked_numbers(generator):
    x, sums = adding_problem(200, 9, generator)
    for sequence, wanted in zip(x, sums, strict=True):
        marked = sequence[sequence[:, 1] == 1, 0]
        assert len(marked) == 2
        torch.testing.assert_close(marked.sum(), wanted[0])


def test_the_marks_are_one_in_each_half_and_everywhere_in_it(generator):
    x, _ = adding_problem(2_000, 10, generator)
    marks = x[:, :, 1].sum(dim=0)
    assert (x[:, :5, 1].sum(dim=1) == 1).all()
    assert marks.min() > 300


def test_who_always_answers_one_errs_by_the_variance_of_the_sum(generator):
    _, sums = adding_problem(20_000, 10, generator)
    assert (sums - 1).square().mean().item() == pytest.approx(1 / 6, rel=0.03)


def test_the_copy_task_asks_for_the_numbered_symbols_after_noise(generator):
    x, wanted = copy_task(50, 12, generator, symbols=5, remembered=2)
    shown, numbers = x[:, :, :5], x[:, :, 5:]
    assert torch.equal(shown[:, :2].argmax(dim=2), wanted)
    assert (shown[:, :10].sum(dim=2) == 1).all()
    assert (shown[:, 10:] == 0).all()
    assert torch.equal(numbers.sum(dim=(0, 2)), 50 * torch.tensor([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]))
    assert (numbers[:, [0, 10], 0] == 1).all()
    assert (numbers[:, [1, 11], 1] == 1).all()


def test_tasks_are_drawn_from_the_generator_alone():
    first, second = (copy_task(20, 12, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first[0], second[0])


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_readout_is_a_dense_layer_behind_the_last_steps(kind, generator):
    network = kind(3, 4, bidirectional=True, generator=generator)
    readout = Readout(network, 2, steps=3, generator=generator)
    x = torch.randn(5, 7, 3, generator=generator)
    wanted = network(x)[0][:, 4:] @ readout.head.weight.T + readout.head.bias
    torch.testing.assert_close(readout(x), wanted)


def test_the_reach_of_one_linear_unit_is_the_power_of_its_weight(generator):
    network = RNN(1, 1)
    for name, parameter in network.named_parameters():
        torch.nn.init.constant_(parameter, 0.7 if name == "weight_hh_l0" else 0.0)
    reach = gradient_reach(network, torch.zeros(2, 6, 1), lambda h: h.sum())
    torch.testing.assert_close(reach, 0.7 ** torch.arange(6.0, dtype=torch.float64), rtol=1e-6, atol=0)


@pytest.mark.parametrize("body", ["kernel", "equations"])
def test_the_reach_of_an_lstm_whose_forget_gate_is_all_that_acts_is_the_power_of_the_gate(body):
    network = LSTM(1, 1, body=body)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        network.bias_ih_l0[1] = 2.0
    reach = gradient_reach(network, torch.zeros(2, 6, 1), lambda h: h.sum())
    gate = torch.sigmoid(torch.tensor(2.0, dtype=torch.float64))
    torch.testing.assert_close(reach[2:] / reach[1:-1], gate.expand(4), rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_the_reach_is_that_of_the_gradient_through_the_whole_sequence(kind, generator):
    network = kind(2, 3, num_layers=2, generator=generator)
    x = torch.randn(4, 5, 2, generator=generator)
    reach = gradient_reach(network, x, lambda h: h.square().sum())
    states, state = [], None
    for t in range(5):
        _, state = network(x[:, t : t + 1], state)
        parts = (state,) if isinstance(state, torch.Tensor) else state
        states.append([*parts])
    loss = states[-1][0][-1].square().sum()
    norms = []
    for parts in states[::-1]:
        found = torch.autograd.grad(loss, parts, retain_graph=True, allow_unused=True)
        norms.append(sum(each.square().sum() for each in found if each is not None).sqrt())
    torch.testing.assert_close(reach.float(), torch.stack(norms) / norms[0], rtol=1e-4, atol=0)


def test_measuring_the_reach_leaves_the_network_as_it_is(generator):
    network = GRU(2, 3, generator=generator)
    gradient_reach(network, torch.zeros(1, 3, 2), lambda h: h.sum())
    assert all(each.grad is None and each.dtype == torch.float32 for each in network.parameters())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: adding_problem(0, 5, g), r"^count=0: must be at least 1$"),
        (lambda g: adding_problem(3, 1, g), r"^length=1: must be at least 2 steps$"),
        (lambda g: copy_task(0, 9, g), r"^count=0: must be at least 1$"),
        (lambda g: copy_task(3, 5, g), r"^length=5: must be at least 6 steps, to show and to ask$"),
        (lambda g: copy_task(3, 9, g, symbols=1), r"^symbols=1: must be at least 2$"),
        (lambda g: copy_task(3, 9, g, remembered=0), r"^remembered=0: must be at least 1$"),
        (lambda g: Readout(RNN(2, 3), 0), r"^outputs=0: must be at least 1$"),
        (lambda g: Readout(RNN(2, 3), 1, steps=0), r"^steps=0: must be at least 1$"),
        (
            lambda g: Readout(RNN(2, 3), 1, steps=4)(torch.zeros(1, 3, 2)),
            r"^input shape=\(1, 3, 2\): must be of 4 steps",
        ),
        (
            lambda g: gradient_reach(RNN(2, 3, bidirectional=True), torch.zeros(1, 3, 2), torch.sum),
            r"^bidirectional=True",
        ),
    ],
)
def test_bad_input_is_refused(call, message, generator):
    with pytest.raises(InputError, match=message):
        call(generator)
