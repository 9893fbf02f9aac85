"""The way of a recurrent network over steps, directions and layers, whatever its cell."""

from typing import ClassVar, TypedDict

import torch
from torch import Tensor, nn

from foundations.errors import require
from foundations.layers import Dropout, require_floating
from foundations.recurrent.cells import Cell, States, Weights

State = Tensor | tuple[Tensor, Tensor]
"""h, or (h, c) for an LSTM, each (layers * directions, batch, hidden): layer 0 forwards, layer 0 backwards, layer 1."""


def detach_state(state: State) -> State:
    """The same state without its past: gradients go back to here and no further.

    Truncated back-propagation through time: a long sequence is taken in pieces, each begins with the detached state of
    the piece before it, and after each the weights are updated. What must be learnt has to lie within one piece.
    Source: Williams & Peng 1990, Neural Computation 2.
    """
    return state.detach() if isinstance(state, Tensor) else (state[0].detach(), state[1].detach())


class RecurrentSettings(TypedDict, total=False):
    """What a recurrent network may be given beside its sizes, and its default.

    `bidirectional` (False); `dropout` (0), the probability between layers; `residual` (False) adds each layer's input
    to its output, from the second layer on; `generator`, `dropout_generator` (None: torch's default stream).
    """

    bidirectional: bool
    dropout: float
    residual: bool
    generator: torch.Generator | None
    dropout_generator: torch.Generator | None


class Recurrent(nn.Module):
    """Layers of cells; the derived class says which cell.

    Layer l sees dropout(y_{l-1}), y_{-1} = x, and gives y_l = h; with `residual` y_l = y_{l-1} + h from the second
    layer on. With `bidirectional` each layer walks from both ends, and h has both results side by side.

    Parameters are named and shaped as in torch's twin, so that weights load from there and into there. They begin
    uniform in +-1/sqrt(hidden_size), drawn from `generator`; dropout masks come from `dropout_generator`.
    """

    cell: ClassVar[type[Cell]]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
        residual: bool = False,
        generator: torch.Generator | None = None,
        dropout_generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            require(size >= 1, name, size, "at least 1")
        require(num_layers > 1 or not dropout, "dropout", dropout, "0 with one layer: it acts between layers")
        require(num_layers > 1 or not residual, "residual", residual, "False with one layer: it acts between layers")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.directions, self.residual = 2 if bidirectional else 1, residual
        self.drop = Dropout(dropout, generator=dropout_generator)
        for layer in range(num_layers):
            width = self.directions * hidden_size if layer else input_size
            for direction in range(self.directions):
                self._add_weights(_suffix(layer, direction), width, generator)

    def _add_weights(self, suffix: str, width: int, generator: torch.Generator | None) -> None:
        rows, bound = self.cell.gates * self.hidden_size, self.hidden_size**-0.5
        shapes = {"weight_ih": (rows, width), "weight_hh": (rows, self.hidden_size), "bias_ih": (rows,)}
        for name, shape in {**shapes, "bias_hh": (rows,)}.items():
            first = torch.empty(shape).uniform_(-bound, bound, generator=generator)
            self.register_parameter(name + suffix, nn.Parameter(first))

    def weights(self, layer: int, direction: int = 0) -> Weights:
        """The parameters of a layer; direction 1 is the walk from the end."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return Weights(*(getattr(self, name + _suffix(layer, direction)) for name in names))

    def all_weights(self) -> list[Weights]:
        """Those of every layer and direction."""
        return [self.weights(layer, each) for layer in range(self.num_layers) for each in range(self.directions)]

    def forward(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """What the last layer shows at each step, and the state after the last step of each layer and direction.

        With `lengths`, sequence k consists of its first lengths[k] steps, in any order of lengths: later steps are
        padding, whatever stands there; they leave the state as it is, and the outputs there are 0. Under autocast all
        is computed in the weights' own precision.

        Shapes: x (batch, time, features); state `State`, None for zeros; lengths (batch) ->
        outputs (batch, time, directions * hidden), state.
        Raises: InputError for other shapes or types, sequences without a step, lengths beyond the steps there are.
        """
        if torch.is_autocast_enabled(x.device.type):  # rounding the state to 8 bits at each step would add up
            require_floating(x)
            with torch.autocast(x.device.type, enabled=False):
                return self.forward(x.to(self.weights(0).input.dtype), state, lengths)
        self._require_input(x)
        states = self._first_states(x, state)
        real = None if lengths is None else _real_steps(lengths, x)
        x = x.transpose(0, 1)
        if real is not None:
            x = x.masked_fill(~real, 0.0)  # a NaN there would reach the gradients, as 0 * NaN
        finals = []
        for layer in range(self.num_layers):
            before = tuple(each[layer * self.directions :][: self.directions] for each in states)
            shown, after = self._layer(layer, self.drop(x) if layer else x, before, real)
            x = x + shown if self.residual and layer else shown
            finals.append(after)
        h, *rest = (torch.cat(parts) for parts in zip(*finals, strict=True))
        return x.transpose(0, 1), (h, rest[0]) if rest else h

    def _layer(self, layer: int, x: Tensor, states: States, real: Tensor | None) -> tuple[Tensor, States]:
        """Both directions of one layer: what is shown (time, batch, directions * hidden), states after the walks."""
        walks = []
        for direction in range(self.directions):
            first = tuple(each[direction] for each in states)
            walks.append(self._walk(self.weights(layer, direction), x, first, real, backwards=direction == 1))
        shown, after = zip(*walks, strict=True)
        side_by_side = torch.cat(shown, dim=2) if len(shown) > 1 else shown[0]
        return side_by_side, tuple(torch.stack(parts) for parts in zip(*after, strict=True))

    def _walk(
        self, weights: Weights, x: Tensor, state: States, real: Tensor | None, *, backwards: bool
    ) -> tuple[Tensor, States]:
        """One direction: step after step, the state kept where a step is padding.

        Shapes: x (time, batch, features), state (batch, hidden), real (time, batch, 1) -> shown (time, batch, hidden).
        """
        cell = self.cell(weights)
        steps = list(cell.project(x).unbind())
        order = range(len(steps) - 1, -1, -1) if backwards else range(len(steps))
        shown = [state[0]] * len(steps)
        for t in order:
            after = cell.step(steps[t], state)
            if real is not None:
                after = tuple(torch.where(real[t], new, old) for new, old in zip(after, state, strict=True))
            state = after
            shown[t] = state[0]
        outputs = torch.stack(shown)
        return (outputs if real is None else outputs.masked_fill(~real, 0.0)), state

    def _first_states(self, x: Tensor, state: State | None) -> States:
        shape = (self.num_layers * self.directions, len(x), self.hidden_size)
        if state is None:
            return tuple(x.new_zeros(shape) for _ in range(self.cell.states))
        states = (state,) if isinstance(state, Tensor) else tuple(state)
        require(len(states) == self.cell.states, "state", f"{len(states)} tensors", f"{self.cell.states}")
        for each in states:
            require(
                each.shape == shape, "state shape", tuple(each.shape), f"(layers * directions, batch, hidden) = {shape}"
            )
            require(each.dtype == x.dtype, "state dtype", each.dtype, f"{x.dtype}, the input's")
        return states

    def _require_input(self, x: Tensor) -> None:
        fits = x.dim() == 3 and x.shape[2] == self.input_size and min(x.shape) >= 1
        allowed = f"(batch, time, {self.input_size}) with at least one sequence and one step"
        require(fits, "input shape", tuple(x.shape), allowed)
        require_floating(x)
        dtype = self.weights(0).input.dtype
        require(x.dtype == dtype, "input dtype", x.dtype, f"{dtype}, the weights'")

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        both = ", bidirectional" if self.directions == 2 else ""
        residual = ", residual" if self.residual else ""
        return f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}{both}{residual}"


def _suffix(layer: int, direction: int) -> str:
    return f"_l{layer}" + ("_reverse" if direction else "")


def _real_steps(lengths: Tensor, x: Tensor) -> Tensor:
    """Which steps are no padding. Shapes: lengths (batch), x (batch, time, ...) -> (time, batch, 1)."""
    require(lengths.shape == x.shape[:1], "lengths shape", tuple(lengths.shape), f"one for each of {len(x)} sequences")
    whole = not lengths.is_floating_point() and lengths.dtype != torch.bool
    require(whole, "lengths dtype", lengths.dtype, "whole numbers")
    least, most = int(lengths.min()), int(lengths.max())
    fits = least >= 1 and most <= x.shape[1]
    require(fits, "lengths", f"{least} to {most}", f"between 1 and {x.shape[1]}, the number of steps")
    return (torch.arange(x.shape[1], device=x.device)[:, None] < lengths.to(x.device)).unsqueeze(2)
