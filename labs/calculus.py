"""See derivatives: slopes, gradients, Jacobians, the chain rule, and how far a numerical derivative can be trusted.

Central differences against closed forms and automatic gradients; their error against the step, which falls with its
square until rounding, growing with its inverse, takes over near eps^(1/3) (Nocedal & Wright 2006, Numerical
Optimization, section 8.1); the chain rule through a small network, Jacobian by Jacobian; and a wrong gradient caught.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    Errors = dict[str, tuple[np.ndarray, np.ndarray]]

topic = "mathematics"
PRECISIONS = {"float64": (1e-14, 2.2e-16), "float32": (2e-6, 1.2e-7)}
"""Smallest step of the study, and the relative rounding error, of each type."""
TOLERANCE = 1e-6
"""Largest relative difference of a gradient that passes."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    points: Annotated[int, Ge(50)] = 500
    """Places at which the error of a derivative is averaged; more make a smoother curve."""
    steps_per_decade: Annotated[int, Ge(4)] = 6
    """Step sizes tried from one power of ten to the next."""
    hidden: kit.Count = 6
    """Units of the hidden layer of the small networks."""
    batch: kit.Count = 16
    """Inputs at which the networks' gradients are checked."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"points": 200, "steps_per_decade": 4},
        "full": {"points": 20_000, "steps_per_decade": 20, "hidden": 12, "batch": 64},
    }


def main(config: Config, run: kit.Run) -> None:
    """From one slope to the gradients of a network."""
    from labs.drawings import calculus as drawings

    run.figure("1_slope_and_tangent", drawings.draw_slope())
    run.figure("2_gradient", drawings.draw_gradient())
    run.figure("3_jacobian", drawings.draw_jacobian())
    errors = errors_by_step(config)
    fitted, balance = slopes_of(errors), {name: eps ** (1 / 3) for name, (_, eps) in PRECISIONS.items()}
    run.summary(fitted)
    run.figure("4_error_and_step", drawings.draw_error_and_step(errors, fitted, balance))
    chain_of_jacobians(config, run)
    check_networks(config, run)


# How good it is -------------------------------------------------------------------------------------------------------


def errors_by_step(config: Config) -> "Errors":
    """The mean error of sin' at places in [0.5, 1.5], for every step size: type -> (steps, errors)."""
    import numpy as np
    import torch

    found = {}
    for name, (smallest, _) in PRECISIONS.items():
        x = torch.linspace(0.5, 1.5, config.points, dtype=torch.float64).to(getattr(torch, name))
        exact = x.double().cos()
        count = round(-math.log10(smallest) * config.steps_per_decade) + 1
        steps = np.logspace(math.log10(smallest), 0, count)
        slopes = (foundations.derivatives.derivative(torch.sin, x, step=float(step)).double() for step in steps)
        found[name] = steps, np.array([float((slope - exact).abs().mean()) for slope in slopes])
    return found


def slopes_of(errors: "Errors") -> dict[str, float]:
    """Lines fitted in the logarithms, each a factor of ten away from eps^(1/3), and the step of the smallest error."""
    import numpy as np

    summary = {}
    for name, (steps, wrong) in errors.items():
        middle = PRECISIONS[name][1] ** (1 / 3)
        for zone, (low, high) in {"truncation": (10 * middle, 0.3), "rounding": (0, middle / 10)}.items():
            inside = (steps >= low) & (steps <= high)
            slope, _ = np.polyfit(np.log10(steps[inside]), np.log10(wrong[inside]), 1)
            summary[f"{zone}_slope_{name}"] = float(slope)
        summary[f"best_step_{name}"] = float(steps[wrong.argmin()])
        summary[f"smallest_error_{name}"] = float(wrong.min())
    return summary


# Networks -------------------------------------------------------------------------------------------------------------


def _network(config: Config, run: kit.Run, activation: "Callable[[], nn.Module]") -> "nn.Sequential":
    from torch import nn

    stream = run.streams.torch("weights")
    first = foundations.Linear(4, config.hidden, generator=stream)
    return nn.Sequential(first, activation(), foundations.Linear(config.hidden, 3, generator=stream))


def chain_of_jacobians(config: Config, run: kit.Run) -> None:
    """dE/dx = J4 J3 J2 J1 through a small network, beside what the backward pass gives."""
    import torch

    from labs.drawings import calculus as drawings

    def loss(logits: "Tensor") -> "Tensor":
        return foundations.losses.cross_entropy_from_logits(logits.unsqueeze(0), torch.tensor([0]))

    network = _network(config, run, foundations.Tanh).double()
    x = torch.randn(4, generator=run.streams.torch("point"), dtype=torch.float64).requires_grad_()
    stages = foundations.derivatives.chain_rule([*network, loss], x)
    (automatic,) = torch.autograd.grad(loss(network(x)), x)
    run.summary({"chain_rule_difference": float((stages[-1].total - automatic).abs().max())})
    run.figure("5_chain_rule", drawings.draw_chain(stages, automatic))


def _wrong_tanh() -> "nn.Module":
    """Tanh with a slip in its derivative: 1 - tanh instead of 1 - tanh²."""
    from torch import nn

    class WrongTanh(nn.Module):
        def forward(self, x: "Tensor") -> "Tensor":
            slip = x * (1 - x.tanh()).detach()
            return x.tanh().detach() + slip - slip.detach()  # the value of tanh, the derivative of the slip

    return WrongTanh()


def check_networks(config: Config, run: kit.Run) -> None:
    """A right and a wrong network under `check_gradients`."""
    import torch

    from labs.drawings import calculus as drawings

    x = torch.randn(config.batch, 4, generator=run.streams.torch("batch"))
    networks = {"right": _network(config, run, foundations.Tanh), "wrong": _network(config, run, _wrong_tanh)}
    reports = {name: foundations.check_gradients(network, x) for name, network in networks.items()}
    rows = [
        {"tanh's derivative": name, "gradient of": of, **asdict(each), "passes": each.relative <= TOLERANCE}
        for name, report in reports.items()
        for of, each in report.differences.items()
    ]
    run.table("gradient_check", rows)
    run.summary({f"gradient_difference_{name}": report.relative for name, report in reports.items()})
    run.figure("6_gradient_check", drawings.draw_gradient_check(reports, TOLERANCE))


if __name__ == "__main__":
    kit.launch(main)
