"""Figures that say how far to trust an explanation, held against cases worked by hand."""

import numpy as np
import pytest

from explain.blackbox import BlackBox
from explain.explanation import Explanation
from explain.quality import (
    area_under,
    deletion_curve,
    grow_until_stable,
    hidden_answers,
    insertion_curve,
    random_orders,
    stability,
    turned,
)
from explain.tabular import explain_row, hide_columns
from foundations.errors import InputError

SLOPES = np.array([4.0, 0.0, 2.0, 1.0])


def linear(batch):
    return batch @ SLOPES


def hide(hidden):
    return np.where(hidden, 0.0, 1.0)


BOX = BlackBox(linear, outputs="values")


def test_deletion_falls_and_insertion_rises_as_worked_by_hand():
    np.testing.assert_allclose(deletion_curve(BOX, hide, [0, 2, 3, 1], 0), [7, 3, 1, 0, 0])
    np.testing.assert_allclose(insertion_curve(BOX, hide, [0, 2, 3, 1], 0), [0, 4, 6, 7, 7])


def test_many_orders_are_answered_in_one_call_as_one_by_one():
    orders = random_orders(4, 3, seed=0)
    together = deletion_curve(BOX, hide, orders, 0)
    for order, curve in zip(orders, together, strict=True):
        np.testing.assert_array_equal(curve, deletion_curve(BOX, hide, order, 0))


def test_all_answers_are_given_up_to_the_last_step_asked_for():
    both = BlackBox(lambda batch: np.stack([linear(batch), -linear(batch)], axis=1), outputs="values")
    found = hidden_answers(both, hide, [[0, 2, 3, 1], [1, 3, 2, 0]], steps=2)
    np.testing.assert_allclose(found[..., 0], [[7, 3, 1], [7, 7, 6]])
    np.testing.assert_allclose(found[..., 1], -found[..., 0])


def test_a_verdict_turns_where_another_class_is_the_likeliest():
    box = BlackBox(lambda batch: np.stack([linear(batch), np.full(len(batch), 2.5)], axis=1), outputs="values")
    np.testing.assert_array_equal(turned(box, hide, [0, 2, 3, 1]), [[False, False, True, True, True]])
    by_threshold = turned(box, hide, [0, 2, 3, 1], decide=lambda answers: answers[..., 0] > 6, steps=1)
    np.testing.assert_array_equal(by_threshold, [[False, True]])


@pytest.mark.parametrize("steps", [0, 5])
def test_more_steps_than_features_and_none_are_refused(steps):
    with pytest.raises(InputError, match=f"steps={steps}: must be from 1 to 4"):
        hidden_answers(BOX, hide, [0, 1, 2, 3], steps=steps)


def test_the_area_is_the_mean_height():
    assert area_under(np.array([1.0, 1.0, 1.0])) == 1
    assert area_under(np.array([0.0, 0.5, 1.0])) == 0.5
    np.testing.assert_allclose(area_under(np.array([[7.0, 3, 1, 0, 0], [1, 1, 1, 1, 1]])), [7.5 / 4, 1])


def test_random_orders_hold_each_feature_once_and_come_from_the_seed():
    orders = random_orders(6, 4, seed=1)
    assert (np.sort(orders, axis=1) == np.arange(6)).all()
    np.testing.assert_array_equal(orders, random_orders(6, 4, seed=1))


def test_an_explanation_beats_random_orders_at_deletion_and_at_insertion():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(100, 8))
    slopes = np.array([3, 0, 0, 2, 0, 0, -2, 0.0])
    box = BlackBox(lambda x: 1 / (1 + np.exp(-np.stack([-x @ slopes, x @ slopes], axis=1))))
    found = explain_row(box, np.full(8, 1.5), table, labels=[1], samples=1000, seed=0)
    order = np.argsort(-found.contributions(1))
    cover = hide_columns(np.full(8, 1.5), table)
    chance = random_orders(8, 20, seed=0)
    for curve, sign in ((deletion_curve, -1), (insertion_curve, 1)):
        ours = area_under(curve(box, cover, order, 1))
        assert sign * (ours - area_under(curve(box, cover, chance, 1)).mean()) > 0.1


@pytest.mark.parametrize("order", [[0, 1, 2, 2], [1, 2, 3, 4], [0, 1, -1, 2]])
def test_an_order_that_names_a_feature_twice_or_not_is_refused(order):
    with pytest.raises(InputError, match="each of the features 0 to 3 once"):
        deletion_curve(BOX, hide, order, 0)


def test_a_curve_of_a_label_that_is_no_output_is_refused():
    with pytest.raises(InputError, match=r"labels=\(4,\)"):
        deletion_curve(BOX, hide, [0, 1, 2, 3], 4)


def said(*weights, label=1):
    one = {label: 0.0}
    features = ("a", "b", "c", "d")[: len(weights)]
    return Explanation("table", features, {label: np.array(weights)}, one, one, one, one, {label: "x"}, 0, 10)


def test_stability_is_the_mean_jaccard_index_and_the_spread_of_the_weights():
    made = {0: said(3.0, 2.0, 1.0), 1: said(3.0, 1.0, 2.0), 2: said(3.0, 2.0, 1.0)}
    found = stability(made.__getitem__, [0, 1, 2], top=2)
    assert found.jaccard == pytest.approx((1 / 3 + 1 + 1 / 3) / 3)
    np.testing.assert_allclose(found.spread, [0, np.std([2, 1, 2], ddof=1), np.std([1, 2, 1], ddof=1)])
    assert found.relative_spread == pytest.approx(2 * np.std([2, 1, 2], ddof=1) / 6)


def test_explanations_without_weights_are_alike():
    assert stability(lambda seed: said(0.0, 0.0), [0, 1]).jaccard == 1


@pytest.mark.parametrize(
    ("explain", "seeds", "message"),
    [
        (lambda seed: said(1.0), [0], "at least two, each different"),
        (lambda seed: said(1.0), [0, 0], "at least two, each different"),
        (lambda seed: said(*[1.0] * (seed + 1)), [0, 1], "the same for every seed"),
        (lambda seed: said(1.0, label=seed), [0, 1], "label=0: must be explained by every seed"),
    ],
)
def test_explanations_that_cannot_be_compared_are_refused(explain, seeds, message):
    with pytest.raises(InputError, match=message):
        stability(explain, seeds)


def noisy(samples, seed):
    noise = np.random.default_rng(seed).normal(size=4) * (30 / samples if samples < 1000 else 0)
    return said(*(np.array([0.4, 0.3, 0.2, 0.1]) + noise).tolist())


def test_samples_grow_until_the_seeds_agree():
    found = grow_until_stable(noisy, start=50, limit=4000, top=2)
    assert found.enough
    assert [samples for samples, _ in found.stages] == [50 * 2**stage for stage in range(len(found.stages))]
    assert found.stages[0][1] < 0.9 <= found.stages[-1][1]


def test_it_is_said_when_the_limit_comes_before_the_seeds_agree():
    found = grow_until_stable(noisy, start=50, limit=100, top=2)
    assert not found.enough
    assert [samples for samples, _ in found.stages] == [50, 100]


def test_the_last_stage_is_the_limit_itself():
    found = grow_until_stable(noisy, start=50, limit=150, top=2, jaccard=1)
    assert [samples for samples, _ in found.stages] == [50, 100, 150]


@pytest.mark.parametrize("settings", [{"start": 100, "limit": 50}, {"jaccard": 0}, {"seeds": (1,)}, {"top": 0}])
def test_growth_that_cannot_be_is_refused(settings):
    with pytest.raises(InputError):
        grow_until_stable(noisy, **settings)
