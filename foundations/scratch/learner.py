"""Mini-batch training of a NumPy network, as a Learner: resumable to the bit."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foundations.errors import require
from foundations.scratch.arrays import Array
from foundations.scratch.losses import Loss
from foundations.scratch.network import SGD, Network


class ScratchLearner:
    """At every step: forward, loss, backward, update, for the next mini-batch of a reshuffled epoch.

    `prepare` makes the network's input of a batch of `inputs`, so that images may lie in memory as bytes. `schedule`
    gives the factor on the learning rate at each step. `generator` orders the batches; the last, smaller batch of an
    epoch is left out. Yields `loss/training`, endlessly.
    Raises: InputError where inputs and targets differ in number, hold NaN or infinity, or are fewer than a batch.
    """

    def __init__(
        self,
        network: Network,
        optimizer: SGD,
        loss: Loss,
        inputs: NDArray[Any],
        targets: NDArray[Any],
        *,
        batch_size: int,
        generator: np.random.Generator,
        prepare: Callable[[NDArray[Any]], Array] | None = None,
        schedule: Callable[[int], float] | None = None,
    ) -> None:
        count = len(inputs)
        require(len(targets) == count, "targets", len(targets), f"as many as the {count} inputs")
        require(count >= 1, "inputs", count, "at least one sample: there is no data")
        require(1 <= batch_size <= count, "batch_size", batch_size, f"between 1 and {count}, the size of the data")
        for name, values in {"inputs": inputs, "targets": targets}.items():
            require(bool(np.isfinite(values).all()), name, "NaN or infinity among them", "finite numbers")
        self.network, self.optimizer, self.loss = network, optimizer, loss
        self.inputs, self.targets, self.batch_size = inputs, targets, batch_size
        self.step = 0
        self._prepare = prepare or (lambda batch: batch)
        self._schedule = schedule or (lambda step: 1.0)
        self._learning_rate = optimizer.learning_rate
        self._generator = generator
        self._start_epoch()

    def learn(self) -> Iterator[Mapping[str, float]]:
        """Yield `loss/training` after each update."""
        self.network.train()
        while True:
            chosen = self._next_batch()
            prediction = self.network.forward(self._prepare(self.inputs[chosen]))
            loss, gradient = self.loss(prediction, self.targets[chosen])
            self.network.backward(gradient)
            self.optimizer.learning_rate = self._learning_rate * self._schedule(self.step)
            self.network.update(self.optimizer)
            self.step += 1
            yield {"loss/training": loss}

    def _start_epoch(self) -> None:
        self._stream_at_start = self._generator.bit_generator.state
        self._order = self._generator.permutation(len(self.inputs))
        self._position = 0

    def _next_batch(self) -> NDArray[np.int64]:
        if self._position + self.batch_size > len(self._order):
            self._start_epoch()
        start = self._position
        self._position += self.batch_size
        return self._order[start : self._position]

    def state_dict(self) -> dict[str, Any]:
        """Network, velocities, and enough to redraw the epoch's order; arrays as tensors (see `Learner.state_dict`)."""
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "stream": self._stream_at_start,
            "position": self._position,
            "step": self.step,
        }
        stored: dict[str, Any] = _to_tensors(state)
        return stored

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        state = _to_arrays(state)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._generator.bit_generator.state = state["stream"]
        self._start_epoch()
        self._position, self.step = state["position"], state["step"]


def _to_tensors(state: Any) -> Any:
    """Every array in nested dicts as a torch tensor of its own: the form in which checkpoints are kept."""
    import torch

    if isinstance(state, np.ndarray):
        return torch.from_numpy(state.copy())
    return {name: _to_tensors(part) for name, part in state.items()} if isinstance(state, Mapping) else state


def _to_arrays(state: Any) -> Any:
    """Back from `_to_tensors`."""
    import torch

    if isinstance(state, torch.Tensor):
        return state.numpy()
    return {name: _to_arrays(part) for name, part in state.items()} if isinstance(state, Mapping) else state
