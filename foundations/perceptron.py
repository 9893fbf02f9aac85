"""Rosenblatt's perceptron: one neuron with a threshold, which learns from its mistakes alone."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from foundations.errors import require
from foundations.learner import Metrics


class Perceptron:
    """One neuron: y_hat = 1 where w . x + b > 0, else 0; after every single sample w += learning_rate (y - y_hat) x.

    A right answer changes nothing. Where a hyperplane separates the classes, it makes finitely many mistakes (Novikoff
    1962); where none does, as in XOR, it never converges. The weights begin at 0, and `weight` and `bias` may be set to
    others before learning. `generator` draws a new order for each epoch; without one, samples come in the given order.
    One step of `learn` is one epoch; it ends after an epoch without a mistake.
    Yields `errors`, the mistakes made during the epoch.

    Shapes: inputs (n, features), float; labels (n), 0 or 1, int64; weight (features), bias ().
    Raises: InputError for other shapes or types, NaN, no data, one class alone, a learning rate that is not above 0.
    Source: Rosenblatt 1958, Psychological Review 65(6).
    """

    def __init__(
        self,
        inputs: Tensor,
        labels: Tensor,
        *,
        learning_rate: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        _check(inputs, labels)
        require(0 < learning_rate < float("inf"), "learning_rate", learning_rate, "above 0 and finite")
        self.inputs, self.labels, self.learning_rate = inputs, labels, learning_rate
        self.weight, self.bias = inputs.new_zeros(inputs.shape[1]), inputs.new_zeros(())
        self.epoch = 0
        self.errors: int | None = None
        """Mistakes of the last epoch; None before the first."""
        self._generator = generator

    def decision(self, x: Tensor) -> Tensor:
        """Score w . x + b, above 0 on the side of class 1. Shapes: (n, features) -> (n)."""
        require(x.shape[-1:] == self.weight.shape, "input shape", tuple(x.shape), f"(n, {len(self.weight)})")
        return x @ self.weight + self.bias

    def predict(self, x: Tensor) -> Tensor:
        """The class, 0 or 1, of every row. Shapes: (n, features) -> (n), int64."""
        return (self.decision(x) > 0).long()

    def learn(self) -> Iterator[Metrics]:
        """Yield `errors` after each epoch, until there are none."""
        while self.errors != 0:
            mistakes = self.inputs.new_zeros(())
            for i in self._order():
                mistakes += self._learn_from(self.inputs[i], self.labels[i])
            self.epoch += 1
            self.errors = int(mistakes)
            yield {"errors": float(self.errors)}

    def _learn_from(self, x: Tensor, y: Tensor) -> Tensor:
        """Move the hyperplane if x lies on its wrong side; gives 1 if it did, else 0."""
        error = y - (x @ self.weight + self.bias > 0).to(x.dtype)  # 1, 0 or -1
        self.weight += self.learning_rate * error * x
        self.bias += self.learning_rate * error
        return error.abs()

    def _order(self) -> list[int]:
        count = len(self.inputs)
        if self._generator is None:
            return list(range(count))
        order: list[int] = torch.randperm(count, generator=self._generator).tolist()
        return order

    def state_dict(self) -> dict[str, Any]:
        """Weights, the epoch and its mistakes, and the stream that orders the samples."""
        stream = None if self._generator is None else self._generator.get_state()
        weights = {"weight": self.weight.clone(), "bias": self.bias.clone()}
        return {**weights, "epoch": self.epoch, "errors": self.errors, "stream": stream}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        self.weight.copy_(state["weight"])
        self.bias.copy_(state["bias"])
        self.epoch, self.errors = state["epoch"], state["errors"]
        if self._generator is not None:
            self._generator.set_state(state["stream"].cpu())


def _check(inputs: Tensor, labels: Tensor) -> None:
    shape = tuple(inputs.shape)
    require(inputs.dim() == 2 and min(shape) >= 1, "inputs shape", shape, "(n, features), neither of them 0")
    require(inputs.is_floating_point(), "inputs dtype", inputs.dtype, "a floating-point type")
    require(bool(inputs.isfinite().all()), "inputs", "NaN or infinity among them", "finite numbers")
    require(labels.shape == inputs.shape[:1], "labels shape", tuple(labels.shape), f"({len(inputs)},), one a sample")
    require(labels.dtype == torch.int64, "labels dtype", labels.dtype, "torch.int64, the numbers 0 and 1")
    found = labels.unique().tolist()
    require(found == [0, 1], "labels", found, "0 and 1, both of them: one class leaves nothing to tell apart")
