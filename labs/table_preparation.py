"""Prepare a table for learning: outliers, scales, missing values, categories, fair splits.

What each step makes of real columns: outliers by z-score and by quartiles (Tukey 1977), five scales, three ways to fill
in missing values (judged on known values that were hidden), codes of categories, one never seen among them, and how far
the test rows of random and of stratified splits are from the whole table. Everything is fitted on training rows alone.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, get_args

from annotated_types import Ge

import labs.kit as kit
from foundations.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

topic = "foundations"
MOST_CATEGORIES = 20
"""The codes of a text column with more different values than this are not shown."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "housing"
    """housing, or a CSV file with numeric columns."""
    columns: tuple[str, ...] = ("total_rooms", "population", "median_income")
    """Numeric columns to show; the first one's values are hidden and guessed, the last one's bins are the strata."""
    bins: Annotated[int, Ge(2)] = 5
    """Strata: bins of equal count."""
    splits: Annotated[int, Ge(2)] = 200
    """Splits of each kind, to compare how they scatter."""
    threshold: kit.Rate = 3.0
    """Standard deviations from the mean beyond which a value is an outlier."""
    factor: kit.Rate = 1.5
    """Interquartile ranges from the quartiles beyond which a value is an outlier."""
    hidden: kit.Count = 500
    """Known values to hide and guess, at most a tenth of the rows."""

    presets: ClassVar[kit.Presets] = {"smoke": {"splits": 20, "hidden": 50}, "full": {"splits": 1_000, "hidden": 2_000}}


def main(config: Config, run: kit.Run) -> None:
    """Show each step."""
    from foundations.preprocessing import random_split
    from labs.drawings import table_preparation as drawings

    frame = _load(config, run)
    numeric = frame.select_dtypes("number").dropna(axis="columns", how="all")
    seed = int(run.streams.numpy("split").integers(2**31))
    training, _ = random_split(len(frame), (0.8, 0.2), seed)
    rows = numeric.iloc[training].reset_index(drop=True)
    shown = rows[list(config.columns)]
    prepared = {
        name: shown.to_numpy(float) if step is None else step.fit_transform(shown)
        for name, step in _preparations(config).items()
    }
    run.figure("preparations", drawings.draw_preparations(config.columns, prepared))
    run.table("outliers", _outliers(config, numeric.iloc[training]))
    run.table("missing_values", _imputations(config, run, rows))
    if codes := category_codes(frame.iloc[training]):
        run.table("categories", codes)
    _compare_splits(config, run, numeric[config.columns[-1]])


def _load(config: Config, run: kit.Run) -> "pd.DataFrame":
    """The table. Raises: InputError where it lacks the columns to show."""
    import numpy as np

    frame = run.load_table(config.data).frame
    numeric = list(frame.select_dtypes("number"))
    if not config.columns:
        raise InputError(f"columns={config.columns!r}: must be one or more of {', '.join(numeric)}")
    for name in numeric:
        if np.isinf(frame[name]).any():
            raise InputError(f"data={config.data!r}: column {name!r} holds infinity; must hold finite numbers, or gaps")
    for name in config.columns:
        if name not in numeric or frame[name].nunique() < 2:
            raise InputError(f"columns: {name!r} must be a numeric column that varies, of {', '.join(numeric)}")
    if len(frame) < 100:
        raise InputError(f"data={config.data!r}: {len(frame)} rows; must be at least 100")
    return frame


def _preparations(config: Config) -> dict[str, Any]:
    """What a column may go through before it reaches a network; the first three keep its unit."""
    from foundations.preprocessing import InterquartileOutliers, ZScoreOutliers, numeric_steps

    return {
        "raw": None,
        f"outliers clipped,\n|z| > {config.threshold:g}": ZScoreOutliers(config.threshold),
        f"outliers clipped,\n{config.factor:g} quartile ranges": InterquartileOutliers(config.factor),
        "scaled to [0, 1]": numeric_steps(scaling="unit"),
        "scaled to [-1, 1]": numeric_steps(scaling="symmetric"),
        "standardised": numeric_steps(scaling="standard"),
        "ranks made normal": numeric_steps(scaling="normal"),
    }


def _outliers(config: Config, rows: "pd.DataFrame") -> list[dict[str, object]]:
    """The share of outliers in each column, by both rules."""
    import numpy as np

    from foundations.preprocessing import InterquartileOutliers, ZScoreOutliers, inliers

    rules = (ZScoreOutliers(config.threshold), InterquartileOutliers(config.factor))
    table: list[dict[str, object]] = []
    for name in rows:
        column = rows[[name]]
        by_z, by_quartiles = (1 - float(np.mean(inliers(rule.fit(column), column))) for rule in rules)
        missing = float(column[name].isna().mean())
        shares = {"outliers by z-score": by_z, "outliers by quartiles": by_quartiles, "missing": missing}
        table.append({"column": name, **{key: f"{share:.2%}" for key, share in shares.items()}})
    return table


def _imputations(config: Config, run: kit.Run, rows: "pd.DataFrame") -> list[dict[str, object]]:
    """Known values of the first column are hidden, and guessed from the other numeric columns."""
    import numpy as np

    from foundations.preprocessing import Imputation, numeric_steps

    name = config.columns[0]
    known = rows.index[rows[name].notna()].to_numpy()
    hidden = run.streams.numpy("hidden").permutation(known)[: max(1, min(config.hidden, len(rows) // 10))]
    gaps = rows.astype(float)
    gaps.loc[hidden, name] = np.nan
    truth, place = rows.loc[hidden, name].to_numpy(float), list(rows).index(name)
    table: list[dict[str, object]] = []
    for imputation in get_args(Imputation):
        steps = numeric_steps(scaling="standard", imputation=imputation).fit(gaps)
        guessed = steps["scaling"].inverse_transform(steps.transform(gaps.loc[hidden]))[:, place]
        errors = np.abs(guessed - truth)
        figures = {"median error": np.median(errors), "RMSE": np.sqrt(np.square(errors).mean())}
        table.append({f"missing {name} become": imputation, **{key: round(float(v), 2) for key, v in figures.items()}})
        run.summary({f"imputation_rmse/{imputation}": float(figures["RMSE"])})
    return table


def category_codes(rows: "pd.DataFrame") -> list[dict[str, object]]:
    """The first column of few categories as numbers, and what becomes of a category that was never seen."""
    from foundations.preprocessing import category_steps

    texts = rows.select_dtypes(exclude="number")
    names = [name for name in texts if 1 <= texts[name].nunique() <= MOST_CATEGORIES]
    if not names:
        return []
    seen = rows[[names[0]]].dropna().to_numpy(str)
    categories = [*sorted(set(seen.ravel())), "(never seen)"]
    asked = [[category] for category in categories]
    one_hot = category_steps("one_hot").fit(seen).transform(asked).astype(int)
    ordinal = category_steps("ordinal").fit(seen).transform(asked).astype(int)
    return [
        {names[0]: category, "one-hot": " ".join(map(str, code)), "ordinal": int(number[0])}
        for category, code, number in zip(categories, one_hot, ordinal, strict=True)
    ]


def _compare_splits(config: Config, run: kit.Run, column: "pd.Series[float]") -> None:
    """How far the highest bin's share in 20 % test rows is from its share in the table, split by split."""
    import numpy as np

    from foundations.preprocessing import quantile_bins, random_split, stratified_split
    from labs.drawings import table_preparation as drawings

    values = column.fillna(column.median()).to_numpy(float)
    strata = quantile_bins(values, config.bins)
    seeds = run.streams.numpy("splits").integers(2**31, size=config.splits).tolist()
    top = strata == strata.max()
    shares = (0.8, 0.2)
    misses = {
        "random": [100 * (top[random_split(len(top), shares, seed)[1]].mean() - top.mean()) for seed in seeds],
        "stratified": [100 * (top[stratified_split(strata, shares, seed)[1]].mean() - top.mean()) for seed in seeds],
    }
    run.figure("splits", drawings.draw_splits(misses, str(column.name), config.bins))
    run.summary({f"split_miss_percent/{name}": float(np.abs(miss).mean()) for name, miss in misses.items()})


if __name__ == "__main__":
    kit.launch(main)
