"""The running average of a module's weights, often better than the last ones, and batch norm measured anew for it."""

import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as TorchBatchNorm

from foundations.errors import require
from foundations.normalization import BatchNorm


class ExponentialMovingAverage:
    """The exponential moving average of a module's weights: average = d average + (1 - d) weights.

    With d = min(decay, (1 + t) / (10 + t)) at update t = 0, 1, ...: the memory grows with the number of updates, so
    that the random first weights are soon forgotten. Buffers are copied. Running statistics of batch norm belong to the
    weights that they were measured with: call `recompute_batch_norm(average.module, ...)` before use.

    `module` is the averaged copy, in evaluation mode and without gradients; it is moved (`to`) by the caller.
    Raises: InputError unless 0 <= decay < 1.
    Source: Polyak & Juditsky 1992, SIAM J. Control Optim. 30(4); for GANs Yazici et al. 2018, arXiv:1806.04498.
    """

    def __init__(self, module: nn.Module, decay: float = 0.999) -> None:
        require(0 <= decay < 1, "decay", decay, "at least 0 and below 1")
        self.decay, self.updates = decay, 0
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self._source = module

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the module's present weights; call after each optimizer step."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(list(self.module.parameters()), list(self._source.parameters()), 1 - decay)
        for copied, buffer in zip(self.module.buffers(), self._source.buffers(), strict=True):
            copied.copy_(buffer)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights and the number of updates."""
        return {"module": self.module.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        self.module.load_state_dict(state["module"])
        self.updates = state["updates"]


@torch.no_grad()
def recompute_batch_norm(module: nn.Module, batches: Iterable[Tensor | tuple[Tensor, ...]]) -> None:
    """Measure the running statistics of every batch norm in `module` anew, as plain averages over `batches`.

    Each batch is the module's input, or a tuple of its inputs. All other layers stay in the mode they are in, and
    afterwards batch norm is in its own again. Does nothing without batch norm.
    Raises: InputError for no batches.
    """
    norms = _batch_norms(module)
    if not norms:
        return
    rest = iter(batches)
    first = next(rest, None)
    require(first is not None, "batches", [], "at least one batch to measure batch norm on")
    with _measuring(norms):
        for batch in itertools.chain([first], rest):
            module(*batch) if isinstance(batch, tuple) else module(batch)


def has_batch_norm(module: nn.Module) -> bool:
    """Whether samples of one batch influence each other in `module`, by batch norm of this project or of torch."""
    return bool(_batch_norms(module))


def _batch_norms(module: nn.Module) -> "list[BatchNorm | TorchBatchNorm]":
    return [layer for layer in module.modules() if isinstance(layer, BatchNorm | TorchBatchNorm)]


@contextmanager
def _measuring(norms: "list[BatchNorm | TorchBatchNorm]") -> Iterator[None]:
    """Within: training mode, cumulative averages, from nothing. After: mode and momentum as before."""
    before = [(norm.training, norm.momentum) for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    try:
        yield
    finally:
        for norm, (training, momentum) in zip(norms, before, strict=True):
            norm.train(training)
            norm.momentum = momentum
