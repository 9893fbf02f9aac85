"""Looking at a network without leaving a trace: evaluation mode, and each layer's own mode put back afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(model: object) -> Iterator[None]:
    """`model` in evaluation mode, if it has modes; afterwards each of its layers is in the mode that it was in.

    Layer by layer, as a frozen part of a network in training may well be in evaluation mode itself.
    """
    modes = [(layer, layer.training) for layer in model.modules()] if isinstance(model, nn.Module) else []
    for layer, _ in modes:
        layer.training = False
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training
