"""Losses. Each refuses operands of different shapes, which broadcasting would turn into another loss in silence.

`reduction` is "mean" over all elements, "sum", or "none" for the loss of each; `body` runs torch's "kernel" or the
"equations". Cross-entropies are in nats and take logits: the log of a rounded probability would be infinite.
"""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from foundations.errors import require, require_choice
from foundations.layers import Body

Reduction = Literal["mean", "sum", "none"]


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
    Raises: InputError for other shapes or types, smoothing outside [0, 1); IndexError by torch for an unknown class.
    Source of smoothing: Szegedy et al. 2015, arXiv:1512.00567.
    """
    _require_classes(logits, target, reduction, body)
    _require_smoothing(label_smoothing)
    if body == "equations":
        chosen = logits.gather(1, target.unsqueeze(1)).squeeze(1)
        aim = (1 - label_smoothing) * chosen + label_smoothing * logits.mean(1)
        return _reduce(log_sum_exp(logits, dim=1) - aim, reduction)
    return F.cross_entropy(logits, target, reduction=reduction, label_smoothing=label_smoothing)


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


def _require_options(reduction: str, body: str) -> None:
    require_choice("reduction", reduction, get_args(Reduction))
    require_choice("body", body, get_args(Body))


def _require_alike(name: str, given: Tensor, target: Tensor, reduction: str, body: str = "kernel") -> None:
    _require_options(reduction, body)
    shapes = f"of the {name}'s shape {tuple(given.shape)}; reshape one of them"
    require(given.shape == target.shape, "target shape", tuple(target.shape), shapes)
    # Autocast hands over half-precision predictions beside float32 targets: that pair is meant.
    alike = given.is_floating_point() and given.dtype in (target.dtype, torch.float16, torch.bfloat16)
    require(
        alike, "target dtype", target.dtype, f"the {name}'s {given.dtype}, a floating-point type; convert with .to()"
    )


def _require_classes(logits: Tensor, target: Tensor, reduction: str, body: str) -> None:
    _require_options(reduction, body)
    require(logits.dim() >= 2, "logits shape", tuple(logits.shape), "(batch, classes, ...)")
    wanted = (logits.shape[0], *logits.shape[2:])
    require(target.shape == wanted, "target shape", tuple(target.shape), f"{wanted}, logits' without the classes")
    require(target.dtype == torch.int64, "target dtype", target.dtype, "torch.int64, the numbers of the classes")


def _require_smoothing(label_smoothing: float) -> None:
    require(0 <= label_smoothing < 1, "label_smoothing", label_smoothing, "at least 0 and below 1")
