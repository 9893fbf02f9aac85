"""What no bandit can beat."""

from collections.abc import Sequence

import numpy as np

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
