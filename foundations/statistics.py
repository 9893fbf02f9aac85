"""What several seeds say together: a robust mean, how often one method beats another, and how sure either is.

Source: Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice", arXiv:2108.13264.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foundations.errors import require

Statistic = Callable[[NDArray[np.float64]], float]
"""From scores (runs) or (runs, tasks) to one figure."""


def interquartile_mean(scores: ArrayLike) -> float:
    """The mean of the middle half: the lowest and the highest quarter of all scores, rounded down, are left out.

    Shapes: (runs) or (runs, tasks). Raises: InputError for no scores and for what is not finite.
    """
    ordered = np.sort(_finite("scores", scores), axis=None)
    quarter = len(ordered) // 4
    return float(ordered[quarter : len(ordered) - quarter].mean())


def bootstrap_interval(
    scores: ArrayLike,
    statistic: Statistic = interquartile_mean,
    *,
    stream: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> tuple[float, float]:
    """Where `statistic` of scores like these would lie: the percentile interval over runs drawn again, task by task.

    With one run a task there is nothing to draw from: the interval is the statistic itself.
    Shapes: (runs) or (runs, tasks). Raises: InputError for no scores, for a confidence outside (0, 1), and for fewer
    than one resample.
    """
    from scipy.stats import bootstrap

    found = _finite("scores", scores)
    require(0 < confidence < 1, "confidence", confidence, "between 0 and 1")
    require(resamples >= 1, "resamples", resamples, "at least 1")
    if len(found) == 1 or np.ptp(found) == 0:
        return statistic(found), statistic(found)
    columns = tuple(found.T) if found.ndim == 2 else (found,)

    def figure(*drawn: NDArray[np.float64]) -> float:
        return statistic(np.stack(drawn, axis=1) if found.ndim == 2 else drawn[0])

    low, high = bootstrap(
        columns,
        figure,
        n_resamples=resamples,
        vectorized=False,
        confidence_level=confidence,
        method="percentile",
        rng=stream,
    ).confidence_interval
    return float(low), float(high)


def probability_of_improvement(ours: ArrayLike, others: ArrayLike) -> float:
    """How probable it is that a run of ours scores higher than one of the others; an equal score counts half.

    P = U / (n m), U of Mann and Whitney for n and m runs; over several tasks their mean.
    Shapes: (runs) or (runs, tasks), as many tasks in both. Raises: InputError for no scores and for differing tasks.
    """
    from scipy.stats import mannwhitneyu

    left, right = _finite("ours", ours), _finite("others", others)
    require(left.shape[1:] == right.shape[1:], "others.shape", right.shape, f"(runs, *{left.shape[1:]})")
    wins: Any = mannwhitneyu(left, right, axis=0, method="asymptotic").statistic
    return float(np.mean(wins)) / (len(left) * len(right))


def improvement_interval(ours: ArrayLike, others: ArrayLike, *, confidence: float = 0.95) -> tuple[float, float]:
    """Where the probability of improvement P may lie, given n and m runs: |estimate - P| - 1 / (2 n m) <= z s.

    s^2 = P (1 - P) (1 + (k - 1) ((1 - P) / (2 - P) + P / (1 + P))) / (n m), k = (n + m) / 2; z is the normal quantile.
    At P = 1/2, s is the deviation of Mann and Whitney's test: the interval leaves out 1/2 just where that test, with
    its correction for continuity and none for ties, finds a difference. For 95 %, three runs against three never do.
    Both are taken to spread alike: where one spreads three times as much, 7 % of the intervals miss P = 1/2 for n = m,
    and more where the wider has fewer runs.
    Shapes: (runs). Raises: InputError for no scores, several tasks, and a confidence outside (0, 1).
    Source: Newcombe 2006, Statistics in Medicine 25(4), method 5; with the correction for continuity it is wider.
    """
    from scipy.stats import norm

    left, right = _finite("ours", ours), _finite("others", others)
    require(left.ndim == right.ndim == 1, "scores.shape", (left.shape, right.shape), "(runs), of one task")
    require(0 < confidence < 1, "confidence", confidence, "between 0 and 1")
    found, z = probability_of_improvement(left, right), float(norm.ppf((1 + confidence) / 2))
    low, high = (_least(each, len(left), len(right), z) for each in (found, 1 - found))
    return low, 1 - high


def cohens_d(ours: ArrayLike, others: ArrayLike) -> float:
    """Cohen's d: (mean of ours - mean of others) / s, how far two methods lie apart in standard deviations of a run.

    s^2 = ((n - 1) s1^2 + (m - 1) s2^2) / (n + m - 2), the pooled variance of n and m runs. 0 for equal means;
    infinite where they differ and no run differs from its own group's mean.
    Shapes: (runs). Raises: InputError for several tasks, what is not finite, and fewer than two runs in a group.
    Source: Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, section 2.2.
    """
    left, right = _finite("ours", ours), _finite("others", others)
    shapes = (left.shape, right.shape)
    fits = left.ndim == right.ndim == 1 and min(len(left), len(right)) >= 2
    require(fits, "scores.shape", shapes, "(runs), of one task, at least 2 runs each")
    difference = float(left.mean() - right.mean())
    squares = float(np.square(left - left.mean()).sum() + np.square(right - right.mean()).sum())
    deviation = math.sqrt(squares / (len(left) + len(right) - 2))
    if deviation == 0:
        return math.copysign(math.inf, difference) if difference else 0.0
    return difference / deviation


def _least(found: float, ours: int, others: int, z: float) -> float:
    """The smallest probability that `found` does not speak against."""
    from scipy.optimize import brentq

    pairs, middle = ours * others, (ours + others) / 2

    def excess(p: float) -> float:
        spread = p * (1 - p) * (1 + (middle - 1) * ((1 - p) / (2 - p) + p / (1 + p))) / pairs
        return found - p - 1 / (2 * pairs) - z * math.sqrt(spread)

    return float(brentq(excess, 0.0, found)) if excess(0.0) > 0 else 0.0


def _finite(name: str, scores: ArrayLike) -> NDArray[np.float64]:
    found = np.asarray(scores, np.float64)
    require(found.ndim in (1, 2) and found.size > 0, f"{name}.shape", found.shape, "(runs) or (runs, tasks), not empty")
    require(bool(np.isfinite(found).all()), name, scores, "finite numbers")
    return found
