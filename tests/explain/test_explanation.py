"""One kind of result for every explanation: it can be read, kept, drawn, and shown to others."""

import json

import numpy as np
import pytest
from matplotlib.colors import to_hex

from explain.explanation import Explanation
from foundations.errors import InputError


def make(**changes):
    given = {
        "kind": "table",
        "features": ("age", "rooms < 3 & <b>", "sea=yes"),
        "weights": {1: np.array([0.1, -0.7, 0.0]), 0: np.array([1 / 3, 0.2, 0.3])},
        "intercepts": {1: 0.5, 0: 0.1},
        "predictions": {1: 0.9, 0: 0.1},
        "local_predictions": {1: 0.88, 0: 0.12},
        "r2": {1: 0.75, 0: 0.5},
        "names": {1: "cat", 0: "dog"},
        "seed": 3,
        "samples": 500,
        "settings": {"count": np.int64(10), "width": 0.5, "path": (1, 2)},
        "values": ("41", "", ""),
        "columns": ("age", "rooms", "sea"),
        "terms": (2.0, 1.0, 0.0),
    }
    return Explanation(**{**given, **changes})


def test_the_top_features_come_largest_first_and_without_those_of_no_weight():
    assert make().top() == [("rooms < 3 & <b>", -0.7), ("age", 0.1)]
    assert make().top(0, 1) == [("age", 1 / 3)]


def test_what_a_feature_adds_in_the_case_is_weight_times_term():
    np.testing.assert_allclose(make().contributions(1), [0.2, -0.7, 0])
    np.testing.assert_allclose(make(terms=()).contributions(1), [0.1, -0.7, 0])


def test_it_comes_back_from_json_exactly():
    before = make()
    after = Explanation.from_dict(json.loads(json.dumps(before.to_dict())))
    assert after.to_dict() == before.to_dict()
    assert after.labels == (1, 0)
    for label in before.labels:
        np.testing.assert_array_equal(after.weights[label], before.weights[label])


@pytest.mark.parametrize("settings", [{"fill": float("nan")}, {"fill": object()}])
def test_what_json_cannot_hold_is_refused(settings):
    with pytest.raises(InputError, match="to be kept as JSON"):
        make(settings=settings).to_dict()


def test_a_record_with_something_missing_is_refused():
    record = make().to_dict()
    del record["r2"]
    with pytest.raises(InputError, match="has no 'r2'"):
        Explanation.from_dict(record)


def test_the_table_has_a_row_for_each_label_and_feature():
    table = make().to_frame()
    assert len(table) == 6
    assert table.iloc[0].to_dict() == {
        "label": 1, "name": "cat", "feature": "rooms < 3 & <b>", "value": "", "weight": -0.7, "contribution": -0.7,
    }  # fmt: skip


def test_the_page_is_small_holds_no_scripts_and_escapes_texts():
    page = make().html()
    assert len(page) < 10_000
    assert "<script" not in page
    assert "http" not in page
    assert "rooms &lt; 3 &amp; &lt;b&gt;" in page
    assert "cat: the model says 0.9" in page


def test_the_figure_shows_the_features_with_values_blue_for_and_orange_against():
    axes = make().figure(1).axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["rooms < 3 & <b>", "age = 41", "sea=yes"]
    colours = [to_hex(bar.get_facecolor()) for bar in axes.patches]
    assert colours[:2] == ["#e69f00", "#0072b2"]


def test_a_rise_speaks_against_where_the_value_is_low():
    axes = make(terms=(-2.0, 0.0, 0.0)).figure(1).axes[0]
    assert axes.get_yticklabels()[0].get_text() == "age = 41"
    assert axes.patches[0].get_width() == -0.2


def test_weights_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="read-only"):
        make().weights[1][0] = 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": {1: np.ones(2), 0: np.ones(3)}}, r"weights of label 1=\(2,\): must be \(3,\)"),
        ({"r2": {1: 0.5}}, r"labels of r2=\[1\]"),
        ({"values": ("41",)}, "number of values=1: must be 3"),
        ({"weights": {}}, "labels="),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        make(**changes)


def test_a_label_that_was_not_explained_is_refused():
    with pytest.raises(InputError, match=r"label=7: must be one of the explained labels \[1, 0\]"):
        make().figure(7)
