"""The Elman network as a layer over whole sequences, and its single step to be unrolled by hand."""

import numpy as np
from numpy.typing import DTypeLike

from foundations.errors import require
from foundations.scratch import recurrent
from foundations.scratch.arrays import Array, Gradients
from foundations.scratch.layers import Layer, fan_in_uniform


class Recurrent(Layer):
    """The Elman network: h_t = tanh(U x_t + W h_{t-1} + b), y_t = V h_t + c, learnt through time; h_0 = 0.

    U and b begin uniform in +-1/sqrt(inputs), W, V and c in +-1/sqrt(hidden). `truncate` cuts the gradient after so
    many steps (see `recurrent_backward`). Shapes: x (batch, time, inputs), y (batch, time, outputs).
    Raises: InputError for sizes below 1.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        outputs: int,
        truncate: int | None = None,
        *,
        generator: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__()
        require(outputs >= 1, "outputs", outputs, "at least 1")
        require(truncate is None or truncate >= 1, "truncate", truncate, "a number of steps, at least 1, or None")
        self.truncate = truncate
        self.parameters = _cell_weights(inputs, hidden, generator, dtype)
        self.parameters["V"] = fan_in_uniform((outputs, hidden), hidden, generator, dtype)
        self.parameters["c"] = fan_in_uniform((outputs,), hidden, generator, dtype)

    def compute(self, x: Array) -> tuple[Array, recurrent.RecurrentCache]:
        """See `recurrent_forward`."""
        u, w, v, b, c = (self.parameters[name] for name in "UWVbc")
        first = np.zeros((len(x), len(w)), w.dtype)
        y, _, cache = recurrent.recurrent_forward(x, first, u, w, v, b, c)
        return y, cache

    def differentiate(self, upstream: Array, cache: recurrent.RecurrentCache) -> tuple[Array, Gradients]:
        """See `recurrent_backward`."""
        found = recurrent.recurrent_backward(upstream, cache, self.truncate)
        return found.x, {"U": found.u, "W": found.w, "V": found.v, "b": found.b, "c": found.c}


class RecurrentCell:
    """One step of the Elman network, h_t = tanh(U x_t + W h_{t-1} + b), to be unrolled by hand.

    Each `forward` pushes its cache onto a stack and each `backward` takes one off, so that it goes from the last step
    to the first; `gradients` add up meanwhile, and `forget` empties the stack and sets them to 0.
    Shapes: x (batch, inputs), states (batch, hidden). Raises: InputError for sizes below 1.
    """

    def __init__(
        self, inputs: int, hidden: int, *, generator: np.random.Generator, dtype: DTypeLike = np.float32
    ) -> None:
        self.parameters = _cell_weights(inputs, hidden, generator, dtype)
        self.forget()

    def forget(self) -> None:
        """Begin anew: an empty stack, gradients at 0."""
        self._caches: list[recurrent.CellCache] = []
        self.gradients: Gradients = {name: np.zeros_like(weight) for name, weight in self.parameters.items()}

    def forward(self, x: Array, previous: Array) -> Array:
        """The new state."""
        u, w, b = (self.parameters[name] for name in "UWb")
        state, cache = recurrent.recurrent_cell_forward(x, previous, u, w, b)
        self._caches.append(cache)
        return state

    def backward(self, dstate: Array) -> tuple[Array, Array]:
        """The gradients of x and of the previous state, for the last step still on the stack.

        Raises: InputError where no step is left.
        """
        require(bool(self._caches), "backward", "RecurrentCell", "called once at most for each forward")
        dx, dprevious, *weights = recurrent.recurrent_cell_backward(dstate, self._caches.pop())
        for name, part in zip("UWb", weights, strict=True):
            self.gradients[name] += part
        return dx, dprevious


def _cell_weights(inputs: int, hidden: int, generator: np.random.Generator, dtype: DTypeLike) -> dict[str, Array]:
    require(inputs >= 1, "inputs", inputs, "at least 1")
    require(hidden >= 1, "hidden", hidden, "at least 1")
    shapes = {"U": ((hidden, inputs), inputs), "W": ((hidden, hidden), hidden), "b": ((hidden,), inputs)}
    return {name: fan_in_uniform(shape, fan_in, generator, dtype) for name, (shape, fan_in) in shapes.items()}
