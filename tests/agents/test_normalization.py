import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from states import saved_and_loaded

from agents.normalization import Moments, Normalizer, RewardScaler
from foundations.errors import InputError


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.floats(-1e4, 1e4))
def test_moments_of_batches_equal_those_of_all(sizes, shift):
    stream = np.random.default_rng(0)
    batches = [stream.normal(shift, 3, (size, 2)) for size in sizes]
    moments = Moments((2,))
    for batch in batches:
        moments.update(batch)
    together = np.concatenate(batches)
    if len(together):
        np.testing.assert_allclose(moments.mean, together.mean(axis=0), rtol=1e-10)
        np.testing.assert_allclose(moments.variance, together.var(axis=0), rtol=1e-8, atol=1e-10)


def test_far_from_zero_the_variance_keeps_its_digits():
    x = 1e6 + np.random.default_rng(0).normal(0, 1e-2, 10_000)
    moments = Moments()
    for part in np.split(x, 100):
        moments.update(part)
    assert moments.variance == pytest.approx(x.var(), rel=1e-6)


def seen(count=1000):
    return np.random.default_rng(1).normal([5, -2], [3, 0.1], (count, 2)).astype(np.float32)


def test_normalised_observations_have_mean_0_and_variance_1():
    normalizer = Normalizer((2,))
    normalizer.update(seen())
    found = normalizer(seen())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-4)


def test_before_any_update_observations_are_only_clipped():
    assert Normalizer((1,), clip=2.0)(np.array([[1.0], [7.0]])).tolist() == [[1], [2]]


def test_what_never_varied_becomes_zero():
    normalizer = Normalizer((1,))
    normalizer.update(np.full((9, 1), 3.0))
    assert normalizer(np.array([[3.0]])).tolist() == [[0.0]]


def test_any_batch_dimensions_are_taken():
    one, other = Normalizer((2,)), Normalizer((2,))
    one.update(seen(12))
    other.update(seen(12).reshape(3, 4, 2))
    assert np.array_equal(one(seen(12)).reshape(3, 4, 2), other(seen(12).reshape(3, 4, 2)))


def test_calling_learns_nothing():
    normalizer = Normalizer((2,))
    normalizer.update(seen())
    before = normalizer(seen(3))
    normalizer(seen() * 100)
    assert np.array_equal(normalizer(seen(3)), before)


def test_a_frozen_copy_stays_as_it_was_and_refuses_to_learn():
    normalizer = Normalizer((2,))
    normalizer.update(seen())
    frozen = normalizer.frozen()
    before = frozen(seen(3))
    normalizer.update(seen() * 100)
    assert np.array_equal(frozen(seen(3)), before)
    assert not np.array_equal(normalizer(seen(3)), before)
    with pytest.raises(InputError, match="frozen"):
        frozen.update(seen())


def test_a_loaded_normalizer_goes_on_exactly():
    one, other = Normalizer((2,)), Normalizer((2,))
    one.update(seen())
    other.load_state_dict(saved_and_loaded(one.state_dict()))
    for each in (one, other):
        each.update(seen(7) + 1)
    assert np.array_equal(one(seen(5)), other(seen(5)))


NEVER, ALWAYS = np.zeros(1, np.bool_), np.ones(1, np.bool_)


def test_rewards_are_divided_by_the_deviation_of_the_discounted_return():
    scaler = RewardScaler(0.5, 1)
    rewards = np.array([1.0, 2.0, 3.0])
    for reward in rewards:
        found = scaler(np.array([reward]), NEVER, ALWAYS)
    returns = [1, 2 + 0.5 * 1, 3 + 0.5 * 2.5]
    assert found == pytest.approx(3.0 / np.std(returns))


def test_a_scaled_return_never_crosses_an_end():
    scaler = RewardScaler(1.0, 1)
    ended = np.array([False, True, False])
    scaler(np.array([[1.0], [2.0], [4.0]]), ended[:, None], np.ones((3, 1), np.bool_))
    assert scaler.moments.variance == pytest.approx(np.var([1, 3, 4]))


def test_a_step_that_is_not_valid_is_left_out():
    scaler = RewardScaler(1.0, 1)
    valid = np.array([[True], [False], [True]])
    scaler(np.array([[1.0], [100.0], [4.0]]), np.zeros((3, 1), np.bool_), valid)
    assert scaler.moments.count == 2
    assert scaler.moments.variance == pytest.approx(np.var([1, 5]))


def test_a_rollout_at_once_and_step_by_step_learn_the_same():
    stream = np.random.default_rng(0)
    rewards, ended = stream.normal(size=(20, 3)), stream.random((20, 3)) < 0.2
    valid = np.ones_like(ended)
    one, other = RewardScaler(0.9, 3), RewardScaler(0.9, 3)
    one(rewards, ended, valid)
    for row in zip(rewards, ended, valid, strict=True):
        other(*row)
    assert one.moments.variance == pytest.approx(other.moments.variance, rel=1e-12)


def test_a_loaded_reward_scaler_goes_on_exactly():
    stream = np.random.default_rng(0)
    rows = [(stream.normal(size=2), stream.random(2) < 0.3, np.ones(2, np.bool_)) for _ in range(9)]
    one, other = RewardScaler(0.9, 2), RewardScaler(0.9, 2)
    for row in rows:
        one(*row)
    other.load_state_dict(saved_and_loaded(one.state_dict()))
    for row in rows:
        assert np.array_equal(one(*row), other(*row))


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Normalizer((2,), clip=0), "clip"),
        (lambda: RewardScaler(1.5, 1), "gamma"),
        (lambda: RewardScaler(0.9, 0), "environments"),
        (lambda: Normalizer((2,)).load_state_dict(Normalizer((3,)).state_dict()), "saved mean's shape"),
    ],
)
def test_bad_input_is_refused_clearly(make, named):
    with pytest.raises(InputError, match=named):
        make()
