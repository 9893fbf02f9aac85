"""The rows that a case is held against: what is typical of each column, and the way to numbers and back."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.explanation import short_number
from foundations.errors import InputError, require

Array = NDArray[np.float64]
Column = int | str
Categories = Sequence[Column] | Mapping[Column, Sequence[str]]
"""Columns that hold categories, by number or name; as a mapping with the text of the values 0, 1, 2, ..."""
REACH = 2.5
"""Standard deviations a column, in root mean square, beyond which rows drawn around the mean are too far away."""


class Background:
    """Training rows, or rows like them: an array (n, columns) of numbers, or a pandas table.

    In a table, columns that hold no numbers are categories, numbered in sorted order; in an array, `categories` names
    them and their values are whole numbers. `encode` turns cases into numbers, `decode` samples into what the model
    reads: an array where the background is one, a table where it is one. `mean` and `deviation` are those of the
    columns of numbers; `scale` is the deviation again, but 1 where it is 0.

    Raises: InputError for gaps, infinities, texts in an array, and columns or categories that do not exist.
    """

    def __init__(self, rows: Any, *, names: Sequence[str] | None = None, categories: Categories = ()) -> None:
        from sklearn.preprocessing import StandardScaler

        self._table = hasattr(rows, "columns")
        self.names = _column_names(rows, names)
        self._texts: dict[int, Sequence[str]] = {}
        self._values: dict[int, list[Hashable]] = {}
        if self._table:
            self._types = dict(rows.dtypes)
            for number, name in enumerate(self.names):
                if not _holds_numbers(rows.iloc[:, number]):
                    self._number_values(number, rows.iloc[:, number], name)
        self.rows = self._encode(rows, "background")
        require(len(self.rows) >= 2, "background", f"{len(self.rows)} rows", "at least 2 rows")
        self._add_categories(categories)
        self.categories = tuple(sorted({*self._values, *self._texts}))
        self.choices = {column: np.unique(self.rows[:, column], return_counts=True) for column in self.categories}
        scaler = StandardScaler(with_mean=False).fit(self.rows)
        self.mean, self.scale = np.array(scaler.mean_), np.array(scaler.scale_)
        self.deviation = np.where(self.rows.max(axis=0) > self.rows.min(axis=0), self.scale, 0)
        self.mean[list(self.categories)], self.scale[list(self.categories)] = 0, 1

    @classmethod
    def of(cls, rows: Any, *, names: Sequence[str] | None = None, categories: Categories = ()) -> "Background":
        """`rows` themselves where they are a background already; else one made of them."""
        if not isinstance(rows, Background):
            return cls(rows, names=names, categories=categories)
        require(
            names is None and not categories, "names, categories", "given", "left to the Background: it has its own"
        )
        return rows

    def encode(self, cases: Any) -> Array:
        """Cases as numbers, categories numbered: (n, columns). Raises: InputError for what is unlike the background."""
        encoded = self._encode(cases, "row")
        for column, (known, _) in self.choices.items():
            strange = ~np.isin(encoded[:, column], known)
            if strange.any():
                value, allowed = encoded[strange][0, column], f"a value of the background: {known[:20].tolist()}"
                require(False, f"category {self.names[column]!r}", value, allowed)
        return encoded

    def decode(self, encoded: Array) -> Any:
        """What the model reads: the inverse of `encode`."""
        if not self._table:
            return encoded
        import pandas as pd

        columns = {}
        for number, name in enumerate(self._types):
            column: Any = encoded[:, number]
            if number in self._values:
                picked = [self._values[number][code] for code in column.astype(np.int64)]
                column = pd.Series(picked, dtype=self._types[name])
            columns[name] = column
        return pd.DataFrame(columns)

    def within_reach(self, encoded: Array) -> NDArray[np.bool_]:
        """Whether each of the encoded rows (n, columns) is near enough to be explained by rows drawn around the mean.

        It is where its columns of numbers lie at most `REACH` standard deviations from the mean, in root mean square:
        farther out hardly any drawn row is near. Categories do not count.
        """
        numbers = [column for column in range(encoded.shape[1]) if column not in self.categories]
        standard = ((encoded - self.mean) / self.scale)[:, numbers]
        near: NDArray[np.bool_] = np.square(standard).sum(axis=1) <= REACH**2 * len(numbers)
        return near

    def text(self, column: int, value: float) -> str:
        """A value as it is read: a category's name, or the number."""
        if column not in self.choices:
            return short_number(value)
        names: Sequence[Any] = self._values.get(column) or self._texts[column]
        known = value.is_integer() and 0 <= value < len(names)
        return str(names[int(value)]) if known else f"{value:g}"

    def _encode(self, rows: Any, what: str) -> Array:
        if not self._table:
            return _numbers(rows, what, len(self.names))
        require(hasattr(rows, "columns"), what, type(rows).__name__, "a pandas table, as the background is one")
        missing = [name for name in self._types if name not in rows.columns]
        require(not missing, f"{what} columns", list(rows.columns), f"those of the background: no {missing[:1]}")
        parts = [self._column(rows[name], number, what) for number, name in enumerate(self._types)]
        return _numbers(np.stack(parts, axis=1), what, len(self.names))

    def _column(self, column: Any, number: int, what: str) -> Array:
        if number in self._values:
            codes = {value: code for code, value in enumerate(self._values[number])}
            strange = [value for value in column if value not in codes]
            allowed = f"a value of the background: {self._values[number][:20]}"
            require(not strange, f"category {self.names[number]!r}", strange[0] if strange else None, allowed)
            return np.array([codes[value] for value in column], dtype=np.float64)
        return np.asarray(_numbers(column.to_numpy()[:, None], f"{what} column {self.names[number]!r}", 1)[:, 0])

    def _number_values(self, number: int, column: Any, name: str) -> None:
        gaps = int(column.isna().sum())
        require(gaps == 0, f"background column {name!r}", f"{gaps} gaps", "without gaps: fill them in first")
        self._values[number] = sorted(column.unique().tolist())

    def _add_categories(self, categories: Categories) -> None:
        texts = categories if isinstance(categories, Mapping) else dict.fromkeys(categories, ())
        for key, values in texts.items():
            known = key in self.names or (isinstance(key, int) and 0 <= key < len(self.names))
            require(known, "categories", key, f"columns by number or name: {list(self.names)[:20]}")
            number = self.names.index(key) if isinstance(key, str) else key
            if number in self._values:
                continue  # texts and the like: numbered already
            column = self.rows[:, number]
            whole = bool((column == np.round(column)).all())
            require(whole, f"category {self.names[number]!r}", "fractions", "whole numbers in every row")
            self._texts[number] = tuple(values)


def _column_names(rows: Any, names: Sequence[str] | None) -> tuple[str, ...]:
    if hasattr(rows, "columns"):
        found = tuple(str(name) for name in rows.columns)
        require(names is None or tuple(names) == found, "names", names, f"None, or the table's own: {list(found)[:20]}")
    else:
        shape = np.shape(rows)
        require(len(shape) == 2 and min(shape) >= 1, "background shape", shape, "(rows, columns), both at least 1")
        found = tuple(names) if names is not None else tuple(f"x{number}" for number in range(shape[1]))
        require(len(found) == shape[1], "number of names", len(found), f"{shape[1]}, one a column")
    require(len(set(found)) == len(found), "names", list(found)[:20], "each different")
    return found


def _holds_numbers(column: Any) -> bool:
    return column.dtype.kind in "iuf"


def _numbers(rows: Any, what: str, width: int) -> Array:
    """`rows` as float64 (n, width), all finite."""
    try:
        found = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError):
        given = getattr(rows, "dtype", type(rows).__name__)
        raise InputError(f"{what} of {given}: must hold numbers; texts only as columns of a pandas table") from None
    require(found.ndim == 2 and found.shape[1] == width, f"{what} shape", found.shape, f"(rows, {width})")
    bad = int((~np.isfinite(found)).sum())
    require(bad == 0, what, f"{bad} NaN or infinite values", "finite numbers: fill gaps in first")
    return found
