"""Splits into training, validation and test rows: every row in exactly one part."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import train_test_split

from foundations.errors import require

Indices = NDArray[np.int64]


def random_split(count: int, shares: Sequence[float], seed: int) -> list[Indices]:
    """The rows 0 .. count-1, shuffled, in one part a share.

        train, validation, test = random_split(len(table), (0.7, 0.1, 0.2), seed=0)

    Raises: InputError unless the shares are above 0 and sum to 1, and each part gets a row.
    """
    return _split(np.zeros(count, dtype=np.int64), shares, seed)


def stratified_split(strata: ArrayLike, shares: Sequence[float], seed: int) -> list[Indices]:
    """As `random_split`, but every part holds each stratum in the share that it has in the whole, to about one row.

    Strata are classes, as integers or names; a continuous target or feature is put into bins before, by
    `quantile_bins` or `numpy.digitize`. With two shares the parts are those of scikit-learn's `train_test_split`.

    Shapes: strata (n,) -> indices, n in all.
    Raises: InputError for shares as in `random_split`, strata that are no column or have values missing, and a
        stratum with fewer rows than there are parts.
    """
    values = np.asarray(strata)
    require(values.ndim == 1, "strata shape", values.shape, "(n,), one stratum a row")
    missing = [value for value in values.tolist() if value is None or value != value]  # NaN differs from itself
    require(not missing, "strata", missing[:1], "present in every row: fill in or drop missing values")
    names, numbers, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(counts):
        few = int(counts.argmin())
        enough = f"in at least {len(shares)} rows, one a part; it is in {counts[few]}: join it with another"
        require(counts[few] >= len(shares), "stratum", names[few].item(), enough)
    return _split(numbers.astype(np.int64), shares, seed)


def quantile_bins(values: ArrayLike, bins: int) -> Indices:
    """Each value's bin, 0 .. bins-1: bins of as equal a count as ties allow. Shapes: (n,) -> (n,).

    Raises: InputError for no or missing values, and unless bins >= 1.
    """
    given = np.asarray(values, dtype=np.float64)
    require(given.ndim == 1 and len(given) >= 1, "values shape", given.shape, "(n,), n at least 1")
    require(bool(np.isfinite(given).all()), "values", "NaN or infinite", "finite numbers")
    require(bins >= 1, "bins", bins, "at least 1")
    edges = np.quantile(given, np.arange(1, bins) / bins)
    return np.searchsorted(edges, given, side="right").astype(np.int64)


def _split(strata: Indices, shares: Sequence[float], seed: int) -> list[Indices]:
    """Cut the last part off, then the last of what is left, and so on."""
    count, classes = len(strata), len(np.unique(strata))
    fair = len(shares) >= 1 and min(shares) > 0 and math.isclose(sum(shares), 1)
    require(fair, "shares", tuple(shares), "numbers above 0 that sum to 1")
    require(seed >= 0, "seed", seed, "an integer >= 0")
    ends = [round(float(end) * count) for end in np.cumsum(shares)]
    sizes = np.diff([0, *ends]).tolist()
    room = f"enough that each part holds each of the {classes} strata" if classes > 1 else "enough for a row a part"
    require(min(sizes) >= max(1, classes), "count", count, f"{room}; the parts would have {sizes} rows")
    rest, parts = np.arange(count), []
    for size in reversed(sizes[1:]):
        rest, part = train_test_split(rest, test_size=size, stratify=strata[rest], random_state=seed)
        parts.append(part)
    return [rest, *reversed(parts)]
