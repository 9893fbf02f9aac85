"""A table's pipeline: hand-worked scales, missing values, categories, and that nothing of the test rows leaks in."""

import numpy as np
import pandas as pd
import pytest

from foundations.errors import InputError
from foundations.preprocessing import (
    FourierFeatures,
    InterquartileOutliers,
    category_steps,
    numeric_steps,
    table_pipeline,
)

NAN = float("nan")
COLUMN = np.array([[0.0], [5.0], [10.0], [25.0]])


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    numbers = {name: rng.lognormal(size=300) for name in ("rooms", "homes", "x", "y")}
    return pd.DataFrame({**numbers, "kind": rng.choice(["inland", "coast"], 300)})


@pytest.mark.parametrize(
    ("scaling", "wanted"),
    [
        ("unit", [0, 0.2, 0.4, 1]),
        ("symmetric", [-1, -0.6, -0.2, 1]),
        ("standard", (COLUMN.ravel() - 10) / 87.5**0.5),  # variance (100 + 25 + 0 + 225) / 4
    ],
)
def test_scales_are_those_worked_by_hand(scaling, wanted):
    np.testing.assert_allclose(numeric_steps(scaling=scaling).fit_transform(COLUMN).ravel(), wanted, atol=1e-12)


def test_normal_scaling_makes_any_distribution_normal():
    values = np.random.default_rng(0).exponential(size=(5000, 1)) ** 3
    scaled = numeric_steps(scaling="normal").fit_transform(values)
    np.testing.assert_allclose(np.quantile(scaled, [0.159, 0.5, 0.841]), [-1, 0, 1], atol=0.02)


@pytest.mark.parametrize(("imputation", "wanted"), [("mean", 0.4), ("median", 0.3)])
def test_a_missing_value_becomes_its_columns_mean_or_median(imputation, wanted):
    rows = np.vstack([COLUMN, [[NAN]]])
    filled = numeric_steps(scaling="unit", imputation=imputation).fit_transform(rows)
    assert filled[-1, 0] == pytest.approx(wanted)


def test_a_missing_value_becomes_the_mean_of_its_five_nearest_rows():
    near, far = [[0.0, v] for v in (1.0, 2.0, 3.0, 4.0, 5.0)], [[9.0, 11.0]] * 5
    filled = numeric_steps(scaling="unit", imputation="neighbours").fit_transform([*near, *far, [0.1, NAN]])
    assert filled[-1, 1] == pytest.approx((3 - 1) / 10)


def test_an_unknown_category_is_all_zero_in_one_hot_columns():
    encoder = category_steps("one_hot").fit([["inland"], ["coast"]])
    assert encoder.transform([["coast"], ["inland"], ["moon"]]).tolist() == [[1, 0], [0, 1], [0, 0]]


def test_an_unknown_category_is_minus_one_among_ordinal_numbers():
    encoder = category_steps("ordinal").fit([["inland"], ["coast"]])
    assert encoder.transform([["coast"], ["inland"], ["moon"]]).tolist() == [[0], [1], [-1]]


def test_the_whole_table_becomes_named_finite_numbers(table):
    table.loc[3, "rooms"] = NAN
    pipeline = table_pipeline(
        ["rooms", "homes"],
        ["kind"],
        ratios=[("rooms", "homes")],
        outliers=InterquartileOutliers(),
        waves_over=["x", "y"],
        waves=FourierFeatures(waves=2),
    )
    features = pipeline.fit_transform(table)
    names = pipeline.get_feature_names_out().tolist()
    assert names[:5] == ["rooms", "homes", "rooms_per_homes", "kind_coast", "kind_inland"]
    assert features.shape == (300, len(names)) == (300, 9)
    assert np.isfinite(features).all()


@pytest.mark.parametrize("scaling", ["unit", "symmetric", "standard", "normal"])
@pytest.mark.parametrize("imputation", ["mean", "median", "neighbours"])
def test_training_features_do_not_depend_on_the_test_rows(table, scaling, imputation):
    train, test = table.iloc[:200].copy(), table.iloc[200:]
    train.loc[5, "rooms"] = NAN
    pipeline = table_pipeline(
        ["rooms", "homes"], ["kind"], outliers=InterquartileOutliers(), scaling=scaling, imputation=imputation
    )
    before = pipeline.fit(train).transform(train)
    pipeline.transform(test.assign(rooms=1e9, kind="moon"))
    assert np.array_equal(pipeline.transform(train), before)
    assert not np.allclose(pipeline.fit(table).transform(table.iloc[200:]), pipeline.fit(train).transform(test))


def test_a_test_value_beyond_the_training_range_leaves_the_unit_interval():
    assert numeric_steps(scaling="unit").fit(COLUMN).transform([[50.0]]).tolist() == [[2.0]]


@pytest.mark.parametrize("name", ["scaling", "imputation", "encoding"])
def test_an_unknown_choice_is_refused_by_name(name):
    with pytest.raises(InputError, match=f"{name}='wrong': must be one of"):
        table_pipeline(["rooms"], ["kind"], **{name: "wrong"})


def test_a_pipeline_of_no_columns_is_refused():
    with pytest.raises(InputError, match="at least one"):
        table_pipeline([])
