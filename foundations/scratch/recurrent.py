"""The Elman network: one cell, its sequence, and back-propagation through time, truncated too.

h_t = tanh(U x_t + W h_{t-1} + b),  y_t = V h_t + c.   Source: Elman 1990, Cognitive Science 14(2).
"""

from typing import NamedTuple

import numpy as np

from foundations.errors import require
from foundations.scratch.activations import tanh_backward, tanh_forward
from foundations.scratch.arrays import Array, require_floats
from foundations.scratch.dense import DenseCache, dense_backward, dense_forward


class CellCache(NamedTuple):
    """What the backward pass of one step needs."""

    x: Array
    previous: Array
    state: Array
    u: Array
    w: Array


def recurrent_cell_forward(x: Array, previous: Array, u: Array, w: Array, b: Array) -> tuple[Array, CellCache]:
    """h_t = tanh(U x_t + W h_{t-1} + b): one step.

    Shapes: x (batch, inputs), previous and the new state (batch, hidden), u (hidden, inputs), w (hidden, hidden),
    b (hidden). Raises: InputError for others.
    """
    require_floats("x", x, axes=2)
    fits = previous.shape == (len(x), len(w))
    require(fits, "state shape", previous.shape, f"({len(x)}, {len(w)}), (batch, hidden)")
    from_input, _ = dense_forward(x, u, b)
    state, _ = tanh_forward(from_input + previous @ w.T)
    return state, CellCache(x, previous, state, u, w)


def recurrent_cell_backward(dstate: Array, cache: CellCache) -> tuple[Array, Array, Array, Array, Array]:
    """With dz = dh_t (1 - h_t^2): dx = dz U, dh_{t-1} = dz W, dU = dz^T x_t, dW = dz^T h_{t-1}, db = sum dz.

    Shapes: dstate (batch, hidden); gives the gradients of x, the previous state, u, w and b.
    """
    dz = tanh_backward(dstate, cache.state)
    dx, du, db = dense_backward(dz, (cache.x, cache.u))
    dprevious, dw, _ = dense_backward(dz, (cache.previous, cache.w))
    return dx, dprevious, du, dw, db


class RecurrentCache(NamedTuple):
    """What back-propagation through time needs: every step's cache, and the head's."""

    cells: list[CellCache]
    head: DenseCache


class RecurrentGradients(NamedTuple):
    """What back-propagation through time gives: dE/d of the inputs, the first state, and the weights."""

    x: Array
    first: Array
    u: Array
    w: Array
    v: Array
    b: Array
    c: Array


def recurrent_forward(
    x: Array, first: Array, u: Array, w: Array, v: Array, b: Array, c: Array
) -> tuple[Array, Array, RecurrentCache]:
    """The cell for t = 1, 2, ... with the same weights, and y_t = V h_t + c at every step.

    Shapes: x (batch, time, inputs), first state (batch, hidden), v (outputs, hidden), c (outputs); gives
    y (batch, time, outputs), the states (batch, time, hidden), the cache. Raises: InputError for others.
    """
    require_floats("x", x, axes=3)
    require(x.shape[1] >= 1, "x shape", x.shape, "(batch, time, inputs) with one step or more")
    state, cells = first, []
    for t in range(x.shape[1]):
        state, cell = recurrent_cell_forward(x[:, t], state, u, w, b)
        cells.append(cell)
    states = np.stack([cell.state for cell in cells], axis=1)
    y, head = dense_forward(states, v, c)
    return y, states, RecurrentCache(cells, head)


def recurrent_backward(dy: Array, cache: RecurrentCache, truncate: int | None = None) -> RecurrentGradients:
    """Back-propagation through time: dh_t = V^T dy_t + what comes back from step t + 1; weights add up over t.

    With `truncate` k the sequence is cut after every k steps: the state is carried over a cut, the gradient is not.
    The gradient of the first state then comes from the first k steps alone.
    Shapes: dy (batch, time, outputs). Raises: InputError for k < 1.
    Source: Werbos 1990, Proc. IEEE 78(10); truncation: Williams & Peng 1990, Neural Computation 2(4).
    """
    require(truncate is None or truncate >= 1, "truncate", truncate, "a number of steps, at least 1, or None")
    dstates, dv, dc = dense_backward(dy, cache.head)
    first = cache.cells[0]
    du, dw, db = np.zeros_like(first.u), np.zeros_like(first.w), np.zeros_like(first.w[0])
    dx: list[Array] = []
    carried = np.zeros_like(first.previous)
    for t in reversed(range(len(cache.cells))):
        if truncate and (t + 1) % truncate == 0:
            carried = np.zeros_like(carried)
        dx_t, carried, *weights = recurrent_cell_backward(dstates[:, t] + carried, cache.cells[t])
        dx.append(dx_t)
        for total, part in zip((du, dw, db), weights, strict=True):
            total += part
    return RecurrentGradients(np.stack(dx[::-1], axis=1), carried, du, dw, dv, db, dc)
