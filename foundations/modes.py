"""Evaluation mode for a while: afterwards each layer is in its own mode again."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(model: object) -> Iterator[None]:
    """`model` in evaluation mode, if it has modes; afterwards each of its layers is in the mode that it was in.

    Each layer by itself, since a frozen part of a network in training may be in evaluation mode already.
    """
    modes = [(layer, layer.training) for layer in model.modules()] if isinstance(model, nn.Module) else []
    for layer, _ in modes:
        layer.training = False
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training
