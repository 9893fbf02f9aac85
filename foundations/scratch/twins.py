"""The same network of torch's layers: proof that the NumPy one is right, and a form that other programs can load."""

from typing import TYPE_CHECKING

import numpy as np

from foundations.errors import InputError, require_choice
from foundations.scratch import image_layers, layers

if TYPE_CHECKING:
    from torch import nn

    from foundations.scratch.network import Network


def as_torch(network: "Network") -> "nn.Module":
    """An `nn.Sequential` with copies of the network's weights and running statistics, in evaluation mode.

    Raises: InputError for a layer that has no twin here (`Recurrent`).
    """
    import torch
    from torch import nn

    module = nn.Sequential(*(_twin(layer) for layer in network.layers))
    arrays = {**network.parameters(), **network.buffers()}
    own = module.state_dict()  # batch norm in torch also counts its batches, which nothing here needs
    module.load_state_dict({**own, **{name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}})
    return module.eval()


def _twin(layer: "layers.Layer") -> "nn.Module":
    """The layer of torch, of the same sizes and type."""
    from torch import nn

    if layer.parameters:
        return _twin_with_weights(layer)
    match layer:
        case image_layers.MaxPool():
            return nn.MaxPool2d(layer.size, layer.stride, layer.padding)
        case image_layers.AveragePool():
            return nn.AvgPool2d(layer.size, layer.stride, layer.padding)
        case layers.Dropout():
            return nn.Dropout(layer.p)
        case layers.LeakyReLU():
            return nn.LeakyReLU(layer.negative_slope)
        case layers.Softmax():
            return nn.Softmax(dim=-1)
    name = type(layer).__name__
    require_choice("layer", name, ("Identity", "ReLU", "Sigmoid", "Tanh", "Flatten"))
    twin: nn.Module = getattr(nn, name)()  # called the same in torch
    return twin


def _twin_with_weights(layer: "layers.Layer") -> "nn.Module":
    import torch
    from torch import nn

    from foundations.normalization import BatchNorm  # for vectors and images alike

    first = next(iter(layer.parameters.values()))
    sizes, dtype = first.shape, torch.from_numpy(first).dtype
    match layer:
        case layers.Dense():
            return nn.Linear(sizes[1], sizes[0], dtype=dtype)
        case image_layers.Convolution():
            return nn.Conv2d(sizes[1], sizes[0], sizes[2:], layer.stride, layer.padding, dtype=dtype)
        case layers.BatchNorm():
            return BatchNorm(sizes[0], layer.eps, layer.momentum).to(dtype)
    raise InputError(f"layer={type(layer).__name__}: must be dense, a convolution or a batch norm to have a twin here")
