"""Reasons that are known because they were planted: are they found in the explanations of many models?"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from explain.background import Background
from explain.blackbox import BlackBox
from explain.planted import LinearRule, plant, random_slopes
from explain.policies import explain_action
from explain.tabular import explain_row

Array = NDArray[np.float64]


class PlantedWeights(NamedTuple):
    """By planted model: the smallest |weight| of a column that matters, the largest of one that does not; (models,)."""

    weakest: Array
    strongest: Array

    @property
    def found(self) -> NDArray[np.bool_]:
        """Whether all columns that matter have larger weights than all others."""
        return self.weakest > self.strongest


def recover_columns(rows: Array, models: int, samples: int, random: np.random.Generator) -> PlantedWeights:
    """Plant `models` in the columns of `rows`, explain each in a row drawn at random, and compare the weights.

    Shapes: rows (n, columns), the background too. Only rows within reach of it are explained.
    """
    background = Background(rows)
    near = rows[background.within_reach(rows)]
    weakest, strongest = np.zeros(models), np.zeros(models)
    for number in range(models):
        model, row = plant(rows, int(random.integers(2**31))), near[random.integers(len(near))]
        box = BlackBox(model, batch_size=samples)
        found = explain_row(box, row, background, samples=samples, count=None, labels=[1], seed=number)
        size, matters = np.abs(found.weights[1]), np.isin(np.arange(len(row)), model.columns)
        weakest[number], strongest[number] = size[matters].min(), size[~matters].max()
    return PlantedWeights(weakest, strongest)


class RecoveredRules(NamedTuple):
    """True slopes of rules (rules, columns), and the weights found in several states each (rules, states, columns)."""

    slopes: Array
    weights: Array

    def shares(self) -> Mapping[str, float]:
        """Shares of explanations with all signs right and with all ranks right, and of rules right in every state."""
        signs = (np.sign(self.weights) == np.sign(self.slopes)[:, None]).all(axis=2)
        ranks = np.abs(self.weights).argsort(axis=2) == np.abs(self.slopes).argsort(axis=1)[:, None]
        ranked = ranks.all(axis=2)
        right = (signs & ranked).all(axis=1)
        return {"signs": float(signs.mean()), "ranks": float(ranked.mean()), "rules": float(right.mean())}


def recover_rules(
    background: Background, rules: int, states: int, samples: int, random: np.random.Generator
) -> RecoveredRules:
    """Draw linear rules with slopes per standard deviation at random, and explain each in states of the background."""
    columns = len(background.names)
    slopes = np.stack([random_slopes(columns, random) for _ in range(rules)])
    found = np.zeros((rules, states, columns))
    for number, each in enumerate(slopes):
        box = BlackBox(LinearRule(each / background.scale, background.mean), batch_size=100_000)
        rows = background.rows[random.integers(0, len(background.rows), states)]
        for place, row in enumerate(rows):
            settings: dict[str, Any] = {"samples": samples, "seed": number * states + place}
            found[number, place] = explain_action(box, row, background, around_case=True, **settings).weights[1]
    return RecoveredRules(slopes, found)
