import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from foundations.errors import InputError
from foundations.optimizers import Adam
from foundations.schedules import constant, cosine, linear_decay, warmup_cosine


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


@pytest.mark.parametrize(
    ("own", "reference"),
    [
        (cosine(50), lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)),
        (linear_decay(50, 0.1), lambda optimizer: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, 50)),
    ],
)
def test_through_lambda_lr_it_agrees_with_torch(own, reference):
    rates = []
    for build in (lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, own), reference):
        optimizer = Adam([nn.Parameter(torch.zeros(1))], lr=0.3)
        scheduler = build(optimizer)
        rates.append([])
        for _ in range(50):
            optimizer.step()
            scheduler.step()
            rates[-1].append(optimizer.param_groups[0]["lr"])
    assert rates[0] == pytest.approx(rates[1], abs=1e-12)


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: linear_decay(0), "total_steps"),
        (lambda: cosine(10, final=2), "final"),
        (lambda: warmup_cosine(10, 10), "warmup_steps"),
        (lambda: warmup_cosine(-1, 10), "warmup_steps"),
    ],
)
def test_impossible_lengths_are_refused_by_name(build, name):
    with pytest.raises(InputError, match=f"^{name}="):
        build()
