"""Rows drawn at random near what is typical, and how a linear surrogate sees them from a case."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from explain.background import Background
from explain.explanation import short_number

Array = NDArray[np.float64]
QUARTILES = (25, 50, 75)
THIN = 1e-11
"""Added to a bin's standard deviation, as lime does, so that it can be divided by."""


@dataclass(frozen=True)
class Drawn:
    """Rows drawn at random, (samples, columns): what the model reads, and the terms that a surrogate is made of."""

    inputs: Array
    terms: Array


class Space(Protocol):
    """Where rows are drawn and compared. `indicators` are the columns that a surrogate sees as same or other."""

    background: Background
    indicators: tuple[int, ...]

    def draw(self, random: np.random.RandomState, samples: int, centre: Array) -> Drawn:
        """`samples` rows about `centre` (columns,); the first is to be replaced by the case."""
        ...

    def terms(self, encoded: Array) -> Array:
        """Rows as a surrogate's terms, before a case is known. Shapes: (n, columns), kept."""
        ...

    def feature(self, column: int, value: float) -> str:
        """What the column's term is called where it has that value."""
        ...


class Numbers:
    """Columns of numbers drawn from a normal and standardised; categories drawn as often as the background has them.

    A column that never changes stays as it is, where lime would add noise of deviation 1 that no model ever saw.
    """

    def __init__(self, background: Background) -> None:
        self.background, self.indicators = background, background.categories

    def draw(self, random: np.random.RandomState, samples: int, centre: Array) -> Drawn:
        """See `Space`."""
        known = self.background
        inputs = random.normal(0, 1, samples * len(centre)).reshape(samples, -1) * known.deviation + centre
        for column in self.indicators:
            inputs[:, column] = _choose(random, *known.choices[column], samples)
        return Drawn(inputs, self.terms(inputs))

    def terms(self, encoded: Array) -> Array:
        """See `Space`."""
        standardised: Array = (encoded - self.background.mean) / self.background.scale
        return standardised

    def feature(self, column: int, value: float) -> str:
        """See `Space`."""
        name = self.background.names[column]
        return f"{name}={self.background.text(column, value)}" if column in self.indicators else name


class Quartiles:
    """Columns of numbers by quartile: drawn as bins, then as numbers within them; every column is an indicator."""

    def __init__(self, background: Background) -> None:
        self.background, self.indicators = background, tuple(range(len(background.names)))
        columns = background.rows.T
        numbers = [number for number in self.indicators if number not in background.categories]
        self.borders = {number: np.unique(np.percentile(columns[number], QUARTILES)) for number in numbers}
        binned = self.terms(background.rows).T
        self.choices = {number: np.unique(binned[number], return_counts=True) for number in self.indicators}
        self.bins = {number: _bins(columns[number], binned[number], self.borders[number]) for number in numbers}

    def draw(self, random: np.random.RandomState, samples: int, centre: Array) -> Drawn:
        """See `Space`; quartiles lie about no centre."""
        drawn = np.stack([_choose(random, *self.choices[number], samples) for number in self.indicators], axis=1)
        inputs = drawn.copy()
        for number, bins in self.bins.items():
            inputs[1:, number] = _within(random, bins[:, drawn[1:, number].astype(np.int64)])
        return Drawn(inputs, drawn)

    def terms(self, encoded: Array) -> Array:
        """See `Space`."""
        terms = encoded.copy()
        for number, borders in self.borders.items():
            terms[:, number] = np.searchsorted(borders, encoded[:, number])
        return terms

    def feature(self, column: int, value: float) -> str:
        """See `Space`."""
        name = self.background.names[column]
        if column not in self.borders:
            return f"{name}={self.background.text(column, value)}"
        texts = [short_number(float(border)) for border in self.borders[column]]
        place = int(np.searchsorted(self.borders[column], value))
        if place == len(texts):
            return f"{name} > {texts[-1]}"
        return f"{name} <= {texts[0]}" if place == 0 else f"{texts[place - 1]} < {name} <= {texts[place]}"


def as_seen_from(case: Array, terms: Array, space: Space) -> Array:
    """A surrogate's data: numbers as they are, indicators 1 where a row shares the case's category or quartile.

    Shapes: case (columns,), terms (samples, columns), kept; the first row becomes the case.
    """
    here = space.terms(case[None])[0]
    data = terms.copy()
    data[0] = here
    marked = list(space.indicators)
    data[:, marked] = data[:, marked] == here[marked]
    return data


def _choose(random: np.random.RandomState, values: Array, counts: NDArray[np.int64], samples: int) -> Array:
    chosen: Array = random.choice(values, size=samples, replace=True, p=counts / float(counts.sum()))
    return chosen


def _bins(column: Array, binned: Array, borders: Array) -> Array:
    """Lower end, upper end, mean and standard deviation of each bin: (4, bins)."""
    members = [column[binned == number] for number in range(len(borders) + 1)]
    means = [float(each.mean()) if len(each) else 0.0 for each in members]
    deviations = [(float(each.std()) if len(each) else 0.0) + THIN for each in members]
    return np.array([[column.min(), *borders], [*borders, column.max()], means, deviations])


def _within(random: np.random.RandomState, ends: Array) -> Array:
    """A number from each bin, truncated normal; a bin of one value is that value, where lime gives its distance, 0."""
    from scipy.stats import truncnorm

    low, high, mean, deviation = ends
    drawn: Array = low.copy()
    first, last = (low - mean) / deviation, (high - mean) / deviation
    wide = first != last
    drawn[wide] = truncnorm.rvs(first[wide], last[wide], loc=mean[wide], scale=deviation[wide], random_state=random)
    return drawn
