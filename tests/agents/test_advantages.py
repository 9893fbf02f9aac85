import numpy as np
import pytest

from agents.advantages import discounted_returns, generalized_advantages
from agents.interaction import Interaction
from foundations.errors import InputError

GAMMA, LAM = 0.5, 0.8
BOTH = pytest.mark.parametrize("autoreset", ["next_step", "same_step"])


def column(*numbers):
    return np.array(numbers)[:, None]


def test_advantages_within_an_episode_by_hand():
    # deltas: 1 + 0.5 * 20 - 10 = 1, 2 + 0.5 * 30 - 20 = -3
    found = generalized_advantages(
        column(1.0, 2.0), column(10.0, 20.0), column(20.0, 30.0), column(False, False), column(False, False), GAMMA, LAM
    )
    assert found[:, 0].tolist() == pytest.approx([1 + 0.4 * -3, -3])


@BOTH
@pytest.mark.parametrize("truncates", [False, True])
def test_advantages_over_an_end_by_hand(scripted, autoreset, truncates):
    """Episodes of 2 and 3 steps, rewards 1 and 10; the value of episode e at step t is 100 e + t."""
    interaction = Interaction(scripted(autoreset, (2, 3), truncates=truncates), 0)
    played = [interaction.step(np.zeros(1, int)) for _ in range(6)]
    value = lambda observations: observations[..., 0] * 100 + observations[..., 1]  # noqa: E731
    found = generalized_advantages(
        np.stack([step.rewards for step in played]),
        value(np.stack([step.observations for step in played])),
        value(np.stack([step.next_observations for step in played])),
        np.stack([step.terminated for step in played]),
        np.stack([step.ended for step in played]),
        GAMMA,
        LAM,
    )
    valid = np.stack([step.valid for step in played])[:, 0]
    # First episode: 1 + 0.5 * 1 - 0 = 1.5; then 1 + 0.5 * 2 - 1 = 1 where it was cut, 1 - 1 = 0 where it terminated.
    last = 1.0 if truncates else 0.0
    # Second: 10 + 0.5 * 101 - 100 = -39.5; 10 + 0.5 * 102 - 101 = -40; 10 + 0.5 * 103 - 102 = -40.5, or 10 - 102.
    end = -40.5 if truncates else -92.0
    wanted = [1.5 + 0.4 * last, last, -39.5 + 0.4 * (-40 + 0.4 * end), -40 + 0.4 * end, end]
    assert found[valid, 0][:5].tolist() == pytest.approx(wanted)


def test_lambda_0_is_one_step_and_lambda_1_the_whole_return():
    random = np.random.default_rng(0)
    rewards, values, next_values = random.normal(size=(3, 20, 4))
    ended = random.random((20, 4)) < 0.2
    terminated = ended & (random.random((20, 4)) < 0.5)
    ends = terminated, ended
    one_step = generalized_advantages(rewards, values, next_values, *ends, GAMMA, 0.0)
    np.testing.assert_allclose(one_step, rewards + GAMMA * next_values * ~terminated - values, rtol=1e-5)
    next_values = np.where(ended, next_values, np.vstack([values[1:], next_values[-1:]]))
    whole = generalized_advantages(rewards, values, next_values, *ends, GAMMA, 1.0)
    returns = discounted_returns(rewards, next_values, *ends, GAMMA)
    np.testing.assert_allclose(whole + values, returns, rtol=1e-4, atol=1e-5)


def test_returns_by_hand():
    """A termination, then a truncation in front of a value of 8, then an episode that runs on into a value of 4."""
    rewards, next_values = column(1.0, 2.0, 4.0, 8.0), column(100.0, 100.0, 8.0, 4.0)
    terminated, ended = column(False, True, False, False), column(False, True, True, False)
    found = discounted_returns(rewards, next_values, terminated, ended, 0.5)
    assert found[:, 0].tolist() == [1 + 0.5 * 2, 2, 4 + 0.5 * 8, 8 + 0.5 * 4]


def test_environments_do_not_mix():
    rewards, nothing = np.array([[1.0, 2.0], [4.0, 8.0]]), np.zeros((2, 2))
    never = nothing.astype(bool)
    assert discounted_returns(rewards, nothing, never, never, 0.5).tolist() == [[3, 6], [4, 8]]


@pytest.mark.parametrize(("gamma", "lam", "named"), [(1.5, 0.9, "gamma=1.5"), (0.9, -0.1, "lam=-0.1")])
def test_discounts_outside_0_to_1_are_refused(gamma, lam, named):
    nothing = np.zeros((2, 1))
    with pytest.raises(InputError, match=named):
        generalized_advantages(nothing, nothing, nothing, nothing > 0, nothing > 0, gamma, lam)


def test_shapes_that_differ_are_refused():
    nothing = np.zeros((2, 1))
    with pytest.raises(InputError, match=r"values shape=\(2,\): must be \(2, 1\)"):
        generalized_advantages(nothing, np.zeros(2), nothing, nothing > 0, nothing > 0, 0.9, 0.9)
