"""How far to trust an explanation: what hiding its features does, and whether another seed says the same.

The surrogate's weighted R2 is in the explanation itself; it falls as samples are added, where few of them were
learnt by heart, so it is never to be the only figure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explain.blackbox import BlackBox
from explain.explanation import Explanation
from foundations.errors import require

Array = NDArray[np.float64]
Hide = Callable[[NDArray[np.bool_]], Any]
"""From masks (n, features), True where a feature is hidden, to the batch of n inputs."""


def deletion_curve(black_box: BlackBox, hide: Hide, order: ArrayLike, label: int) -> Array:
    """The answer for `label` as features are hidden one after the other in `order`, from none to all.

    The better the order, the sooner it falls; features that speak for the label come first. Several orders are
    answered in one call.
    Shapes: order (features,) -> (features + 1,), or (orders, features) -> (orders, features + 1).
    Raises: InputError unless each order names every feature once. Source: Petsiuk et al. 2018, arXiv:1806.07421.
    """
    return _curve(black_box, hide, order, label, first_hidden=True)


def insertion_curve(black_box: BlackBox, hide: Hide, order: ArrayLike, label: int) -> Array:
    """As `deletion_curve`, but all is hidden at first and shown in `order`: the better, the sooner the answer rises."""
    return _curve(black_box, hide, order, label, first_hidden=False)


def random_orders(features: int, count: int, seed: int) -> NDArray[np.int64]:
    """Orders at random, the baseline of the curves: their mean is what an explanation must beat. (count, features)."""
    require(count >= 1, "count", count, "at least 1")
    random = np.random.default_rng(seed)
    return np.stack([random.permutation(features) for _ in range(count)])


def area_under(curve: Array) -> Any:
    """The curve's mean height by trapezes, its features evenly spread over 0 to 1. Shapes: (..., n >= 2) -> (...)."""
    require(curve.shape[-1] >= 2, "curve", curve.shape, "at least two points")
    return np.trapezoid(curve, dx=1 / (curve.shape[-1] - 1), axis=-1)


def hidden_answers(
    black_box: BlackBox, hide: Hide, order: ArrayLike, *, first_hidden: bool = True, steps: int | None = None
) -> Array:
    """All answers after 0, 1, ..., `steps` features were hidden in `order`; the curves are one column of them.

    `first_hidden` False: all is hidden at first, and shown in `order`. `steps`: None for all features.
    Shapes: order (features,) or (orders, features) -> (orders, steps + 1, outputs), one order counting as 1.
    Raises: InputError unless each order names every feature once, and steps are 1 to the number of features.
    """
    orders = np.atleast_2d(np.asarray(order))
    count, features = orders.shape
    complete = bool((np.sort(orders, axis=1) == np.arange(features)).all())
    require(complete, "order", np.shape(order), f"each of the features 0 to {features - 1} once")
    last = features if steps is None else steps
    require(1 <= last <= features, "steps", last, f"from 1 to {features}, the features")
    ranks = np.argsort(orders, axis=1)  # the place of each feature in its order
    reached = ranks[:, None, :] < np.arange(last + 1)[None, :, None]  # (orders, steps + 1, features)
    hidden = reached if first_hidden else ~reached
    return black_box(hide(hidden.reshape(-1, features))).reshape(count, last + 1, -1)


def turned(
    black_box: BlackBox,
    hide: Hide,
    order: ArrayLike,
    *,
    decide: Callable[[Array], NDArray[Any]] = lambda answers: answers.argmax(axis=-1),
    steps: int | None = None,
) -> NDArray[np.bool_]:
    """Whether the verdict on the case is another one after 0, 1, ..., `steps` features were hidden in `order`.

    `decide` makes verdicts (...) of answers (..., outputs); of probabilities the verdict is the likeliest class.
    Shapes: order (features,) or (orders, features) -> (orders, steps + 1). Raises: InputError as `hidden_answers`.
    """
    verdicts = decide(hidden_answers(black_box, hide, order, steps=steps))
    changed: NDArray[np.bool_] = verdicts != verdicts[:, :1]
    return changed


def _curve(black_box: BlackBox, hide: Hide, order: ArrayLike, label: int, *, first_hidden: bool) -> Array:
    answers = hidden_answers(black_box, hide, order, first_hidden=first_hidden)
    (chosen,) = black_box.choose_labels(answers[0, 0], [label])
    curves = answers[..., chosen]
    return curves if np.ndim(order) == 2 else curves[0]


@dataclass(frozen=True)
class Stability:
    """How alike explanations of different seeds are, for one label.

    `jaccard`: shared features over all features among the `top` of two seeds, the mean over all pairs: 1 where all
    name the same. `spread`: each weight's standard deviation over the seeds; `relative_spread`: their sum over the sum
    of the mean weights' sizes.
    """

    label: int
    top: int
    jaccard: float
    spread: Array
    relative_spread: float


def stability(
    explain: Callable[[int], Explanation], seeds: Sequence[int], *, label: int | None = None, top: int = 5
) -> Stability:
    """What `explain(seed)` says over the `seeds`, for `label` (None: the first one's first).

    Raises: InputError for fewer than two seeds or the same twice, and where the features or labels differ.
    """
    distinct = len(set(seeds)) == len(seeds) >= 2
    require(distinct, "seeds", list(seeds), "at least two, each different")
    found = [explain(seed) for seed in seeds]
    return _compared(found, found[0].labels[0] if label is None else label, top)


def _compared(found: Sequence[Explanation], label: int, top: int) -> Stability:
    require(top >= 1, "top", top, "at least 1")
    for each in found:
        require(each.features == found[0].features, "features", each.features[:5], "the same for every seed")
        require(label in each.weights, "label", label, f"explained by every seed; one explains {list(each.labels)}")
    sets = [{name for name, _ in each.top(label, top)} for each in found]
    jaccard = mean(len(a & b) / len(a | b) if a | b else 1.0 for a, b in combinations(sets, 2))
    weights = np.stack([each.weights[label] for each in found])
    spread, size = weights.std(axis=0, ddof=1), float(np.abs(weights.mean(axis=0)).sum())
    relative = float(spread.sum()) / size if size else 0.0
    return Stability(label, top, jaccard, spread, relative)


@dataclass(frozen=True)
class Growth:
    """What came of adding samples: the last explanation, whether they were enough, (samples, jaccard) at each stage."""

    explanation: Explanation
    enough: bool
    stages: tuple[tuple[int, float], ...]


def grow_until_stable(
    explain: Callable[[int, int], Explanation],
    *,
    start: int = 250,
    limit: int = 16_000,
    seeds: Sequence[int] = (0, 1, 2),
    top: int = 5,
    jaccard: float = 0.9,
) -> Growth:
    """Double the samples from `start` until the seeds name the same top features; the last stage is `limit` itself.

    `explain(samples, seed)`; the label is the first stage's first. `enough` is False where the limit was reached
    before the mean Jaccard index of the seeds' `top` features reached `jaccard`.
    Raises: InputError for a limit below the start, a Jaccard index outside (0, 1], and seeds as in `stability`.
    """
    require(2 <= start <= limit, "start", start, f"from 2 to the limit, {limit}")
    require(0 < jaccard <= 1, "jaccard", jaccard, "above 0 and at most 1")
    samples, label, stages = start, None, []
    while True:
        made = [explain(samples, seed) for seed in seeds]
        label = made[0].labels[0] if label is None else label
        found = stability(dict(zip(seeds, made, strict=True)).__getitem__, seeds, label=label, top=top)
        stages.append((samples, found.jaccard))
        if found.jaccard >= jaccard or samples == limit:
            return Growth(made[0], found.jaccard >= jaccard, tuple(stages))
        samples = min(2 * samples, limit)
