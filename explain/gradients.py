"""Integrated gradients, by captum, and how far two explanations of one image agree."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from explain.blackbox import evaluating
from explain.segments import Layout, Segments, as_segments, channels_last
from foundations.errors import require

Array = NDArray[np.float64]
ROWS = 512
"""Inputs that go through the network at a time."""


def integrated_gradients(
    module: nn.Module, x: Tensor, baseline: Tensor | float = 0.0, label: int | None = None, steps: int = 50
) -> Array:
    """What each number of the inputs adds to the output `label`, between the baseline and the input.

        a_i = (x_i - b_i) integral from 0 to 1 of df/dx_i (b + t (x - b)) dt,    sum_i a_i = f(x) - f(b)

    The module is in evaluation mode meanwhile, and left as it was; its weights get no gradients. `label` None: each
    input's largest output. Outputs are those of the module: with a softmax at its end, probabilities.
    Shapes: x (n, *), baseline a number, (*) or (n, *); result (n, *), float64.
    Raises: InputError for what is not finite, an unknown label, and steps below 1.
    Source: Sundararajan et al. 2017, arXiv:1703.01365, by captum.
    """
    from captum.attr import IntegratedGradients

    require(x.dim() >= 2 and len(x) >= 1, "x shape", tuple(x.shape), "(n, *), a batch of one at least")
    require(x.is_floating_point() and bool(x.isfinite().all()), "x", x.dtype, "finite floats")
    require(steps >= 1, "steps", steps, "at least 1")
    found = []
    with evaluating(module), torch.inference_mode(mode=False), torch.enable_grad():
        inputs = x.detach().clone()
        starts = torch.as_tensor(baseline, dtype=x.dtype, device=x.device).detach().expand_as(inputs)
        attribution = IntegratedGradients(module, multiply_by_inputs=True)
        for part, start in zip(inputs.split(ROWS), starts.split(ROWS), strict=True):
            target = _target(module, part, label)
            made = attribution.attribute(part, start, target, n_steps=steps, internal_batch_size=ROWS)
            found.append(made.detach().cpu().double())
    return torch.cat(found).numpy()


def _target(module: nn.Module, x: Tensor, label: int | None) -> Any:
    with torch.no_grad():
        answers = module(x)
    require(answers.dim() == 2, "module's answer shape", tuple(answers.shape), "(n, outputs)")
    known = label is None or 0 <= label < answers.shape[1]
    require(known, "label", label, f"an output, 0 to {answers.shape[1] - 1}, or None for the largest")
    return answers.argmax(dim=1) if label is None else label


def segment_sums(attributions: ArrayLike, segments: ArrayLike, *, layout: Layout) -> Array:
    """What the numbers of an image add to the answer, summed over each segment: (segments,).

    Shapes: attributions as the image, in `layout`; segments (height, width).
    """
    by_pixel = channels_last(np.asarray(attributions, np.float64), layout).sum(axis=-1)
    numbers: Segments = as_segments(segments, *by_pixel.shape)
    return np.bincount(numbers.ravel(), by_pixel.ravel()).astype(np.float64)


class Agreement(NamedTuple):
    """How far two explanations agree: 1 at best, 0 (overlap: top / features) for chance."""

    rank_correlation: float
    """Spearman's, of all weights with their signs; 0 where one of them has no order."""
    top_overlap: float
    """The share of the `top` largest |weights| that both name."""


def agreement(first: ArrayLike, second: ArrayLike, top: int = 5) -> Agreement:
    """Two explanations of the same features held against each other. Shapes: both (features,).

    Raises: InputError for differing shapes and unless 1 <= top <= features.
    """
    from scipy.stats import spearmanr

    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    require(a.ndim == 1 and a.shape == b.shape, "weights' shapes", (a.shape, b.shape), "the same, (features,)")
    require(1 <= top <= len(a), "top", top, f"between 1 and {len(a)}, the features")
    ordered = np.ptp(a) > 0 and np.ptp(b) > 0
    correlation = float(spearmanr(a, b).statistic) if ordered else 0.0
    largest = [set(np.argsort(-np.abs(each), kind="stable")[:top].tolist()) for each in (a, b)]
    return Agreement(correlation, len(largest[0] & largest[1]) / top)
