"""Optimizers, written over all of a group's tensors at once with torch's `_foreach` functions.

Each is a `torch.optim.Optimizer`: parameter groups, schedulers and state_dict work as everywhere, and the state loads
from and into its twin in `torch.optim`. theta are the weights, g their gradient, t the number of the step.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam as torch_adam
from torch.optim.adamw import adamw as torch_adamw
from torch.optim.optimizer import ParamsT

from foundations.errors import require

Group = dict[str, Any]
"""One group of parameters: its tensors under "params", and the settings by name."""

States = list[dict[str, Tensor]]
"""What the optimizer remembers of each parameter, by name."""


class ForeachOptimizer(torch.optim.Optimizer):
    """What all optimizers share: groups, checks, and the walk over the parameters that have a gradient.

    A kind of optimizer says what it remembers (`_first_state`), what it allows (`_check`) and how it moves (`_update`).
    """

    def _first_state(self, parameter: Tensor, group: Group) -> dict[str, Tensor]:
        raise NotImplementedError

    def _check(self, group: Group) -> None:
        raise NotImplementedError

    def _update(self, parameters: list[Tensor], gradients: list[Tensor], states: States, group: Group) -> None:
        raise NotImplementedError

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with settings of their own. Raises: InputError for impossible settings."""
        super().add_param_group(param_group)
        self._check(self.param_groups[-1])

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient. `closure` recomputes the loss, which is then returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if parameters:
                gradients = [parameter.grad for parameter in parameters]
                self._update(parameters, gradients, [self._state_of(each, group) for each in parameters], group)
        return loss

    def _state_of(self, parameter: Tensor, group: Group) -> dict[str, Tensor]:
        if not self.state[parameter]:
            self.state[parameter] = self._first_state(parameter, group)
        remembered: dict[str, Tensor] = self.state[parameter]
        return remembered


class Adam(ForeachOptimizer):
    """Adam: steps of about the size `lr` in every direction, whatever the size of the gradient.

        m = b1 m + (1 - b1) g                 the gradient's running mean,
        v = b2 v + (1 - b2) g^2               and its running square;
        m' = m / (1 - b1^t)                   both begin at 0, which this makes up for
        v' = v / (1 - b2^t)
        theta -= lr m' / (sqrt(v') + eps)

    `weight_decay` adds weight_decay * theta to g (an L2 penalty; see `AdamW`). `amsgrad` takes the largest v so far, so
    that steps never grow. `maximize` climbs. `fused` runs torch's one-pass kernel: the same to rounding, two to three
    times as fast on a CPU. Equal to the bit to `torch.optim.Adam(foreach=True)`.
    Raises: InputError unless lr, eps, weight_decay >= 0 and finite and both betas are in [0, 1).
    Source: Kingma & Ba 2014, arXiv:1412.6980; Reddi et al. 2018, arXiv:1904.09237 (AMSGrad).
    """

    decoupled = False

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        fused: bool = False,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**settings, "amsgrad": amsgrad, "maximize": maximize, "fused": fused})

    def _check(self, group: Group) -> None:
        for name in ("lr", "eps", "weight_decay"):
            _require_number(name, group[name], math.inf, "a finite number >= 0")
        require(len(group["betas"]) == 2, "betas", group["betas"], "two numbers")
        for beta in group["betas"]:
            _require_number("betas", beta, 1, "two numbers, each >= 0 and < 1")

    def _first_state(self, parameter: Tensor, group: Group) -> dict[str, Tensor]:
        device = parameter.device if group["fused"] else "cpu"  # the fused kernel reads the step where it runs
        state = {"step": torch.zeros((), dtype=torch.float32, device=device)}
        averages = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * group["amsgrad"]
        return state | {name: torch.zeros_like(parameter) for name in averages}

    def _update(self, parameters: list[Tensor], gradients: list[Tensor], states: States, group: Group) -> None:
        if group["fused"]:
            return self._fused_update(parameters, gradients, states, group)
        lr, (beta1, beta2) = group["lr"], group["betas"]
        means, squares = [state["exp_avg"] for state in states], [state["exp_avg_sq"] for state in states]
        steps = _count_up([state["step"] for state in states])
        if group["maximize"]:
            gradients = list(torch._foreach_neg(gradients))
        if group["weight_decay"]:
            gradients = self._decay(parameters, gradients, group)
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
        if group["amsgrad"]:
            largest = [state["max_exp_avg_sq"] for state in states]
            torch._foreach_maximum_(largest, squares)
            squares = largest
        roots = torch._foreach_sqrt(squares)
        torch._foreach_div_(roots, [(1 - beta2**step) ** 0.5 for step in steps])
        torch._foreach_add_(roots, group["eps"])
        torch._foreach_addcdiv_(parameters, means, roots, [-lr / (1 - beta1**step) for step in steps])
        return None

    def _decay(self, parameters: list[Tensor], gradients: list[Tensor], group: Group) -> list[Tensor]:
        return list(torch._foreach_add(gradients, parameters, alpha=group["weight_decay"]))

    def _fused_update(self, parameters: list[Tensor], gradients: list[Tensor], states: States, group: Group) -> None:
        kernel = torch_adamw if self.decoupled else torch_adam
        kernel(
            parameters,
            gradients,
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [state["max_exp_avg_sq"] for state in states] if group["amsgrad"] else [],
            [state["step"] for state in states],
            fused=True,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            **{name: group[name] for name in ("amsgrad", "lr", "weight_decay", "eps", "maximize")},
        )


class AdamW(Adam):
    """Adam with decoupled weight decay: theta -= lr * weight_decay * theta, beside the step and not through g.

    Source: Loshchilov & Hutter 2017, arXiv:1711.05101.
    """

    decoupled = True

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        fused: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, fused=fused)

    def _decay(self, parameters: list[Tensor], gradients: list[Tensor], group: Group) -> list[Tensor]:
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        return gradients


def _count_up(steps: list[Tensor]) -> list[float]:
    """Add one to each step's counter, and read them."""
    torch._foreach_add_(steps, 1)
    return [float(step) for step in steps]


def _require_number(name: str, value: object, below: float, allowed: str) -> None:
    is_number = isinstance(value, int | float)  # not a string: YAML reads 1e-3 as one
    require(is_number and 0 <= value < below, name, value, allowed)  # type: ignore[operator]
