"""Bandits: scores and updates by hand, and what theory says of regret."""

import numpy as np
import pytest

from agents.bandits import (
    UCB1,
    BetaThompson,
    EpsilonGreedy,
    GaussianThompson,
    LinearEpsilonGreedy,
    LinearThompson,
    LinUCB,
    Pacing,
    lai_robbins,
    logarithmic_growth,
)
from agents.bandits.policy import first_of_the_best
from foundations.errors import InputError

NOTHING = np.zeros((1, 1))


def stream(seed=0):
    return np.random.default_rng(seed)


def pull(policy, *pulls, context=NOTHING):
    """Let one run pull arms: (arm, reward), ..."""
    for arm, reward in pulls:
        policy.update(context, np.array([arm]), np.array([reward], float))


# --- policies by hand -------------------------------------------------------------------------------------------------


def test_means_are_those_of_what_was_paid():
    policy = EpsilonGreedy(1, 3, stream(), epsilon=0.0)
    pull(policy, (0, 1), (0, 0), (0, 0), (2, 0.5))
    assert policy.scores(NOTHING)[0] == pytest.approx([1 / 3, 0, 0.5])


def test_epsilon_greedy_tries_as_often_as_it_says_and_ever_less_with_decay():
    def share_of_tries(rounds, **settings):
        policy = EpsilonGreedy(4000, 2, stream(), **settings)
        policy.means[:, 0] = 1
        policy.rounds = rounds
        return 2 * (first_of_the_best(policy.scores(NOTHING), stream()) == 1).mean()

    assert share_of_tries(0, epsilon=0.2) == pytest.approx(0.2, abs=0.03)
    assert share_of_tries(399, epsilon=1.0, decay=100) == pytest.approx(0.25, abs=0.03)


def test_ucb1_is_the_mean_and_its_bonus_by_hand():
    policy = UCB1(1, 2, stream())
    pull(policy, (0, 1), (1, 0), (1, 1))
    bonus = np.sqrt(2 * np.log(3) / np.array([1, 2]))
    assert policy.scores(NOTHING)[0] == pytest.approx([1 + bonus[0], 0.5 + bonus[1]])


def test_ucb1_pulls_every_arm_once_before_any_twice():
    policy = UCB1(5, 4, stream())
    for _ in range(4):
        policy.update(NOTHING, first_of_the_best(policy.scores(NOTHING), policy.stream), np.zeros(5))
    assert (policy.pulls == 1).all()


def test_beta_thompson_draws_from_the_belief_of_its_counts():
    policy = BetaThompson(20_000, 2, stream())
    policy.successes[:], policy.failures[:] = [3, 0], [1, 0]
    drawn = policy.scores(NOTHING)
    assert drawn.mean(0) == pytest.approx([4 / 6, 1 / 2], abs=0.01)
    assert drawn.var(0) == pytest.approx([4 * 2 / (36 * 7), 1 / 12], abs=0.003)


def test_beta_thompson_counts_successes_and_failures_and_refuses_other_rewards():
    policy = BetaThompson(1, 2, stream())
    pull(policy, (0, 1), (0, 1), (0, 0))
    assert policy.estimates(NOTHING)[0] == pytest.approx([3 / 5, 1 / 2])
    with pytest.raises(InputError, match=r"rewards=\[0.5\]: must be 0 or 1; .*GaussianThompson"):
        pull(policy, (0, 0.5))


def test_gaussian_thompson_draws_from_the_belief_of_its_sums():
    policy = GaussianThompson(20_000, 2, stream(), noise=0.6, prior_pulls=1.0)
    policy.pulls[:], policy.sums[:] = [3, 0], [8, 0]
    drawn = policy.scores(NOTHING)
    assert drawn.mean(0) == pytest.approx([2, 0], abs=0.02)
    assert drawn.std(0) == pytest.approx([0.3, 0.6], abs=0.01)


# A context (1, 0) with reward 1, then (1, 1) with reward 0: A = I + [[2, 1], [1, 1]] = [[3, 1], [1, 2]], b = (1, 0).
TWO_POINTS = [(np.array([[1.0, 0.0]]), 1.0), (np.array([[1.0, 1.0]]), 0.0)]


def after_two_points(kind, **settings):
    policy = kind(1, 2, 2, stream(), **settings)
    for context, reward in TWO_POINTS:
        policy.update(context, np.array([1]), np.array([reward]))
    return policy


def test_the_linear_model_after_two_points_is_the_ridge_regression_by_hand():
    policy = after_two_points(LinUCB)
    assert policy.inverse[0, 1] == pytest.approx(np.array([[2, -1], [-1, 3]]) / 5)
    assert policy.weights[0, 1] == pytest.approx([2 / 5, -1 / 5])
    assert policy.inverse[0, 0] == pytest.approx(np.eye(2))  # the other arm has seen nothing
    assert policy.weights[0, 0] == pytest.approx([0, 0])


def test_linucb_after_two_points_is_the_estimate_and_its_bonus_by_hand():
    scores = after_two_points(LinUCB, alpha=0.5).scores(np.array([[0.0, 2.0]]))
    assert scores[0] == pytest.approx([0.5 * 2, -2 / 5 + 0.5 * np.sqrt(4 * 3 / 5)])


def test_linear_thompson_after_two_points_draws_estimates_as_wide_as_its_doubt():
    policy = after_two_points(LinearThompson, noise=0.5)
    drawn = np.array([policy.scores(np.array([[0.0, 2.0]]))[0] for _ in range(5000)])
    assert drawn.mean(0) == pytest.approx([0, -2 / 5], abs=0.05)
    assert drawn.std(0) == pytest.approx([0.5 * 2, 0.5 * np.sqrt(4 * 3 / 5)], rel=0.05)


def test_many_runs_learn_what_each_would_alone():
    contexts, rewards = stream(1).random((30, 3, 2)), stream(2).random((30, 3))
    actions = stream(3).integers(2, size=(30, 3))
    together, alone = LinUCB(3, 2, 2, stream()), [LinUCB(1, 2, 2, stream()) for _ in range(3)]
    for x, a, r in zip(contexts, actions, rewards, strict=True):
        together.update(x, a, r)
        for run, policy in enumerate(alone):
            policy.update(x[run : run + 1], a[run : run + 1], r[run : run + 1])
    for run, policy in enumerate(alone):
        assert together.inverse[run] == pytest.approx(policy.inverse[0])
        assert together.weights[run] == pytest.approx(policy.weights[0])


def test_among_equal_scores_luck_decides():
    chosen = first_of_the_best(np.tile([0.0, 1.0, 1.0], (3000, 1)), stream())
    assert np.bincount(chosen, minlength=3) / 3000 == pytest.approx([0, 0.5, 0.5], abs=0.03)


def test_the_bound_of_lai_and_robbins_by_hand():
    divergence = 0.5 * np.log(0.5 / 0.6) + 0.5 * np.log(0.5 / 0.4)
    assert lai_robbins([0.5, 0.6, 0.6]) == pytest.approx(0.1 / divergence)


def test_growth_is_the_slope_over_the_logarithm_of_the_rounds():
    rounds = np.arange(1, 101)
    assert logarithmic_growth(3 * np.log(rounds)[:, None] + np.array([5.0, 7.0])) == pytest.approx(3)


def test_a_single_look_has_no_growth():
    with pytest.raises(InputError, match=r"looks=1: must be at least 2"):
        logarithmic_growth(np.ones((1, 3)))


def test_pacing_raises_the_price_of_money_by_hand():
    pacing = Pacing(1, 100, rate=0.1, first=2.0)
    pacing.look(np.array([1.0]), np.array([1.0]), np.array([True]))
    assert pacing.price == pytest.approx([2.0])  # nothing spent yet
    pacing.look(np.array([0.99]), np.array([0.98]), np.array([False]))
    assert pacing.price == pytest.approx([2.0 * np.exp(0.1 * (2 - 1))])  # twice the allowance of 1/100
    pacing.look(np.array([0.98]), np.array([0.98]), np.array([False]))
    assert pacing.price == pytest.approx([2.0])  # then nothing at all
    pacing.look(np.array([1.0]), np.array([1.0]), np.array([True]))
    assert pacing.price == pytest.approx([2.0])  # a new day: the new money was not earned


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: EpsilonGreedy(1, 2, stream(), epsilon=1.2), r"epsilon=1.2: must be between 0 and 1"),
        (lambda: EpsilonGreedy(1, 2, stream(), decay=-1), r"decay=-1: must be at least 0"),
        (lambda: UCB1(1, 2, stream(), bonus=0), r"bonus=0: must be above 0"),
        (lambda: GaussianThompson(1, 2, stream(), noise=-1), r"noise=-1: must be above 0"),
        (lambda: LinUCB(1, 2, 2, stream(), alpha=-0.1), r"alpha=-0.1: must be at least 0"),
        (lambda: LinUCB(1, 2, 2, stream(), ridge=0), r"ridge=0: must be above 0"),
        (lambda: LinearEpsilonGreedy(1, 2, 2, stream(), epsilon=-1), r"epsilon=-1: must be between"),
        (lambda: UCB1(0, 2, stream()), r"runs=0: must be at least 1"),
        (lambda: Pacing(1, 10, rate=0), r"rate=0: must be above 0"),
        (lambda: lai_robbins([0.5, 1.0]), r"probabilities=1.0: must be above 0 and below 1"),
    ],
)
def test_impossible_settings_are_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()
