"""Outliers by both rules: hand-worked bounds, what becomes of them, scikit-learn's own demands on a transformer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import check_estimator

from foundations.errors import InputError
from foundations.preprocessing import InterquartileOutliers, ZScoreOutliers, inliers

NAN = float("nan")
FAR = np.array([[0.0]] * 15 + [[16.0]])
"""Mean 1, variance (15 + 225) / 16 = 15: the last value has z = 15 / sqrt(15) = 3.87."""
QUARTERS = np.array([[1.0], [2.0], [3.0], [4.0], [100.0]])
"""Quartiles 2 and 4: fences at -1 and 7."""


@pytest.mark.parametrize("action", ["clip", "flag", "drop"])
@pytest.mark.parametrize("rule", [ZScoreOutliers, InterquartileOutliers])
def test_outlier_transformers_meet_all_demands_of_scikit_learn(rule, action):
    check_estimator(rule(action=action), on_skip=None)


def test_the_z_score_bounds_are_mean_and_three_population_deviations():
    rule = ZScoreOutliers().fit(FAR)
    assert rule.lower_ == pytest.approx([1 - 3 * 15**0.5])
    assert rule.upper_ == pytest.approx([1 + 3 * 15**0.5])


def test_the_interquartile_fences_are_one_and_a_half_ranges_beyond_the_quartiles():
    rule = InterquartileOutliers().fit(QUARTERS)
    assert rule.lower_.tolist() == [-1]
    assert rule.upper_.tolist() == [7]


def test_clip_moves_an_outlier_to_the_bound_and_nothing_else():
    assert InterquartileOutliers().fit_transform(QUARTERS).ravel().tolist() == [1, 2, 3, 4, 7]


def test_drop_makes_an_outlier_missing():
    np.testing.assert_equal(InterquartileOutliers(action="drop").fit_transform(QUARTERS).ravel(), [1, 2, 3, 4, NAN])


def test_flag_keeps_the_values_and_appends_a_column_that_marks_outliers():
    flagged = InterquartileOutliers(action="flag").fit_transform(QUARTERS)
    assert flagged.tolist() == [[1, 0], [2, 0], [3, 0], [4, 0], [100, 1]]


def test_flags_are_named_after_their_columns():
    rule = ZScoreOutliers(action="flag").fit(FAR)
    assert rule.get_feature_names_out(["income"]).tolist() == ["income", "income_outlier"]


def test_inliers_are_the_rows_without_an_outlier_in_any_column():
    rows = np.hstack([QUARTERS, QUARTERS[::-1]])
    assert inliers(InterquartileOutliers().fit(rows), rows).tolist() == [False, True, True, True, False]


def test_no_value_among_ten_has_a_z_score_above_three_however_far_it_lies():
    ten = np.array([[0.0]] * 9 + [[1e9]])
    assert inliers(ZScoreOutliers().fit(ten), ten).all()
    eleven = np.array([[0.0]] * 10 + [[1e9]])
    assert inliers(ZScoreOutliers().fit(eleven), eleven).tolist() == [True] * 10 + [False]


def test_new_rows_are_held_against_the_bounds_of_the_training_rows():
    rule = InterquartileOutliers().fit(QUARTERS)
    assert rule.transform([[1e6], [-1e6]]).ravel().tolist() == [7, -1]


@pytest.mark.parametrize("rule", [ZScoreOutliers(), InterquartileOutliers()], ids=["z", "quartiles"])
def test_missing_values_are_no_outliers_and_move_no_bound(rule):
    with_gap = np.vstack([QUARTERS, [[NAN]]])
    bounds = rule.fit(QUARTERS).upper_
    assert rule.fit(with_gap).upper_ == pytest.approx(bounds)
    assert np.isnan(rule.transform(with_gap)[-1])


def test_a_column_without_any_value_has_no_outliers():
    nothing = np.full((4, 1), NAN)
    rule = ZScoreOutliers().fit(nothing)
    assert rule.transform([[5.0]]).tolist() == [[5.0]]


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.sampled_from([ZScoreOutliers, InterquartileOutliers])
)
def test_clipped_values_lie_within_the_bounds(values, rule):
    fitted = rule().fit(np.reshape(values, (-1, 1)))
    clipped = fitted.transform(np.reshape(values, (-1, 1)))
    assert (clipped >= fitted.lower_).all()
    assert (clipped <= fitted.upper_).all()


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (ZScoreOutliers(threshold=0), r"threshold=0: must be above 0"),
        (InterquartileOutliers(factor=-1), r"factor=-1: must be at least 0"),
        (ZScoreOutliers(action="clap"), r"action='clap': must be one of .* did you mean 'clip'"),
    ],
)
def test_impossible_settings_are_refused_in_one_line(rule, message):
    with pytest.raises(InputError, match=message):
        rule.fit(QUARTERS)
