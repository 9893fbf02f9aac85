"""Explanations on trial over many cases: does hiding features in their order do more than hiding them at random?"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explain.blackbox import BlackBox
from explain.explanation import Explanation
from explain.quality import Hide, deletion_curve, insertion_curve, turned
from foundations.errors import require

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
    return Trial(*(_curves(way, black_box, hides, orders, labels) for way in (deletion_curve, insertion_curve)))


def fall_by_hiding(black_box: BlackBox, hides: Sequence[Hide], orders: Sequence[Array], labels: Sequence[int]) -> Array:
    """As `trial_by_hiding`, but only the deletion curves: (cases, features + 1)."""
    return _curves(deletion_curve, black_box, hides, orders, labels)


def _curves(
    way: Callable[[BlackBox, Hide, ArrayLike, int], Array],
    black_box: BlackBox,
    hides: Sequence[Hide],
    orders: Sequence[Array],
    labels: Sequence[int],
) -> Array:
    cases = zip(hides, orders, labels, strict=True)
    return np.stack([np.atleast_2d(way(black_box, hide, order, label)).mean(axis=0) for hide, order, label in cases])


class Turning(NamedTuple):
    """Whether each case's verdict turned after 0, 1, ..., steps features were hidden.

    Shapes: `named`, in the explanation's order, (cases, steps + 1); `random`, in orders at random,
    (cases, orders, steps + 1).
    """

    named: NDArray[np.bool_]
    random: NDArray[np.bool_]


def turn_by_hiding(
    black_box: BlackBox,
    hides: Sequence[Hide],
    orders: Sequence[NDArray[np.int64]],
    chance: Sequence[NDArray[np.int64]],
    **settings: Any,
) -> Turning:
    """Hide each case's features in the explanation's order (features,), and in orders at random (orders, features).

    `hides`: a function for each case. `settings`: `decide` and `steps`, as of `turned`.
    """
    both = [np.concatenate([own[None], random]) for own, random in zip(orders, chance, strict=True)]
    found = np.stack([turned(black_box, hide, each, **settings) for hide, each in zip(hides, both, strict=True)])
    return Turning(found[:, 0], found[:, 1:])


class Lead(NamedTuple):
    """The mean of what one thing has more than another, case by case, and its standard error."""

    mean: float
    error: float

    @property
    def clear(self) -> bool:
        """Whether the mean is above 0 by more than two standard errors."""
        return self.mean > 2 * self.error

    def told(self, digits: int = 3) -> str:
        """Both as a text."""
        return f"{self.mean:+.{digits}f} ± {self.error:.{digits}f} (standard error)"


def paired_lead(first: ArrayLike, second: ArrayLike) -> Lead:
    """How much larger `first` is than `second`, both (cases,): m = mean of first - second, its error s / sqrt(cases).

    s is the standard deviation of the differences, with cases - 1 in the denominator: what differs from case to case
    in both alike does not count. Raises: InputError for differing shapes and fewer than two cases.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    paired = one.ndim == 1 and one.shape == other.shape and len(one) >= 2
    require(paired, "shapes", (one.shape, other.shape), "the same, (cases,), at least two cases")
    lead = one - other
    return Lead(float(lead.mean()), float(lead.std(ddof=1)) / len(lead) ** 0.5)


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
