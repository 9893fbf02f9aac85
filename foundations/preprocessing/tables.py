"""A table's way to a network's input, as one scikit-learn transformer that is fitted on the training split only."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from sklearn.compose import ColumnTransformer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    StandardScaler,
)

from foundations.errors import require, require_choice
from foundations.preprocessing.features import FourierFeatures, Pair, RatioFeatures
from foundations.preprocessing.outliers import InterquartileOutliers, ZScoreOutliers

Outliers = ZScoreOutliers | InterquartileOutliers

Imputation = Literal["mean", "median", "neighbours"]
"""What a missing value becomes: its column's mean or median, or the mean of the five nearest rows."""
Scaling = Literal["unit", "symmetric", "standard", "normal"]
"""unit: to [0, 1]. symmetric: to [-1, 1]. standard: mean 0, variance 1. normal: its rank, as a normal quantile."""
Encoding = Literal["one_hot", "ordinal"]
"""One column a category, 0 or 1; or one column of the categories' numbers."""
QUANTILES = 100


def table_pipeline(
    numeric: Sequence[str],
    categories: Sequence[str] = (),
    *,
    ratios: Sequence[tuple[str, str]] = (),
    outliers: Outliers | None = None,
    scaling: Scaling = "standard",
    imputation: Imputation = "median",
    encoding: Encoding = "one_hot",
    waves_over: Sequence[str] = (),
    waves: FourierFeatures | None = None,
) -> ColumnTransformer:
    """The columns `numeric` by `numeric_steps`, `categories` by `category_steps`; other columns are left out.

    `waves_over` names columns, as longitude and latitude, that enter `waves` (default: `FourierFeatures()`) as well.
    `fit` it on the training rows of a pandas table, `transform` all: nothing of the test rows is then known to it.
    Shapes: (n, columns of the table) -> (n, features), float64; `get_feature_names_out` names them.
    Raises: InputError for unknown choices and where no column is named; ValueError by scikit-learn where a named
        column is missing.
    """
    columns = [*numeric, *categories, *waves_over]
    require(len(columns) > 0, "columns", columns, "at least one")
    numbers = numeric_steps(ratios=ratios, outliers=outliers, scaling=scaling, imputation=imputation)
    over = [*numeric_steps(scaling="standard", imputation=imputation).steps, ("waves", waves or FourierFeatures())]
    parts = [
        ("numeric", numbers, list(numeric)),
        ("categories", category_steps(encoding), list(categories)),
        ("waves", Pipeline(over), list(waves_over)),
    ]
    used = [part for part in parts if part[-1]]
    return ColumnTransformer(used, verbose_feature_names_out=False, sparse_threshold=0)


def numeric_steps(
    *,
    ratios: Sequence[Pair] = (),
    outliers: Outliers | None = None,
    scaling: Scaling = "standard",
    imputation: Imputation = "median",
) -> Pipeline:
    """Numbers: ratios appended, outliers treated, scaled (min-max scaling, standardisation), missing values filled.

    Scaled first, columns count alike where the nearest rows are looked for; scalers pass missing values by. A value
    outside of the range seen in `fit` leaves [0, 1] or [-1, 1], and in "normal" stops at +-5.2.
    Raises: InputError for unknown choices.
    """
    require_choice("scaling", scaling, get_args(Scaling))
    require_choice("imputation", imputation, get_args(Imputation))
    steps = [("ratios", RatioFeatures(ratios))] if ratios else []
    steps += [("outliers", outliers)] if outliers is not None else []
    return Pipeline([*steps, ("scaling", _scaler(scaling)), ("imputation", _imputer(imputation))])


def category_steps(encoding: Encoding = "one_hot") -> OneHotEncoder | OrdinalEncoder:
    """Categories as numbers; one that `fit` has not seen becomes all 0 (one-hot) or -1 (ordinal), never an error.

    A missing category is a category of its own (one-hot), or stays missing (ordinal).
    Raises: InputError for an unknown encoding.
    """
    require_choice("encoding", encoding, get_args(Encoding))
    if encoding == "one_hot":
        return OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def _scaler(scaling: Scaling) -> Any:
    """(x - min) / (max - min); twice that less 1; (x - mean) / std; Phi^-1(share of values below x)."""
    if scaling == "unit":
        return MinMaxScaler()
    if scaling == "symmetric":
        return MinMaxScaler(feature_range=(-1, 1))
    if scaling == "standard":
        return StandardScaler()
    return QuantileTransformer(n_quantiles=QUANTILES, output_distribution="normal", subsample=None)


def _imputer(imputation: Imputation) -> KNNImputer | SimpleImputer:
    if imputation == "neighbours":
        return KNNImputer(n_neighbors=5)
    return SimpleImputer(strategy=imputation)
