"""Optimizers against torch.optim over a hundred steps, schedules against its schedulers; clipping and penalties."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import foundations
from foundations import regularizers, schedules
from labs.verification.twin import Difference, Twin, generator, largest, normal

STEPS = 100
HUNDRED_STEPS = 1e-6
Optimizer = Callable[..., torch.optim.Optimizer]


def optimizer_twins() -> list[Twin]:
    """Every option by itself and some together; the fused kernels where there are any."""
    sgd, adagrad, rmsprop = (foundations.SGD, "SGD"), (foundations.AdaGrad, "Adagrad"), (foundations.RMSProp, "RMSprop")
    adam, adamw = (foundations.Adam, "Adam"), (foundations.AdamW, "AdamW")
    cases: list[tuple[tuple[Optimizer, str], dict[str, Any]]] = [
        (sgd, {}),
        (sgd, {"momentum": 0.9}),
        (sgd, {"momentum": 0.9, "nesterov": True}),
        (sgd, {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
        (sgd, {"momentum": 0.9, "fused": True}),
        (adagrad, {}),
        (adagrad, {"lr_decay": 0.01, "weight_decay": 0.1, "initial_accumulator_value": 0.1}),
        (adagrad, {"fused": True}),
        (rmsprop, {}),
        (rmsprop, {"centered": True}),
        (rmsprop, {"momentum": 0.9, "weight_decay": 0.1}),
        (adam, {}),
        (adam, {"amsgrad": True}),
        (adam, {"weight_decay": 0.1, "maximize": True}),
        (adam, {"fused": True}),
        (adamw, {"weight_decay": 0.1}),
        (adamw, {"weight_decay": 0.1, "amsgrad": True}),
        (adamw, {"weight_decay": 0.1, "fused": True}),
    ]
    twins = [_optimizer(own, getattr(torch.optim, name), options) for (own, name), options in cases]
    descent = Twin("SGD, full batch", "optimizers", "least squares, numpy.linalg.lstsq", _descent, HUNDRED_STEPS)
    return [*twins, descent]


def schedule_twins() -> list[Twin]:
    """The factor at each of the first steps; and the reduction on a scripted curve."""
    make, torchs = schedules, torch.optim.lr_scheduler
    total, warmup = STEPS, 10
    rows: list[tuple[str, schedules.Schedule, Callable[..., Any], dict[str, Any]]] = [
        ("constant", make.constant(), torchs.ConstantLR, {"factor": 1.0}),
        ("linear_decay", make.linear_decay(total, 0.1), torchs.LinearLR, _line(1.0, 0.1, total)),
        ("cosine", make.cosine(total, 0.1), torchs.CosineAnnealingLR, {"T_max": total, "eta_min": 0.1}),
        ("step_decay", make.step_decay(20, 0.5), torchs.StepLR, {"step_size": 20, "gamma": 0.5}),
        ("exponential_decay", make.exponential_decay(0.95), torchs.ExponentialLR, {"gamma": 0.95}),
        ("linear_warmup", make.linear_warmup(warmup), torchs.LinearLR, _line(1 / (warmup + 1), 1.0, warmup)),
        ("one_cycle", make.one_cycle(total), torchs.OneCycleLR, {"max_lr": 1.0, "total_steps": total}),
    ]
    twins = [
        Twin(
            name,
            "schedules",
            f"torch.optim.lr_scheduler.{reference.__name__}",
            partial(_factors, own, reference, options),
        )
        for name, own, reference, options in rows
    ]
    return [
        *twins,
        Twin("warmup_cosine", "schedules", "torch.optim.lr_scheduler.SequentialLR", _warmup_cosine),
        Twin("ReduceOnPlateau", "schedules", "torch.optim.lr_scheduler.ReduceLROnPlateau", _plateau),
    ]


def clipping_twins() -> list[Twin]:
    """Gradients after clipping."""

    def twin(name: str, own: Callable[..., Any], reference: Callable[..., Any], bound: float) -> Twin:
        def compare() -> Difference:
            ours, theirs = _with_gradients(), _with_gradients()
            own(ours, bound), reference(theirs, bound)
            return Difference(largest(_gradients(ours), _gradients(theirs)))

        return Twin(name, "clipping", f"torch.nn.utils.{reference.__name__}", compare)

    by_norm, by_value = nn.utils.clip_grad_norm_, nn.utils.clip_grad_value_
    return [
        twin("clip_gradient_norm", foundations.clip_gradient_norm, by_norm, 0.5),
        twin("clip_gradient_norm, within", foundations.clip_gradient_norm, by_norm, 1e3),
        twin("clip_gradient_value", foundations.clip_gradient_value, by_value, 0.5),
    ]


def penalty_twins() -> list[Twin]:
    """Penalties and their gradients in closed form; the proximal step."""

    def twin(name: str, formula: str, penalty: regularizers.Penalty, value: Callable[[Tensor], Tensor]) -> Twin:
        return Twin(name, "penalties", formula, lambda: _penalty(penalty, value))

    return [
        twin("l1_penalty", "s sum |w|, s sign(w)", regularizers.l1_penalty(0.3), lambda w: 0.3 * w.abs().sum()),
        twin("l2_penalty", "s/2 sum w^2, s w", regularizers.l2_penalty(0.3), lambda w: 0.15 * w.square().sum()),
        twin(
            *("elastic_net_penalty", "the sum of both", regularizers.elastic_net_penalty(0.3, 0.25)),
            lambda w: 0.075 * w.abs().sum() + 0.1125 * w.square().sum(),
        ),
        Twin("soft_threshold_", "penalties", "torch.nn.functional.softshrink", _soft_threshold),
    ]


def _optimizer(own: Optimizer, reference: Optimizer, options: dict[str, Any]) -> Twin:
    settings = ", ".join(name if value is True else f"{name} {value}" for name, value in options.items())
    name = ", ".join(part for part in (own.__name__, settings) if part)
    how = {} if "fused" in options else {"foreach": True}
    theirs = f"torch.optim.{reference.__name__}, {STEPS} steps"
    return Twin(
        *(name, "optimizers", theirs),
        lambda: Difference(largest(_trained(own, options), _trained(reference, options | how))),
        HUNDRED_STEPS,
    )


def _trained(optimizer: Optimizer, options: dict[str, Any]) -> Tensor:
    """The weights of a small network after a hundred steps, the second group with a learning rate of its own."""
    network = foundations.MLP((6, 8, 3), "tanh", generator=generator()).double()
    x, y = normal(16, 6), normal(16, 3, seed=2)
    first, *others = network.parameters()
    groups = [{"params": [first], "lr": 0.003}, {"params": others}]
    stepper = optimizer(groups, lr=0.01, **options)
    for _ in range(STEPS):
        stepper.zero_grad()
        (network(x) - y).square().mean().backward()
        stepper.step()
    return torch.cat([weight.detach().flatten() for weight in network.parameters()])


def _descent() -> Difference:
    """Gradient descent on a linear regression ends at the closed-form solution."""
    x, y = normal(50, 3), normal(50, seed=2)
    theta = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = foundations.SGD([theta], lr=0.3)
    for _ in range(300):
        optimizer.zero_grad()
        ((x @ theta - y).square().mean() / 2).backward()
        optimizer.step()
    return Difference(largest(theta, np.linalg.lstsq(x.numpy(), y.numpy(), rcond=None)[0]))


def _line(first: float, last: float, steps: int) -> dict[str, Any]:
    return {"start_factor": first, "end_factor": last, "total_iters": steps}


def _factors(own: schedules.Schedule, scheduler: Callable[..., Any], options: dict[str, Any]) -> Difference:
    """The first hundred factors, step 0 included."""
    return _compare_rates(own, lambda optimizer: scheduler(optimizer, **options))


def _warmup_cosine() -> Difference:
    """A line of ten steps, then half a wave of ninety."""

    def reference(optimizer: torch.optim.Optimizer) -> Any:
        scheduler = torch.optim.lr_scheduler
        up = scheduler.LinearLR(optimizer, **_line(1 / 11, 1.0, 10))
        down = scheduler.CosineAnnealingLR(optimizer, T_max=90)
        return scheduler.SequentialLR(optimizer, [up, down], milestones=[10])

    return _compare_rates(schedules.warmup_cosine(10, 100), reference)


def _compare_rates(own: schedules.Schedule, reference: Callable[[torch.optim.Optimizer], Any]) -> Difference:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = reference(optimizer)
    rates = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return Difference(largest([own(step) for step in range(STEPS)], rates))


def _plateau() -> Difference:
    """A curve that falls, rests, falls again and rests for good."""
    curve = [*np.linspace(3, 1, 10), *[1.0] * 8, *np.linspace(0.9, 0.5, 5), *[0.5] * 12]
    settings: dict[str, Any] = {"factor": 0.3, "patience": 2, "cooldown": 1}
    own = schedules.ReduceOnPlateau(**settings)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **settings)
    found, wanted = [], []
    for value in curve:
        own.observe(value)
        reference.step(value)
        found.append(own(0))
        wanted.append(optimizer.param_groups[0]["lr"])
    return Difference(largest(found, wanted))


def _with_gradients() -> list[nn.Parameter]:
    weights = [nn.Parameter(normal(4, 3)), nn.Parameter(normal(5, seed=2))]
    for weight in weights:
        weight.grad = 2 * weight.detach()
    return weights


def _gradients(weights: list[nn.Parameter]) -> Tensor:
    return torch.cat([weight.grad.flatten() for weight in weights if weight.grad is not None])


def _penalty(penalty: regularizers.Penalty, formula: Callable[[Tensor], Tensor]) -> Difference:
    """Against the formula over the two weight matrices, biases left out."""
    network = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)).double()
    weights = [layer.weight for layer in network if isinstance(layer, nn.Linear)]
    own = penalty(network)
    wanted = sum((formula(weight) for weight in weights), torch.zeros((), dtype=torch.float64))
    found, expected = (torch.autograd.grad(each, weights) for each in (own, wanted))
    return Difference(largest(own, wanted), max(map(largest, found, expected)))


def _soft_threshold() -> Difference:
    weights = normal(40)
    wanted = nn.functional.softshrink(weights, 0.3)
    regularizers.soft_threshold_([weights], 0.3)
    return Difference(largest(weights, wanted))
