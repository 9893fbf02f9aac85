"""What is said of groups: differences that are there are found, others are not, and nothing on too few seeds."""

import numpy as np
import pytest
from planted_runs import plant
from scipy import stats

from labs.kit.comparing.gathering import read
from labs.kit.comparing.groups import grouped
from labs.kit.comparing.verdicts import cautions, compare, headline

FORBIDDEN = ("better", "worse", "best", "worst", "first", "told apart", "beats", "higher", "lower")


@pytest.fixture
def comparison(tmp_path, monkeypatch):
    """Compare groups of planted scores: name -> scores, one a seed."""
    monkeypatch.chdir(tmp_path)

    def build(direction="max", **scores):
        runs = [
            read(plant(tmp_path, summary={"score": float(value)}, seed=seed, way=way))
            for way, values in scores.items()
            for seed, value in enumerate(values)
        ]
        return compare("score", grouped(runs, ["way"]), direction, np.random.default_rng(0))

    return build


def test_the_figures_are_scipys(comparison):
    ours, others = np.random.default_rng(1).normal(size=(2, 7))
    found = comparison(a=ours, b=others)
    standing = next(each for each in found.standings if each.label == "a")
    assert standing.mean == pytest.approx(stats.tmean(ours))
    assert standing.deviation == pytest.approx(stats.tstd(ours))
    assert standing.middle == pytest.approx(stats.trim_mean(ours, 0.25))
    wins = stats.mannwhitneyu(ours, others).statistic / 49
    assert found.against("a", "b").probability == pytest.approx(wins)


def test_the_interval_of_the_interquartile_mean_is_scipys(comparison):
    scores = np.random.default_rng(1).normal(size=9)
    (standing,) = comparison(a=scores).standings
    wanted = stats.bootstrap(
        (scores,), lambda x: stats.trim_mean(x, 0.25), n_resamples=9999, vectorized=False, method="percentile", rng=0
    ).confidence_interval
    np.testing.assert_allclose(standing.interval, wanted, atol=0.1)


def test_a_difference_is_found(comparison):
    found = comparison(a=range(5), b=range(10, 15))
    assert found.reference.label == "b"
    assert found.against("b", "a").verdict == "better"
    assert found.against("a", "b").verdict == "worse"
    assert headline(found) == "score: b is better than a"


def test_where_less_is_wanted_the_smaller_is_better(comparison):
    found = comparison(direction="min", a=range(5), b=range(10, 15))
    assert found.against("a", "b").verdict == "better"
    assert found.against("a", "b").probability == 1


def test_a_tie_is_told_as_one(comparison):
    found = comparison(a=[500.0] * 5, b=[500.0] * 5)
    assert found.pairs[0].verdict == "not told apart"
    assert headline(found) == "score: a is not told apart from b"


def test_groups_stand_by_their_interquartile_mean(comparison):
    found = comparison(a=[1, 1, 1, 1, 999], b=[2, 2, 2, 2, 2], c=[0, 0, 0, 0, 0])
    assert [each.label for each in found.standings] == ["b", "a", "c"]


@pytest.mark.parametrize("seeds", [1, 2])
def test_two_seeds_are_too_few_to_rank(comparison, seeds):
    found = comparison(a=range(seeds), b=range(10, 10 + seeds))
    assert found.pairs == ()
    said = " ".join([headline(found), *cautions(found)])
    assert "NO RANKING: 3 seeds of each are the least" in said
    assert not [word for word in FORBIDDEN if word in said]


def test_many_runs_of_one_seed_are_no_more_than_one_seed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = [
        read(plant(tmp_path, summary={"score": way + width}, way=way, width=width))
        for way in (0, 9)
        for width in range(6)
    ]
    assert compare("score", grouped(runs, ["way"]), "max", np.random.default_rng(0)).pairs == ()


def test_a_group_of_too_few_seeds_stays_out_of_the_ranking_of_the_others(comparison):
    found = comparison(a=range(5), b=range(10, 15), c=[99, 98])
    assert [each.label for each in found.standings] == ["b", "a", "c"]
    assert found.against("b", "c") is None
    assert "some groups are not ranked" in cautions(found)[0]


def test_three_seeds_against_three_are_said_never_to_suffice(comparison):
    found = comparison(a=range(3), b=range(10, 13))
    assert found.pairs[0].verdict == "not told apart"
    assert any("never be told apart" in text for text in cautions(found))


def test_four_against_four_can_be_told_apart(comparison):
    found = comparison(a=range(4), b=range(10, 14))
    assert found.pairs[0].verdict == "better"
    assert not any("never be told apart" in text for text in cautions(found))


def test_many_pairs_are_said_to_be_told_apart_by_chance(comparison):
    found = comparison(**{name: range(5) for name in "abcdefg"})
    assert any("all 21 pairs equal, chance would still tell about 1 of them apart" in each for each in cautions(found))


def test_of_few_runs_the_bootstrap_is_said_to_be_too_narrow(comparison):
    assert any("too narrow" in text for text in cautions(comparison(a=range(9), b=range(9))))
    assert not any("too narrow" in text for text in cautions(comparison(a=range(10), b=range(10))))


def told_apart(draw, times=600):
    """In how many of so many comparisons two groups of ten are told apart."""
    from foundations.statistics import improvement_interval
    from labs.kit.comparing.verdicts import Pair

    stream = np.random.default_rng(5)
    pairs = (Pair("a", "b", 0.5, improvement_interval(*draw(stream))) for _ in range(times))
    return sum(pair.verdict != "not told apart" for pair in pairs) / times


def test_planted_ties_are_told_apart_in_one_case_of_twenty():
    assert 0.02 < told_apart(lambda stream: stream.normal(size=(2, 10))) < 0.065


def test_planted_ties_with_many_equal_scores_are_not_told_apart_more_often():
    assert told_apart(lambda stream: stream.integers(0, 4, size=(2, 10))) < 0.065


def test_planted_differences_are_found():
    assert told_apart(lambda stream: (stream.normal(size=10), stream.normal(2, size=10)), 200) > 0.95
