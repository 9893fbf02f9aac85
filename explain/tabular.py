"""LIME for rows of a table: which columns drive the answer for one case, held against a background of rows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.background import Background, Categories
from explain.blackbox import BlackBox
from explain.explanation import Explanation
from explain.neighbourhood import Numbers, Quartiles, Space, as_seen_from
from explain.surrogate import fit_all, kernel_weights
from foundations.errors import InputError, require

Array = NDArray[np.float64]
WIDTH = 0.75
"""The kernel's width for each root of a column, as lime has it."""


def explain_row(
    black_box: BlackBox,
    row: Any,
    background: Any,
    *,
    names: Sequence[str] | None = None,
    categories: Categories = (),
    discretize: bool = False,
    around_case: bool = False,
    samples: int = 5000,
    count: int | None = 10,
    labels: Iterable[int] | None = None,
    kernel_width: float | None = None,
    seed: int,
) -> Explanation:
    """The weights of a table's columns for the black box's answer to one `row`, by LIME.

    Rows are drawn at random: a column of numbers from a normal of the background's mean (with `around_case`, of the
    case's value) and standard deviation; a category from those of the background. A line is fitted to the answers,
    near rows counting more. The weight of a number is the answer's rise per standard deviation of its column; that of
    a category, the rise where a row shares the case's. With `discretize` a number becomes its quartile, and the weight
    is that of being in the case's quartile, not a slope. Equal to lime's `LimeTabularExplainer` of the same seed.

    `background`: (n, columns), a pandas table, or a `Background`, which spares preparing it anew for every call.
    `row`: (columns,), or a pandas row where the background is a table, whose texts are categories.
    `labels`: the outputs to be explained (see `BlackBox.choose_labels`); `count`: features kept, None for all.
    `kernel_width`: in standard deviations, None for 0.75 sqrt(columns).
    Raises: InputError for gaps, shapes and categories that do not fit, fewer than 2 samples, and a row so far from the
        background that no sample is near: `around_case` explains that too.
    Source: Ribeiro et al. 2016, arXiv:1602.04938.
    """
    return explain_rows(
        black_box,
        _one_row(row),
        background,
        names=names,
        categories=categories,
        discretize=discretize,
        around_case=around_case,
        samples=samples,
        count=count,
        labels=labels,
        kernel_width=kernel_width,
        seed=seed,
    )[0]


def explain_rows(
    black_box: BlackBox,
    rows: Any,
    background: Any,
    *,
    names: Sequence[str] | None = None,
    categories: Categories = (),
    discretize: bool = False,
    around_case: bool = False,
    samples: int = 5000,
    count: int | None = 10,
    labels: Iterable[int] | None = None,
    kernel_width: float | None = None,
    seed: int,
) -> list[Explanation]:
    """As `explain_row` for each of `rows`, with the same result, in little more time than for one.

    All share the seed, hence the rows drawn at random, which the black box then answers but once (not with
    `around_case`, where they lie around each case).
    """
    require(isinstance(black_box, BlackBox), "black_box", type(black_box).__name__, "an explain.BlackBox(model)")
    require(samples >= 2, "samples", samples, "at least 2")
    require(seed >= 0, "seed", seed, "an integer >= 0")
    placeless = discretize and around_case
    require(not placeless, "around_case", around_case, "False with discretize: quartiles lie around no case")
    known = Background.of(background, names=names, categories=categories)
    space: Space = Quartiles(known) if discretize else Numbers(known)
    width = WIDTH * len(known.names) ** 0.5 if kernel_width is None else kernel_width
    wanted = None if labels is None else tuple(labels)
    settings = {"discretize": discretize, "around_case": around_case, "count": count, "kernel_width": width}
    found: list[Explanation] = []
    for case, answers, terms in _answered(black_box, known.encode(rows), space, samples, seed, around_case):
        data = as_seen_from(case, terms, space)
        near = _nearness(data, width, len(found), around_case)
        surrogate = fit_all(data, answers, near, black_box.choose_labels(answers[0], wanted), count=count)
        features, values = _described(case, space)
        about: dict[str, Any] = {"values": values, "columns": known.names, "terms": data[0].tolist()}
        about |= {"seed": seed, "samples": samples, "settings": settings}
        found.append(Explanation.of("table", features, surrogate, answers[0], black_box, **about))
    return found


def hide_columns(
    row: Any, background: Any, *, names: Sequence[str] | None = None, categories: Categories = ()
) -> Callable[[NDArray[np.bool_]], Any]:
    """A function from masks (n, columns) to n copies of `row` whose masked columns are typical of the background.

    Typical is the mean of numbers and the most frequent category. For `deletion_curve` and `insertion_curve`.
    """
    known = Background.of(background, names=names, categories=categories)
    case, typical = known.encode(_one_row(row))[0], known.mean.copy()
    for column, (values, counts) in known.choices.items():
        typical[column] = values[counts.argmax()]
    return lambda hidden: known.decode(np.where(hidden, typical, case))


def _answered(
    black_box: BlackBox, cases: Array, space: Space, samples: int, seed: int, around_case: bool
) -> Iterator[tuple[Array, Array, Array]]:
    """Each case, the answers to it and to the rows drawn after the first, and the terms of all rows drawn."""
    known = space.background
    if around_case:
        for case in cases:
            drawn = space.draw(np.random.RandomState(seed), samples, case)
            answers = black_box(known.decode(np.concatenate([case[None], drawn.inputs[1:]])))
            yield case, answers, drawn.terms
        return
    drawn = space.draw(np.random.RandomState(seed), samples, known.mean)
    answers = black_box(known.decode(np.concatenate([cases, drawn.inputs[1:]])))
    for number, case in enumerate(cases):
        yield case, np.concatenate([answers[number : number + 1], answers[len(cases) :]]), drawn.terms


def _nearness(data: Array, width: float, number: int, around_case: bool) -> Array:
    """The samples' weights. Raises: InputError where none is near, with the row's number."""
    try:
        return kernel_weights(np.linalg.norm(data - data[0], axis=1), width)
    except InputError as error:
        fix = "" if around_case else "; a row far from the background needs around_case=True"
        raise InputError(f"row {number}: {error}{fix}") from None


def _described(case: Array, space: Space) -> tuple[list[str], list[str]]:
    """What each feature is called, and its value where the name does not tell it."""
    numbered = [(column, float(value)) for column, value in enumerate(case)]
    features = [space.feature(column, value) for column, value in numbered]
    values = ["" if column in space.indicators else space.background.text(column, value) for column, value in numbered]
    return features, values


def _one_row(row: Any) -> Any:
    """A single case as a batch of one."""
    if hasattr(row, "columns"):
        require(len(row) == 1, "row", f"{len(row)} rows", "one row; explain_rows takes many")
        return row
    if hasattr(row, "to_frame"):
        return row.to_frame().T
    shape = np.shape(row)
    require(len(shape) == 1, "row shape", shape, "(columns,), one row; explain_rows takes many")
    return np.asarray(row)[None]
