"""Many explanations seen together: the mean weights, and the pick of the few that show most, as lime picks."""

import numpy as np
import pytest
from lime.lime_tabular import LimeTabularExplainer
from lime.submodular_pick import SubmodularPick

from explain.blackbox import BlackBox
from explain.overview import average_weights, submodular_pick
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
