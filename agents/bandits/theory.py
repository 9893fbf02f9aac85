"""How regret grows, and the bound that no bandit can beat."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foundations.errors import require


def lai_robbins(probabilities: Sequence[float]) -> float:
    """C in regret(t) >= C log t for large t, Bernoulli arms: the sum over worse arms of (p* - p) / KL(p || p*).

    A policy that is good in every world must pull an arm so often that it can be told from the best one; KL (nats) says
    how often that is.
    Raises: InputError for probabilities outside (0, 1).
    Source: Lai & Robbins 1985, "Asymptotically efficient adaptive allocation rules".
    """
    for each in probabilities:
        require(0 < each < 1, "probabilities", each, "above 0 and below 1")
    p, best = np.array(probabilities), max(probabilities)
    worse = p[p < best]
    divergence = worse * np.log(worse / best) + (1 - worse) * np.log((1 - worse) / (1 - best))
    return float(((best - worse) / divergence).sum())


def logarithmic_growth(curve: NDArray[np.float64]) -> float:
    """The slope of mean regret over log t in the second half of the rounds; in the long run at least `lai_robbins`.

    Shapes: curve (looks, runs), total regret at looks that lie equally far apart.
    Raises: InputError for fewer than two looks.
    """
    require(len(curve) >= 2, "looks", len(curve), "at least 2, to have a slope")
    half = len(curve) // 2
    return float((curve[-1].mean() - curve[half - 1].mean()) / np.log(len(curve) / half))
