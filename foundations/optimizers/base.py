"""What all optimizers share: parameter groups, checks, the walk over the parameters that have a gradient."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from foundations.errors import require

Group = dict[str, Any]
"""One group of parameters: its tensors under "params", and the settings by name."""

State = dict[str, Tensor]
"""What the optimizer remembers of one parameter, by name."""

_WRAPPED = (torch.float32, torch.float64)  # half types would round the constants; they compute with Python's numbers


class ForeachOptimizer(torch.optim.Optimizer):
    """An optimizer whose update moves a list of tensors with a handful of calls.

    A kind of optimizer says what it allows (`_check`), what it remembers (`_first_state`) and how it moves (`_update`).
    """

    def _check(self, group: Group) -> None:
        raise NotImplementedError

    def _first_state(self, parameter: Tensor, group: Group) -> State:
        raise NotImplementedError

    def _update(self, parameters: list[Tensor], gradients: list[Tensor], group: Group) -> None:
        """Move `parameters`, all of one type on one device."""
        raise NotImplementedError

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with settings of their own. Raises: InputError for impossible settings."""
        super().add_param_group(param_group)
        added = self.param_groups[-1]
        for parameter in added["params"]:
            require(parameter.is_floating_point(), "params", parameter.dtype, "tensors of real floating-point numbers")
        self._check(added)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient. `closure` recomputes the loss, which is then returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameters in _alike([each for each in group["params"] if each.grad is not None]):
                gradients: list[Any] = [each.grad for each in parameters]
                self._update(parameters, gradients, group)
        return loss

    def _states(self, parameters: list[Tensor], group: Group) -> list[State]:
        return [self.state[each] or self._begin(each, group) for each in parameters]

    def _begin(self, parameter: Tensor, group: Group) -> State:
        state = self._first_state(parameter, group)
        self.state[parameter] = state
        return state


def _alike(parameters: list[Tensor]) -> list[list[Tensor]]:
    """The parameters in lists of one device and type each, as the fused kernels want them."""
    if len({each.dtype for each in parameters}) == 1 == len({each.device for each in parameters}):
        return [parameters]
    lists: dict[object, list[Tensor]] = {}
    for each in parameters:
        lists.setdefault((each.dtype, each.device), []).append(each)
    return list(lists.values())


def downhill(parameters: list[Tensor], gradients: list[Tensor], group: Group) -> list[Tensor]:
    """g, the gradient to descend: turned round to `maximize`, with `weight_decay` * theta added."""
    if group["maximize"]:
        gradients = list(torch._foreach_neg(gradients))
    if group["weight_decay"]:
        gradients = list(torch._foreach_add(gradients, parameters, alpha=group["weight_decay"]))
    return gradients


def constant(value: float, tensors: Sequence[Tensor]) -> Any:
    """`value` as the factor or divisor in a `_foreach` function on `tensors`.

    On the CPU such a function converts a bare number anew for each tensor, which takes thrice as long as the sum or
    product itself where tensors are small: there it is wrapped once, in the tensors' own type.
    """
    first = tensors[0]
    return torch.tensor(value, dtype=first.dtype) if first.is_cpu and first.dtype in _WRAPPED else value


def constants(values: list[float], tensors: Sequence[Tensor]) -> Any:
    """The same for a value of its own for each tensor; most often they agree, since all have made as many steps."""
    return constant(values[0], tensors) if values.count(values[0]) == len(values) else values


def add_(tensors: list[Tensor] | tuple[Tensor, ...], value: float) -> None:
    """Add `value` to every element."""
    one = constant(1.0, tensors)
    if isinstance(one, Tensor):  # with `alpha`, since torch takes a tensor alone for a bare number
        torch._foreach_add_(tensors, one, alpha=value)
    else:
        torch._foreach_add_(tensors, value)


def read(counters: list[Tensor]) -> list[float]:
    """The number of the step, for each parameter: those that had no gradient at times have made fewer."""
    return [counter.item() for counter in counters]


def first_step(parameter: Tensor, group: Group) -> Tensor:
    """A counter at 0, on the CPU, where it is read; a fused kernel reads it on the parameter's device."""
    return torch.zeros((), dtype=torch.float32, device=parameter.device if group.get("fused") else "cpu")


def require_not_negative(group: Group, *names: str) -> None:
    """Raise InputError unless these settings are finite numbers >= 0."""
    for name in names:
        require_number(name, group[name], math.inf, "a finite number >= 0")


def require_number(name: str, value: object, below: float, allowed: str) -> None:
    """Raise InputError unless `value` is a number in [0, below)."""
    is_number = isinstance(value, int | float)  # not a string: YAML reads 1e-3 as one
    require(is_number and 0 <= value < below, name, value, allowed)  # type: ignore[operator]
