"""Explanations on trial: orders told from their reverse, mistakes mended, planted reasons found."""

import numpy as np
import pytest

from explain.background import Background
from explain.blackbox import BlackBox
from explain.planted import LinearRule, random_slopes
from explain.quality import area_under, random_orders
from explain.tabular import explain_rows, hide_columns
from explain.trials import (
    RecoveredRules,
    curves_from_typical,
    hide_misleading,
    recover_columns,
    recover_rules,
    trial_by_hiding,
)

SLOPES = np.array([5.0, 0.0, 0.0, 2.0])
ROWS = np.random.default_rng(0).normal(size=(60, 4))
BOX = BlackBox(lambda rows: rows @ SLOPES, outputs="values")


def test_hiding_goes_from_the_cases_answer_to_a_typical_one_and_beats_random_orders():
    found = explain_rows(BOX, ROWS, ROWS, samples=500, seed=0)
    hides = [hide_columns(row, ROWS) for row in ROWS]
    curves, used = curves_from_typical(BOX, hides, found, 0, random_orders(4, 20, seed=0))
    assert 0 < used < 60
    for name, curve in curves.items():
        ends = (1, 0) if name.startswith("deletion") else (0, 1)
        np.testing.assert_allclose(curve[[0, -1]], ends, atol=1e-12)
    areas = {name: area_under(curve) for name, curve in curves.items()}
    assert areas["deletion, explanation"] < areas["deletion, random"] - 0.1
    assert areas["insertion, explanation"] > areas["insertion, random"] + 0.1


def hide(hidden):
    return np.where(hidden, 0.0, 1.0)


def test_a_trial_tells_an_order_from_its_reverse_and_takes_the_mean_of_several():
    best = np.array([0, 3, 1, 2])
    trial = trial_by_hiding(BOX, [hide] * 3, [best, best[::-1], np.stack([best, best[::-1]])], [0] * 3)
    np.testing.assert_allclose(trial.deletion[0], [7, 2, 0, 0, 0])
    np.testing.assert_allclose(trial.insertion[0], [0, 5, 7, 7, 7])
    assert area_under(trial.deletion[0]) < area_under(trial.deletion[1])
    np.testing.assert_allclose(trial.deletion[2], trial.deletion[:2].mean(axis=0))


def test_what_misled_is_hidden_first_and_then_as_many_at_random():
    pull, among = np.array([5.0, -1.0, 0.0, 2.0]), np.array([1, 2])
    found = hide_misleading(BOX, hide, pull, 2, among=among, draws=3, random=np.random.default_rng(0))
    assert found.hidden.tolist() == [True, False, False, True]
    np.testing.assert_allclose(found.answers[:, 0], [0, 7, 7, 7])


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
