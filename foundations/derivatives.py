"""Derivatives by central differences, (f(x + h) - f(x - h)) / 2h, and the check of automatic ones against them.

The error has two sources: the Taylor series cut off, h^2 f'''(x) / 6, and rounding, about eps |f| / h. They balance
near h = eps^(1/3), 6e-6 in float64, which is the default step (times |x| where that is above 1).
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from foundations.errors import require

Function = Callable[[Tensor], Tensor]


@torch.no_grad()
def derivative(function: Function, x: Tensor | float, step: float | None = None) -> Tensor:
    """f'(x) = (f(x + h) - f(x - h)) / 2h, for an f that works element by element.

    Shapes: x's. A plain number is taken in float64, a tensor in its own type.
    Raises: InputError for an x that is not floating-point or finite, a step too small to change x, and an f that gives
    another shape.
    """
    x = _point(x)
    up, down = _ends(x, step)
    above, below = function(up), function(down)
    require(above.shape == x.shape, "function's shape", tuple(above.shape), f"x's {tuple(x.shape)}: see `jacobian`")
    return (above - below) / (up - down)


@torch.no_grad()
def partial_derivative(
    function: Function, x: Tensor, index: int | tuple[int, ...], step: float | None = None
) -> Tensor:
    """df/dx_i = (f(x + h e_i) - f(x - h e_i)) / 2h: all entries of x but one stand still.

    Shapes: the result's are f(x)'s. Raises: InputError as `derivative`, and for an index outside x.
    """
    x = _point(x)
    place = (index,) if isinstance(index, int) else index
    inside = len(place) == x.dim() and all(-size <= i < size for i, size in zip(place, x.shape, strict=False))
    require(inside, "index", index, f"the place of one entry of x, whose shape is {tuple(x.shape)}")
    up, down = _ends(x[place], step)
    above, below = (function(_moved(x, place, end)) for end in (up, down))
    return (above - below) / (up - down)


def gradient(function: Function, x: Tensor, step: float | None = None) -> Tensor:
    """All partial derivatives of an f with one number as its value, each in the place of its x.

    Shapes: x's. Raises: InputError as `derivative`, and for an f with more than one value.
    """
    slopes = jacobian(function, x, step)
    values = tuple(slopes.shape[: slopes.dim() - x.dim()])
    require(values == (), "function's shape", values, "(), one number; see `jacobian` for more")
    return slopes


def jacobian(function: Function, x: Tensor, step: float | None = None) -> Tensor:
    """J[i, j] = df_i/dx_j, by two evaluations for each entry of x.

    Shapes: (*f(x)'s shape, *x's shape). Raises: InputError as `derivative`, and for an x without entries.
    """
    x = _point(x)
    columns = [partial_derivative(function, x, place, step) for place in _indices(x)]
    return torch.stack(columns, dim=-1).unflatten(-1, x.shape) if x.dim() else columns[0]


@dataclass(frozen=True)
class Stage:
    """One function of a chain: its value, its own derivative, and that of the whole chain up to here."""

    value: Tensor
    """f(z), z the value of the stage before."""
    local: Tensor
    """df/dz. Shapes: (*value's, *z's)."""
    total: Tensor
    """df/dx, x the first input: `local` times the `total` of the stage before. Shapes: (*value's, *x's)."""


@torch.no_grad()
def chain_rule(functions: Sequence[Function], x: Tensor | float, step: float | None = None) -> list[Stage]:
    """The chain rule made visible: d f_n(...f_1(x)) / dx = J_n ... J_2 J_1, stage by stage.

    Each J is a numerical derivative (Jacobian) at the value that reaches its function; for numbers it is a factor.
    Raises: InputError as `derivative`, and for no functions.
    """
    require(len(functions) > 0, "functions", functions, "one function or more")
    value = _point(x)
    stages: list[Stage] = []
    for function in functions:
        local = jacobian(function, value, step)
        # The sum over all entries of z: the matrix product for vectors, plain multiplication for numbers.
        total = torch.tensordot(local, stages[-1].total, dims=value.dim()) if stages else local
        value = function(value)
        stages.append(Stage(value, local, total))
    return stages


@dataclass(frozen=True)
class Difference:
    """How far the automatic gradient of one input or parameter lies from central differences."""

    absolute: float
    """The largest difference of any entry; infinite where either gradient is not finite."""
    relative: float
    """That, divided by the largest entry of either gradient, or by 10^6 times the noise where this is more."""


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradients` found: a `Difference` for each input ("input 0") and parameter ("0.weight")."""

    differences: Mapping[str, Difference]
    noise: float
    """What rounding alone may do to a central difference here: a smaller absolute difference is worth 1e-6 at most."""

    @property
    def absolute(self) -> float:
        """The largest absolute difference of all."""
        return max(each.absolute for each in self.differences.values())

    @property
    def relative(self) -> float:
        """The largest relative difference of all."""
        return max(each.relative for each in self.differences.values())

    def passes(self, tolerance: float = 1e-6) -> bool:
        """Whether every relative difference is within `tolerance`."""
        return self.relative <= tolerance

    def __str__(self) -> str:
        width = max(map(len, self.differences))
        rows = [f"{name:<{width}}  {each.absolute:8.1e}  {each.relative:8.1e}" for name, each in self._worst_first()]
        return "\n".join([f"{'':<{width}}  absolute  relative", *rows])

    def _worst_first(self) -> list[tuple[str, Difference]]:
        return sorted(self.differences.items(), key=lambda row: row[1].relative, reverse=True)


def check_gradients(function: Callable[..., Any], *inputs: Tensor) -> GradientReport:
    """Hold the automatic gradients of a function or module against central differences, in float64.

    Checked are all floating-point `inputs` and, where `function` is a module, its parameters; what the module holds
    stays as it is, since a copy is worked on. Values of any shape, also several, are made one number by fixed random
    weights, so that an error in any of them shows. Two evaluations for each number that is checked.
    At a kink (ReLU at 0) neither side is wrong and they differ all the same: choose another point.
    Raises: InputError for a function that is random (dropout: call `.eval()`), not finite here, or without anything to
    check.
    """
    if isinstance(function, nn.Module):
        function = copy.deepcopy(function).double()
    arguments = [_leaf(each) if each.is_floating_point() else each for each in inputs]
    leaves = {f"input {place}": each for place, each in enumerate(arguments) if each.requires_grad}
    if isinstance(function, nn.Module):
        leaves |= {name: each for name, each in function.named_parameters() if each.requires_grad}
    require(
        bool(leaves),
        "inputs",
        [each.dtype for each in inputs],
        "at least one floating-point tensor, or a module with parameters",
    )

    def weighted() -> Tensor:
        values = _flat(function(*arguments))
        generator = torch.Generator().manual_seed(0)
        weights = torch.randn(len(values), generator=generator, dtype=torch.float64)
        return values.double() * weights.to(values.device)

    terms = weighted()
    name = type(function).__name__
    require(bool(terms.isfinite().all()), "function", name, "finite at these inputs")
    require(torch.equal(terms, weighted()), "function", name, "the same at each call; a module may need .eval()")
    require(
        terms.requires_grad, "function", name, "differentiable in what is checked; nothing it gives depends on that"
    )
    exact = torch.autograd.grad(terms.sum(), list(leaves.values()), allow_unused=True, materialize_grads=True)
    noise = _noise(terms)
    differences = {
        name: _difference(automatic, _numerical(lambda: weighted().sum(), leaf), 1e6 * noise)
        for (name, leaf), automatic in zip(leaves.items(), exact, strict=True)
    }
    return GradientReport(differences, noise)


@torch.no_grad()
def _numerical(value: Callable[[], Tensor], leaf: Tensor) -> Tensor:
    """The gradient of `value` to `leaf`, whose entries are moved in place, one after the other, and put back."""
    slopes = torch.zeros_like(leaf)
    for place in _indices(leaf):
        middle = leaf[place].clone()
        up, down = _ends(middle, None)
        leaf[place] = up
        above = value()
        leaf[place] = down
        below = value()
        leaf[place] = middle
        slopes[place] = (above - below) / (up - down)
    return slopes


def _difference(automatic: Tensor, numerical: Tensor, least: float) -> Difference:
    largest = max(float(automatic.abs().max()), float(numerical.abs().max()), least)
    absolute = float((automatic - numerical).abs().max())
    if not math.isfinite(absolute):  # NaN compares as smaller than nothing, so it would pass
        return Difference(math.inf, math.inf)
    return Difference(absolute, absolute / largest if largest else 0.0)


def _noise(terms: Tensor) -> float:
    """Ten roundings of the sum, over the default step."""
    eps: float = torch.finfo(terms.dtype).eps
    size = float(terms.detach().abs().sum())
    return 10 * size * eps / float(eps ** (1 / 3))


def _point(x: Tensor | float) -> Tensor:
    point = x.detach() if isinstance(x, Tensor) else torch.tensor(x, dtype=torch.float64)
    require(point.is_floating_point(), "x dtype", point.dtype, "floating-point; convert with .double()")
    require(point.numel() > 0, "x shape", tuple(point.shape), "not empty")
    require(bool(point.isfinite().all()), "x", x, "finite everywhere")
    return point


def _ends(x: Tensor, step: float | None) -> tuple[Tensor, Tensor]:
    """Both ends x + h and x - h, as rounded: their distance is then known exactly, where 2h is not."""
    require(step is None or step > 0, "step", step, "above 0")
    h = torch.finfo(x.dtype).eps ** (1 / 3) * x.abs().clamp(min=1) if step is None else step
    up, down = x + h, x - h
    require(bool((up > down).all()), "step", step, f"large enough to change x in {x.dtype}")
    return up, down


def _indices(x: Tensor) -> Iterator[tuple[int, ...]]:
    return product(*map(range, x.shape))


def _moved(x: Tensor, place: tuple[int, ...], entry: Tensor) -> Tensor:
    moved = x.clone()
    moved[place] = entry
    return moved


def _leaf(x: Tensor) -> Tensor:
    return x.detach().double().clone().requires_grad_()


def _flat(value: Any) -> Tensor:
    """All numbers of a tensor, or of a tuple or list of them, in a row."""
    if isinstance(value, Tensor):
        return value.flatten()
    require(
        isinstance(value, tuple | list),
        "function's value",
        type(value).__name__,
        "a tensor, or a tuple or list of tensors",
    )
    return torch.cat([_flat(each) for each in value])
