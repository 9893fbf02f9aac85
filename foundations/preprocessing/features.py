"""New columns from old ones: ratios, and waves over a map."""

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from foundations.errors import InputError, require
from foundations.preprocessing.outliers import feature_names

Array = NDArray[np.float64]
Pair = tuple[str, str] | tuple[int, int]
"""Numerator and denominator: names of columns, or their numbers from 0."""


class RatioFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Appends one column a pair: x_numerator / x_denominator, which makes totals of districts of any size comparable.

    Missing where either is missing and where the denominator is 0: an imputer behind fills it in.
    Shapes: (n, columns) -> (n, columns + pairs).
    Raises: InputError in `fit` for a pair that names no column; ValueError by scikit-learn for data that are not
        numbers (n, columns).
    """

    def __init__(self, pairs: Sequence[Pair] = ()) -> None:
        self.pairs = pairs

    def fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: N803
        """Find the columns of the pairs; nothing else is learnt."""
        validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        self.columns_ = np.asarray([self._find(pair) for pair in self.pairs], dtype=np.intp).reshape(-1, 2)
        return self

    def _find(self, pair: Pair) -> tuple[int, int]:
        names = {name: number for number, name in enumerate(feature_names(self))}
        numbers = {number: number for number in names.values()}
        try:
            top, bottom = ((names | numbers)[end] for end in pair)
        except (KeyError, TypeError, ValueError):
            allowed = f"two of the columns, by name or number; X has {len(names)} feature(s): {', '.join(names)}"
            raise InputError(f"pair={pair!r}: must be {allowed}") from None
        return top, bottom

    def transform(self, X: ArrayLike) -> Array:  # noqa: N803
        """Shapes: (n, columns) -> (n, columns + pairs)."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        top, bottom = x[:, self.columns_[:, 0]], x[:, self.columns_[:, 1]]
        ratios = np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom != 0)
        return np.hstack([x, ratios])

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """The columns' names, then NUMERATOR_per_DENOMINATOR."""
        check_is_fitted(self)
        names = feature_names(self, input_features)
        ratios = [f"{names[top]}_per_{names[bottom]}" for top, bottom in self.columns_]
        return np.asarray([*names, *ratios], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class FourierFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Random Fourier features: [cos(2 pi B x), sin(2 pi B x)], B (waves, columns) drawn from Normal(0, scale^2).

    A network learns slow changes of its inputs first; waves of many lengths let it draw sharp borders on a map. Each
    wave runs through about `scale` periods while its input moves by 1, so scale the inputs first.
    Their products are a kernel: z(x) . z(y) / waves -> exp(-2 pi^2 scale^2 |x - y|^2) as `waves` grows.

    Shapes: (n, columns) -> (n, 2 waves), values in [-1, 1].
    Raises: InputError in `fit` unless waves >= 1, scale > 0 and seed >= 0; ValueError by scikit-learn for data that
        are not finite numbers (n, columns).
    Source: Rahimi & Recht 2007, NeurIPS 20; for networks Tancik et al. 2020, arXiv:2006.10739.
    """

    def __init__(self, waves: int = 32, scale: float = 1.0, seed: int = 0) -> None:
        self.waves = waves
        self.scale = scale
        self.seed = seed

    def fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: N803
        """Draw the waves; only the number of columns of X (n, columns) is learnt."""
        require(self.waves >= 1, "waves", self.waves, "at least 1")
        require(0 < self.scale < math.inf, "scale", self.scale, "above 0 (periods a unit of the input)")
        require(self.seed >= 0, "seed", self.seed, "an integer >= 0")
        x = validate_data(self, X, dtype=np.float64)
        draws = np.random.default_rng(self.seed).normal(0, self.scale, (x.shape[1], self.waves))
        self.frequencies_ = draws.T
        return self

    def transform(self, X: ArrayLike) -> Array:  # noqa: N803
        """Shapes: (n, columns) -> (n, 2 waves)."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, reset=False)
        phases = 2 * math.pi * x @ self.frequencies_.T  # (n, waves)
        return np.hstack([np.cos(phases), np.sin(phases)])

    @property
    def _n_features_out(self) -> int:
        return 2 * len(self.frequencies_)
