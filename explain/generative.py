"""Why a generative model says what it says of an image: an anomaly score, a discriminator's verdict, a code."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from explain.blackbox import BlackBox
from explain.explanation import Explanation
from explain.hiding import Fill
from explain.images import explain_image
from explain.segments import Layout
from foundations.errors import require

CLOSE = 1e-3
"""Scores of one image in batches of different sizes differ by rounding, relative to their size, far less than this."""


def explain_score(
    score: Any,
    image: Any,
    *,
    layout: Layout,
    segments: ArrayLike,
    fill: Fill,
    samples: int = 1000,
    count: int | None = None,
    labels: Iterable[int] | None = None,
    names: Sequence[str] = (),
    batch_size: int = 256,
    seed: int,
) -> Explanation:
    """The weights of an image's segments for any score of it: how much higher it is where the segment is shown.

    `score`: a torch module, or a function from tensors (n, *image) to (n,) or (n, scores), any finite numbers, called
    without gradients:

        explain_score(lambda batch: anomaly_scores(autoencoder, batch), image, ...)  # what looks like a defect
        explain_score(discriminator, image, names=["real"], ...)                     # what looks real or made
        explain_score(lambda batch: vae.encode(batch)[0], image, labels=[3], ...)    # what moves number 3 of the code

    A module is put in evaluation mode meanwhile; a function's own networks must be in it already.
    `names`: what the scores are called. `fill`: 0 takes ink away; for an anomaly score the model's own reconstruction,
    an array, asks instead what there is that should not be.
    Everything else is as in `explain_image`.
    Raises: InputError as there, and where the score of an image depends on the images beside it.
    """
    tensor = image if isinstance(image, torch.Tensor) else torch.as_tensor(image)
    box = BlackBox(score, outputs="values", batch_size=batch_size, names=names)
    with torch.inference_mode():
        explanation = explain_image(
            box,
            tensor,
            layout=layout,
            segments=segments,
            fill=fill,
            samples=samples,
            count=count,
            labels=labels,
            seed=seed,
        )
        _require_alone(box(torch.stack([tensor.cpu(), tensor.cpu()])), explanation)
    return explanation


def _require_alone(answers: NDArray[np.float64], explanation: Explanation) -> None:
    """Raises: InputError unless the image has the score beside itself that it had among its copies."""
    for label, found in explanation.predictions.items():
        size = max(abs(found), float(np.abs(explanation.weights[label]).max()))
        same = abs(answers[0, label] - found) <= CLOSE * size
        fix = "the same whatever images are beside it in the batch: put the networks in evaluation mode, model.eval()"
        require(bool(same), f"score {explanation.names[label]}", float(answers[0, label]), f"{found:.6g}, {fix}")
