import numpy as np
import pytest
from scipy import stats

from foundations.errors import InputError
from foundations.statistics import bootstrap_interval, interquartile_mean, probability_of_improvement


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


@pytest.mark.parametrize(
    ("compute", "named"),
    [
        (lambda: interquartile_mean([]), "scores.shape"),
        (lambda: interquartile_mean([1, np.nan]), "finite"),
        (lambda: bootstrap_interval([1, 2], stream=stream(), confidence=95), "confidence=95"),
        (lambda: bootstrap_interval([1, 2], stream=stream(), resamples=0), "resamples=0"),
        (lambda: probability_of_improvement(np.ones((2, 3)), np.ones((2, 2))), "others.shape"),
    ],
)
def test_bad_input_is_refused_clearly(compute, named):
    with pytest.raises(InputError, match=named):
        compute()
