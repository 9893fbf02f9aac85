"""Losses. Each refuses operands of different shapes, which broadcasting would silently turn into another loss.

`reduction` is "mean" over all elements, "sum", or "none" for the loss of each; `body` runs torch's "kernel" or the
"equations". Cross-entropies are in nats and take logits: the log of a rounded probability would be infinite.
"""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from foundations.errors import InputError, require, require_choice
from foundations.layers import Body

Reduction = Literal["mean", "sum", "none"]
_REDUCTIONS, _BODIES = get_args(Reduction), get_args(Body)
_IGNORE_NOTHING = -(2**63)  # torch silently leaves out the class -100; here every class number counts


def mean_squared_error(
    prediction: Tensor, target: Tensor, *, reduction: Reduction = "mean", body: Body = "kernel"
) -> Tensor:
    """(prediction - target)^2.

    Shapes: both the same, any. Raises: InputError for differing shapes or types.
    """
    _require_alike("prediction", prediction, target, reduction, body)
    if body == "equations":
        return _reduce((prediction - target).square(), reduction)
    return F.mse_loss(prediction, target, reduction=reduction)


def mean_absolute_error(prediction: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """|prediction - target|.

    Shapes: both the same, any. Raises: InputError for differing shapes or types.
    """
    _require_alike("prediction", prediction, target, reduction)
    return _reduce((prediction - target).abs(), reduction)


def huber(
    prediction: Tensor, target: Tensor, delta: float = 1.0, *, reduction: Reduction = "mean", body: Body = "kernel"
) -> Tensor:
    """e^2 / 2 for errors |e| <= delta, and delta (|e| - delta / 2) beyond: outliers pull with a bounded force.

    Shapes: both the same, any. Raises: InputError for differing shapes or types, or delta <= 0.
    Source: Huber 1964, Annals of Mathematical Statistics 35(1).
    """
    _require_alike("prediction", prediction, target, reduction, body)
    require(delta > 0, "delta", delta, "above 0")
    if body == "equations":
        error = (prediction - target).abs()
        return _reduce(torch.where(error <= delta, error.square() / 2, delta * (error - delta / 2)), reduction)
    return F.huber_loss(prediction, target, reduction=reduction, delta=delta)


def binary_cross_entropy_from_logits(
    logits: Tensor,
    target: Tensor,
    *,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    body: Body = "kernel",
) -> Tensor:
    """-t log sigma(z) - (1 - t) log(1 - sigma(z)) = log(e^0 + e^z) - t z, in nats.

    `target` t is a probability, often 0 or 1; smoothing by s makes it (1 - s) t + s / 2.
    Shapes: both the same, any. Raises: InputError for differing shapes or types, smoothing outside [0, 1).
    """
    _require_alike("logits", logits, target, reduction, body)
    _require_smoothing(label_smoothing)
    if label_smoothing:
        target = (1 - label_smoothing) * target + label_smoothing / 2
    if body == "equations":
        return _reduce(torch.logaddexp(torch.zeros_like(logits), logits) - target * logits, reduction)
    return F.binary_cross_entropy_with_logits(logits, target, reduction=reduction)


def cross_entropy_from_logits(
    logits: Tensor,
    target: Tensor,
    *,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    body: Body = "kernel",
) -> Tensor:
    """-log softmax(z)[t] = log sum_j e^z_j - z_t, in nats; its gradient to the logits is softmax(z) - one-hot(t).

    Smoothing by s aims at 1 - s for the class t plus s shared out among all: log sum e^z - (1 - s) z_t - s mean(z).
    Shapes: logits (batch, classes, *), target (batch, *), class numbers from 0, int64.
    Raises: InputError for other shapes or types, smoothing outside [0, 1), and for an unknown class; on an accelerator
    the default body leaves the last to the device, which cannot ask without waiting.
    Source of smoothing: Szegedy et al. 2015, arXiv:1512.00567.
    """
    _require_classes(logits, target, reduction, body)
    _require_smoothing(label_smoothing)
    if body == "equations":
        _require_known_classes(target, logits.shape[1])
        chosen = logits.gather(1, target.unsqueeze(1)).squeeze(1)
        aim = (1 - label_smoothing) * chosen + label_smoothing * logits.mean(1)
        return _reduce(log_sum_exp(logits, dim=1) - aim, reduction)
    try:
        return F.cross_entropy(
            logits, target, None, ignore_index=_IGNORE_NOTHING, reduction=reduction, label_smoothing=label_smoothing
        )
    except IndexError:
        # torch checks each class number anyway: a check of our own before it would take a tenth of the time again.
        _require_known_classes(target, logits.shape[1])
        raise


def log_sum_exp(z: Tensor, dim: int) -> Tensor:
    """L(z) = log sum_j e^z_j along `dim` = m + log sum_j e^(z_j - m), m the largest: nothing overflows.

    Shapes: z's without `dim`.
    """
    largest = z.amax(dim, keepdim=True).detach()
    return largest.squeeze(dim) + torch.exp(z - largest).sum(dim).log()


def _reduce(losses: Tensor, reduction: Reduction) -> Tensor:
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


# Checked at every step of a training run: words are put together only where something is wrong.


def _require_options(reduction: str, body: str) -> None:
    if reduction not in _REDUCTIONS:
        require_choice("reduction", reduction, _REDUCTIONS)
    if body not in _BODIES:
        require_choice("body", body, _BODIES)


def _require_alike(name: str, given: Tensor, target: Tensor, reduction: str, body: str = "kernel") -> None:
    _require_options(reduction, body)
    if given.shape != target.shape:
        shapes = f"of the {name}'s shape {tuple(given.shape)}; reshape one of them"
        raise InputError(f"target shape={tuple(target.shape)}: must be {shapes}")
    # Autocast hands over half-precision predictions beside float32 targets: that pair is meant.
    if not given.is_floating_point() or given.dtype not in (target.dtype, torch.float16, torch.bfloat16):
        types = f"the {name}'s {given.dtype}, a floating-point type; convert with .to()"
        raise InputError(f"target dtype={target.dtype}: must be {types}")


def _require_classes(logits: Tensor, target: Tensor, reduction: str, body: str) -> None:
    _require_options(reduction, body)
    shape = logits.shape
    if len(shape) < 2:
        raise InputError(f"logits shape={tuple(shape)}: must be (batch, classes, ...)")
    if target.shape != shape[:1] + shape[2:]:
        wanted = f"{tuple(shape[:1] + shape[2:])}, logits' without the classes"
        raise InputError(f"target shape={tuple(target.shape)}: must be {wanted}")
    if target.dtype != torch.int64:
        raise InputError(f"target dtype={target.dtype}: must be torch.int64, the numbers of the classes")


def _require_known_classes(target: Tensor, classes: int) -> None:
    unknown = target[(target < 0) | (target >= classes)]
    if len(unknown):
        raise InputError(f"target={unknown[0].item()}: must be a class number from 0 to {classes - 1}")


def _require_smoothing(label_smoothing: float) -> None:
    require(0 <= label_smoothing < 1, "label_smoothing", label_smoothing, "at least 0 and below 1")
