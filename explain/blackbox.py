"""Any model as one checked function: a batch goes in, an array (n, outputs) of numbers comes out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from foundations.errors import InputError, require, require_choice
from foundations.modes import evaluation_mode

Array = NDArray[np.float64]

Outputs = Literal["probabilities", "multi_label", "values"]
"""probabilities: of classes, summing to 1. multi_label: each in [0, 1] by itself. values: any numbers."""
SUM_TOLERANCE = 1e-3
"""Probabilities in half precision sum to 1 within this."""
MANY_LABELS = 10
"""Where a model has more outputs than this, those not asked for are left unexplained."""
ADD_SOFTMAX = "add a softmax: BlackBox(torch.nn.Sequential(model, torch.nn.Softmax(dim=1)))"


class BlackBox:
    """A torch module, scikit-learn estimator or function, called batch by batch, every answer checked.

    A module is called in evaluation and inference mode on its own device, floats in its own precision, and each of its
    layers is put back into the mode that it was in. An estimator is asked for `predict_proba`, or for `predict` where
    `outputs` is "values", all rows at once. A function gets what it is called with in batches: NumPy arrays stay
    NumPy arrays, tensors tensors, lists of texts lists, tables tables.

        box = BlackBox(torch.nn.Sequential(network, torch.nn.Softmax(dim=1)), names=("cat", "dog"))
        box(images)                                    # (n, 2), float64

    `prepare`, where given, makes of each batch what the model reads: rows of a table scaled, texts as numbers of words.

    Shapes: n inputs -> (n, outputs); with "values" an answer (n,) counts as (n, 1).
    Raises: InputError where the answers are not one row an input, not 2-D, not finite, or not what `outputs` says.
    """

    def __init__(
        self,
        model: Any,
        *,
        outputs: Outputs = "probabilities",
        batch_size: int = 128,
        device: "torch.device | str | None" = None,
        names: Sequence[str] = (),
        prepare: Callable[[Any], Any] | None = None,
    ) -> None:
        require_choice("outputs", outputs, get_args(Outputs))
        require(batch_size >= 1, "batch_size", batch_size, "at least 1")
        self.model, self.outputs, self.batch_size, self.names = model, outputs, batch_size, tuple(map(str, names))
        self._whole = not isinstance(model, nn.Module) and hasattr(model, "predict")
        answer = _function_of(model, outputs, device)
        self._predict = answer if prepare is None else lambda batch: answer(prepare(batch))

    def __call__(self, batch: Any) -> Array:
        """The checked answers for all of `batch`: an array or tensor (n, ...), a list of n texts, a table of n rows."""
        return self.predict_all(iter([batch]) if self._whole else _pieces(batch, self.batch_size))

    def predict_all(self, batches: Iterable[Any]) -> Array:
        """As a call, but for batches that are made one after the other, so that never all are in memory."""
        with evaluating(self.model):
            answers = [self._checked(self._predict(batch), len(batch)) for batch in _filled(batches)]
        return np.concatenate(answers)

    def choose_labels(self, prediction: Array, labels: Iterable[int] | None) -> tuple[int, ...]:
        """`labels`, checked; None: all, the likeliest first (values: in their order), and of more than ten only that.

        Shapes: prediction (outputs,), the answer for the case that is explained.
        Raises: InputError for a label that is no output, is named twice, or where none is named.
        """
        count = len(prediction)
        if labels is None:
            ranked = np.arange(count) if self.outputs == "values" else np.argsort(-prediction, kind="stable")
            return tuple(ranked[: count if count <= MANY_LABELS else 1].tolist())
        chosen = tuple(int(label) for label in labels)
        known = all(0 <= label < count for label in chosen)
        require(known and len(chosen) > 0, "labels", chosen, f"one or more of the outputs 0 to {count - 1}")
        require(len(set(chosen)) == len(chosen), "labels", chosen, "each named once")
        return chosen

    def name_of(self, label: int, outputs: int) -> str:
        """What one of so many outputs is called: by `names`; without them its number, a single value "value"."""
        if self.names:
            return self.names[label]
        return "value" if self.outputs == "values" and outputs == 1 else str(label)

    def _checked(self, answers: Any, count: int) -> Array:
        """The answers for `count` inputs as float64 (count, outputs)."""
        found = _as_float64(answers)
        if self.outputs == "values" and found.ndim == 1:
            found = found[:, None]
        one_probability = self.outputs == "probabilities" and (found.ndim == 1 or found.shape[1:] == (1,))
        if one_probability and found.shape[:1] == (count,):
            fix = "(n, classes): give both, numpy.column_stack([1 - p, p]), or say outputs='multi_label' or 'values'"
            require(False, "model answer shape", found.shape, fix)
        fits = found.ndim == 2 and len(found) == count and found.shape[1] >= 1
        require(fits, "model answer shape", found.shape, f"({count}, outputs), one row for each of {count} inputs")
        finite = np.isfinite(found)
        if not finite.all():
            require(False, "model answer", float(found[~finite][0]), "finite: look for NaN in the inputs or weights")
        named = f"{found.shape[1]} for {found.shape[1]} outputs"
        require(len(self.names) in (0, found.shape[1]), "number of names", len(self.names), named)
        if self.outputs == "probabilities":
            _check_probabilities(found)
        elif self.outputs == "multi_label":
            _check_range(found, "in [0, 1], one probability a label: add a sigmoid, or say outputs='values'")
        return found


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """A module in evaluation and inference mode; any other model as it is."""
    if not isinstance(model, nn.Module):
        yield
        return
    with evaluation_mode(model), torch.inference_mode():
        yield


def _function_of(model: Any, outputs: Outputs, device: "torch.device | str | None") -> Callable[[Any], Any]:
    if isinstance(model, nn.Module):
        return _module_function(model, device)
    require(device is None, "device", device, "None for a model that is not a torch module: it knows its own")
    if hasattr(model, "predict"):
        return _estimator_function(model, outputs)
    require(callable(model), "model", type(model).__name__, "a torch module, a scikit-learn estimator or a function")
    function: Callable[[Any], Any] = model
    return function


def _module_function(module: nn.Module, device: "torch.device | str | None") -> Callable[[Any], Any]:
    """Batches enter on the module's device; floats in its precision, whole numbers (tokens, say) as they are."""
    first = next(chain(module.parameters(), module.buffers()), torch.empty(0))
    target = torch.device(device) if device is not None else first.device
    if device is not None:
        module.to(target)
    precision = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)

    def answer(batch: Any) -> Any:
        tensor = batch if isinstance(batch, torch.Tensor) else torch.from_numpy(_numbers(batch))
        return module(tensor.to(target, precision if tensor.is_floating_point() else None))

    return answer


def _numbers(batch: Any) -> NDArray[Any]:
    array = np.asarray(batch)
    fix = "numbers for a torch module: give BlackBox a function that turns texts into what the module reads"
    require(array.dtype.kind in "biuf", "batch of", array.dtype.name, fix)
    return array


def _estimator_function(estimator: Any, outputs: Outputs) -> Callable[[Any], Any]:
    name = type(estimator).__name__
    if outputs == "values":
        no_values = hasattr(estimator, "classes_")
        require(not no_values, "outputs", outputs, f"'probabilities' for {name}: its predict gives labels, no values")
        values: Callable[[Any], Any] = estimator.predict
        return values
    if not hasattr(estimator, "predict_proba"):
        raise InputError(f"model={name}: must have predict_proba (SVC(probability=True), say), or say outputs='values'")
    return lambda batch: _of_each_label(estimator.predict_proba(batch))


def _of_each_label(answer: Any) -> Any:
    """Of a list with an array (n, 2) for each label, as forests give it: the probabilities that the label holds."""
    return np.stack([each[:, 1] for each in answer], axis=1) if isinstance(answer, list) else answer


def _filled(batches: Iterable[Any]) -> Iterator[Any]:
    empty = True
    for batch in batches:
        require(len(batch) >= 1, "batch", "no inputs", "at least one input")
        empty = False
        yield batch
    require(not empty, "batch", "no inputs", "at least one input")


def _pieces(batch: Any, size: int) -> Iterator[Any]:
    require(len(batch) >= 1, "batch", "no inputs", "at least one input")
    rows = batch.iloc if hasattr(batch, "iloc") else batch
    return (rows[start : start + size] for start in range(0, len(batch), size))


def _as_float64(answers: Any) -> Array:
    if isinstance(answers, torch.Tensor):
        return answers.detach().to("cpu", torch.float64).numpy()
    try:
        return np.asarray(answers, dtype=np.float64)
    except (TypeError, ValueError):
        kind = type(answers).__name__
        raise InputError(f"model answer={kind}: must be an array of numbers, one row an input") from None


def _check_range(found: Array, allowed: str) -> None:
    outside = found[(found < -SUM_TOLERANCE) | (found > 1 + SUM_TOLERANCE)]
    if outside.size:
        require(False, "model answer", float(outside[0]), allowed)


def _check_probabilities(found: Array) -> None:
    """Between 0 and 1, rows that sum to 1; logits and logarithms of probabilities are recognised."""
    if (found <= 0).all() and np.allclose(np.exp(found).sum(axis=1), 1, atol=SUM_TOLERANCE):
        require(False, "model answer", float(found.flat[0]), "a probability, not its logarithm: take exp")
    _check_range(found, f"a probability in [0, 1]; these look like logits: {ADD_SOFTMAX}")
    sums = found.sum(axis=1)
    worst = int(np.abs(sums - 1).argmax())
    if abs(sums[worst] - 1) > SUM_TOLERANCE:
        other = "'multi_label' where each label stands by itself, or 'values'"
        allowed = f"1 in every row: {ADD_SOFTMAX}, or say outputs={other}"
        require(False, "sum of probabilities", round(float(sums[worst]), 6), allowed)
