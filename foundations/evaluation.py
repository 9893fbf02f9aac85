"""Evaluating a trained network: its predictions, metrics of them, and validation during training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from foundations.errors import require
from foundations.learner import Metrics
from foundations.modes import evaluation_mode

Loss = Callable[[Tensor, Tensor], Tensor]
"""From predictions (batch, ...) and targets (batch, ...) to a scalar."""

Metric = Callable[[Tensor, Tensor], float | Tensor]
"""From all predictions (n, ...) and targets (n, ...) to a figure of merit."""

Scale = Callable[[Tensor], Tensor]
"""From a batch as it is stored to what the network takes, as bytes to [0, 1]; nothing random."""


@torch.no_grad()
def predict(network: nn.Module, inputs: Tensor, *, batch_size: int = 500, scale: Scale | None = None) -> Tensor:
    """The network's outputs for all `inputs`, in evaluation mode, batch by batch; its mode is put back afterwards.

    Shapes: inputs (n, ...) -> outputs (n, ...). Raises: InputError for no inputs and for a batch size below 1.
    """
    require(len(inputs) >= 1, "inputs", len(inputs), "at least 1")
    require(batch_size >= 1, "batch_size", batch_size, "at least 1")
    with evaluation_mode(network):
        return torch.cat([network(scale(batch) if scale else batch) for batch in inputs.split(batch_size)])


def evaluate(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    metrics: Mapping[str, Metric],
    *,
    batch_size: int = 500,
    scale: Scale | None = None,
) -> dict[str, float]:
    """Each of `metrics` (a loss is one too) of the network's predictions for `inputs`, over all of them at once.

    Predictions in half precision are turned into float32 first. Raises: InputError where inputs and targets differ in
    number.
    """
    require(len(inputs) == len(targets), "targets", len(targets), f"as many as the {len(inputs)} inputs")
    predictions = predict(network, inputs, batch_size=batch_size, scale=scale)
    if predictions.dtype in (torch.float16, torch.bfloat16):
        predictions = predictions.float()
    return {name: float(metric(predictions, targets)) for name, metric in metrics.items()}


@dataclass(frozen=True, eq=False)
class Validation:
    """Data kept out of training and measured after every `every`-th update: `validation/loss`, and one figure a metric.

    Raises: InputError where inputs and targets differ in number, and for `every` below 1.
    """

    inputs: Tensor
    targets: Tensor
    every: int
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    scale: Scale | None = None
    batch_size: int = 500

    def __post_init__(self) -> None:
        require(len(self.inputs) == len(self.targets), "validation targets", len(self.targets), f"{len(self.inputs)}")
        require(self.every >= 1, "every", self.every, "at least 1 step")

    def measure(self, network: nn.Module, loss: Loss) -> Metrics:
        """The figures now, under `validation/`."""
        figures = {"loss": loss, **self.metrics}
        found = evaluate(network, self.inputs, self.targets, figures, batch_size=self.batch_size, scale=self.scale)
        return {f"validation/{name}": value for name, value in found.items()}


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The share of labels that are the class of the largest logit.

    Shapes: logits (n, classes, *), labels (n, *), class numbers from 0.
    Raises: InputError for other shapes, and for logits of a single class, whose largest says nothing.
    """
    several = "(n, classes, ...) of two classes or more; for one logit compare it with 0"
    require(logits.dim() >= 2 and logits.shape[1] >= 2, "logits shape", tuple(logits.shape), several)
    wanted = logits.shape[:1] + logits.shape[2:]
    require(labels.shape == wanted, "labels shape", tuple(labels.shape), f"{tuple(wanted)}, one label for each place")
    return (logits.argmax(dim=1) == labels).double().mean().item()


def root_mean_squared_error(predictions: Tensor, targets: Tensor) -> float:
    """sqrt(mean (prediction - target)^2), in the targets' unit. Shapes: both the same, any.

    Raises: InputError for differing shapes.
    """
    require(predictions.shape == targets.shape, "targets shape", tuple(targets.shape), f"{tuple(predictions.shape)}")
    return (predictions - targets).double().square().mean().sqrt().item()
