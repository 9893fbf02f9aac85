"""Losses: each gives its value and its gradient with respect to what it is given, where back-propagation begins.

Values are means over the batch; cross-entropies are in nats and take logits.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from foundations.errors import require
from foundations.scratch.activations import sigmoid, softmax
from foundations.scratch.arrays import Array, Labels, require_floats

Loss: TypeAlias = Callable[[Array, NDArray[Any]], tuple[float, Array]]
"""From predictions and targets to the mean loss and dE/dprediction."""


def mean_squared_error(prediction: Array, target: Array) -> tuple[float, Array]:
    """E = mean (prediction - target)^2, dE/dprediction = 2 (prediction - target) / n.

    Shapes: both the same, any. Raises: InputError for differing shapes.
    """
    _require_alike("prediction", prediction, target)
    error = prediction - target
    return float(np.square(error).mean()), 2 * error / error.size


def binary_cross_entropy_from_logits(logits: Array, target: Array) -> tuple[float, Array]:
    """E = mean of -t log sigma(z) - (1 - t) log(1 - sigma(z)) = log(e^0 + e^z) - t z, dE/dz = (sigma(z) - t) / n.

    Shapes: both the same, any; target t in [0, 1]. Raises: InputError for differing shapes.
    """
    _require_alike("logits", logits, target)
    losses = np.logaddexp(0, logits) - target * logits
    return float(losses.mean()), (sigmoid(logits) - target) / logits.dtype.type(logits.size)


def cross_entropy_from_logits(logits: Array, labels: Labels) -> tuple[float, Array]:
    """E = mean of -log softmax(z)[t] = log sum_j e^z_j - z_t, dE/dz = (softmax(z) - one-hot(t)) / n.

    Softmax and logarithm together have a simpler gradient than either alone.
    Shapes: logits (..., classes), labels (...), whole numbers from 0. Raises: InputError for others.
    """
    require_floats("logits", logits)
    classes, count = logits.shape[-1], labels.size
    rows = logits.shape[:-1]
    require(labels.shape == rows, "labels shape", labels.shape, f"{rows}, one a row of logits")
    require(np.issubdtype(labels.dtype, np.integer), "labels dtype", str(labels.dtype), "integers, numbers of classes")
    require(count >= 1, "labels shape", labels.shape, "one label or more: there is no data")
    known = labels.min() >= 0 and labels.max() < classes
    require(known, "labels", (int(labels.min()), int(labels.max())), f"from 0 to {classes - 1}, as logits has classes")
    shifted = logits - logits.max(axis=-1, keepdims=True)  # log-sum-exp that cannot overflow
    chosen = np.take_along_axis(shifted, labels[..., None], axis=-1)[..., 0]
    losses = np.log(np.exp(shifted).sum(axis=-1)) - chosen
    one_hot = labels[..., None] == np.arange(classes)
    return float(losses.mean()), (softmax(logits) - one_hot) / logits.dtype.type(count)


def _require_alike(name: str, given: Array, target: Array) -> None:
    require_floats(name, given)
    shape = f"the {name}'s shape {given.shape}; reshape one of them"
    require(given.shape == target.shape, "target shape", target.shape, shape)
    require(given.size >= 1, f"{name} shape", given.shape, "one value or more: there is no data")
