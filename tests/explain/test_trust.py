"""What speaks against believing a single explanation is said; what passes has no doubts."""

import dataclasses

import numpy as np
import pytest

from explain.explanation import Explanation
from explain.quality import Growth
from explain.trust import Trust, doubts, examine
from foundations.errors import InputError


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
    good, bad = said(0.3), said(0.3, r2=0.1)
    trust = Trust({"good": good, "bad": bad}, {"good": grown(1, True), "bad": grown(0.7, False)}, top=5)
    assert [row["samples enough"] for row in trust.rows()] == ["yes, 1,000", "no, 1,000"]
    assert [row["Jaccard of the seeds (top 5)"] for row in trust.rows()] == ["1.00", "0.70"]
    assert [row["doubts"] for row in trust.rows()] == ["none", "the line fits badly (R² 0.10)"]
    assert trust.doubts == {"good": [], "bad": ["the line fits badly (R² 0.10)"]}
    assert trust.note() == "1 of 2 explanations shown are in doubt (see the table trust): bad"
    assert trust.jaccard == pytest.approx(0.85)
    assert Trust({"good": good}, {"good": grown(1, True)}, top=5).note() is None


def steady(samples, seed):
    return said(3.0, 2.0, 1.0)


def unsteady(samples, seed):
    return said(*np.random.default_rng(seed).permutation([3.0, 2.0, 1.0]).tolist())


def test_each_case_grows_until_its_seeds_agree_or_the_samples_are_used_up():
    cases = {"steady": steady, "unsteady": unsteady}
    trust = examine({name: each(500, 0) for name, each in cases.items()}, cases, samples=500, seeds=range(4), top=1)
    assert trust.grown["steady"].stages == ((125, 1.0),)
    assert trust.grown["steady"].enough
    assert [samples for samples, _ in trust.grown["unsteady"].stages] == [125, 250, 500]
    assert not trust.grown["unsteady"].enough


def test_cases_that_are_not_explained_again_are_refused():
    with pytest.raises(InputError, match="cases of again"):
        examine({"one": said(0.3)}, {"other": steady}, samples=500, seeds=range(2))
