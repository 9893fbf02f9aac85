"""RMSProp: steps of about one size, whatever the size of the gradient."""

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from foundations.optimizers.base import (
    ForeachOptimizer,
    Group,
    State,
    add_,
    constant,
    downhill,
    first_step,
    require_not_negative,
    require_number,
)


class RMSProp(ForeachOptimizer):
    """RMSProp: AdaGrad with a memory that fades, so that steps do not die away.

        v = alpha v + (1 - alpha) g^2          the gradient's running square
        d = sqrt(v) + eps                      eps stands outside the root
        theta -= lr g / d
        u = momentum u + g / d                 with momentum, and then
        theta -= lr u

    `centered` takes the running standard deviation sqrt(v - m^2) for sqrt(v), where m = alpha m + (1 - alpha) g is the
    gradient's running mean. `weight_decay` adds weight_decay * theta to g (an L2 penalty). `maximize` climbs. Equal to
    the bit to `torch.optim.RMSprop(foreach=True)`, but takes 0 where rounding makes v - m^2 negative: torch's has NaN.
    Raises: InputError unless lr, eps, weight_decay, momentum >= 0 and finite and alpha is in [0, 1].
    Source: Tieleman & Hinton 2012, lecture 6.5 of Neural Networks for Machine Learning; Graves 2013, arXiv:1308.0850
    (centred, with momentum).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        settings = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(params, {**settings, "centered": centered, "maximize": maximize})

    def _check(self, group: Group) -> None:
        require_not_negative(group, "lr", "eps", "weight_decay", "momentum")
        require_number("alpha", group["alpha"], 1 + 1e-12, "a number >= 0 and <= 1")

    def _first_state(self, parameter: Tensor, group: Group) -> State:
        names = ["square_avg"] + ["momentum_buffer"] * (group["momentum"] > 0) + ["grad_avg"] * group["centered"]
        return {"step": first_step(parameter, group)} | {name: torch.zeros_like(parameter) for name in names}

    def _update(self, parameters: list[Tensor], gradients: list[Tensor], group: Group) -> None:
        states = self._states(parameters, group)
        add_([state["step"] for state in states], 1)
        gradients = downhill(parameters, gradients, group)
        squares = [state["square_avg"] for state in states]
        torch._foreach_mul_(squares, constant(group["alpha"], squares))
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - group["alpha"])
        if group["centered"]:
            roots = _deviations(gradients, squares, [state["grad_avg"] for state in states], group["alpha"])
        else:
            roots = list(torch._foreach_sqrt(squares))
        add_(roots, group["eps"])
        if group["momentum"]:
            velocities = [state["momentum_buffer"] for state in states]
            torch._foreach_mul_(velocities, constant(group["momentum"], velocities))
            torch._foreach_addcdiv_(velocities, gradients, roots)
            torch._foreach_add_(parameters, velocities, alpha=-group["lr"])
        else:
            torch._foreach_addcdiv_(parameters, gradients, roots, -group["lr"])


def _deviations(gradients: list[Tensor], squares: list[Tensor], means: list[Tensor], alpha: float) -> list[Tensor]:
    """sqrt(v - m^2), once m has taken in the new gradients."""
    torch._foreach_lerp_(means, gradients, 1 - alpha)
    variances = list(torch._foreach_addcmul(squares, means, means, -1))
    torch._foreach_clamp_min_(variances, 0)
    torch._foreach_sqrt_(variances)
    return variances
