"""Batch normalisation: forward, and backward through the batch's own mean and variance."""

from typing import NamedTuple

import numpy as np

from foundations.errors import require
from foundations.scratch.arrays import Array, require_floats


class BatchNormCache(NamedTuple):
    """What the backward pass needs."""

    normal: Array
    """(x - mean) / sqrt(variance + eps), as x."""
    scale: Array
    """weight / sqrt(variance + eps), to be multiplied with x."""
    of_the_batch: bool
    """Whether mean and variance came from x itself, so that the gradient runs through them as well."""


def batch_statistics(x: Array) -> tuple[Array, Array]:
    """Mean and (biased) variance of every channel. Shapes: x (batch, channels, *) -> (channels), (channels)."""
    mean = x.mean(axis=_others(x), keepdims=True)
    # The mean of centred squares: E[x^2] - E[x]^2 would lose all its digits where the mean is large.
    variance = np.square(x - mean).mean(axis=_others(x))
    return mean.reshape(-1), variance


def batch_norm_forward(
    x: Array, weight: Array, bias: Array, statistics: tuple[Array, Array] | None = None, eps: float = 1e-5
) -> tuple[Array, BatchNormCache]:
    """Batch normalisation: y = n * weight + bias, n = (x - mean) / sqrt(variance + eps), channel by channel.

    `statistics` are (mean, variance), the running ones in evaluation; without them (training) they are the batch's.
    Shapes: x (batch, channels) or (batch, channels, height, width); weight, bias, mean, variance (channels).
    Raises: InputError for others, and for a single value a channel where the batch's statistics are needed.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167.
    """
    require_floats("x", x)
    require(x.ndim >= 2 and x.shape[1:2] == weight.shape, "x shape", x.shape, f"(batch, {len(weight)}, ...)")
    if statistics is None:
        require(x.size > len(weight), "x shape", x.shape, "more than one value a channel; raise the batch")
    mean, variance = statistics or batch_statistics(x)
    channel = (1, -1) + (1,) * (x.ndim - 2)  # (channels) as (1, channels, 1, ...)
    deviation = np.sqrt(variance + eps).astype(x.dtype)
    normal = (x - mean.reshape(channel)) / deviation.reshape(channel)
    y = normal * weight.reshape(channel) + bias.reshape(channel)
    return y, BatchNormCache(normal, (weight / deviation).reshape(channel), statistics is None)


def batch_norm_backward(dy: Array, cache: BatchNormCache) -> tuple[Array, Array, Array]:
    """Backward: dbias = sum dy, dweight = sum dy n, dx = weight / deviation * (dy - mean(dy) - n mean(dy n)).

    The two means are what reaches x through the batch's mean and variance: every sample moves them a little. With
    running statistics they are constants, and dx = weight / deviation * dy.
    Shapes: dy and dx as x; dweight, dbias (channels).
    """
    normal, scale, of_the_batch = cache
    dbias = dy.sum(axis=_others(dy))
    dweight = (dy * normal).sum(axis=_others(dy))
    if not of_the_batch:
        return scale * dy, dweight, dbias
    count = dy.size // len(dbias)  # values a channel
    mean_dy, mean_dy_normal = (total.reshape(scale.shape) / count for total in (dbias, dweight))
    return scale * (dy - mean_dy - normal * mean_dy_normal), dweight, dbias


def _others(x: Array) -> tuple[int, ...]:
    """All axes but the channels'."""
    return (0, *range(2, x.ndim))
