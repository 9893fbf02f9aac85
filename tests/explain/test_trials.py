"""Explanations on trial: orders told from their reverse, verdicts turned, mistakes mended, leads over cases."""

import numpy as np
import pytest

from explain.blackbox import BlackBox
from explain.quality import area_under, random_orders
from explain.tabular import explain_rows, hide_columns
from explain.trials import (
    curves_from_typical,
    fall_by_hiding,
    hide_misleading,
    paired_lead,
    trial_by_hiding,
    turn_by_hiding,
)
from foundations.errors import InputError

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
    np.testing.assert_array_equal(fall_by_hiding(BOX, [hide] * 2, [best, best[::-1]], [0] * 2), trial.deletion[:2])


def test_verdicts_turn_sooner_in_the_order_of_the_reasons_than_in_others():
    best, others = np.array([0, 3, 1, 2]), np.array([[1, 2, 3, 0], [0, 1, 2, 3]])
    above = {"decide": lambda answers: answers[..., 0] > 3}
    turning = turn_by_hiding(BOX, [hide] * 2, [best, best[::-1]], [others, others[:1].repeat(2, 0)], **above, steps=3)
    assert turning.named.tolist() == [[False, True, True, True], [False, False, False, False]]
    assert turning.random.shape == (2, 2, 4)
    assert turning.random[0].tolist() == [[False] * 4, [False, True, True, True]]


def test_a_lead_is_the_mean_difference_with_its_standard_error():
    lead = paired_lead([3.0, 5.0, 4.0, 8.0], [1.0, 2.0, 3.0, 4.0])
    assert lead == pytest.approx((2.5, np.std([2, 3, 1, 4], ddof=1) / 2))
    assert lead.clear
    assert lead.told(2) == "+2.50 ± 0.65 (standard error)"
    assert not paired_lead([1.0, -1.0, 0.5], [0.0, 0.0, 0.0]).clear


@pytest.mark.parametrize(("first", "second"), [([1.0], [1.0]), ([1.0, 2.0], [[1.0, 2.0]])])
def test_what_is_not_paired_has_no_lead(first, second):
    with pytest.raises(InputError, match="must be the same, "):
        paired_lead(first, second)


def test_what_misled_is_hidden_first_and_then_as_many_at_random():
    pull, among = np.array([5.0, -1.0, 0.0, 2.0]), np.array([1, 2])
    found = hide_misleading(BOX, hide, pull, 2, among=among, draws=3, random=np.random.default_rng(0))
    assert found.hidden.tolist() == [True, False, False, True]
    np.testing.assert_allclose(found.answers[:, 0], [0, 7, 7, 7])
