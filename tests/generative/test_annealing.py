import math
from itertools import pairwise

import pytest
import torch

from foundations.errors import InputError
from generative.boltzmann import (
    RBM,
    LabelledRBM,
    LogPartition,
    annealing_path,
    base_rates,
    exact_log_partition,
    log_likelihood,
    log_partition,
    mean_log_likelihood,
)
from generative.boltzmann.annealing import _summary


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def machine(hidden=8, spread=0.5, *, classes=0, visible=20):
    rbm = LabelledRBM(visible - classes, classes, hidden) if classes else RBM(visible, hidden)
    draw = stream(3)
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.normal_(0, spread, generator=draw)
    return rbm


RATES = torch.full((20,), 0.5)


@pytest.mark.parametrize("classes", [0, 4])
@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_the_exact_partition_function_lies_within_the_error_bars(spread, classes):
    rbm = machine(spread=spread, classes=classes)
    exact = exact_log_partition(rbm)
    for seed in range(3):
        found = log_partition(rbm, 200, 300, stream(seed), RATES)
        assert found.low < found.value < found.high
        assert found.low <= exact <= found.high, seed
        assert found.high - found.low < 1.5


def test_so_many_chains_that_a_sweep_at_another_temperature_would_show_agree_with_the_exact_partition_function():
    # Hidden units drawn at the temperature before, or visible ones, lower it by 0.1 or more: here 5 times the bar.
    rbm = machine()
    found = log_partition(rbm, 100_000, 10, stream(), RATES)
    assert found.high - found.low < 0.05
    assert found.low <= exact_log_partition(rbm) <= found.high


def test_without_weights_the_estimate_is_exact_from_any_base_rates():
    rbm = machine()
    with torch.no_grad():
        rbm.weight.zero_(), rbm.hidden_bias.zero_()
    rates = rbm.visible_bias.detach().sigmoid()
    found = log_partition(rbm, 10, 20, stream(), rates)  # already the first machine is the last one
    assert found.value == pytest.approx(exact_log_partition(rbm), abs=1e-4)
    assert found.high - found.low < 1e-4


def test_more_temperatures_narrow_the_error_bars():
    rbm = machine(spread=1.0)
    few, many = (log_partition(rbm, 300, count, stream(), RATES) for count in (20, 1_000))
    assert many.high - many.low < (few.high - few.low) / 2
    assert many.effective_chains > few.effective_chains


def test_good_base_rates_narrow_the_error_bars():
    rbm = machine(spread=0.1)
    with torch.no_grad():
        rbm.visible_bias.fill_(-4.0)
    near, far = (log_partition(rbm, 300, 30, stream(), RATES * scale) for scale in (0.04, 1.9))
    assert near.high - near.low < (far.high - far.low) / 2


def test_the_error_bars_are_three_standard_errors():
    rbm = machine(spread=0.3)
    exact = exact_log_partition(rbm)
    ratios = [math.exp(log_partition(rbm, 50, 30, stream(seed), RATES).value - exact) for seed in range(40)]
    spread = torch.tensor(ratios).std().item()
    claimed = [log_partition(rbm, 50, 30, stream(seed), RATES) for seed in range(5)]
    bar = sum(math.expm1(each.high - each.value) for each in claimed) / len(claimed)
    assert bar == pytest.approx(3 * spread, rel=0.5)


def test_estimate_bars_and_effective_chains_of_two_weights_are_those_worked_out_by_hand():
    # Weights 3 and 5 over Z_0 = e: mean 4, standard deviation sqrt(2), three standard errors 3; (3 + 5)^2 / (9 + 25).
    found = _summary(torch.tensor([3.0, 5.0], dtype=torch.float64).log(), 1.0)
    assert (found.value, found.low, found.high) == pytest.approx([1 + math.log(each) for each in (4, 1, 7)])
    assert found.effective_chains == pytest.approx(64 / 34)


def test_weights_that_differ_more_than_their_mean_leave_no_lower_bar():
    found = _summary(torch.tensor([1.0, 5.0], dtype=torch.float64).log(), 0.0)  # three standard errors 6, mean 3
    assert found.low == -math.inf
    assert found.high == pytest.approx(math.log(9))


def test_the_same_stream_gives_the_same_estimate():
    one, two = (log_partition(machine(), 20, 20, stream(), RATES) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("count", [10, 11, 100, 145, 14_500])
def test_the_path_climbs_from_zero_to_one_in_ever_smaller_steps(count):
    path = annealing_path(count)
    steps = torch.tensor([now - before for before, now in pairwise(path.tolist())])
    assert len(path) == count + 1
    assert (path[0], path[-1]) == (0, 1)
    assert (steps > 0).all()
    if count >= 145:
        assert (steps.diff() <= 1e-12).all()


def test_the_path_of_14_500_is_the_published_one():
    path = annealing_path(14_500)
    torch.testing.assert_close(
        path[[1, 500, 501, 4_500, 4_501]], torch.tensor([1e-3, 0.5, 0.5001, 0.9, 0.90001]).double()
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((1, 100, RATES), "chains=1: must be at least 2"),
        ((10, 9, RATES), "temperatures=9: must be at least 10"),
        ((10, 100, RATES[:5]), "rates shape"),
        ((10, 100, torch.zeros(20)), "rates=.*above 0 and below 1; see base_rates"),
        ((10, 100, torch.full((20,), math.nan)), "rates"),
    ],
)
def test_impossible_settings_are_refused(arguments, named):
    chains, temperatures, rates = arguments
    with pytest.raises(InputError, match=named):
        log_partition(machine(), chains, temperatures, stream(), rates)


def test_the_mean_log_likelihood_takes_its_error_bars_from_those_of_the_partition_function():
    rbm, exact = machine(), exact_log_partition(machine())
    rows = torch.eye(20)
    value, low, high = mean_log_likelihood(rbm, rows, LogPartition(exact, exact - 3, exact + 1, 10.0))
    assert value == pytest.approx(float(log_likelihood(rbm, rows, exact).mean().detach()), rel=1e-5)
    assert (low, high) == pytest.approx((value - 1, value + 3))
    unknown = LogPartition(exact, -math.inf, exact + 1, 1.0)
    assert mean_log_likelihood(rbm, rows, unknown).high == 0  # no probability is above 1


def test_base_rates_of_data_suit():
    data = torch.zeros(5, 20, dtype=torch.uint8)
    assert math.isfinite(log_partition(machine(), 5, 10, stream(), base_rates(data)).value)
