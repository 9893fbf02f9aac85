"""Many explanations seen together: which columns matter over all, and which few cases show the most of it."""

from collections.abc import Sequence

import numpy as np

from explain.explanation import Explanation
from foundations.errors import require


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
