"""Adam and its kin: momentum, and a learning rate of its own for every weight."""

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from foundations.errors import require
from foundations.optimizers.base import (
    ForeachOptimizer,
    Group,
    State,
    add_,
    constant,
    constants,
    downhill,
    first_step,
    read,
    require_not_negative,
    require_number,
)


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
        require_not_negative(group, "lr", "eps", "weight_decay")
        require(len(group["betas"]) == 2, "betas", group["betas"], "two numbers")
        for beta in group["betas"]:
            require_number("betas", beta, 1, "two numbers, each >= 0 and < 1")

    def _first_state(self, parameter: Tensor, group: Group) -> State:
        averages = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * group["amsgrad"]
        return {"step": first_step(parameter, group)} | {name: torch.zeros_like(parameter) for name in averages}

    def _update(self, parameters: list[Tensor], gradients: list[Tensor], group: Group) -> None:
        states = self._states(parameters, group)
        lr, (beta1, beta2) = group["lr"], group["betas"]
        counters = [state["step"] for state in states]
        means, squares = [state["exp_avg"] for state in states], [state["exp_avg_sq"] for state in states]
        largest = [state["max_exp_avg_sq"] for state in states] if group["amsgrad"] else []
        add_(counters, 1)
        if group["fused"]:
            return self._fused(parameters, gradients, means, squares, largest, counters, group)
        steps = read(counters)
        gradients = self._decayed(parameters, gradients, group)
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, constant(beta2, squares))
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
        if group["amsgrad"]:
            torch._foreach_maximum_(largest, squares)
        roots = torch._foreach_sqrt(largest or squares)
        torch._foreach_div_(roots, constants([(1 - beta2**step) ** 0.5 for step in steps], roots))
        add_(roots, group["eps"])
        torch._foreach_addcdiv_(parameters, means, roots, [-lr / (1 - beta1**step) for step in steps])
        return None

    def _decayed(self, parameters: list[Tensor], gradients: list[Tensor], group: Group) -> list[Tensor]:
        return downhill(parameters, gradients, group)

    def _fused(
        self,
        parameters: list[Tensor],
        gradients: list[Tensor],
        means: list[Tensor],
        squares: list[Tensor],
        largest: list[Tensor],
        counters: list[Tensor],
        group: Group,
    ) -> None:
        kernel = torch._fused_adamw_ if self.decoupled else torch._fused_adam_
        settings = {name: group[name] for name in ("amsgrad", "lr", "weight_decay", "eps", "maximize")}
        beta1, beta2 = group["betas"]
        kernel(parameters, gradients, means, squares, largest, counters, beta1=beta1, beta2=beta2, **settings)


class AdamW(Adam):
    """Adam with decoupled weight decay: theta -= lr * weight_decay * theta, beside the step and not through g.

    The decay is that of the present weights towards 0, whatever the size of the gradients that Adam divides by.
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

    def _decayed(self, parameters: list[Tensor], gradients: list[Tensor], group: Group) -> list[Tensor]:
        if group["weight_decay"]:
            torch._foreach_mul_(parameters, constant(1 - group["lr"] * group["weight_decay"], parameters))
        return list(torch._foreach_neg(gradients)) if group["maximize"] else gradients
