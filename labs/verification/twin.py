"""A twin: one block and an independent reference for it, and how far apart the two are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from foundations.layers import TwoBodies

EXACT = 1e-10
"""How far apart two ways of writing the same sum may be in float64."""
SCIPY = 1e-12
"""How far closed forms may be from SciPy's."""


@dataclass(frozen=True)
class Difference:
    """The largest difference of a block from its reference, in what it computes and in the gradients of that.

    Absolute, or relative to the reference's largest entry where that exceeds 1. `gradient` is None where there is none.
    """

    value: float
    gradient: float | None = None


@dataclass(frozen=True)
class Twin:
    """A block, the area it belongs to, what it is held against, and how far apart the two may be."""

    block: str
    area: str
    reference: str
    compare: Callable[[], Difference]
    bound: float = EXACT


@dataclass(frozen=True)
class Count:
    """A network whose weights were counted in print: `own` counts ours; `published` may be rounded to `unit`."""

    block: str
    area: str
    reference: str
    published: int
    own: Callable[[], int]
    unit: int = 1


def generator(seed: int = 0) -> torch.Generator:
    """The stream from which a comparison draws its numbers."""
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 1) -> Tensor:
    """Numbers to compare with: N(0, 1) in float64."""
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def largest(own: Tensor | Any, reference: Tensor | Any) -> float:
    """The largest |own - reference|, over the largest |reference| where that exceeds 1; NaN for differing shapes."""
    left, right = (_in_float64(each) for each in (own, reference))
    if left.shape != right.shape:
        return float("nan")
    if not left.numel():
        return 0.0
    return float((left - right).abs().max() / right.abs().max().clamp(min=1))


def values(own: Callable[[], Any], reference: Callable[[], Any]) -> Callable[[], Difference]:
    """Compare two results that have no gradient."""
    return lambda: Difference(largest(own(), reference()))


def functions(
    own: Callable[[Tensor], Tensor], reference: Callable[[Tensor], Tensor], x: Callable[[], Tensor]
) -> Callable[[], Difference]:
    """Compare two functions of `x` in value and in gradient."""

    def compare() -> Difference:
        (left, left_slope), (right, right_slope) = (_value_and_slope(each, x()) for each in (own, reference))
        return Difference(largest(left, right), largest(left_slope, right_slope))

    return compare


def modules(
    own: Callable[[], nn.Module], reference: Callable[[], nn.Module], x: Callable[[], Tensor], *, training: bool = True
) -> Callable[[], Difference]:
    """Compare two modules with the same weights: values and buffers, gradients of the input and of every weight.

    The reference takes the weights of our own in their order: so the two hold the same shapes, whatever their names.
    """

    def compare() -> Difference:
        left, right = own().double().train(training), reference().double().train(training)
        copy_weights(left, right)
        found, wanted = _tensors(left, x()), _tensors(right, x())
        return Difference(*(_furthest(ours, theirs) for ours, theirs in zip(found, wanted, strict=True)))

    return compare


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Give `target` the weights and buffers of `source`, in order. Raises: ValueError where shapes differ."""
    pairs = zip(source.state_dict().items(), target.state_dict().items(), strict=True)
    with torch.no_grad():
        for (name, ours), (other, theirs) in pairs:
            if ours.shape != theirs.shape:
                raise ValueError(f"{name} has the shape {tuple(ours.shape)}, {other} {tuple(theirs.shape)}")
            theirs.copy_(ours)


def same_arguments(
    own: type[nn.Module],
    reference: type[nn.Module],
    x: tuple[int, ...],
    *arguments: Any,
    area: str,
    variant: str = "",
    training: bool = True,
    **options: Any,
) -> list[Twin]:
    """The twin of a layer that is made with the same arguments as torch's; and, where it has two bodies, their twin."""

    def made(layer: type[nn.Module], **more: Any) -> Callable[[], nn.Module]:
        return lambda: _noisy(layer(*arguments, **options, **more))

    name = ", ".join(part for part in (own.__name__, variant) if part)
    batch = lambda: normal(*x)  # noqa: E731
    compare = modules(made(own), made(reference), batch, training=training)
    twins = [Twin(name, area, f"torch.nn.{reference.__name__}", compare)]
    if issubclass(own, TwoBodies):
        both = modules(made(own, body="equations"), made(own), batch, training=training)
        twins.append(Twin(f"{name}, equations", area, "its own kernel body", both))
    return twins


def _noisy(module: nn.Module) -> nn.Module:
    """Move scales from 1 and shifts from 0, running statistics too, so that a forgotten one shows."""
    with torch.no_grad():
        for index, tensor in enumerate(module.state_dict().values()):
            if tensor.is_floating_point():
                tensor.add_(0.2 * torch.rand(tensor.shape, generator=generator(index)))
    return module


def _in_float64(result: Any) -> Tensor:
    return (result.detach() if isinstance(result, Tensor) else torch.tensor(np.array(result))).double()


def _furthest(own: list[Tensor], reference: list[Tensor]) -> float:
    differences = [largest(left, right) for left, right in zip(own, reference, strict=True)]
    return float(torch.tensor(differences).max())  # NaN, where there is one: `max` might pass it over


def _value_and_slope(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.clone().requires_grad_()
    y = function(leaf)
    return y, torch.autograd.grad(_weighted(y), leaf)[0]


def _tensors(module: nn.Module, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """What a module computes and keeps; and the gradients of it."""
    leaf = x.clone().requires_grad_()
    y = module(leaf)
    gradients = torch.autograd.grad(_weighted(y), [leaf, *module.parameters()])
    return [y, *module.buffers()], list(gradients)


def _weighted(y: Tensor) -> Tensor:
    """A scalar in which every entry counts differently, so that none can hide."""
    slopes = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape) if y.numel() > 1 else torch.ones_like(y)
    return (y * slopes).sum()
