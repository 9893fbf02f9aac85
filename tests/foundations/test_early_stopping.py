import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from states import saved_and_loaded

from foundations.early_stopping import EarlyStopping
from foundations.errors import InputError
from foundations.normalization import BatchNorm


def network_of(value):
    """A network that can be told by its one weight."""
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, value)
    return network


def play(stopper, curve):
    """Hand the curve over, the weight counting the validations; gives the answers up to the first stop."""
    answers = []
    for step, value in enumerate(curve):
        answers.append(stopper.update(value, network_of(step), step))
        if answers[-1]:
            break
    return answers


def test_it_stops_after_so_many_validations_without_improvement():
    stopper = EarlyStopping(3)
    assert play(stopper, [5, 4, 3, 3.5, 3.2, 3.1, 0]) == [False] * 5 + [True]
    assert stopper.stopped
    assert (stopper.best, stopper.best_step) == (3, 2)


def test_an_improvement_gives_new_patience():
    assert play(EarlyStopping(2), [5, 6, 4, 5, 3, 4, 4]) == [False] * 6 + [True]


def test_a_falling_loss_never_stops():
    assert not any(play(EarlyStopping(1), [1 / (step + 1) for step in range(50)]))


def test_a_plateau_is_no_improvement():
    assert play(EarlyStopping(2), [1, 1, 1]) == [False, False, True]


def test_an_accuracy_improves_upwards():
    stopper = EarlyStopping(2, metric="validation/accuracy", mode="max")
    assert play(stopper, [0.5, 0.8, 0.9, 0.85, 0.9]) == [False] * 4 + [True]
    assert (stopper.best, stopper.best_step) == (0.9, 2)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_gain_of_no_more_than_min_delta_is_none(mode):
    sign = 1 if mode == "min" else -1
    stopper = EarlyStopping(2, mode=mode, min_delta=0.25)
    assert play(stopper, [sign * value for value in (4, 3.75, 3.5, 3.25)]) == [False] * 4
    assert stopper.best_step == 2  # 3.5 gains 0.5 on 4; 3.75 and 3.25 gain no more than 0.25


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_no_improvement(broken):
    stopper = EarlyStopping(2)
    assert play(stopper, [broken, 1.0, broken, broken]) == [False, False, False, True]
    assert (stopper.best, stopper.best_step) == (1.0, 1)


def test_the_best_weights_come_back():
    stopper, network = EarlyStopping(2), network_of(-1)
    play(stopper, [3, 1, 2, 2])
    stopper.restore(network)
    assert network.weight.item() == 1  # the network of validation 1


def test_the_best_weights_are_a_copy_that_training_does_not_move():
    stopper, network = EarlyStopping(2), network_of(7)
    stopper.update(1.0, network, 0)
    torch.nn.init.zeros_(network.weight)
    stopper.restore(network)
    assert network.weight.item() == 7


def test_the_running_statistics_of_the_best_weights_come_back_too():
    stopper, norm = EarlyStopping(2), BatchNorm(3)
    stopper.update(1.0, norm, 0)
    norm(torch.randn(8, 3, generator=torch.Generator().manual_seed(0)) + 5)
    stopper.restore(norm)
    assert torch.equal(norm.running_mean, torch.zeros(3))
    assert norm.num_batches_tracked == 0


def test_training_on_after_restoring_leaves_the_kept_weights_alone():
    stopper, network = EarlyStopping(2), network_of(7)
    stopper.update(1.0, network, 0)
    for _ in range(2):
        stopper.restore(network)
        assert network.weight.item() == 7
        torch.nn.init.zeros_(network.weight)


def test_a_value_may_be_a_tensor():
    assert play(EarlyStopping(1), [torch.tensor(1.0), torch.tensor(2.0)]) == [False, True]


@given(st.lists(st.floats(allow_nan=True), min_size=1, max_size=12), st.integers(0, 12), st.integers(1, 4))
def test_resuming_anywhere_changes_nothing(curve, cut, patience):
    straight, first, second = (EarlyStopping(patience) for _ in range(3))
    answers = [straight.update(value, network_of(step), step) for step, value in enumerate(curve)]
    cut = min(cut, len(curve))
    found = [first.update(value, network_of(step), step) for step, value in enumerate(curve[:cut])]
    second.load_state_dict(saved_and_loaded(first.state_dict()))
    found += [second.update(value, network_of(cut + step), cut + step) for step, value in enumerate(curve[cut:])]
    assert found == answers
    assert (second.best, second.best_step, second.waited) == (straight.best, straight.best_step, straight.waited)


def test_a_resumed_copy_gives_back_the_same_weights():
    first, second, network = EarlyStopping(2), EarlyStopping(2), network_of(0)
    play(first, [3, 1, 2])
    second.load_state_dict(first.state_dict())
    second.restore(network)
    assert network.weight.item() == 1


def test_restoring_before_any_finite_value_is_refused():
    stopper = EarlyStopping(2)
    stopper.update(math.nan, network_of(0), 0)
    with pytest.raises(InputError, match="no finite validation/loss was seen"):
        stopper.restore(network_of(0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patience": 0}, "patience=0: must be at least 1"),
        ({"patience": 1, "mode": "mni"}, "did you mean 'min'"),
        ({"patience": 1, "min_delta": -0.1}, "min_delta=-0.1"),
        ({"patience": 1, "min_delta": math.nan}, "min_delta=nan"),
    ],
)
def test_impossible_settings_are_refused_by_name(settings, message):
    with pytest.raises(InputError, match=message):
        EarlyStopping(**settings)
