"""One step of each recurrent network: from the input x_t and the state before it to the state after it.

Letters: h is what a cell shows, c what an LSTM keeps to itself, sigma the sigmoid, * the product by element. W_ih has
the weights of all gates of a cell one below the other (gates * hidden, features), W_hh likewise (gates * hidden,
hidden); both biases (gates * hidden).

What the input contributes does not depend on the state: `project` computes it for all steps in one matrix product,
before the walk. `step` is what has to be done one step after the other; what it makes anew it changes in place where
it can, since short steps cost as much memory traffic as arithmetic.
"""

from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

States = tuple[Tensor, ...]
"""h, or h and c, each (batch, hidden)."""


class Weights(NamedTuple):
    """What a cell learns, in torch's order and layout."""

    input: Tensor
    hidden: Tensor
    input_bias: Tensor
    hidden_bias: Tensor


class Cell:
    """A cell with its weights, ready to walk."""

    gates: ClassVar[int] = 1
    """Blocks of weights, one below the other."""
    states: ClassVar[int] = 1
    """Tensors that are carried from step to step."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.hidden = weights.hidden.T

    def project(self, x: Tensor) -> Tensor:
        """What the inputs of all steps contribute. Shapes: (time, batch, features) -> (time, batch, gates * hidden)."""
        return F.linear(x, self.weights.input, self.weights.input_bias + self.weights.hidden_bias)

    def step(self, projected: Tensor, state: States) -> States:
        """The state after the step. Shapes: projected (batch, gates * hidden); states (batch, hidden), kept."""
        raise NotImplementedError


class RNNCell(Cell):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), U = W_ih and W = W_hh in the customary letters."""

    def step(self, projected: Tensor, state: States) -> States:
        """One product, one tanh."""
        return (torch.addmm(projected, state[0], self.hidden).tanh_(),)


class LSTMCell(Cell):
    """i, f, o = sigma(W x_t + b + W' h_{t-1} + b'), g = tanh(the same), each with weights of its own;

    c_t = f * c_{t-1} + i * g
    h_t = o * tanh(c_t)
    """

    gates = 4
    states = 2

    def step(self, projected: Tensor, state: States) -> States:
        """All four gates in one product."""
        h, c = state
        i, f, g, o = torch.addmm(projected, h, self.hidden).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class GRUCell(Cell):
    """r, z = sigma(W x_t + b + W' h_{t-1} + b'), each with weights of its own;

    n = tanh(W_n x_t + b_n + r * (W'_n h_{t-1} + b'_n))
    h_t = (1 - z) * n + z * h_{t-1}

    The reset gate r acts inside the candidate n, on the product and not on h, so that all products are one.
    """

    gates = 3

    def project(self, x: Tensor) -> Tensor:
        """Without the hidden bias: that of the candidate stands under the reset gate."""
        return F.linear(x, self.weights.input, self.weights.input_bias)

    def step(self, projected: Tensor, state: States) -> States:
        """All three products in one."""
        (h,) = state
        two_and_one = [2 * h.shape[1], h.shape[1]]
        gates_of_x, candidate_of_x = projected.split(two_and_one, dim=1)
        gates_of_h, candidate_of_h = torch.addmm(self.weights.hidden_bias, h, self.hidden).split(two_and_one, dim=1)
        r, z = (gates_of_x + gates_of_h).sigmoid_().chunk(2, dim=1)
        n = torch.addcmul(candidate_of_x, r, candidate_of_h).tanh_()
        return (torch.lerp(n, h, z),)  # n + z (h - n)
