import numpy as np
import pytest
from scipy import stats

from foundations.errors import InputError
from foundations.statistics import (
    bootstrap_interval,
    cohens_d,
    improvement_interval,
    interquartile_mean,
    probability_of_improvement,
)


def normal(mean, *shape, seed=0):
    return np.random.default_rng(seed).normal(mean, 1, shape)


def stream():
    return np.random.default_rng(0)


def test_the_interquartile_mean_leaves_out_both_outer_quarters():
    assert interquartile_mean([-1000, 1, 2, 3, 4, 5, 6, 1e9]) == pytest.approx((2 + 3 + 4 + 5) / 4)


def test_the_interquartile_mean_is_of_all_tasks_together():
    scores = normal(0, 10, 4)
    assert interquartile_mean(scores) == pytest.approx(np.sort(scores.ravel())[10:30].mean())


@pytest.mark.parametrize("count", range(1, 14))
def test_the_interquartile_mean_equals_scipys(count):
    assert interquartile_mean(normal(0, count)) == pytest.approx(stats.trim_mean(normal(0, count), 0.25))


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution_where_it_holds():
    scores = normal(3, 400)
    low, high = bootstrap_interval(scores, np.mean, stream=stream())
    wanted = stats.norm.interval(0.95, scores.mean(), stats.sem(scores))
    np.testing.assert_allclose((low, high), wanted, atol=0.02)


def test_more_confidence_is_a_wider_interval():
    narrow, wide = (bootstrap_interval(normal(0, 30), stream=stream(), confidence=level) for level in (0.5, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_tasks_are_drawn_from_separately():
    scores = np.stack((normal(0, 8), normal(1e6, 8)), axis=1)
    low, high = bootstrap_interval(scores, np.mean, stream=stream())
    assert high - low < 3  # mixing the tasks would shift the mean by 1e5


def test_the_same_stream_gives_the_same_interval():
    scores = normal(0, 20)
    assert bootstrap_interval(scores, stream=stream()) == bootstrap_interval(scores, stream=stream())


@pytest.mark.parametrize("scores", [[500.0] * 10, [3.0]])
def test_equal_scores_and_a_single_one_have_an_interval_of_no_width(scores):
    assert bootstrap_interval(scores, stream=stream()) == (scores[0], scores[0])


def test_the_probability_of_improvement_counts_pairs():
    ours, others = normal(0.5, 7), normal(0, 9, seed=1)
    assert probability_of_improvement(ours, others) == pytest.approx((ours[:, None] > others).mean())


def test_equal_scores_count_half():
    assert probability_of_improvement([1, 2], [2, 2]) == pytest.approx(0.25)
    assert probability_of_improvement([5, 5], [5]) == pytest.approx(0.5)


def test_the_probability_of_improvement_is_the_mean_over_tasks():
    ours, others = normal(0, 6, 3), normal(0, 5, 3, seed=1)
    each = [probability_of_improvement(ours[:, task], others[:, task]) for task in range(3)]
    assert probability_of_improvement(ours, others) == pytest.approx(np.mean(each))


@pytest.mark.parametrize(("ours", "others"), [(3, 3), (4, 7), (20, 5)])
def test_the_interval_of_improvement_ends_at_a_half_where_scipys_test_has_its_level(ours, others):
    left, right = normal(0.7, ours), normal(0, others, seed=1)
    level = stats.mannwhitneyu(left, right, method="asymptotic").pvalue
    ends = improvement_interval(left, right, confidence=1 - level)
    assert min(abs(end - 0.5) for end in ends) < 1e-9


@pytest.mark.parametrize("count", [3, 4, 5, 6, 8])
def test_the_interval_of_improvement_excludes_a_half_only_where_the_exact_test_finds_a_difference(count):
    for wins in range(count**2 + 1):
        exact = stats.mannwhitneyu(*_with_wins(wins, count), method="exact").pvalue
        low, high = improvement_interval(*_with_wins(wins, count))
        told = low > 0.5 or high < 0.5
        assert told == (exact < 0.05) or (not told and exact > 0.049)


def _with_wins(wins, count):
    """Two samples, the first of which wins `wins` of its pairs; there are no ties."""
    whole, rest = divmod(wins, count)
    ours = [count + 1 + each / 100 if each < whole else each / 100 for each in range(count)]
    if rest:
        ours[whole] = rest + 0.5
    return ours, [float(each + 1) for each in range(count)]


def test_the_interval_of_improvement_turns_with_the_groups():
    low, high = improvement_interval(normal(0.5, 6), normal(0, 9, seed=1))
    turned = improvement_interval(normal(0, 9, seed=1), normal(0.5, 6))
    np.testing.assert_allclose(turned, (1 - high, 1 - low))


def test_the_interval_of_improvement_holds_the_truth_in_nineteen_cases_of_twenty():
    stream, truth = np.random.default_rng(3), stats.norm.cdf(1 / np.sqrt(2))
    ends = [improvement_interval(stream.normal(1, 1, 8), stream.normal(0, 1, 8)) for _ in range(500)]
    assert 0.93 < np.mean([low <= truth <= high for low, high in ends]) < 0.99


def test_a_full_separation_leaves_room_on_one_side_only():
    low, high = improvement_interval([5, 6, 7, 8, 9], [0, 1, 2, 3, 4])
    assert 0.5 < low < high == 1


@pytest.mark.parametrize(("ours", "others"), [(5, 5), (3, 12)])
def test_cohens_d_is_the_t_statistic_without_the_numbers_of_runs(ours, others):
    left, right = normal(0.7, ours), normal(0, others, seed=1)
    t = stats.ttest_ind(left, right).statistic
    assert cohens_d(left, right) == pytest.approx(t * (1 / ours + 1 / others) ** 0.5)


def test_cohens_d_of_two_and_two_runs_worked_by_hand():
    assert cohens_d([96, 98], [90, 92]) == pytest.approx(6 / 2**0.5)


def test_without_any_spread_cohens_d_is_zero_or_infinite():
    assert cohens_d([1, 1], [1, 1]) == 0
    assert cohens_d([1, 1], [2, 2]) == -np.inf


@pytest.mark.parametrize(
    ("compute", "named"),
    [
        (lambda: interquartile_mean([]), "scores.shape"),
        (lambda: interquartile_mean([1, np.nan]), "finite"),
        (lambda: bootstrap_interval([1, 2], stream=stream(), confidence=95), "confidence=95"),
        (lambda: bootstrap_interval([1, 2], stream=stream(), resamples=0), "resamples=0"),
        (lambda: probability_of_improvement(np.ones((2, 3)), np.ones((2, 2))), "others.shape"),
        (lambda: improvement_interval(np.ones((2, 3)), np.ones((2, 3))), "scores.shape"),
        (lambda: cohens_d([1], [1, 2]), "scores.shape"),
        (lambda: improvement_interval([1, 2], [1, 2], confidence=95), "confidence=95"),
    ],
)
def test_bad_input_is_refused_clearly(compute, named):
    with pytest.raises(InputError, match=named):
        compute()
