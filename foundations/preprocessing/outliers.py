"""Outliers: two rules for what lies too far out, and three things to do about it."""

from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from foundations.errors import require, require_choice

Action = Literal["clip", "flag", "drop"]
"""What becomes of an outlier: moved to the bound; kept, and named in a further column; made missing."""
Array = NDArray[np.float64]


class _Outliers(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A column's values outside of [lower_, upper_] are outliers. Missing values (NaN) are none, and stay."""

    action: Action
    lower_: Array
    upper_: Array

    def _bounds(self, x: Array) -> tuple[Array, Array]:
        """Lowest and highest value of each column that is no outlier. Shapes: (n, columns) -> (columns), (columns)."""
        raise NotImplementedError

    def fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: N803
        """Learn the bounds of every column of X (n, columns)."""
        require_choice("action", self.action, get_args(Action))
        x = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        empty = np.isnan(x).all(axis=0)
        lower, upper = self._bounds(np.where(empty, 0.0, x))
        self.lower_, self.upper_ = np.where(empty, -np.inf, lower), np.where(empty, np.inf, upper)
        return self

    def transform(self, X: ArrayLike) -> Array:  # noqa: N803
        """Shapes: (n, columns) -> (n, columns), or (n, 2 columns) for "flag": the values, then 1 for each outlier."""
        x, outside = self._compare(X)
        if self.action == "clip":
            return np.clip(x, self.lower_, self.upper_)
        if self.action == "flag":
            return np.hstack([x, outside.astype(x.dtype)])
        return np.where(outside, np.nan, x)

    def _compare(self, X: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:  # noqa: N803
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return x, (x < self.lower_) | (x > self.upper_)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """The columns' names; flags are called NAME_outlier."""
        check_is_fitted(self)
        names = feature_names(self, input_features)
        flags = [f"{name}_outlier" for name in names] if self.action == "flag" else []
        return np.asarray([*names, *flags], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class ZScoreOutliers(_Outliers):
    """Outliers by distance from the mean: |z| > threshold, z = (x - mean) / std, for each column.

    `action`: "clip" moves an outlier to the bound; "flag" keeps it and appends a column of 0 and 1 for each column;
    "drop" makes it missing, for an imputer behind (a transformer cannot drop rows: `inliers` tells which to keep).
    mean and std (population) are themselves moved by outliers: of n values none can have |z| > (n - 1) / sqrt(n), so
    at threshold 3 no outlier is seen among fewer than 11.

    Raises: InputError in `fit` unless threshold > 0 and the action is known; ValueError by scikit-learn for data that
        are not numbers (n, columns). NaN is taken for a missing value.
    """

    def __init__(self, threshold: float = 3.0, action: Action = "clip") -> None:
        self.threshold = threshold
        self.action = action

    def _bounds(self, x: Array) -> tuple[Array, Array]:
        """Mean -+ threshold std."""
        require(self.threshold > 0, "threshold", self.threshold, "above 0 (standard deviations)")
        mean, reach = np.nanmean(x, axis=0), self.threshold * np.nanstd(x, axis=0)
        return mean - reach, mean + reach


class InterquartileOutliers(_Outliers):
    """Outliers by the interquartile range: x < q1 - factor (q3 - q1) or x > q3 + factor (q3 - q1), for each column.

    q1 and q3 are the quartiles (linear between neighbours): up to a quarter of extreme values on a side do not move the
    fences, whatever their size.
    `action` as in `ZScoreOutliers`.

    Raises: InputError in `fit` unless factor >= 0 and the action is known; ValueError by scikit-learn for data that
        are not numbers (n, columns). NaN is taken for a missing value.
    Source: Tukey 1977, Exploratory Data Analysis.
    """

    def __init__(self, factor: float = 1.5, action: Action = "clip") -> None:
        self.factor = factor
        self.action = action

    def _bounds(self, x: Array) -> tuple[Array, Array]:
        """The fences."""
        require(self.factor >= 0, "factor", self.factor, "at least 0 (interquartile ranges)")
        first, third = np.nanquantile(x, [0.25, 0.75], axis=0)
        reach = self.factor * (third - first)
        return first - reach, third + reach


def inliers(rule: ZScoreOutliers | InterquartileOutliers, rows: ArrayLike) -> NDArray[np.bool_]:
    """True for each row without an outlier by the fitted `rule`: `train[inliers(rule.fit(train), train)]`.

    Shapes: rows (n, columns) -> (n,).
    """
    _, outside = rule._compare(rows)
    return np.logical_not(outside.any(axis=1), dtype=np.bool_)


def feature_names(transformer: Any, given: ArrayLike | None = None) -> list[str]:
    """The input columns' names of a fitted transformer: as given, as seen in `fit`, or x0, x1, ...

    Raises: ValueError where the given names are not those seen in `fit`, as scikit-learn does.
    """
    return [str(name) for name in OneToOneFeatureMixin.get_feature_names_out(transformer, given)]
