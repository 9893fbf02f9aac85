"""Supervised learning: a network, inputs with known targets, a loss, an optimizer."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from foundations.batches import Batches
from foundations.clipping import clip_gradient_norm, clip_gradient_value
from foundations.distributed import average_gradients, require_shares, share_of, sharing
from foundations.early_stopping import EarlyStopping
from foundations.errors import require, require_choice
from foundations.evaluation import Loss, Validation
from foundations.learner import Metrics
from foundations.regularizers import Penalty
from foundations.schedules import ReduceOnPlateau, Schedule, constant
from foundations.streams import Streams, generators_of

Prepare = Callable[[Tensor, torch.Generator], Tensor]
"""From a batch of stored inputs to what the network takes: scaling, augmentation drawn from the generator."""

Precision = Literal["float32", "bf16"]
"""bf16 computes with 8 bits of precision where that is safe (autocast): faster on hardware that knows it."""


class SupervisedLearner:
    """Mini-batch training: at every step theta moves against the gradient of the mean loss over the next batch.

    - `batch_size` samples are drawn for each step, reshuffled every epoch; `batches` draws them in another way
      (`BucketedBatches`). Give one of the two.
    - `prepare` makes the network's input of a batch of `inputs`, so that images may lie in memory as bytes and be
      augmented anew each time.
    - `schedule` gives the factor on the optimizer's learning rates at each step, or lowers them where the validation
      loss no longer falls.
    - `penalty` of the network is added to the loss; `clip_norm` and `clip_value` then bound the gradients.
    - `validation` measures the network now and then; `early_stopping` ends `learn` and puts the best weights back.
    - `watch`, asked after each backward pass, adds metrics of its own, as `GradientHealth` does.

    Several processes (see `foundations.distributed`) share each batch; each validates on its own, all alike.

    Yields for each step `loss/training` (without the penalty), `loss/penalty` and `gradients/norm` (before clipping)
    where asked for, and the figures of the validation when it was due; endless unless stopped early.

    Raises: InputError where inputs and targets differ in number or are not finite, where targets of whole numbers are
    all of one class, for a batch larger than the data, and for early stopping or a plateau schedule without validation.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        loss: Loss,
        inputs: Tensor,
        targets: Tensor,
        *,
        batch_size: int | None = None,
        batches: Batches | None = None,
        streams: Streams,
        prepare: Prepare | None = None,
        schedule: Schedule | ReduceOnPlateau | None = None,
        penalty: Penalty | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        precision: Precision = "float32",
        validation: Validation | None = None,
        early_stopping: EarlyStopping | None = None,
        watch: Callable[[], Metrics] | None = None,
    ) -> None:
        _require_data(inputs, targets)
        _require_bounds(clip_norm, clip_value)
        require_choice("precision", precision, get_args(Precision))
        looks_on = early_stopping is not None or isinstance(schedule, ReduceOnPlateau)
        allowed = "given where early stopping or a plateau schedule look at it"
        require(validation is not None or not looks_on, "validation", validation, allowed)
        self.network, self.optimizer, self.loss = network, optimizer, loss
        self.inputs, self.targets = inputs, targets
        self.step, self.stopped = 0, False
        self.batches = _batches(inputs, batch_size, batches, streams)
        self.schedule, self.early_stopping = schedule or constant(), early_stopping
        self._augmentation = streams.torch("augmentation", inputs.device)
        self._prepare, self._penalty, self._validation, self._watch = prepare, penalty, validation, watch
        self._clip_norm, self._clip_value, self._precision = clip_norm, clip_value, precision
        self._learning_rates = [group["lr"] for group in optimizer.param_groups]
        self._drawn_from = [self._augmentation, *generators_of(network)]
        require_shares("batch_size", self.batches.batch_size)

    def learn(self) -> Iterator[Metrics]:
        """Yield the metrics of each update, until stopped early."""
        self.network.train()
        while not self.stopped:
            self._set_learning_rates()
            metrics = self._leave_gradients(self.batches.next())
            self.optimizer.step()
            self.step += 1
            if self._validation and self.step % self._validation.every == 0:
                metrics |= self._validate(self._validation)
            yield metrics

    def _leave_gradients(self, chosen: Tensor) -> dict[str, float | Tensor]:
        """Compute the gradient of the loss over the samples `chosen`, which `backward` leaves in the weights."""
        chosen = share_of(chosen)
        with sharing(*self._drawn_from):
            prediction = self._predict(chosen)
        loss = self.loss(prediction, self.targets[chosen])
        metrics: dict[str, float | Tensor] = {"loss/training": loss.detach()}
        if self._penalty:
            penalty = self._penalty(self.network)
            metrics["loss/penalty"] = penalty.detach()
            loss = loss + penalty
        self.optimizer.zero_grad()
        loss.backward()
        metrics = average_gradients(self.network.parameters(), metrics)
        if self._watch:
            metrics |= self._watch()
        return metrics | self._clip()

    def _predict(self, chosen: Tensor) -> Tensor:
        x = self.inputs[chosen]
        if self._prepare:
            x = self._prepare(x, self._augmentation)
        prediction: Tensor
        if self._precision == "bf16":
            with torch.autocast(x.device.type, torch.bfloat16):
                prediction = self.network(x).float()
        else:
            prediction = self.network(x)
        return prediction

    def _clip(self) -> dict[str, float | Tensor]:
        metrics: dict[str, float | Tensor] = {}
        if self._clip_norm is not None:
            metrics["gradients/norm"] = clip_gradient_norm(self.network.parameters(), self._clip_norm)
        if self._clip_value is not None:
            clip_gradient_value(self.network.parameters(), self._clip_value)
        return metrics

    def _validate(self, validation: Validation) -> Metrics:
        figures = validation.measure(self.network, self.loss)
        if isinstance(self.schedule, ReduceOnPlateau):
            self.schedule.observe(float(figures["validation/loss"]))
        if self.early_stopping:
            name = self.early_stopping.metric
            require_choice("metric", name, figures)
            self.stopped = self.early_stopping.update(float(figures[name]), self.network, self.step)
            if self.stopped:
                self.early_stopping.restore(self.network)
        return figures

    def _set_learning_rates(self) -> None:
        factor = self.schedule(self.step)
        for group, learning_rate in zip(self.optimizer.param_groups, self._learning_rates, strict=True):
            group["lr"] = factor * learning_rate

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimizer, the place in the data, every random stream, and what validation has shown."""
        return {
            **{name: part.state_dict() for name, part in self._parts().items()},
            "augmentation": self._augmentation.get_state(),
            "masks": [generator.get_state() for generator in generators_of(self.network)],
            "step": self.step,
            "stopped": self.stopped,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self._augmentation.set_state(state["augmentation"].cpu())
        for generator, saved in zip(generators_of(self.network), state["masks"], strict=True):
            generator.set_state(saved.cpu())
        self.step, self.stopped = state["step"], state["stopped"]

    def _parts(self) -> dict[str, Any]:
        parts: dict[str, Any] = {"network": self.network, "optimizer": self.optimizer, "batches": self.batches}
        if isinstance(self.schedule, ReduceOnPlateau):
            parts["schedule"] = self.schedule
        if self.early_stopping:
            parts["early_stopping"] = self.early_stopping
        return parts


def fit(learner: SupervisedLearner, epochs: int) -> list[dict[str, float]]:
    """Train for so many epochs (passes over the data), fewer where stopped early; gives one row of figures an epoch.

    A row holds the mean over the epoch of what each step yields, the last validation figures within it, and `epoch`.
    With early stopping the best weights are put back at the end in any case.
    Raises: InputError for epochs below 1.
    """
    require(epochs >= 1, "epochs", epochs, "at least 1")
    rows = []
    updates = learner.learn()
    for epoch in range(1, epochs + 1):
        taken = [metrics for _, metrics in zip(range(learner.batches.per_epoch), updates, strict=False)]
        if taken:
            rows.append({"epoch": float(epoch)} | _row(taken))
    if learner.early_stopping and learner.early_stopping.best is not None and not learner.stopped:
        learner.early_stopping.restore(learner.network)
    return rows


def _row(taken: list[Metrics]) -> dict[str, float]:
    row = {}
    for name in {name: None for metrics in taken for name in metrics}:
        values = [float(metrics[name]) for metrics in taken if name in metrics]
        row[name] = values[-1] if name.startswith("validation/") else sum(values) / len(values)
    return row


def _batches(inputs: Tensor, batch_size: int | None, batches: Batches | None, streams: Streams) -> Batches:
    if batches is None:
        require(batch_size is not None, "batch_size", batch_size, "given, or batches instead")
        return Batches(len(inputs), batch_size or 0, streams.torch("batches", inputs.device))
    require(batch_size is None, "batch_size", batch_size, "left out where batches are given")
    require(batches.count == len(inputs), "batches", f"over {batches.count} samples", f"over the {len(inputs)} inputs")
    return batches


def _require_data(inputs: Tensor, targets: Tensor) -> None:
    require(len(inputs) == len(targets), "targets", len(targets), f"as many as the {len(inputs)} inputs")
    for name, values in (("inputs", inputs), ("targets", targets)):
        finite = not values.is_floating_point() or bool(values.isfinite().all())
        require(finite, name, "NaN or infinity", "finite; fill or drop what is missing first")
    if not targets.is_floating_point() and len(targets) > 0:
        classes = f"of two classes at least; all are {int(targets.flatten()[0])}"
        require(bool((targets != targets.flatten()[0]).any()), "targets", "one class", classes)


def _require_bounds(clip_norm: float | None, clip_value: float | None) -> None:
    for name, bound in (("clip_norm", clip_norm), ("clip_value", clip_value)):
        require(bound is None or bound > 0, name, bound, "above 0, or None for no clipping")
