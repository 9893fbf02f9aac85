"""Many explanations seen together: the mean weights, and the pick of the few that show most, as lime picks."""

import numpy as np
import pandas as pd
import pytest
from lime.lime_tabular import LimeTabularExplainer
from lime.submodular_pick import SubmodularPick

from explain.blackbox import BlackBox
from explain.explanation import Explanation
from explain.overview import (
    average_weights,
    mean_weights,
    permutation_importance,
    submodular_pick,
    surest_answers,
)
from explain.tabular import explain_rows
from foundations.errors import InputError

ROWS = np.random.default_rng(0).normal(size=(40, 6)) * 3


def model(table):
    score = np.where(table[:, 0] > 0, table[:, 1], table[:, 2]) + table[:, 3] / 4
    p = 1 / (1 + np.exp(-score))
    return np.stack([1 - p, p], axis=1)


class Fresh:
    """A lime explainer of its own, with the same seed, for each row."""

    def explain_instance(self, row, predict, **settings):
        explainer = LimeTabularExplainer(
            ROWS, discretize_continuous=True, feature_selection="highest_weights", random_state=3
        )
        return explainer.explain_instance(row, predict, num_samples=200, **settings)


def test_the_pick_equals_limes():
    wanted = SubmodularPick(Fresh(), ROWS[:15], model, method="full", num_exps_desired=6, num_features=3)
    found = explain_rows(BlackBox(model), ROWS[:15], ROWS, discretize=True, count=3, samples=200, seed=3)
    assert submodular_pick(found, 6) == wanted.V


def test_the_pick_covers_what_a_single_case_cannot_show():
    found = explain_rows(BlackBox(model), ROWS, ROWS, discretize=True, count=2, samples=500, seed=0)
    first, second = (set(dict(found[number].top())) for number in submodular_pick(found, 2))
    assert first.isdisjoint(second)


def test_the_average_is_that_of_the_weights_sizes_by_column_largest_first():
    found = explain_rows(BlackBox(model), ROWS, ROWS, discretize=True, samples=200, labels=[1], seed=0)
    wanted = np.mean([np.abs(each.weights[1]) for each in found], axis=0)
    averages = average_weights(found, 1)
    np.testing.assert_allclose([averages[f"x{column}"] for column in range(6)], wanted)
    assert list(averages.values()) == sorted(averages.values(), reverse=True)


def test_both_labels_of_a_pair_weigh_alike():
    found = explain_rows(BlackBox(model), ROWS[:5], ROWS, samples=200, labels=[1, 0], seed=0)
    assert average_weights(found, 0) == pytest.approx(average_weights(found, 1))


@pytest.mark.parametrize("count", [0, 6])
def test_a_pick_of_none_or_more_than_there_are_is_refused(count):
    found = explain_rows(BlackBox(model), ROWS[:5], ROWS, samples=200, seed=0)
    with pytest.raises(InputError, match=f"count={count}: must be from 1 to 5"):
        submodular_pick(found, count)


def test_an_average_of_nothing_is_refused():
    with pytest.raises(InputError, match="explanations=0"):
        average_weights([])


def said(words, weights, label=1, sure=0.8):
    one = {label: 0.0}
    return Explanation("text", words, {label: np.array(weights)}, one, {label: sure}, one, one, {label: "x"}, 0, 10)


def test_words_are_ranked_by_their_mean_weight_where_enough_texts_have_them():
    found = [said(("Dull", "film"), [-1.0, 0.5]), said(("dull", "plot"), [-3.0, 0.1]), said(("film", "so"), [1.5, 9.0])]
    assert mean_weights(found, 1, fewest=2) == {"film": 1.0, "dull": -2.0}
    assert next(iter(mean_weights(found, 1))) == "so"


def test_the_surest_answers_come_first_with_the_classes_in_turn():
    sure = ((0, 0.9), (0, 0.8), (1, 0.7), (1, 0.95), (0, 0.6))
    found = [said(("a",), [1.0], label, each) for label, each in sure]
    truths = np.array([0, 0, 1, 0, 1])
    assert surest_answers(found, truths, right=True) == [0, 2, 1]
    assert surest_answers(found, truths, right=False) == [3, 4]


def test_shuffling_costs_what_the_model_uses_and_nothing_else():
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)), columns=list("abcd"))
    slopes = np.array([5.0, 0.0, 0.0, 2.0])
    truth = rows.to_numpy() @ slopes

    def loss(table):
        return float(np.abs(table.to_numpy() @ slopes - truth).mean())

    rises = permutation_importance(loss, rows, np.random.default_rng(0))
    assert rises["a"] > rises["d"] > 0
    assert rises["b"] == rises["c"] == pytest.approx(0, abs=1e-12)


def test_permutation_importance_agrees_with_scikit_learn():
    from sklearn.inspection import permutation_importance as theirs
    from sklearn.linear_model import LinearRegression

    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(500, 3)), columns=list("abc"))
    truth = rows.to_numpy() @ [3.0, 0.0, 1.0]
    model = LinearRegression().fit(rows, truth)

    def loss(table):
        return float(np.square(model.predict(table) - truth).mean())

    found = permutation_importance(loss, rows, np.random.default_rng(0), times=20)
    wanted = theirs(model, rows, truth, scoring="neg_mean_squared_error", n_repeats=20, random_state=0)
    np.testing.assert_allclose(list(found.values()), wanted.importances_mean, rtol=0.05, atol=1e-9)


def test_shuffling_never_is_refused():
    with pytest.raises(InputError, match="times=0: must be at least 1"):
        permutation_importance(lambda rows: 0.0, pd.DataFrame({"a": [1, 2]}), np.random.default_rng(0), times=0)
