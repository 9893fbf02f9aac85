import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from foundations.errors import InputError
from foundations.optimizers import Adam
from foundations.schedules import (
    ReduceOnPlateau,
    constant,
    cosine,
    exponential_decay,
    linear_decay,
    linear_warmup,
    one_cycle,
    step_decay,
    warmup_cosine,
)

schedulers = torch.optim.lr_scheduler


def test_constant_is_one_at_every_step():
    assert [constant()(step) for step in (0, 10, 10**6)] == [1, 1, 1]


def test_linear_decay_is_halfway_in_the_middle():
    assert [linear_decay(10, final=0.2)(step) for step in (0, 5, 10)] == pytest.approx([1, 0.6, 0.2])


def test_cosine_starts_and_ends_flat_and_is_halfway_in_the_middle():
    schedule = cosine(1000)
    assert [schedule(step) for step in (0, 500, 1000)] == pytest.approx([1, 0.5, 0])
    assert schedule(0) - schedule(1) < 1e-5
    assert schedule(999) - schedule(1000) < 1e-5


def test_warmup_rises_in_equal_steps_and_never_starts_at_zero():
    assert [warmup_cosine(4, 100)(step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


@pytest.mark.parametrize("schedule", [linear_decay(10, 0.1), cosine(10, 0.1), warmup_cosine(3, 10, 0.1)])
def test_past_the_end_the_last_factor_stays(schedule):
    assert schedule(10) == schedule(11) == schedule(10**6) == pytest.approx(0.1)


@given(total=st.integers(2, 200), share=st.floats(0, 0.99), final=st.floats(0, 1), step=st.integers(0, 300))
def test_factors_stay_between_zero_and_one(total, share, final, step):
    for schedule in (linear_decay(total, final), cosine(total, final), warmup_cosine(int(share * total), total, final)):
        assert -1e-12 <= schedule(step) <= 1 + 1e-12


@given(total=st.integers(10, 200), step=st.integers(0, 300))
def test_the_other_schedules_stay_between_zero_and_one_too(total, step):
    for schedule in (step_decay(total), exponential_decay(0.9), linear_warmup(total), one_cycle(total)):
        assert 0 <= schedule(step) <= 1


def test_step_decay_falls_at_every_stair_and_not_between():
    assert [step_decay(3, 0.5)(step) for step in range(7)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]


def test_one_cycle_starts_low_peaks_at_one_and_ends_near_zero():
    schedule = one_cycle(101, rise=0.5, start=0.1, final=0.01)
    factors = [schedule(step) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == pytest.approx(1, abs=1e-3)
    assert factors.index(max(factors)) in (49, 50)
    assert factors[-1] == pytest.approx(0.01)
    assert schedule(10**6) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("own", "reference"),
    [
        (cosine(50), lambda optimizer: schedulers.CosineAnnealingLR(optimizer, 50)),
        (cosine(50, 0.1), lambda optimizer: schedulers.CosineAnnealingLR(optimizer, 50, eta_min=0.03)),
        (linear_decay(50, 0.1), lambda optimizer: schedulers.LinearLR(optimizer, 1.0, 0.1, 50)),
        (linear_warmup(9), lambda optimizer: schedulers.LinearLR(optimizer, 0.1, 1.0, 9)),
        (step_decay(7, 0.3), lambda optimizer: schedulers.StepLR(optimizer, 7, 0.3)),
        (exponential_decay(0.93), lambda optimizer: schedulers.ExponentialLR(optimizer, 0.93)),
        (one_cycle(51), lambda optimizer: schedulers.OneCycleLR(optimizer, 0.3, 51, cycle_momentum=False)),
        (
            one_cycle(51, rise=0.45, start=0.1, final=1e-3),
            lambda optimizer: schedulers.OneCycleLR(
                optimizer, 0.3, 51, pct_start=0.45, div_factor=10, final_div_factor=100, cycle_momentum=False
            ),
        ),
    ],
    ids=["cosine", "cosine to 0.1", "linear", "warm-up", "step", "exponential", "one cycle", "another cycle"],
)
def test_through_lambda_lr_it_agrees_with_torch(own, reference):
    rates = []
    for build in (lambda optimizer: schedulers.LambdaLR(optimizer, own), reference):
        optimizer = Adam([nn.Parameter(torch.zeros(1))], lr=0.3)
        scheduler = build(optimizer)
        rates.append([optimizer.param_groups[0]["lr"]])
        for _ in range(50):
            optimizer.step()
            scheduler.step()
            rates[-1].append(optimizer.param_groups[0]["lr"])
    assert rates[0] == pytest.approx(rates[1], abs=1e-12)


@given(
    values=st.lists(st.floats(0.1, 10) | st.just(math.nan), max_size=60),
    mode=st.sampled_from(["min", "max"]),
    factor=st.floats(0.1, 0.9),
    patience=st.integers(0, 5),
    cooldown=st.integers(0, 4),
    threshold=st.floats(0, 0.5),
    minimum=st.floats(0, 0.5),
)
def test_reduce_on_plateau_agrees_with_torch(values, mode, factor, patience, cooldown, threshold, minimum):
    settings = {"mode": mode, "factor": factor, "patience": patience, "cooldown": cooldown, "threshold": threshold}
    own = ReduceOnPlateau(**settings, minimum=minimum)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = schedulers.ReduceLROnPlateau(optimizer, **settings, min_lr=minimum, eps=0.0)
    for value in values:
        own.observe(value)
        reference.step(value)
        assert own(0) == optimizer.param_groups[0]["lr"]


def test_reduce_on_plateau_waits_for_its_patience_and_then_rests():
    schedule = ReduceOnPlateau(factor=0.5, patience=1, cooldown=2)
    seen = []
    for _ in range(8):
        schedule.observe(1.0)
        seen.append(schedule(123))
    assert seen == [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_reduce_on_plateau_goes_on_from_a_saved_state():
    straight, resumed = ReduceOnPlateau(patience=2), ReduceOnPlateau(patience=2)
    for value in (3.0, 2.0, 2.5, 2.5):
        straight.observe(value)
    resumed.load_state_dict(straight.state_dict())
    for value in (2.5, 2.5, 2.5, 2.5):
        straight.observe(value)
        resumed.observe(value)
        assert resumed(0) == straight(0)
    assert resumed(0) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: linear_decay(0), "total_steps"),
        (lambda: cosine(10, final=2), "final"),
        (lambda: warmup_cosine(10, 10), "warmup_steps"),
        (lambda: warmup_cosine(-1, 10), "warmup_steps"),
        (lambda: linear_warmup(-1), "warmup_steps"),
        (lambda: step_decay(0), "every"),
        (lambda: step_decay(5, 1.5), "factor"),
        (lambda: exponential_decay(0.0), "factor"),
        (lambda: exponential_decay(float("nan")), "factor"),
        (lambda: one_cycle(0), "total_steps"),
        (lambda: one_cycle(3), "rise"),
        (lambda: one_cycle(100, rise=1.0), "rise"),
        (lambda: one_cycle(100, start=2.0), "start"),
        (lambda: ReduceOnPlateau(factor=1.0), "factor"),
        (lambda: ReduceOnPlateau(patience=-1), "patience"),
        (lambda: ReduceOnPlateau(threshold=-0.1), "threshold"),
        (lambda: ReduceOnPlateau(cooldown=-1), "cooldown"),
        (lambda: ReduceOnPlateau(minimum=2.0), "minimum"),
        (lambda: ReduceOnPlateau(mode="best"), "mode"),
    ],
)
def test_impossible_settings_are_refused_by_name(build, name):
    with pytest.raises(InputError, match=f"^{name}="):
        build()
