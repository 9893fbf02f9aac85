"""Mini-batches as index tensors over whole-data tensors: reshuffled every epoch, resumable to the index."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from foundations.errors import require


class Batches:
    """Endless mini-batches of indices 0 .. count-1; every index appears once an epoch.

    `batch_size = count` is full-batch, 1 is stochastic, anything between is mini-batch training. With `drop_last`
    (the default) the last, smaller batch of an epoch is left out, so every batch has the same shape. Iterating goes
    on from where the last iteration stopped.

    Yields: index tensors of shape (batch_size,), int64, on the generator's device.
    Raises: InputError unless 1 <= batch_size <= count.
    """

    def __init__(self, count: int, batch_size: int, generator: torch.Generator, *, drop_last: bool = True) -> None:
        require(count >= 1, "count", count, "at least 1: there is no data")
        require(1 <= batch_size <= count, "batch_size", batch_size, f"between 1 and {count}, the size of the data")
        self.count, self.batch_size, self.drop_last = count, batch_size, drop_last
        self.epoch = 0
        self._generator = generator
        self._start_epoch()

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch."""
        whole, rest = divmod(self.count, self.batch_size)
        return whole if self.drop_last or not rest else whole + 1

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            yield self.next()

    def next(self) -> Tensor:
        """The next batch of indices; a new epoch begins, reshuffled, where the last one is used up."""
        if self._position == self.per_epoch:
            self.epoch += 1
            self._start_epoch()
        start = self._position * self.batch_size
        self._position += 1
        return self._order[start : start + self.batch_size]

    def _start_epoch(self) -> None:
        self._state_at_start = self._generator.get_state()
        self._order = torch.randperm(self.count, generator=self._generator, device=self._generator.device)
        self._position = 0

    def state_dict(self) -> dict[str, Any]:
        """The stream's state at the start of this epoch and the place within it: enough to redraw the order."""
        return {"generator": self._state_at_start, "position": self._position, "epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Redraw the epoch's order and go to the place in it.

        Raises: InputError for a place that an epoch of these batches does not have.
        """
        fits = 0 <= state["position"] <= self.per_epoch
        require(fits, "state position", state["position"], f"from 0 to {self.per_epoch}, the batches of an epoch here")
        self._generator.set_state(state["generator"].cpu())
        self._start_epoch()
        self._position, self.epoch = state["position"], state["epoch"]
