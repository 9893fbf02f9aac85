"""Gradient descent, with and without momentum."""

from itertools import compress

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from foundations.errors import require
from foundations.optimizers.base import ForeachOptimizer, Group, State, constant, downhill, require_not_negative


class SGD(ForeachOptimizer):
    """Gradient descent; stochastic where the gradient is that of a mini-batch.

        theta -= lr g                         plain
        v = momentum v + (1 - dampening) g    momentum (heavy ball), v = g at the first step
        theta -= lr v
        theta -= lr (g + momentum v)          Nesterov: g is followed from where v leads

    With `dampening = momentum`, v is the gradient's running mean; without, v and so the step grow on a straight slope
    to 1 / (1 - momentum) times that. `weight_decay` adds weight_decay * theta to g (an L2 penalty). `maximize` climbs.
    `fused` runs torch's one-pass kernel: the same to rounding, and faster. Equal to the bit to
    `torch.optim.SGD(foreach=True)`, but leaves the gradients as they are, which torch's overwrites in Nesterov's step.
    Raises: InputError unless lr, momentum, dampening, weight_decay >= 0 and finite; for Nesterov without momentum or
    with dampening.
    Source: Polyak 1964, USSR Computational Mathematics 4(5); Nesterov 1983; Sutskever et al. 2013, ICML.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        fused: bool = False,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, {**settings, "nesterov": nesterov, "maximize": maximize, "fused": fused})

    def _check(self, group: Group) -> None:
        require_not_negative(group, "lr", "momentum", "dampening", "weight_decay")
        plain = group["momentum"] > 0 and group["dampening"] == 0
        require(plain or not group["nesterov"], "nesterov", True, "with momentum above 0 and without dampening")

    def _first_state(self, parameter: Tensor, group: Group) -> State:
        return {}  # v begins as the first gradient, which only the update knows

    def _update(self, parameters: list[Tensor], gradients: list[Tensor], group: Group) -> None:
        move = _fused if group["fused"] else _equations
        if not group["momentum"]:
            return move(parameters, gradients, [], group, False)
        states = self._states(parameters, group)
        begun = [state.get("momentum_buffer") is not None for state in states]
        if any(begun) and not all(begun):  # some weights have their first gradient now
            for part in (begun, [not each for each in begun]):
                self._update(list(compress(parameters, part)), list(compress(gradients, part)), group)
            return None
        if not any(begun):
            for state, parameter in zip(states, parameters, strict=True):
                state["momentum_buffer"] = torch.zeros_like(parameter)
        return move(parameters, gradients, [state["momentum_buffer"] for state in states], group, not any(begun))


def _equations(
    parameters: list[Tensor], gradients: list[Tensor], velocities: list[Tensor], group: Group, first: bool
) -> None:
    gradients = downhill(parameters, gradients, group)
    if velocities:
        if not first:
            torch._foreach_mul_(velocities, constant(group["momentum"], velocities))
        torch._foreach_add_(velocities, gradients, alpha=1 if first else 1 - group["dampening"])
        if group["nesterov"]:
            gradients = list(torch._foreach_add(gradients, velocities, alpha=group["momentum"]))
        else:
            gradients = velocities
    torch._foreach_add_(parameters, gradients, alpha=-group["lr"])


def _fused(
    parameters: list[Tensor], gradients: list[Tensor], velocities: list[Tensor], group: Group, first: bool
) -> None:
    names = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
    settings = {name: group[name] for name in names}
    torch._fused_sgd_(parameters, gradients, velocities, is_first_step=first, **settings)
