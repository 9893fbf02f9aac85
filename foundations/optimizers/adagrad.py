"""AdaGrad: a learning rate of its own for every weight."""

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from foundations.optimizers.base import (
    ForeachOptimizer,
    Group,
    State,
    add_,
    downhill,
    first_step,
    read,
    require_not_negative,
)


class AdaGrad(ForeachOptimizer):
    """AdaGrad: each weight's steps shrink with the gradients that it has seen, so rarely moved weights move far.

        s += g^2                               from `initial_accumulator_value`
        theta -= lr_t g / (sqrt(s) + eps),     lr_t = lr / (1 + (t - 1) lr_decay)

    `weight_decay` adds weight_decay * theta to g (an L2 penalty). `maximize` climbs. `fused` runs torch's one-pass
    kernel: the same to rounding, and faster. Equal to the bit to `torch.optim.Adagrad(foreach=True)`.
    Raises: InputError unless lr, lr_decay, weight_decay, initial_accumulator_value, eps >= 0 and finite.
    Source: Duchi, Hazan & Singer 2011, JMLR 12.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        fused: bool = False,
    ) -> None:
        settings = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps}
        begin = {"initial_accumulator_value": initial_accumulator_value}
        super().__init__(params, {**settings, **begin, "maximize": maximize, "fused": fused})

    def _check(self, group: Group) -> None:
        require_not_negative(group, "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters; their state begins at once, where torch's twin looks for it."""
        super().add_param_group(param_group)
        for parameter in self.param_groups[-1]["params"]:
            self._begin(parameter, self.param_groups[-1])

    def _first_state(self, parameter: Tensor, group: Group) -> State:
        total = torch.full_like(parameter, group["initial_accumulator_value"])
        return {"step": first_step(parameter, group), "sum": total}

    def _update(self, parameters: list[Tensor], gradients: list[Tensor], group: Group) -> None:
        states = self._states(parameters, group)
        sums, counters = [state["sum"] for state in states], [state["step"] for state in states]
        add_(counters, 1)
        if group["fused"]:
            names = ("lr", "lr_decay", "weight_decay", "eps", "maximize")
            settings = {name: group[name] for name in names}
            torch._fused_adagrad_(parameters, gradients, sums, counters, **settings)
            return
        gradients = downhill(parameters, gradients, group)
        torch._foreach_addcmul_(sums, gradients, gradients)
        roots = torch._foreach_sqrt(sums)
        add_(roots, group["eps"])
        rates = [-group["lr"] / (1 + (step - 1) * group["lr_decay"]) for step in read(counters)]
        torch._foreach_addcdiv_(parameters, gradients, roots, rates)
