"""Planted reasons are found: columns that matter, and rules with known slopes."""

import numpy as np
import pytest

from explain.background import Background
from explain.planted import LinearRule, random_slopes
from explain.recovery import RecoveredRules, recover_columns, recover_rules

ROWS = np.random.default_rng(0).normal(size=(60, 4))


def test_planted_columns_are_recovered():
    found = recover_columns(np.random.default_rng(0).normal(size=(200, 8)), 5, 1_000, np.random.default_rng(1))
    assert found.weakest.shape == found.strongest.shape == (5,)
    assert found.found.all()


def test_rules_are_recovered_in_every_state():
    found = recover_rules(Background(ROWS), 3, 4, 2_000, np.random.default_rng(0))
    assert found.weights.shape == (3, 4, 4)
    assert found.shares() == {"signs": 1, "ranks": 1, "rules": 1}


def test_shares_of_rules_count_signs_ranks_and_rules_apart():
    slopes = np.array([[4.0, -2.0], [1.0, 3.0]])
    weights = np.stack([np.stack([slopes[0], -slopes[0]]), np.stack([slopes[1], slopes[1, ::-1]])])
    assert RecoveredRules(slopes, weights).shares() == pytest.approx({"signs": 0.75, "ranks": 0.75, "rules": 0.0})


def test_slopes_drawn_at_random_have_ranks_and_both_signs():
    random = np.random.default_rng(0)
    slopes = np.stack([random_slopes(4, random) for _ in range(20)])
    sizes = np.sort(np.abs(slopes), axis=1)
    np.testing.assert_allclose(sizes[:, 1:] / sizes[:, :-1], 1.6)
    assert len(np.unique(np.sign(slopes), axis=0)) > 5


def test_a_linear_rule_is_the_sigmoid_of_its_score():
    answers = LinearRule(np.array([1.0, -2.0]), np.array([1.0, 0.0]))(np.array([[1.0, 0.0], [3.0, 0.5]]))
    np.testing.assert_allclose(answers, [[0.5, 0.5], [1 / (1 + np.e), np.e / (1 + np.e)]])
