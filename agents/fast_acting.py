"""Acting in NumPy, on the very weights that torch trains: for a few observations torch takes three times as long.

A few rows through a small network are a few microseconds of arithmetic; the calls around it take longer. The views of
the weights are made once: an optimizer changes weights in place, so the views always show the present ones.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from foundations.activations import Identity, ReLU, Sigmoid, Tanh
from foundations.layers import Flatten, Linear
from foundations.networks.mlp import MLP

Array = NDArray[Any]
Forward = Callable[[Array], Array]
"""From inputs (batch, ...) float32 to outputs (batch, features) float32."""

ACTIVATIONS: dict[type[nn.Module], Forward] = {
    ReLU: lambda z: np.maximum(z, 0),
    Tanh: np.tanh,
    Sigmoid: lambda z: 1 / (1 + np.exp(-z)),
}
"""What NumPy knows."""


def numpy_forward(module: nn.Module) -> Forward:
    """`module` as a function of NumPy arrays, by NumPy where it can be and else by torch, without gradients.

    NumPy's are dense networks on the CPU in float32: `MLP`, `Sequential` of `Linear`, ReLU, tanh, sigmoid, `Flatten`.
    The weights are not copied: training in place is seen at once.
    """
    layers = _layers(module)
    if layers is None:
        return _through_torch(module)

    def forward(x: Array) -> Array:
        for layer in layers:
            x = layer(x)
        return x

    return forward


def _layers(module: nn.Module) -> list[Forward] | None:
    """The steps of `module` in NumPy, or None where one of them needs torch."""
    if isinstance(module, MLP | nn.Sequential):
        parts = [_layers(child) for child in module.children()]
        return None if None in parts else [layer for part in parts for layer in part or ()]
    if isinstance(module, Linear):
        return _dense(module)
    for kind, activation in ACTIVATIONS.items():
        if isinstance(module, kind):
            return [activation]
    if isinstance(module, Identity | nn.Identity):
        return []
    if isinstance(module, Flatten):
        return [lambda x: x.reshape(len(x), -1)]
    return None


def _dense(layer: Linear) -> list[Forward] | None:
    """The layer y = x W^T + b, on views of W and b."""
    if layer.weight.device.type != "cpu" or layer.weight.dtype != torch.float32:
        return None
    weight = layer.weight.detach().numpy().T
    if layer.bias is None:
        return [lambda x: np.matmul(x, weight)]
    bias = layer.bias.detach().numpy()

    def forward(x: Array) -> Array:
        y: Array = x @ weight
        y += bias
        return y

    return [forward]


def _through_torch(module: nn.Module) -> Forward:
    device = next((weight.device for weight in module.parameters()), torch.device("cpu"))

    def forward(x: Array) -> Array:
        with torch.no_grad():
            y: Tensor = module(torch.from_numpy(x).to(device))
        return y.cpu().numpy()

    return forward


# --- drawing actions --------------------------------------------------------------------------------------------------


def draw_category(logits: Array, stream: np.random.Generator) -> Array:
    """One of n by p = softmax(logits), without computing p: argmax(logits + Gumbel noise).

    Shapes: logits (batch, n) -> int64 (batch). Source: Gumbel 1954; Maddison et al. 2014, arXiv:1411.0030.
    """
    drawn: Array = (logits + stream.gumbel(size=logits.shape)).argmax(axis=-1)
    return drawn


def draw_normal(mean: Array, log_std: Array, stream: np.random.Generator) -> Array:
    """As mean + e^log_std * noise, noise ~ N(0, 1). Shapes: mean (batch, d), log_std (d) -> float32 (batch, d)."""
    return mean + np.exp(log_std) * stream.standard_normal(mean.shape, dtype=np.float32)
