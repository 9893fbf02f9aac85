"""Explanations on trial over many cases: does their order beat chance, and do they find reasons that were planted?"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from explain.background import Background
from explain.blackbox import BlackBox
from explain.explanation import Explanation
from explain.planted import LinearRule, plant, random_slopes
from explain.policies import explain_action
from explain.quality import Hide, deletion_curve, insertion_curve
from explain.tabular import explain_row

Array = NDArray[np.float64]


class Trial(NamedTuple):
    """The answer as features are hidden (deletion) and shown (insertion) in an order: each (cases, features + 1)."""

    deletion: Array
    insertion: Array


def trial_by_hiding(
    black_box: BlackBox, hides: Sequence[Hide], orders: Sequence[Array], labels: Sequence[int]
) -> Trial:
    """Both curves of each case for its label in its order (features,); of several (orders, features) their mean.

    `hides`: a function for each case, as by `hide_segments`.
    """
    curves: tuple[list[Array], list[Array]] = ([], [])
    for hide, order, label in zip(hides, orders, labels, strict=True):
        for kept, curve in zip(curves, (deletion_curve, insertion_curve), strict=True):
            kept.append(np.atleast_2d(curve(black_box, hide, order, label)).mean(axis=0))
    return Trial(*(np.stack(kept) for kept in curves))


class Mended(NamedTuple):
    """A mistake's features (features,), True for those that misled, and the answers (1 + draws, outputs) without them.

    The first answer is with those features hidden, the others with as many drawn at random.
    """

    hidden: NDArray[np.bool_]
    answers: Array


def hide_misleading(
    black_box: BlackBox,
    hide: Hide,
    pull: Array,
    count: int,
    *,
    among: NDArray[np.int64],
    draws: int,
    random: np.random.Generator,
) -> Mended:
    """What is said of a mistake once the `count` features of the largest `pull` are hidden, beside ones at random.

    `pull` (features,): how much more each speaks for what is said than for what is true, see `Explanation.contrast`.
    `among`: the numbers of the features that are drawn from, those that hiding changes.
    """
    drawn = [random.choice(among, min(count, len(among)), replace=False) for _ in range(draws)]
    hidden = np.zeros((1 + draws, len(pull)), np.bool_)
    for row, chosen in zip(hidden, [np.argsort(-pull, kind="stable")[:count], *drawn], strict=True):
        row[chosen] = True
    return Mended(hidden[0], black_box(hide(hidden)))


def curves_from_typical(
    black_box: BlackBox, hides: Sequence[Hide], found: Sequence[Explanation], label: int, chance: NDArray[np.int64]
) -> tuple[dict[str, Array], int]:
    """Mean deletion and insertion curves in the order of the explanations and at random, and over how many cases.

    They show the way from a typical case's answer, 0, to the case's own, 1: what raises the answer is hidden first
    where the case's is higher, what lowers it where it is lower. Cases whose answer is nearer to the typical one than
    a standard deviation of all their answers are left out: there is little to explain.

    `hides`: a function for each case, as by `hide_columns`. Shapes: chance (orders, features); curves (features + 1,).
    """
    ends = [_ends(black_box, hide, len(each.features), label) for hide, each in zip(hides, found, strict=True)]
    least = float(np.std([end.case for end in ends]))
    kept: dict[str, list[Array]] = {}
    for hide, each, end in zip(hides, found, ends, strict=True):
        way = end.case - end.typical
        if abs(way) < least:
            continue
        orders = np.concatenate([np.argsort(-each.contributions(label) * np.sign(way), kind="stable")[None], chance])
        for name, curve in (("deletion", deletion_curve), ("insertion", insertion_curve)):
            shares = (curve(black_box, hide, orders, label) - end.typical) / way
            kept.setdefault(f"{name}, explanation", []).append(shares[0])
            kept.setdefault(f"{name}, random", []).append(shares[1:].mean(axis=0))
    return {name: np.mean(curves, axis=0) for name, curves in kept.items()}, len(next(iter(kept.values()), []))


class _Ends(NamedTuple):
    """The answers to a case and to a typical one."""

    case: float
    typical: float


def _ends(black_box: BlackBox, hide: Hide, features: int, label: int) -> _Ends:
    masks = np.repeat([[False], [True]], features, axis=1)
    return _Ends(*black_box(hide(masks))[:, label].tolist())


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
