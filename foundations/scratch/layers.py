"""Layers as objects: each wraps a pair of functions, remembers what backward needs, and holds weights and gradients."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from foundations.errors import require
from foundations.scratch import activations, dense, normalization
from foundations.scratch.arrays import Array, Gradients


class Layer:
    """What all layers share: `forward` caches what `backward` needs; `backward` gives dE/dx and keeps dE/dw.

    A kind of layer writes `compute` (value and cache) and `differentiate` (gradients of the input and of the weights).
    `parameters`, `gradients` and `buffers` (what is kept but not learnt) are arrays by name; `training` tells layers
    that behave otherwise in evaluation.
    """

    def __init__(self) -> None:
        self.parameters: dict[str, Array] = {}
        self.gradients: Gradients = {}
        self.buffers: dict[str, Array] = {}
        self.training = True
        self._cache: tuple[Any, tuple[int, ...]] | None = None

    def compute(self, x: Array) -> tuple[Array, Any]:
        """The layer's output and the cache."""
        raise NotImplementedError

    def differentiate(self, upstream: Array, cache: Any) -> tuple[Array, Gradients]:
        """The gradient of the input, and those of the weights by name."""
        raise NotImplementedError

    def forward(self, x: Array) -> Array:
        """Value y = f(x; w)."""
        y, cache = self.compute(x)
        self._cache = cache, y.shape
        return y

    def backward(self, upstream: Array) -> Array:
        """dE/dx from `upstream` = dE/dy of the last `forward`; dE/dw goes to `gradients`.

        Raises: InputError before any `forward`, or for an upstream gradient of another shape than y.
        """
        require(self._cache is not None, "backward", type(self).__name__, "called after forward")
        assert self._cache is not None  # for the type checker
        cache, shape = self._cache
        require(upstream.shape == shape, "upstream shape", upstream.shape, f"{shape}, that of the output")
        dx, self.gradients = self.differentiate(upstream, cache)
        return dx


class Dense(Layer):
    """y = x W^T + b. Weights begin uniform in +-1/sqrt(in_features), drawn from `generator`.

    Shapes: x (..., in_features), y (..., out_features), weight (out_features, in_features), bias (out_features).
    Raises: InputError for sizes below 1.
    """

    def __init__(
        self, in_features: int, out_features: int, *, generator: np.random.Generator, dtype: DTypeLike = np.float32
    ) -> None:
        super().__init__()
        require(in_features >= 1, "in_features", in_features, "at least 1")
        require(out_features >= 1, "out_features", out_features, "at least 1")
        weight = fan_in_uniform((out_features, in_features), in_features, generator, dtype)
        self.parameters = {"weight": weight, "bias": fan_in_uniform((out_features,), in_features, generator, dtype)}

    def compute(self, x: Array) -> tuple[Array, dense.DenseCache]:
        """See `dense_forward`."""
        return dense.dense_forward(x, self.parameters["weight"], self.parameters["bias"])

    def differentiate(self, upstream: Array, cache: dense.DenseCache) -> tuple[Array, Gradients]:
        """See `dense_backward`."""
        dx, dw, db = dense.dense_backward(upstream, cache)
        return dx, {"weight": dw, "bias": db}


class Dropout(Layer):
    """Inverted dropout in training, nothing in evaluation; masks are drawn from `generator`, a part of the state.

    Raises: InputError unless 0 <= p < 1.
    """

    def __init__(self, p: float = 0.5, *, generator: np.random.Generator) -> None:
        super().__init__()
        require(0 <= p < 1, "p", p, "a probability of dropping, 0 <= p < 1")
        self.p, self.generator = p, generator

    def compute(self, x: Array) -> tuple[Array, Array]:
        """See `dropout_forward`."""
        if not self.training:
            return x, np.ones((), x.dtype)
        return dense.dropout_forward(x, self.p, self.generator)

    def differentiate(self, upstream: Array, cache: Array) -> tuple[Array, Gradients]:
        """See `dropout_backward`."""
        return dense.dropout_backward(upstream, cache), {}


class BatchNorm(Layer):
    """Batch normalisation of vectors (batch, channels) and images (batch, channels, height, width).

    In training the running statistics move towards the batch's: running = (1 - momentum) running + momentum batch, the
    variance there with the unbiased n / (n - 1). Evaluation uses them.
    Raises: InputError for channels below 1, eps <= 0, momentum outside [0, 1].
    """

    def __init__(
        self, channels: int, eps: float = 1e-5, momentum: float = 0.1, *, dtype: DTypeLike = np.float32
    ) -> None:
        super().__init__()
        require(channels >= 1, "channels", channels, "at least 1")
        require(eps > 0, "eps", eps, "above 0")
        require(0 <= momentum <= 1, "momentum", momentum, "between 0 and 1")
        self.eps, self.momentum = eps, momentum
        self.parameters = {"weight": np.ones(channels, dtype), "bias": np.zeros(channels, dtype)}
        self.buffers = {"running_mean": np.zeros(channels, dtype), "running_var": np.ones(channels, dtype)}

    def compute(self, x: Array) -> tuple[Array, normalization.BatchNormCache]:
        """See `batch_norm_forward`."""
        running = self.buffers["running_mean"], self.buffers["running_var"]
        weight, bias = self.parameters["weight"], self.parameters["bias"]
        y, cache = normalization.batch_norm_forward(x, weight, bias, None if self.training else running, self.eps)
        if self.training:
            self._follow(x)
        return y, cache

    def _follow(self, x: Array) -> None:
        mean, variance = normalization.batch_statistics(x)
        count = x.size / len(mean)  # values a channel
        pairs = (("running_mean", mean), ("running_var", variance * (count / (count - 1))))
        for name, batch in pairs:
            self.buffers[name] += self.momentum * (batch - self.buffers[name])

    def differentiate(self, upstream: Array, cache: normalization.BatchNormCache) -> tuple[Array, Gradients]:
        """See `batch_norm_backward`."""
        dx, dweight, dbias = normalization.batch_norm_backward(upstream, cache)
        return dx, {"weight": dweight, "bias": dbias}


class Flatten(Layer):
    """Every sample as one row: (batch, *) -> (batch, features). Backward: the rows as they were."""

    def compute(self, x: Array) -> tuple[Array, tuple[int, ...]]:
        """The cache is the shape."""
        return x.reshape(len(x), -1), x.shape

    def differentiate(self, upstream: Array, cache: tuple[int, ...]) -> tuple[Array, Gradients]:
        """Numbers are moved, not changed."""
        return upstream.reshape(cache), {}


class Activation(Layer):
    """An activation: a pair of functions, and nothing to learn."""

    functions: ClassVar[tuple[Callable[..., tuple[Array, Any]], Callable[[Array, Any], Array]]]

    def compute(self, x: Array) -> tuple[Array, Any]:
        """f(z)."""
        return self.functions[0](x)

    def differentiate(self, upstream: Array, cache: Any) -> tuple[Array, Gradients]:
        """Backward: dz = dy f'(z)."""
        return self.functions[1](upstream, cache), {}


class Identity(Activation):
    """f(z) = z."""

    functions = activations.identity_forward, activations.identity_backward


class Sigmoid(Activation):
    """f(z) = 1 / (1 + e^-z)."""

    functions = activations.sigmoid_forward, activations.sigmoid_backward


class Tanh(Activation):
    """f(z) = tanh(z)."""

    functions = activations.tanh_forward, activations.tanh_backward


class ReLU(Activation):
    """f(z) = max(0, z)."""

    functions = activations.relu_forward, activations.relu_backward


class LeakyReLU(Activation):
    """f(z) = z above 0, negative_slope z below."""

    functions = activations.leaky_relu_forward, activations.leaky_relu_backward

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def compute(self, x: Array) -> tuple[Array, Array]:
        """See `leaky_relu_forward`."""
        return activations.leaky_relu_forward(x, self.negative_slope)


class Softmax(Activation):
    """p_i = e^z_i / sum_j e^z_j along the last axis; not needed before `cross_entropy_from_logits`."""

    functions = activations.softmax_forward, activations.softmax_backward


def fan_in_uniform(shape: tuple[int, ...], fan_in: int, generator: np.random.Generator, dtype: DTypeLike) -> Array:
    """Uniform in +-1/sqrt(fan_in): the variance of what goes through neither explodes nor dies at once."""
    bound = 1 / np.sqrt(fan_in)
    return generator.uniform(-bound, bound, shape).astype(dtype)
