"""The dense layer and dropout: forward, and backward written out.

Every operation here is a pair. `..._forward` gives the value and a cache; `..._backward` takes dE/dy, the gradient that
comes from above (upstream), and the cache, and gives the gradients of all that went in: the chain rule, one link of it.
"""

from typing import TypeAlias

import numpy as np

from foundations.errors import require
from foundations.scratch.arrays import Array, require_floats, require_last_axis

DenseCache: TypeAlias = tuple[Array, Array]


def dense_forward(x: Array, w: Array, b: Array) -> tuple[Array, DenseCache]:
    """Dense layer: y = x W^T + b; every row of W is one neuron.

    Shapes: x (..., inputs), w (outputs, inputs), b (outputs), y (..., outputs). Raises: InputError for others.
    """
    require_floats("w", w, axes=2)
    require(b.shape == w.shape[:1], "b shape", b.shape, f"{w.shape[:1]}, one for each row of w")
    require_last_axis("x", x, w.shape[1])
    return x @ w.T + b, (x, w)


def dense_backward(dy: Array, cache: DenseCache) -> tuple[Array, Array, Array]:
    """Backward: dx = dy W, dW = dy^T x (delta a^T for one sample), db = the sum of dy over the batch.

    Shapes: dy (..., outputs); dx, dw, db those of x, w, b.
    Source: Rumelhart, Hinton & Williams 1986, Nature 323.
    """
    x, w = cache
    rows, deltas = x.reshape(-1, w.shape[1]), dy.reshape(-1, w.shape[0])  # (samples, inputs), (samples, outputs)
    dx = dy @ w
    dw = deltas.T @ rows
    db = deltas.sum(axis=0)
    return dx, dw, db


def dropout_forward(x: Array, p: float, generator: np.random.Generator) -> tuple[Array, Array]:
    """Inverted dropout: y = x * mask / (1 - p), mask ~ Bernoulli(1 - p), which leaves the expectation as it is.

    Shapes: any, kept; the cache is the scaled mask. Raises: InputError unless 0 <= p < 1.
    Source: Srivastava et al. 2014, JMLR 15.
    """
    require(0 <= p < 1, "p", p, "a probability of dropping, 0 <= p < 1")
    require_floats("x", x)
    mask = (generator.random(x.shape) >= p).astype(x.dtype) / x.dtype.type(1 - p)
    return x * mask, mask


def dropout_backward(dy: Array, mask: Array) -> Array:
    """Backward: dx = dy * mask / (1 - p): what was dropped learns nothing."""
    return dy * mask
