"""What several seeds say together: a robust mean, how sure it is, how often one method beats another.

Source: Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice", arXiv:2108.13264.
"""

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
    Shapes: (runs) or (runs, tasks). Raises: InputError for no scores, for a confidence outside (0, 1), and for less
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


def _finite(name: str, scores: ArrayLike) -> NDArray[np.float64]:
    found = np.asarray(scores, np.float64)
    require(found.ndim in (1, 2) and found.size > 0, f"{name}.shape", found.shape, "(runs) or (runs, tasks), not empty")
    require(bool(np.isfinite(found).all()), name, scores, "finite numbers")
    return found
