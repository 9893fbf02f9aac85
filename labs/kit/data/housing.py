"""The districts of California: their columns, what a table of them must hold, and how its rows are split."""

from typing import TYPE_CHECKING

from foundations.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

PRICE = "median_house_value"
CATEGORY = "ocean_proximity"
COORDINATES = ["longitude", "latitude"]
NUMERIC = [
    *COORDINATES,
    *("housing_median_age", "total_rooms", "total_bedrooms", "population", "households", "median_income"),
]
RATIOS = [("total_rooms", "households"), ("total_bedrooms", "total_rooms"), ("population", "households")]
INCOME_EDGES = (1.5, 3.0, 4.5, 6.0)
"""Borders of the strata, in 10,000 USD a year; with seed 42, the split of the published figure."""
SPLIT_SEED = 42
FEWEST_ROWS = 200


def require_districts(frame: "pd.DataFrame", spec: str) -> None:
    """Raises: InputError where the columns of the table `spec` do not suit."""
    import numpy as np

    wanted, given = [*NUMERIC, CATEGORY, PRICE], f"data={spec!r}"
    missing = [name for name in wanted if name not in frame]
    if missing:
        raise InputError(f"{given}: has no column {missing[0]!r}; must have {', '.join(wanted)}")
    for name in (*NUMERIC, PRICE):
        numbers = frame[name].dtype.kind in "iuf" and not np.isinf(frame[name]).any() and frame[name].nunique() > 1
        if not numbers or (name == PRICE and frame[name].isna().any()):
            gaps = "; no gaps" if name == PRICE else ", or gaps"
            raise InputError(f"{given}: column {name!r} must hold finite numbers, not all the same{gaps}")
    if len(frame) < FEWEST_ROWS:
        raise InputError(f"{given}: {len(frame)} rows; must be at least {FEWEST_ROWS}")


def cap_of_prices(frame: "pd.DataFrame") -> str | None:
    """Where many rows share the highest price: that it is a cap, in a sentence; else None."""
    highest = frame[PRICE].max()
    capped = int((frame[PRICE] == highest).sum())
    if capped <= len(frame) / 100:
        return None
    cap = f"{capped:,} of {len(frame):,} rows have the highest price, {highest:,.0f} USD"
    return f"{cap}: it is a cap, so what they really cost is unknown"


def split_districts(frame: "pd.DataFrame") -> "dict[str, pd.DataFrame]":
    """Training and test rows, 80/20, stratified by income; the training rows again as fit and validation, 85/15."""
    import numpy as np

    from foundations.preprocessing import quantile_bins, stratified_split

    income = frame["median_income"].fillna(frame["median_income"].median()).to_numpy(float)
    strata = np.digitize(income, INCOME_EDGES, right=True)
    if np.unique(strata, return_counts=True)[1].min() < FEWEST_ROWS / 10:  # incomes of another time or country
        strata = quantile_bins(income, len(INCOME_EDGES) + 1)
    training, test = stratified_split(strata, (0.8, 0.2), SPLIT_SEED)
    fit, validation = stratified_split(strata[training], (0.85, 0.15), SPLIT_SEED)
    rows = {"training": training, "test": test, "fit": training[fit], "validation": training[validation]}
    return {name: frame.iloc[chosen].reset_index(drop=True) for name, chosen in rows.items()}
