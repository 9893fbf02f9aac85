"""Back-propagation through small dense networks, written out: autograd's bookkeeping would cost as much as they do.

A batch of 64 rows through two layers of 256 is a tenth of a millisecond of arithmetic forward, two tenths backward.
Autograd, modules and their checks would add as much again; the chain rule is three lines a layer.
"""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.networks import QNetwork
from foundations.activations import Identity, ReLU
from foundations.layers import Flatten, Linear
from foundations.networks.mlp import MLP


class Differentiated(Protocol):
    """A network that is run forward, and then back from the gradient of a loss at its output."""

    def values(self, x: Tensor) -> Tensor:
        """The output, (batch, outputs), of which no gradient is wanted."""
        ...

    def forward(self, x: Tensor) -> Tensor:
        """The output, (batch, outputs), and what `backward` needs is kept."""
        ...

    def backward(self, gradient: Tensor) -> None:
        """Leave the weights' gradients in them, given that of the loss at the last output, (batch, outputs)."""
        ...


def differentiated(network: nn.Module) -> Differentiated:
    """`network` by the chain rule written out where it is dense with ReLU or identity between, else by autograd."""
    layers = _layers(network)
    return ByAutograd(network) if layers is None else DenseByHand(layers)


class ByAutograd:
    """Any network."""

    def __init__(self, network: nn.Module) -> None:
        self._network, self._parameters = network, list(network.parameters())

    @torch.no_grad()
    def values(self, x: Tensor) -> Tensor:
        """Keeps no graph."""
        output: Tensor = self._network(x)
        return output

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the graph."""
        self._output: Tensor = self._network(x)
        output: Tensor = self._output.detach()
        return output

    def backward(self, gradient: Tensor) -> None:
        """Through the graph."""
        for parameter in self._parameters:
            parameter.grad = None
        self._output.backward(gradient)


class DenseByHand:
    """a_0 = x, a_l = max(0, a_{l-1} W_l^T + b_l), the last one without max; g_l is the loss's gradient there:

        dL/dW_l = g_l^T a_{l-1},  dL/db_l = sum over the batch of g_l,  g_{l-1} = (g_l W_l) where a_{l-1} > 0, else 0

    Equal to autograd to rounding. `layers` are pairs: a dense layer, and whether a ReLU follows. Gradients are written
    where the last ones were: new arrays of that size would push the weights out of a core's cache.
    """

    def __init__(self, layers: list[tuple[Linear, bool]]) -> None:
        self._layers = [(layer.weight, layer.bias, rectified) for layer, rectified in layers]
        self._inputs: list[Tensor] = []

    def values(self, x: Tensor) -> Tensor:
        """Keeps nothing."""
        output = self.forward(x)
        self._inputs = []
        return output

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Keeps what went into each layer."""
        self._inputs = []
        x = x.flatten(start_dim=1)
        for weight, bias, rectified in self._layers:
            self._inputs.append(x)
            x = F.linear(x, weight, bias)
            if rectified:
                x.relu_()
        return x

    @torch.no_grad()
    def backward(self, gradient: Tensor) -> None:
        """From the last layer to the first."""
        for place in reversed(range(len(self._layers))):
            (weight, bias, _), inputs = self._layers[place], self._inputs[place]
            torch.mm(gradient.T, inputs, out=_gradient_of(weight))
            if bias is not None:
                torch.sum(gradient, dim=0, out=_gradient_of(bias))
            if place:
                gradient = gradient @ weight
                if self._layers[place - 1][2]:
                    gradient = torch.ops.aten.threshold_backward(gradient, inputs, 0)


def _gradient_of(parameter: Tensor) -> Tensor:
    """Where the gradient of `parameter` is written."""
    if parameter.grad is None:
        parameter.grad = torch.empty_like(parameter)
    return parameter.grad


def _layers(network: nn.Module) -> list[tuple[Linear, bool]] | None:
    """The dense layers of `network`, each with whether a ReLU follows; None where there is anything else."""
    found: list[tuple[Linear, bool]] = []
    for module in _flat(network):
        if isinstance(module, Linear):
            found.append((module, False))
        elif type(module) is ReLU and found:
            found[-1] = (found[-1][0], True)
        elif not isinstance(module, Flatten | Identity | nn.Identity) or (isinstance(module, Flatten) and found):
            return None
    ends_in_dense = bool(found) and not found[-1][1]
    return found if ends_in_dense else None


def _flat(module: nn.Module) -> list[nn.Module]:
    """The modules that are run one after the other; what is no chain stays whole."""
    if isinstance(module, QNetwork) and not module.duelling:
        return _flat(module.encoder) + _flat(module.advantage)
    if isinstance(module, MLP | nn.Sequential):
        return [each for child in module.children() for each in _flat(child)]
    return [module]
