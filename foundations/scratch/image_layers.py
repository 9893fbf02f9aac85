"""Layers over images: convolution and pooling."""

import numpy as np
from numpy.typing import DTypeLike

from foundations.errors import require
from foundations.scratch import convolution
from foundations.scratch.arrays import Array, Gradients
from foundations.scratch.layers import Layer, fan_in_uniform


class Convolution(Layer):
    """Convolution over images. Weights begin uniform in +-1/sqrt(in_channels * kernel_size^2).

    Shapes: x (batch, in_channels, height, width), weight (out_channels, in_channels, kernel_size, kernel_size).
    Raises: InputError for sizes below 1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        *,
        generator: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__()
        for name, size in {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel_size": kernel_size,
        }.items():
            require(size >= 1, name, size, "at least 1")
        self.stride, self.padding = stride, padding
        shape, fan_in = (out_channels, in_channels, kernel_size, kernel_size), in_channels * kernel_size**2
        weight = fan_in_uniform(shape, fan_in, generator, dtype)
        self.parameters = {"weight": weight, "bias": fan_in_uniform((out_channels,), fan_in, generator, dtype)}

    def compute(self, x: Array) -> tuple[Array, convolution.ConvolutionCache]:
        """See `convolution_forward`."""
        weight, bias = self.parameters["weight"], self.parameters["bias"]
        return convolution.convolution_forward(x, weight, bias, self.stride, self.padding)

    def differentiate(self, upstream: Array, cache: convolution.ConvolutionCache) -> tuple[Array, Gradients]:
        """See `convolution_backward`."""
        dx, dw, db = convolution.convolution_backward(upstream, cache)
        return dx, {"weight": dw, "bias": db}


class Pool(Layer):
    """What both kinds of pooling share: a window of `size` x `size`, which moves by `stride` (None: by its size).

    Shapes: x (batch, channels, height, width), y (batch, channels, rows, columns).
    Raises: InputError, when x is seen, for an impossible window.
    """

    def __init__(self, size: int, stride: int | None = None, padding: int = 0) -> None:
        super().__init__()
        self.size, self.stride, self.padding = size, size if stride is None else stride, padding


class MaxPool(Pool):
    """The largest of each window."""

    def compute(self, x: Array) -> tuple[Array, convolution.MaxPoolCache]:
        """See `max_pool_forward`."""
        return convolution.max_pool_forward(x, self.size, self.stride, self.padding)

    def differentiate(self, upstream: Array, cache: convolution.MaxPoolCache) -> tuple[Array, Gradients]:
        """See `max_pool_backward`."""
        return convolution.max_pool_backward(upstream, cache), {}


class AveragePool(Pool):
    """The mean of each window."""

    def compute(self, x: Array) -> tuple[Array, convolution.AveragePoolCache]:
        """See `average_pool_forward`."""
        return convolution.average_pool_forward(x, self.size, self.stride, self.padding)

    def differentiate(self, upstream: Array, cache: convolution.AveragePoolCache) -> tuple[Array, Gradients]:
        """See `average_pool_backward`."""
        return convolution.average_pool_backward(upstream, cache), {}
