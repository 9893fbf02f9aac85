"""A list of layers: forward runs them in order, back-propagation in reverse; and the optimizer that moves them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from foundations.errors import require
from foundations.scratch.arrays import Array, Gradients
from foundations.scratch.layers import Dropout, Layer


class SGD:
    """Gradient descent with momentum: v = m v + g, theta -= learning_rate v; plain for m = 0.

    Raises: InputError unless learning_rate >= 0 and 0 <= momentum < 1.
    Source: Polyak 1964, USSR Computational Mathematics 4(5).
    """

    def __init__(self, learning_rate: float, momentum: float = 0.0) -> None:
        require(0 <= learning_rate < np.inf, "learning_rate", learning_rate, "at least 0 and finite")
        require(0 <= momentum < 1, "momentum", momentum, "at least 0 and below 1")
        self.learning_rate, self.momentum = learning_rate, momentum
        self.velocities: dict[str, Array] = {}

    def step(self, parameters: Mapping[str, Array], gradients: Gradients) -> None:
        """Move every parameter, in place. Raises: InputError where a gradient is missing: run backward first."""
        for name, theta in parameters.items():
            require(name in gradients, "gradients", sorted(gradients), f"computed by backward; {name} has none")
            velocity = self.velocities.setdefault(name, np.zeros_like(theta))
            velocity *= self.momentum
            velocity += gradients[name]
            theta -= self.learning_rate * velocity

    def state_dict(self) -> dict[str, Any]:
        """The velocities."""
        return {"velocities": dict(self.velocities)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`."""
        self.velocities = {name: np.array(velocity) for name, velocity in state["velocities"].items()}


class Network:
    """Layers one after the other: y = f_L(... f_2(f_1(x))); back-propagation is the chain rule from f_L to f_1.

    Names of weights are those of torch's `Sequential`: "0.weight" is the weight of the first layer.
    Raises: InputError for no layer, or one layer twice: its cache holds one pass.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        require(len(layers) >= 1, "layers", layers, "one layer or more")
        require(len({id(layer) for layer in layers}) == len(layers), "layers", "a layer twice", "different objects")
        self.layers = list(layers)

    def forward(self, x: Array) -> Array:
        """Every layer takes what the one before it gave."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, upstream: Array) -> Array:
        """dE/dx from dE/dy; every layer keeps the gradients of its weights."""
        for layer in reversed(self.layers):
            upstream = layer.backward(upstream)
        return upstream

    def parameters(self) -> dict[str, Array]:
        """All weights by name; the arrays themselves, not copies."""
        return {f"{i}.{name}": array for i, layer in enumerate(self.layers) for name, array in layer.parameters.items()}

    def gradients(self) -> Gradients:
        """dE/dw of the last `backward`, by the names of `parameters`."""
        return {f"{i}.{name}": array for i, layer in enumerate(self.layers) for name, array in layer.gradients.items()}

    def buffers(self) -> dict[str, Array]:
        """What is kept beside weights (running statistics), by name; the arrays themselves."""
        return {f"{i}.{name}": array for i, layer in enumerate(self.layers) for name, array in layer.buffers.items()}

    def update(self, optimizer: SGD) -> None:
        """Move the weights against their gradients."""
        optimizer.step(self.parameters(), self.gradients())

    def train(self, training: bool = True) -> None:
        """Put every layer into training mode, or (False) into evaluation mode."""
        for layer in self.layers:
            layer.training = training

    def predict(self, x: Array, *, batch_size: int = 500) -> Array:
        """Outputs for all of x, (n, ...) -> (n, ...), batch by batch in evaluation mode; the mode is put back after.

        Raises: InputError for no samples and for a batch size below 1.
        """
        require(len(x) >= 1, "x", len(x), "at least 1 sample")
        require(batch_size >= 1, "batch_size", batch_size, "at least 1")
        modes = [layer.training for layer in self.layers]
        self.train(False)
        try:
            parts = [self.forward(x[start : start + batch_size]) for start in range(0, len(x), batch_size)]
        finally:
            for layer, mode in zip(self.layers, modes, strict=True):
                layer.training = mode
        return np.concatenate(parts)

    def state_dict(self) -> dict[str, Any]:
        """Weights, running statistics and the streams of dropout masks."""
        streams = {
            str(i): layer.generator.bit_generator.state
            for i, layer in enumerate(self.layers)
            if isinstance(layer, Dropout)
        }
        return {"parameters": self.parameters(), "buffers": self.buffers(), "streams": streams}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`. Raises: InputError where it is of a network with other weights."""
        for own, given in ((self.parameters(), state["parameters"]), (self.buffers(), state["buffers"])):
            shapes = {name: np.shape(array) for name, array in given.items()}
            wanted = {name: array.shape for name, array in own.items()}
            require(shapes == wanted, "state", shapes, f"of a network with the weights {wanted}")
            for name, array in own.items():
                array[...] = given[name]
        for i, stream in state["streams"].items():
            layer = self.layers[int(i)]
            assert isinstance(layer, Dropout)
            layer.generator.bit_generator.state = stream
