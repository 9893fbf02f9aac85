"""Rows explained: equal to lime's, whatever the table; its silent traps closed; what is planted is found."""

import numpy as np
import pandas as pd
import pytest
from lime.lime_tabular import LimeTabularExplainer
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from explain.background import Background
from explain.blackbox import BlackBox
from explain.planted import plant
from explain.tabular import explain_row, explain_rows, hide_columns
from foundations.errors import InputError

NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"]
SAMPLES = 400


def rows(count=200):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(count, 8)) * rng.uniform(0.1, 30, 8) + rng.normal(size=8) * 100
    table[:, 2] = rng.integers(0, 3, count)
    table[:, 5] = rng.integers(1, 3, count)
    return table


ROWS = rows()


def three_classes(table):
    inner = (table - ROWS.mean(0)) / ROWS.std(0)
    scores = np.stack([inner @ np.arange(8) / 8, np.sin(inner[:, 0]) + inner[:, 2], inner[:, 1] * inner[:, 3]], axis=1)
    powers = np.exp(scores)
    return powers / powers.sum(axis=1, keepdims=True)


def price(table):
    return 1000 * three_classes(table)[:, 0] + 0.1 * table[:, 4]


def as_lime_says(pairs):
    weights = np.zeros(8)
    for feature, weight in pairs:
        weights[feature] = weight
    return weights


@pytest.mark.parametrize("categories", [(), (2, 5)])
@pytest.mark.parametrize("discretize", [False, True])
@pytest.mark.parametrize("count", [3, 10])
def test_classification_equals_lime(categories, discretize, count):
    selection = "highest_weights" if count < 8 else "none"
    table = ROWS if categories else ROWS + np.random.default_rng(1).normal(size=ROWS.shape) / 100
    explainer = LimeTabularExplainer(
        table, feature_names=NAMES, categorical_features=list(categories), discretize_continuous=discretize,
        feature_selection=selection, random_state=7,
    )  # fmt: skip
    wanted = explainer.explain_instance(
        table[3], three_classes, labels=(0, 1, 2), num_features=count, num_samples=SAMPLES
    )
    found = explain_row(
        BlackBox(three_classes), table[3], table, names=NAMES, categories=categories, discretize=discretize,
        count=count, samples=SAMPLES, seed=7,
    )  # fmt: skip
    for label in (0, 1, 2):
        np.testing.assert_allclose(found.weights[label], as_lime_says(wanted.local_exp[label]), rtol=0, atol=1e-12)
        assert found.intercepts[label] == pytest.approx(wanted.intercept[label], abs=1e-12)
    assert found.r2[2] == pytest.approx(wanted.score, abs=1e-12)
    assert found.local_predictions[2] == pytest.approx(wanted.local_pred[0], abs=1e-12)


def test_around_the_case_equals_lime():
    explainer = LimeTabularExplainer(
        ROWS, discretize_continuous=False, feature_selection="none", sample_around_instance=True, random_state=7
    )
    wanted = explainer.explain_instance(ROWS[3], three_classes, labels=(1,), num_samples=SAMPLES)
    found = explain_row(BlackBox(three_classes), ROWS[3], ROWS, around_case=True, labels=[1], samples=SAMPLES, seed=7)
    np.testing.assert_allclose(found.weights[1], as_lime_says(wanted.local_exp[1]), rtol=0, atol=1e-12)


def test_regression_gives_the_weights_of_the_value_itself_as_limes_label_1():
    explainer = LimeTabularExplainer(
        ROWS, mode="regression", discretize_continuous=False, feature_selection="none", random_state=1
    )
    wanted = explainer.explain_instance(ROWS[3], price, num_samples=SAMPLES)
    found = explain_row(BlackBox(price, outputs="values"), ROWS[3], ROWS, samples=SAMPLES, seed=1)
    np.testing.assert_allclose(found.weights[0], as_lime_says(wanted.local_exp[1]), rtol=1e-10, atol=1e-9)
    assert found.predictions[0] == pytest.approx(price(ROWS[3:4])[0])


def test_many_rows_in_one_call_equal_one_by_one_and_ask_the_model_little_more():
    asked = []

    def model(table):
        asked.append(len(table))
        return three_classes(table)

    together = explain_rows(BlackBox(model), ROWS[:20], ROWS, samples=SAMPLES, seed=5)
    assert sum(asked) == 20 + SAMPLES - 1
    for row, found in zip(ROWS[:20], together, strict=True):
        alone = explain_row(BlackBox(three_classes), row, ROWS, samples=SAMPLES, seed=5)
        assert found.labels == alone.labels
        for label in alone.labels:
            np.testing.assert_allclose(found.weights[label], alone.weights[label], atol=1e-14)


def test_the_same_seed_gives_the_same_answer_and_another_seed_another():
    def explain(seed):
        return explain_row(BlackBox(three_classes), ROWS[0], ROWS, samples=SAMPLES, seed=seed).to_dict()

    np.random.seed(0)  # noqa: NPY002  # what others do with the global stream changes nothing
    first = explain(3)
    assert explain(3) == first
    assert explain(4)["weights"] != first["weights"]


def test_the_global_stream_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    explain_row(BlackBox(three_classes), ROWS[0], ROWS, samples=SAMPLES, discretize=True, seed=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_features_are_called_by_column_category_and_bin():
    settings = {"names": NAMES, "categories": {"c": ["low", "mid", "high"], "f": ()}, "samples": SAMPLES, "seed": 0}
    found = explain_row(BlackBox(three_classes), ROWS[3], ROWS, **settings)
    assert found.features[0] == "a"
    assert found.features[2] == f"c={['low', 'mid', 'high'][int(ROWS[3, 2])]}"
    assert found.features[5] == f"f={int(ROWS[3, 5])}"
    assert found.values[2] == ""
    assert float(found.values[1]) == pytest.approx(ROWS[3, 1], rel=1e-3)
    binned = explain_row(BlackBox(three_classes), ROWS[3], ROWS, discretize=True, **settings)
    assert binned.columns == tuple(NAMES)
    assert "a" in binned.features[0]
    assert "<=" in binned.features[0] or ">" in binned.features[0]


def test_bins_of_small_numbers_keep_their_digits():
    small = ROWS * 1e-5
    found = explain_row(
        BlackBox(lambda x: three_classes(x * 1e5)), small[3], small, discretize=True, samples=50, seed=0
    )
    assert "0.00 " not in " ".join(found.features)


def test_a_column_that_never_changes_reaches_the_model_as_it_is():
    table = ROWS.copy()
    table[:, 1] = 42.0

    def model(given):
        assert (given[:, 1] == 42).all()
        return three_classes(given)

    for discretize in (False, True):
        seen = explain_row(BlackBox(model), table[0], table, discretize=discretize, samples=SAMPLES, seed=0)
        assert seen.weights[0][1] == pytest.approx(0, abs=1e-12)


def test_a_quartile_of_one_value_is_drawn_as_that_value():
    def model(given):
        assert ((given[:, 5] >= 1) & (given[:, 5] <= 2)).all()  # lime draws 0 here
        return three_classes(given)

    explain_row(BlackBox(model), ROWS[0], ROWS, discretize=True, samples=SAMPLES, seed=0)


@pytest.fixture
def homes():
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {"income": rng.lognormal(size=150), "sea": rng.choice(["far", "near"], 150), "new": rng.random(150) < 0.5}
    )
    table["dear"] = (table["income"] + 2 * (table["sea"] == "near") > 2).astype(int)
    return table.drop(columns="dear"), table["dear"]


def test_a_pandas_table_with_texts_is_explained_and_the_model_reads_a_table(homes):
    table, dear = homes
    inputs = make_column_transformer((OneHotEncoder(), ["sea", "new"]), remainder="passthrough")
    model = make_pipeline(inputs, LogisticRegression()).fit(table, dear)
    found = explain_row(BlackBox(model), table.iloc[0], table, samples=SAMPLES, labels=[1], seed=0)
    assert found.features == ("income", f"sea={table['sea'][0]}", f"new={table['new'][0]}")
    assert found.weights[1][0] > 0
    assert (found.weights[1][1] > 0) == (table["sea"][0] == "near")
    (same,) = explain_rows(BlackBox(model), table.iloc[:1], table, samples=SAMPLES, labels=[1], seed=0)
    np.testing.assert_array_equal(same.weights[1], found.weights[1])


def test_columns_of_a_pandas_row_in_another_order_are_found_by_name(homes):
    table, _ = homes
    seen = []

    def model(given):
        seen.append(list(given.columns))
        return np.stack([given["income"] < 1, given["income"] >= 1], axis=1)

    explain_row(BlackBox(model), table.iloc[0][["new", "income", "sea"]], table, samples=SAMPLES, seed=0)
    assert seen[0] == ["income", "sea", "new"]


@pytest.mark.parametrize(
    ("row", "background", "settings", "message"),
    [
        (np.where(ROWS[0] == ROWS[0, 4], np.nan, ROWS[0]), ROWS, {}, "row='1 NaN or infinite values'"),
        (ROWS[0], np.where(ROWS[0, 4] == ROWS, np.nan, ROWS), {}, "background='1 NaN or infinite values'"),
        (ROWS[0, :5], ROWS, {}, r"row shape=\(1, 5\): must be \(rows, 8\)"),
        (ROWS[:1], ROWS, {}, "one row; explain_rows takes many"),
        (ROWS[0], ROWS[0], {}, r"background shape=\(8,\)"),
        (ROWS[0], ROWS[:1], {}, "at least 2 rows"),
        (ROWS[0], ROWS, {"names": NAMES[:3]}, "number of names=3: must be 8"),
        (ROWS[0], ROWS, {"names": ["a"] * 8}, "each different"),
        (ROWS[0], ROWS, {"categories": [8]}, "categories=8"),
        (ROWS[0], ROWS, {"categories": ["x"], "names": NAMES}, "categories='x'"),
        (ROWS[0], ROWS, {"categories": [0]}, "must be whole numbers in every row"),
        (np.r_[ROWS[0, :2], 9, ROWS[0, 3:]], ROWS, {"categories": [2]}, "category 'x2'=.*9.*a value of the background"),
        (ROWS[0], ROWS, {"samples": 1}, "samples=1: must be at least 2"),
        (ROWS[0], ROWS, {"seed": -1}, "seed=-1"),
        (ROWS[0], ROWS, {"labels": [3]}, r"labels=\(3,\): must be one or more of the outputs 0 to 2"),
        (ROWS[0], ROWS, {"kernel_width": 1e-3}, "row 0: kernel width=0.001: must be larger"),
        (ROWS[0], ROWS, {"discretize": True, "around_case": True}, "around_case=True"),
        (["a"] * 8, ROWS, {}, "must hold numbers; texts only as columns of a pandas table"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_clear_line(row, background, settings, message):
    with pytest.raises(InputError, match=message) as caught:
        explain_row(BlackBox(three_classes), row, background, **{"samples": 50, "seed": 0, **settings})
    assert "\n" not in str(caught.value)


def test_what_is_wrong_with_a_pandas_table_is_said(homes):
    table, _ = homes
    box = BlackBox(lambda given: np.full((len(given), 2), 0.5))
    strange = table.iloc[0].copy()
    strange["sea"] = "under"
    with pytest.raises(InputError, match="category 'sea'='under': must be a value of the background"):
        explain_row(box, strange, table, seed=0)
    with pytest.raises(InputError, match="no \\['sea'\\]"):
        explain_row(box, table.iloc[0].drop("sea"), table, seed=0)
    with pytest.raises(InputError, match="background column 'sea'='1 gaps'"):
        explain_row(box, table.iloc[1], table.assign(sea=table["sea"].where(table.index > 0)), seed=0)
    with pytest.raises(InputError, match="a pandas table, as the background is one"):
        explain_row(box, np.zeros(3), table, seed=0)


def test_a_row_far_from_the_background_is_refused_unless_the_samples_lie_around_it():
    far = np.stack([ROWS[0], ROWS.mean(0) + 15 * ROWS.std(0)])
    with pytest.raises(InputError, match=r"row 1: .*; a row far from the background needs around_case=True"):
        explain_rows(BlackBox(three_classes), far, ROWS, samples=SAMPLES, seed=0)
    assert explain_rows(BlackBox(three_classes), far, ROWS, samples=SAMPLES, around_case=True, seed=0)[1].samples


def test_a_model_that_is_no_black_box_is_refused():
    with pytest.raises(InputError, match=r"must be an explain.BlackBox\(model\)"):
        explain_row(three_classes, ROWS[0], ROWS, seed=0)


def test_hidden_columns_become_typical_of_the_background(homes):
    table, _ = homes
    hide = hide_columns(table.iloc[0], table)
    shown, hidden = (hide(np.full((1, 3), mask)) for mask in (False, True))
    pd.testing.assert_frame_equal(shown, table.iloc[:1], check_dtype=False)
    assert hidden["income"][0] == pytest.approx(table["income"].mean())
    assert hidden["sea"][0] == table["sea"].mode()[0]


@pytest.mark.parametrize("seed", range(50))
def test_what_is_planted_is_found_with_its_sign(seed):
    table = rows() if seed % 2 else np.random.default_rng(seed).normal(size=(300, 12))
    model = plant(table, seed)
    found = explain_row(BlackBox(model), table[0], table, labels=[1], count=None, samples=2000, seed=seed)
    assert set(found.order(1)[: len(model.columns)].tolist()) == set(model.columns.tolist())
    assert (np.sign(found.weights[1][model.columns]) == np.sign(model.slopes)).all()


def test_nothing_is_planted_where_nothing_varies():
    with pytest.raises(InputError, match="columns that vary=1: must be at least 2"):
        plant(np.stack([np.ones(5), np.arange(5.0)], axis=1), 0)


def test_a_background_made_before_gives_the_same():
    settings = {"samples": SAMPLES, "seed": 0}
    made = explain_row(BlackBox(three_classes), ROWS[0], Background(ROWS, names=NAMES, categories=["c"]), **settings)
    given = explain_row(BlackBox(three_classes), ROWS[0], ROWS, names=NAMES, categories=["c"], **settings)
    assert made.to_dict() == given.to_dict()
    with pytest.raises(InputError, match="it has its own"):
        explain_row(BlackBox(three_classes), ROWS[0], Background(ROWS), names=NAMES, **settings)


def test_a_forests_planted_columns_are_found_too():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(400, 10))
    forest = RandomForestClassifier(30, random_state=0).fit(table, table[:, 2] - table[:, 7] > 0)
    found = explain_row(BlackBox(forest), np.zeros(10), table, labels=[1], samples=1000, seed=0)
    assert set(found.order(1)[:2].tolist()) == {2, 7}


def test_a_model_that_says_the_same_of_all_rows_has_no_weights_and_no_r2():
    found = explain_row(BlackBox(lambda x: np.full((len(x), 2), 0.5)), ROWS[0], ROWS, samples=SAMPLES, seed=0)
    assert found.top() == [] or max(abs(weight) for _, weight in found.top()) < 1e-14
    assert set(found.r2.values()) == {0.0}
