"""The linear model that stands in for a black box near one case: weighted ridge regression, all labels at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

from foundations.errors import require, require_choice

Array = NDArray[np.float64]

Selection = Literal["none", "highest_weights"]
"""none: all features. highest_weights: those with the largest |weight x value in the case| in a fit of all."""
SELECTION_PENALTY = 0.01
FLAT = 1e-12
"""Answers that vary by less than this, relative to their size, do not vary: what is left is rounding."""


@dataclass(frozen=True)
class Surrogate:
    """Linear models by label, each close to the black box near the case.

    `weights[label]` has one weight a feature, 0 where the feature was not selected. `r2[label]` is the share of the
    weighted variance that the line explains; 0 where the black box's answers do not vary: nothing was explained.
    """

    weights: dict[int, Array]
    intercepts: dict[int, float]
    local_predictions: dict[int, float]
    r2: dict[int, float]


def kernel_weights(distances: Array, width: float) -> Array:
    """The samples' weights w = sqrt(exp(-d^2 / width^2)): what is near the case counts, what is far does not.

    Shapes: (n,) -> (n,), the case first.
    Raises: InputError for a width of 0 or below, and where all samples together weigh less than the case itself: the
        penalty would then leave weights near 0, whatever the black box does.
    Source: Ribeiro et al. 2016, arXiv:1602.04938, and the package lime.
    """
    require(width > 0, "kernel width", width, "above 0")
    require(bool(np.isfinite(distances).all()), "distances", "NaN or infinite", "finite: look at the samples")
    weights = np.sqrt(np.exp(-(distances**2) / width**2))
    counted = float(weights[1:].sum())
    few = (
        f"larger, or the samples more or nearer: all {len(weights) - 1} together weigh {counted:.2g}, the case alone 1"
    )
    require(counted >= 1, "kernel width", round(width, 4), few)
    return weights


def fit_all(
    data: Array,
    predictions: Array,
    weights: Array,
    labels: Iterable[int],
    *,
    count: int | None = None,
    selection: Selection = "highest_weights",
    penalty: float = 1.0,
) -> Surrogate:
    """For each label the minimum of sum_i w_i (y_i - b - x_i beta)^2 + penalty |beta|^2, with one Gram matrix for all.

    (X' W X + penalty I) beta = X' W y with x and y centred on their weighted means, b = mean(y) - mean(x) beta.
    The first row is the case itself. With `count`, each label keeps its `count` features chosen by `selection`; else
    all. Equal to scikit-learn's `Ridge` with sample weights, as lime fits it one label after the other.

    Shapes: data (n, features), predictions (n, outputs), weights (n,).
    Raises: InputError for shapes that do not fit, what is not finite, no weight at all, or an impossible count.
    Source: Ribeiro et al. 2016, arXiv:1602.04938.
    """
    chosen = list(labels)
    _check(data, predictions, weights, count, selection, penalty)
    total = weights.sum()
    centre = weights @ data / total
    answers = np.ascontiguousarray(predictions[:, chosen])  # (n, labels)
    mean = weights @ answers / total
    spread, rest = data - centre, answers - mean
    weighted = spread * weights[:, None]
    gram, moments = spread.T @ weighted, weighted.T @ rest  # (features, features), (features, labels)
    beta = _solve(gram, moments, data[0], count, penalty)
    intercepts = mean - centre @ beta
    here = data[0] @ beta + intercepts
    r2 = _determination(rest, rest - spread @ beta, weights, np.abs(answers).max(axis=0))
    return Surrogate(
        {label: np.ascontiguousarray(column) for label, column in zip(chosen, beta.T, strict=True)},
        dict(zip(chosen, intercepts.tolist(), strict=True)),
        dict(zip(chosen, here.tolist(), strict=True)),
        dict(zip(chosen, r2.tolist(), strict=True)),
    )


def _solve(gram: Array, moments: Array, case: Array, count: int | None, penalty: float) -> Array:
    """beta, (features, labels): one factorisation for all labels, or a small one for each label's own features."""
    if count is None or count >= len(gram):
        return _ridge(gram, moments, penalty)
    beta = np.zeros_like(moments)
    every = _ridge(gram, moments, SELECTION_PENALTY)
    for label, pull in enumerate((every * case[:, None]).T):
        used = np.argsort(-np.abs(pull), kind="stable")[:count]
        beta[used, label] = _ridge(gram[np.ix_(used, used)], moments[used, label], penalty)
    return beta


def _ridge(gram: Array, moments: Array, penalty: float) -> Array:
    regular = gram + penalty * np.eye(len(gram))
    return np.asarray(solve(regular, moments, assume_a="pos", overwrite_a=True, check_finite=False))


def _determination(rest: Array, missed: Array, weights: Array, size: Array) -> Array:
    """R2 = 1 - sum w missed^2 / sum w rest^2 of each column; 0 where there is nothing to explain."""
    whole, left = weights @ rest**2, weights @ missed**2
    flat = whole <= weights.sum() * (FLAT * np.maximum(size, np.finfo(np.float64).tiny)) ** 2
    return np.where(flat, 0.0, 1 - left / np.where(flat, 1.0, whole))


def _check(data: Array, predictions: Array, weights: Array, count: int | None, selection: str, penalty: float) -> None:
    require_choice("selection", selection, get_args(Selection))
    n = len(data)
    require(data.ndim == 2 and data.shape[1] >= 1 and n >= 2, "data shape", data.shape, "(samples >= 2, features >= 1)")
    require(predictions.ndim == 2 and len(predictions) == n, "predictions shape", predictions.shape, f"({n}, outputs)")
    require(weights.shape == (n,), "weights shape", weights.shape, f"({n},)")
    for name, values in (("data", data), ("predictions", predictions), ("weights", weights)):
        require(bool(np.isfinite(values).all()), name, "NaN or infinite", "finite")
    require(
        float(weights.min()) >= 0 and float(weights.sum()) > 0, "weights", "negative or all 0", "0 or more, not all 0"
    )
    require(count is None or count >= 1, "count", count, "at least 1, or None for all features")
    ignored = count is not None and selection == "none"
    require(not ignored, "count", count, "None where selection is 'none': all features stay")
    require(penalty > 0, "penalty", penalty, "above 0")
