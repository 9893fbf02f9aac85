"""What is inside a network: its layers, the shapes between them, its weights, and the work of one sample."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from foundations.convolution import Conv2d, ConvTranspose2d
from foundations.errors import require
from foundations.layers import Linear
from foundations.modes import evaluation_mode

DENSE = (Linear, nn.Linear)
CONVOLUTIONS = (Conv2d, nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (ConvTranspose2d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
Called = Callable[[str, nn.Module, Tensor | None, Tensor | None], None]
"""Told of each call of a layer: its name, the layer, its first input, its first output."""


@dataclass(frozen=True)
class Layer:
    """One row of a summary.

    `output_shape` is None where the example did not reach the layer. `multiply_adds` are for one sample.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...] | None
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Summary:
    """The layers of a network in the order in which the example met them; `str` makes a table of it."""

    layers: tuple[Layer, ...]

    @property
    def parameters(self) -> int:
        """All weights of the network; those that layers share count once."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Multiplications, each with its addition, for one sample."""
        return sum(layer.multiply_adds for layer in self.layers)

    def rows(self) -> list[dict[str, str]]:
        """A mapping a layer and one for the total, all values as text."""
        rows = [_row(each.name, each.kind, each.output_shape, each) for each in self.layers]
        return [*rows, _row("total", "", (), self)]

    def __str__(self) -> str:
        rows = self.rows()
        lines = [list(rows[0]), *(list(row.values()) for row in rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [_line(line, widths) for line in lines]
        rule = "-" * len(table[0])
        return "\n".join([table[0], rule, *table[1:-1], rule, table[-1]])


def count_parameters(network: nn.Module, *, trainable: bool = False) -> int:
    """The network's weights, biases included; those that layers share count once. `trainable`: only the unfrozen."""
    return sum(each.numel() for each in network.parameters() if each.requires_grad or not trainable)


def count_multiply_adds(network: nn.Module, *example: Tensor) -> int:
    """The multiplications, each with its addition, of one forward pass, for one sample.

    Counted are dense layers (in_features for each output), convolutions (in_channels / groups * kernel elements for
    each output) and transposed ones (out_channels * kernel elements for each input), ours and torch's, which do nearly
    all the work; biases, norms, activations and pooling are not, nor are products outside of such layers.

    Shapes: `example` is what `forward` takes, each (batch, ...). Network and example may lie on torch's "meta" device,
    which computes shapes alone. Raises: InputError for an empty example.
    """
    return summary(network, *example).multiply_adds


def summary(network: nn.Module, *example: Tensor) -> Summary:
    """A table of the network's layers: name, kind, output shape, weights, multiply-adds of one sample, and the totals.

    A layer is a module without parts, or with weights of its own. The example passes in evaluation mode, without
    gradients; the network is as before afterwards.
    Shapes: `example` is what `forward` takes, each (batch, ...). Raises: InputError for an empty example.
    """
    require(len(example) >= 1 and all(len(each) >= 1 for each in example), "example", example, "at least one sample")
    shapes: dict[str, tuple[int, ...]] = {}
    work: dict[str, int] = {}

    def called(name: str, layer: nn.Module, x: Tensor | None, y: Tensor | None) -> None:
        shapes[name] = () if y is None else tuple(y.shape)
        work[name] = work.get(name, 0) + _multiply_adds(layer, x, y)

    layers = _layers(network)
    with _watched(layers, called), evaluation_mode(network), torch.no_grad():
        network(*example)
    weights = _own_parameters(layers)
    order = [*shapes, *(name for name in layers if name not in shapes)]
    return Summary(
        tuple(
            Layer(
                name or "(network)",
                type(layers[name]).__name__,
                shapes.get(name),
                weights[name],
                work.get(name, 0) // len(example[0]),
            )
            for name in order
        )
    )


def _layers(network: nn.Module) -> dict[str, nn.Module]:
    """Modules that have no parts, or weights of their own beside those of their parts."""
    return {
        name: module
        for name, module in network.named_modules()
        if not any(module.children()) or any(True for _ in module.parameters(recurse=False))
    }


def _own_parameters(layers: Mapping[str, nn.Module]) -> dict[str, int]:
    seen: set[int] = set()
    counts = {}
    for name, module in layers.items():
        own = [each for each in module.parameters(recurse=False) if id(each) not in seen]
        seen.update(map(id, own))
        counts[name] = sum(each.numel() for each in own)
    return counts


@contextmanager
def _watched(layers: Mapping[str, nn.Module], called: Called) -> Iterator[None]:
    """Tell `called` of every call of `layers`."""

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda module, inputs, output: called(name, module, _first_tensor(inputs), _first_tensor(output))

    handles = [layer.register_forward_hook(hook(name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _first_tensor(value: Any) -> Tensor | None:
    if isinstance(value, Tensor):
        return value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return next((found for part in parts if (found := _first_tensor(part)) is not None), None)


def _multiply_adds(layer: nn.Module, x: Tensor | None, y: Tensor | None) -> int:
    if x is None or y is None:
        return 0
    if isinstance(layer, (*DENSE, *CONVOLUTIONS)):
        return y.numel() * layer.weight[0].numel()  # each output adds up one row of the weight
    if isinstance(layer, TRANSPOSED):
        return x.numel() * layer.weight[0].numel()  # each input paints one kernel on every output channel
    return 0


def _row(name: str, kind: str, shape: tuple[int, ...] | None, counted: Layer | Summary) -> dict[str, str]:
    return {
        "layer": name,
        "kind": kind,
        "output shape": "not reached" if shape is None else " x ".join(map(str, shape)),
        "parameters": f"{counted.parameters:,}",
        "multiply-adds": f"{counted.multiply_adds:,}",
    }


def _line(cells: list[str], widths: list[int]) -> str:
    """Text to the left, numbers to the right."""
    text = [cell.ljust(width) for cell, width in zip(cells[:3], widths[:3], strict=True)]
    numbers = [cell.rjust(width) for cell, width in zip(cells[3:], widths[3:], strict=True)]
    return "  ".join([*text, *numbers])
