"""Models whose reasons are known, because they were planted or can be read off: what an explainer must find."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.explanation import Explanation
from foundations.errors import require

Array = NDArray[np.float64]
MOST = 5
"""Columns that matter, at most."""
RATIO = 1.6
"""In a rule drawn at random each slope is so many times as large as the next."""
LARGEST = 2.0
"""Its largest slope, per standard deviation."""


@dataclass(frozen=True, eq=False)
class PlantedModel:
    """A classifier of rows in which `columns` alone matter, each through a curve that rises or falls throughout.

    P(yes) = sigmoid(sum_j slope_j tanh(z_j)), z the columns less `mean`, over `deviation`.
    """

    columns: NDArray[np.int64]
    slopes: Array
    mean: Array
    deviation: Array

    def __call__(self, rows: Array) -> Array:
        """P(no) and P(yes): (n, columns) -> (n, 2)."""
        standard = (rows[:, self.columns] - self.mean) / self.deviation
        return _no_and_yes(np.tanh(standard) @ self.slopes)


def plant(rows: Array, seed: int) -> PlantedModel:
    """A model in which one to five of the columns of `rows` matter, with slopes of size 0.5 to 2.

    Shapes: rows (n, columns). Raises: InputError for fewer than two columns that vary: none would be left out.
    """
    deviation = rows.std(axis=0)
    varying = np.flatnonzero(deviation > 0)
    require(len(varying) >= 2, "columns that vary", len(varying), "at least 2")
    random = np.random.default_rng(seed)
    count = int(random.integers(1, min(MOST, len(varying) - 1) + 1))
    columns = random.choice(varying, count, replace=False)
    slopes = random.uniform(0.5, 2, count) * random.choice([-1, 1], count)
    return PlantedModel(columns, slopes, rows.mean(axis=0)[columns], deviation[columns])


@dataclass(frozen=True, eq=False)
class LinearRule:
    """A classifier of rows, or a policy of two actions: P(yes) = sigmoid(sum_j slope_j (x_j - centre_j)).

    Shapes: `slopes` and `centre` (columns,).
    """

    slopes: Array
    centre: Array

    def __call__(self, rows: Array) -> Array:
        """P(no) and P(yes): (n, columns) -> (n, 2)."""
        return _no_and_yes((rows - self.centre) @ self.slopes)


def random_slopes(columns: int, random: np.random.Generator) -> Array:
    """Slopes per standard deviation that an explanation can rank: each 1.6 times as large as the next, any signs.

    The largest is 2; they come in any order. Shape: (columns,).
    """
    sizes = LARGEST * RATIO ** -np.arange(columns)
    slopes: Array = random.permutation(sizes) * random.choice([-1, 1], columns)
    return slopes


class WordCounts:
    """A classifier of texts that counts words: what each word adds to its answer can be read off.

    Logistic regression on counts of words, the rarer a word the heavier (tf-idf), learnt from `texts` with their
    `labels` (n,); C, the inverse of the regularisation, is 3.
    """

    def __init__(self, texts: Sequence[str], labels: NDArray[np.int64]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        self.counts: Any = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+")
        self.classifier: Any = LogisticRegression(C=3, max_iter=500).fit(self.counts.fit_transform(texts), labels)

    def __call__(self, texts: Sequence[str]) -> Array:
        """The probabilities of the classes: n texts -> (n, classes)."""
        answers: Array = self.classifier.predict_proba(self.counts.transform(texts))
        return answers

    def reasons(self, explanation: Explanation) -> Array:
        """What each word of the explained text adds to the log odds of the last class: slope x tf-idf, (words,).

        0 for words that were never learnt. For an explanation by `explain_text` without a mask.
        """
        row, slopes = self.counts.transform([explanation.settings["text"]]), self.classifier.coef_[-1]
        columns = [self.counts.vocabulary_.get(word.lower()) for word in explanation.columns]
        return np.array([0.0 if column is None else slopes[column] * row[0, column] for column in columns])


def _no_and_yes(score: Array) -> Array:
    """The probabilities 1 - p and p, p = sigmoid(score): (n,) -> (n, 2)."""
    p = 1 / (1 + np.exp(-score))
    return np.stack([1 - p, p], axis=1)
