"""Many explanations seen together: which columns matter over all, and which few cases show the most of it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explain.explanation import Explanation
from foundations.errors import require

if TYPE_CHECKING:
    import pandas as pd


def average_weights(explanations: Sequence[Explanation], label: int | None = None) -> dict[str, float]:
    """The mean |weight| of each column over the explanations, largest first; where it is missing it counts as 0.

    `label`: None takes the first of each, which is what the black box found likeliest.
    Raises: InputError for no explanations and a label that is not explained.
    """
    require(len(explanations) >= 1, "explanations", 0, "at least 1")
    sums: dict[str, float] = {}
    for each in explanations:
        weights = np.abs(each.weights_of(label)).tolist()
        for column, weight in zip(each.columns or each.features, weights, strict=True):
            sums[column] = sums.get(column, 0.0) + weight
    return {column: sums[column] / len(explanations) for column in sorted(sums, key=lambda name: -sums[name])}


def mean_weights(explanations: Sequence[Explanation], label: int, fewest: int = 1) -> dict[str, float]:
    """The mean weight, with its sign, of each column over the explanations that have it, highest first.

    For texts, whose columns are words: small and capital letters are alike; words that fewer than `fewest` explanations
    have are left out. Raises: InputError for no explanations, and a label that is not explained.
    """
    require(len(explanations) >= 1, "explanations", 0, "at least 1")
    found: dict[str, list[float]] = {}
    for each in explanations:
        for column, weight in zip(each.columns or each.features, each.weights_of(label).tolist(), strict=True):
            found.setdefault(column.lower(), []).append(weight)
    means = {column: sum(own) / len(own) for column, own in found.items() if len(own) >= fewest}
    return dict(sorted(means.items(), key=lambda pair: -pair[1]))


def surest_answers(explanations: Sequence[Explanation], truths: NDArray[np.int64], *, right: bool) -> list[int]:
    """The numbers of the explanations of right or of wrong answers, the surest first, the classes answered in turn.

    The answer is the first label of each explanation. Shapes: truths (explanations,), the true labels.
    """
    order = sorted(range(len(explanations)), key=lambda number: -_sureness(explanations[number]))
    answered: dict[int, int] = {}
    turns = []
    for number in order:
        label = explanations[number].labels[0]
        if (label == truths[number]) == right:
            answered[label] = answered.get(label, 0) + 1
            turns.append((answered[label], number))
    return [number for _, number in sorted(turns, key=lambda turn: turn[0])]


def _sureness(explanation: Explanation) -> float:
    return explanation.predictions[explanation.labels[0]]


def permutation_importance(
    loss: "Callable[[pd.DataFrame], float]", rows: "pd.DataFrame", random: np.random.Generator, times: int = 5
) -> dict[str, float]:
    """By column, how much the loss rises when the column is shuffled among the rows: the mean of `times` shuffles.

        I_j = mean over shuffles of loss(rows with column j shuffled) - loss(rows)

    What a global view by explanations is held against. Correlated columns hide each other: each can stand in for what
    the other lost. Raises: InputError for fewer than two rows and times below 1.
    Source: Breiman 2001, Machine Learning 45, section 10.
    """
    require(len(rows) >= 2, "rows", len(rows), "at least 2")
    require(times >= 1, "times", times, "at least 1")
    rises: dict[str, float] = {}
    for name in map(str, rows):
        columns = [random.permutation(rows[name].to_numpy()) for _ in range(times)]
        losses = [loss(rows.assign(**{name: column})) for column in columns]
        rises[name] = sum(losses) / times - loss(rows)
    return rises


def submodular_pick(explanations: Sequence[Explanation], count: int, label: int | None = None) -> list[int]:
    """The numbers of `count` explanations that together show the features that matter (SP-LIME), the best first.

    With W the explanations' weights, a feature's importance is I_j = sqrt(sum_i |W_ij|), and a set covers sum I_j over
    the features that any of its members uses. The member that adds most is taken again and again, the last of equals,
    as lime does. A feature is known by its text: another quartile of a column is another feature.

    `label`: None takes the first of each. Raises: InputError for a count outside 1 to the number of explanations.
    Source: Ribeiro et al. 2016, arXiv:1602.04938, section 4.
    """
    require(1 <= count <= len(explanations), "count", count, f"from 1 to {len(explanations)}, the explanations given")
    used = [dict(each.top(label, len(each.features))) for each in explanations]
    places = {name: place for place, name in enumerate(dict.fromkeys(name for each in used for name in each))}
    sizes = np.zeros((len(explanations), len(places)))
    for row, each in enumerate(used):
        for name, weight in each.items():
            sizes[row, places[name]] += abs(weight)
    importance, present = np.sqrt(sizes.sum(axis=0)), sizes > 0
    chosen: list[int] = []
    covered = np.zeros(len(places), dtype=bool)
    for _ in range(count):
        left = [number for number in range(len(explanations)) if number not in chosen]
        # One product a candidate, not one matrix product: equal candidates must stay equal to the last bit.
        worth = [float(np.dot(present[number] | covered, importance)) for number in left]
        best = max(range(len(left)), key=lambda place: (worth[place], place))
        chosen.append(left[best])
        covered |= present[left[best]]
    return chosen
