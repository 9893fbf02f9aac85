"""Activations: a = f(z) forward, and dz = dy * f'(z) backward, with f' written out.

z is any array; values and gradients have its shape. The cache is whatever makes f' cheap, often f(z) itself.
"""

import numpy as np

from foundations.scratch.arrays import Array, require_floats


def identity_forward(z: Array) -> tuple[Array, None]:
    """f(z) = z, the head of a regression."""
    return z, None


def identity_backward(dy: Array, cache: None) -> Array:
    """Backward: f' = 1."""
    return dy


def sigmoid(z: Array) -> Array:
    """sigma(z) = 1 / (1 + e^-z), in (0, 1)."""
    # For z < 0 the same as e^z / (1 + e^z): the exponential never overflows.
    require_floats("z", z)
    decay = np.exp(-np.abs(z))
    a: Array = np.where(z >= 0, z.dtype.type(1), decay) / (1 + decay)
    return a


def sigmoid_forward(z: Array) -> tuple[Array, Array]:
    """Value a = sigma(z), which is all that its derivative needs."""
    a = sigmoid(z)
    return a, a


def sigmoid_backward(dy: Array, a: Array) -> Array:
    """Backward: f' = sigma (1 - sigma), at most 1/4."""
    return dy * a * (1 - a)


def tanh_forward(z: Array) -> tuple[Array, Array]:
    """Hyperbolic tangent: a = (e^z - e^-z) / (e^z + e^-z), in (-1, 1)."""
    require_floats("z", z)
    a = np.tanh(z)
    return a, a


def tanh_backward(dy: Array, a: Array) -> Array:
    """Backward: f' = 1 - tanh^2."""
    return dy * (1 - a * a)


def relu_forward(z: Array) -> tuple[Array, Array]:
    """Rectified linear unit: a = max(0, z)."""
    require_floats("z", z)
    a = np.maximum(z, 0)
    return a, a


def relu_backward(dy: Array, a: Array) -> Array:
    """Backward: f' = 1 above 0, else 0 (at the corner too, by custom)."""
    return dy * (a > 0)


def leaky_relu_forward(z: Array, negative_slope: float = 0.01) -> tuple[Array, Array]:
    """Leaky ReLU: a = z above 0, negative_slope z below. The cache is f'. Source: Maas et al. 2013."""
    require_floats("z", z)
    slope = np.where(z > 0, z.dtype.type(1), z.dtype.type(negative_slope))
    return slope * z, slope


def leaky_relu_backward(dy: Array, slope: Array) -> Array:
    """Backward: f' = 1 above 0, else negative_slope."""
    return dy * slope


def softmax(z: Array) -> Array:
    """p_i = e^z_i / sum_j e^z_j along the last axis: class probabilities."""
    require_floats("z", z)
    powers = np.exp(z - z.max(axis=-1, keepdims=True))  # the largest becomes e^0: no overflow, same ratio
    p: Array = powers / powers.sum(axis=-1, keepdims=True)
    return p


def softmax_forward(z: Array) -> tuple[Array, Array]:
    """Probabilities p = softmax(z); a classifier's loss takes z itself (see `losses`), which is stabler and shorter."""
    p = softmax(z)
    return p, p


def softmax_backward(dy: Array, p: Array) -> Array:
    """Backward: dp_i/dz_j = p_i (1[i = j] - p_j), so dz_j = sum_i dy_i dp_i/dz_j = p_j (dy_j - sum_i dy_i p_i)."""
    dz: Array = p * (dy - (dy * p).sum(axis=-1, keepdims=True))
    return dz
