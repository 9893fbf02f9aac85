"""LIME for images: which parts of an image drive the answer, found by hiding them in many ways."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explain.blackbox import BlackBox
from explain.explanation import Explanation
from explain.hiding import Case, Fill, Masks, Prepare, as_bits, hidden_cases, told_fill
from explain.segments import Layout
from explain.surrogate import Surrogate, fit_all, kernel_weights
from foundations.errors import require

Array = NDArray[np.float64]
TOGETHER = 32
"""Images whose answers are in memory at a time."""


def explain_image(
    black_box: BlackBox,
    image: Any,
    *,
    layout: Layout,
    segments: ArrayLike,
    fill: Fill,
    samples: int = 1000,
    count: int | None = None,
    labels: Iterable[int] | None = None,
    kernel_width: float = 0.25,
    prepare: Prepare | None = None,
    seed: int,
) -> Explanation:
    """The weights of an image's segments for the black box's answer, by LIME.

    In each of `samples` copies every segment is hidden with probability 1/2; a line is fitted to the answers, in which
    a segment counts 1 where it is shown and 0 where hidden. Copies count the more, the smaller their distance to the
    image is: 1 - sqrt(share of segments shown). Equal to lime's `LimeImageExplainer` of the same seed.

    `layout` says where height, width and channels are, in `image` and hence in the batches that the model gets: arrays
    of the image's own kind of number, tensors where it is a tensor, by `prepare` made into what the model reads.
    `segments`: (height, width), see `grid` and `slic`. `fill`: what hidden segments become; what means "nothing there"
    to the model, as 0 for digits; their mean colour hides little. `labels`: see `BlackBox.choose_labels`.
    `count`: segments kept for each label, None for all.
    Raises: InputError for images and segments that do not fit each other, what is not finite, a fill that the image
    cannot hold or that hides nothing, and fewer than 2 samples.
    Source: Ribeiro et al. 2016, arXiv:1602.04938.
    """
    return explain_images(
        black_box,
        [image],
        layout=layout,
        segments=segments,
        fill=fill,
        samples=samples,
        count=count,
        labels=labels,
        kernel_width=kernel_width,
        prepare=prepare,
        seed=seed,
    )[0]


def explain_images(
    black_box: BlackBox,
    images: Sequence[Any],
    *,
    layout: Layout,
    segments: ArrayLike | Sequence[ArrayLike],
    fill: Fill,
    samples: int = 1000,
    count: int | None = None,
    labels: Iterable[int] | None = None,
    kernel_width: float = 0.25,
    prepare: Prepare | None = None,
    seed: int,
) -> list[Explanation]:
    """As `explain_image` for each of `images`, with the same result, sooner than one after the other.

    `segments`: (height, width) for all of them, or one such array an image. Images of equally many segments are
    hidden in the same ways, so that their surrogates are solved at once.
    """
    require(isinstance(black_box, BlackBox), "black_box", type(black_box).__name__, "an explain.BlackBox(model)")
    require(len(images) >= 1, "images", "none", "at least one")
    require(samples >= 2, "samples", samples, "at least 2")
    require(seed >= 0, "seed", seed, "an integer >= 0")
    wanted = None if labels is None else tuple(labels)
    settings = {"layout": layout, "fill": told_fill(fill), "count": count, "kernel_width": kernel_width}
    found: dict[int, Explanation] = {}
    alike: dict[int, list[tuple[int, Case]]] = {}
    for number, case in enumerate(hidden_cases(images, layout, segments, fill, prepare)):
        alike.setdefault(len(case.parts.names), []).append((number, case))
    for size, group in alike.items():
        shown = _draw(np.random.RandomState(seed), samples, size)
        near = kernel_weights(1 - np.sqrt(shown.mean(axis=1)), kernel_width)
        for start in range(0, len(group), TOGETHER):
            numbers, cases = zip(*group[start : start + TOGETHER], strict=True)
            about = {"seed": seed, "samples": samples, "settings": settings}
            made = _explain(cases, shown, near, black_box, wanted, count, about)
            found |= dict(zip(numbers, made, strict=True))
    return [found[number] for number in range(len(images))]


def _draw(random: np.random.RandomState, samples: int, segments: int) -> Masks:
    """Which segments each copy shows, the first one all of them. Shape: (samples, segments)."""
    random.randint(0, 1000)  # lime draws a seed for its segmentation first
    shown = random.randint(0, 2, samples * segments, dtype=np.int64).reshape(samples, segments).astype(np.bool_)
    shown[0] = True
    return shown


def _explain(
    cases: Sequence[Case],
    shown: Masks,
    near: Array,
    black_box: BlackBox,
    wanted: tuple[int, ...] | None,
    count: int | None,
    about: Mapping[str, Any],
) -> list[Explanation]:
    """The explanations of cases that are hidden in the same ways: all labels of all of them are solved at once."""
    answers = _answers(cases, shown, black_box)
    labels = [black_box.choose_labels(each[0], wanted) for each in answers]
    columns = np.concatenate([each[:, own] for each, own in zip(answers, labels, strict=True)], axis=1)
    whole = fit_all(shown.astype(np.float64), columns, near, range(columns.shape[1]), count=count)
    found, start = [], 0
    for case, own, each in zip(cases, labels, answers, strict=True):
        part = _part(whole, start, own)
        found.append(Explanation.of("image", case.parts.names, part, each[0], black_box, **about))
        start += len(own)
    return found


def _answers(cases: Sequence[Case], shown: Masks, black_box: BlackBox) -> Array:
    """What the black box says of each case's copies: (cases, samples, outputs)."""
    size, samples = black_box.batch_size, len(shown)
    made = black_box.predict_all(_batches(cases, shown, size))
    # Of each case's rows so many at a time, as they were made; then in the order of the cases.
    numbers = np.arange(len(cases) * samples).reshape(len(cases), samples)
    order = np.concatenate([numbers[:, start : start + size].ravel() for start in range(0, samples, size)])
    answers = np.empty_like(made)
    answers[order] = made
    return answers.reshape(len(cases), samples, -1)


def _batches(cases: Sequence[Case], shown: Masks, size: int) -> Iterator[Any]:
    """`size` copies of each case in turn, then the next."""
    for start in range(0, len(shown), size):
        bits = {
            width: as_bits(shown[start : start + size], width) for width in {each.pixels.itemsize for each in cases}
        }
        for case in cases:
            yield case.batch(bits[case.pixels.itemsize])


def _part(whole: Surrogate, start: int, labels: Sequence[int]) -> Surrogate:
    """The columns of `whole` from `start` on, as a surrogate for `labels`."""
    columns = range(start, start + len(labels))

    def named(values: Mapping[int, Any]) -> dict[int, Any]:
        return {label: values[column] for label, column in zip(labels, columns, strict=True)}

    return Surrogate(named(whole.weights), named(whole.intercepts), named(whole.local_predictions), named(whole.r2))
