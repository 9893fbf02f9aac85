"""A model of rows as one thing: what it explains, again by other seeds, and its trial by hiding."""

import numpy as np
import pandas as pd
import pytest

from explain.background import Background
from explain.blackbox import BlackBox
from explain.table_model import TableModel
from explain.tabular import explain_rows

SLOPES = np.array([5.0, 0.0, 0.0, 2.0])
ROWS = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)), columns=list("abcd"))
BOX = BlackBox(lambda frame: frame.to_numpy() @ np.stack([-SLOPES, SLOPES], axis=1), outputs="values")
MODEL = TableModel(BOX, Background(ROWS), label=1)


def test_the_output_that_was_chosen_is_answered_and_explained_with_all_columns():
    np.testing.assert_allclose(MODEL.answer(ROWS), ROWS.to_numpy() @ SLOPES)
    (found,) = MODEL.explain(ROWS[:1], samples=300, seed=0)
    wanted = explain_rows(BOX, ROWS[:1], MODEL.background, samples=300, seed=0, labels=[1], count=None)[0]
    assert found.labels == (1,)
    np.testing.assert_array_equal(found.weights_of(), wanted.weights_of())
    np.testing.assert_array_equal(MODEL.again(ROWS[:1])(300, 0).weights_of(), found.weights_of())


def test_settings_reach_the_explanations():
    assert len(MODEL.explain(ROWS[:1], samples=300, seed=0, count=2)[0].top()) == 2


def test_rows_far_from_all_others_are_not_near():
    far = ROWS.copy()
    far.iloc[3] += 1_000
    assert np.flatnonzero(~MODEL.near(far)).tolist() == [3]


def test_hiding_in_the_order_of_the_explanations_beats_orders_at_random():
    found = MODEL.explain(ROWS, samples=500, seed=0)
    curves, used = MODEL.curves(ROWS, found, draws=20, seed=0)
    assert 0 < used < 60
    assert curves["deletion, explanation"][1] < 0.5 < curves["deletion, random"][1]
    assert curves["insertion, explanation"][-1] == pytest.approx(1)
