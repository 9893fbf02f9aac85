"""Supervised learning: a network, inputs with known targets, a loss, an optimizer."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from foundations.batches import Batches
from foundations.errors import require
from foundations.learner import Metrics
from foundations.schedules import Schedule, constant
from foundations.streams import Streams

Loss = Callable[[Tensor, Tensor], Tensor]
"""From predictions (batch, ...) and targets (batch, ...) to a scalar."""

Prepare = Callable[[Tensor, torch.Generator], Tensor]
"""From a batch of stored inputs to what the network takes: scaling, augmentation drawn from the generator."""


class SupervisedLearner:
    """Mini-batch training: at every step theta moves against the gradient of the mean loss over the next batch.

    `prepare` makes the network's input of a batch of `inputs`, so that images may lie in memory as bytes and be
    augmented anew each time. `schedule` gives the factor on the optimizer's learning rates at each step.
    Yields `loss/training` for each step, endlessly.

    Raises: InputError where inputs and targets differ in number, or the batch is larger than the data.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        loss: Loss,
        inputs: Tensor,
        targets: Tensor,
        *,
        batch_size: int,
        streams: Streams,
        prepare: Prepare | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        require(len(inputs) == len(targets), "targets", len(targets), f"as many as the {len(inputs)} inputs")
        self.network, self.optimizer, self.loss = network, optimizer, loss
        self.inputs, self.targets = inputs, targets
        self.step = 0
        self.batches = Batches(len(inputs), batch_size, streams.torch("batches", inputs.device))
        self._augmentation = streams.torch("augmentation", inputs.device)
        self._prepare = prepare or (lambda batch, generator: batch)
        self._schedule = schedule or constant()
        self._learning_rates = [group["lr"] for group in optimizer.param_groups]

    def learn(self) -> Iterator[Metrics]:
        """Yield `loss/training` after each update."""
        self.network.train()
        for chosen in self.batches:
            factor = self._schedule(self.step)
            for group, learning_rate in zip(self.optimizer.param_groups, self._learning_rates, strict=True):
                group["lr"] = factor * learning_rate
            x = self._prepare(self.inputs[chosen], self._augmentation)
            loss = self.loss(self.network(x), self.targets[chosen])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.step += 1
            yield {"loss/training": loss.detach()}

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimizer, the place in the data and the stream of augmentation."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "batches": self.batches.state_dict(),
            "augmentation": self._augmentation.get_state(),
            "step": self.step,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.batches.load_state_dict(state["batches"])
        self._augmentation.set_state(state["augmentation"].cpu())
        self.step = state["step"]


@torch.no_grad()
def predict(network: nn.Module, inputs: Tensor, *, batch_size: int = 500) -> Tensor:
    """The network's outputs for all `inputs`, in evaluation mode, batch by batch; its mode is put back afterwards.

    Shapes: inputs (n, ...) -> outputs (n, ...).
    """
    training = network.training
    network.eval()
    try:
        return torch.cat([network(batch) for batch in inputs.split(batch_size)])
    finally:
        network.train(training)


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The share of samples whose largest logit is their class's. Shapes: logits (n, classes), labels (n)."""
    require(len(logits) == len(labels), "labels", len(labels), f"as many as the {len(logits)} rows of logits")
    return (logits.argmax(dim=1) == labels).double().mean().item()
