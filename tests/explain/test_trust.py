"""What speaks against believing a single explanation is said; what passes has no doubts."""

import dataclasses

import numpy as np
import pytest

from explain.explanation import Explanation
from explain.quality import Growth
from explain.trust import doubts, grow_each, told_doubts, trust_table


def said(*weights, r2=0.9, answer=0.8, line=0.8):
    one = {1: 0.0}
    features = ("a", "b", "c")[: len(weights)]
    return Explanation("table", features, {1: np.array(weights)}, one, {1: answer}, {1: line}, {1: r2}, {1: "x"}, 0, 10)


def grown(jaccard, enough):
    return Growth(said(1.0), enough, ((500, 0.2), (1_000, jaccard)))


def test_an_explanation_that_fits_and_comes_again_has_no_doubts():
    assert doubts(said(0.3, -0.2), grown(1.0, True)) == []


@pytest.mark.parametrize(
    ("explanation", "growth", "words"),
    [
        (said(0.3, r2=0.31), None, "the line fits badly (R² 0.31)"),
        (said(0.3, -0.2, line=0.45), None, "the line misses the answer by 0.35, more than any feature weighs (0.3)"),
        (said(0.3), grown(0.4, False), "with 1,000 samples other seeds name other features (Jaccard index 0.40)"),
    ],
)
def test_each_doubt_is_said_in_words(explanation, growth, words):
    assert doubts(explanation, growth) == [words]


def test_a_typical_case_to_which_nothing_is_added_is_not_in_doubt_for_that():
    typical = dataclasses.replace(said(0.3, line=0.79), terms=(0.0,))
    assert doubts(typical) == []


def test_samples_that_were_not_enough_for_all_five_may_still_pass():
    assert doubts(said(0.3), grown(0.7, False)) == []


def test_the_table_says_whether_the_samples_were_enough_and_the_note_names_the_doubtful():
    table = trust_table(
        {"good": said(0.3), "bad": said(0.3, r2=0.1)}, {"good": grown(1, True), "bad": grown(0.7, False)}
    )
    assert [row["samples enough"] for row in table] == ["yes, 1,000", "no, 1,000"]
    assert [row["doubts"] for row in table] == ["none", "the line fits badly (R² 0.10)"]
    assert told_doubts(table) == "1 of 2 explanations shown are in doubt (see the table trust): bad"
    assert told_doubts(table[:1]) is None


def test_each_case_grows_until_its_seeds_agree_or_the_samples_are_used_up():
    def steady(samples, seed):
        return said(3.0, 2.0, 1.0)

    def unsteady(samples, seed):
        return said(*np.random.default_rng(seed).permutation([3.0, 2.0, 1.0]).tolist())

    found = grow_each({"steady": steady, "unsteady": unsteady}, samples=500, seeds=range(4), top=1)
    assert found["steady"].stages == ((125, 1.0),)
    assert found["steady"].enough
    assert [samples for samples, _ in found["unsteady"].stages] == [125, 250, 500]
    assert not found["unsteady"].enough
