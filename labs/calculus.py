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
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
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
    run.figure("1_slope_and_tangent", slope_and_tangent())
    run.figure("2_gradient", gradient_field())
    run.figure("3_jacobian", jacobian_of_a_map())
    errors = errors_by_step(config)
    run.summary(slopes_of(errors))
    run.figure("4_error_and_step", error_and_step(errors))
    run.figure("5_chain_rule", chain_of_jacobians(config, run))
    check_networks(config, run)


# One number -----------------------------------------------------------------------------------------------------------


def slope_and_tangent() -> "Figure":
    """Secants that turn into the tangent, and the slope at every place."""
    import torch
    from matplotlib import pyplot as plt

    def f(x: "Tensor") -> "Tensor":
        return torch.sin(2 * x) + x**2 / 4

    colours, at = kit.figures.COLOURS, 0.2
    x, start = torch.linspace(-1.5, 3, 300, dtype=torch.float64), float(f(torch.tensor(at)))
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2))
    left.plot(x, f(x), color="black", linewidth=2, label="f(x) = sin 2x + x² / 4")
    for colour, h in zip(colours[4:1:-1], (1.0, 0.5, 0.2), strict=True):
        ends = torch.tensor([at - h, at + h])
        slope = float(f(ends).diff() / (2 * h))
        left.plot(ends, f(ends), "o-", color=colour, markersize=5, label=f"h = {h}: slope {slope:.3f}")
    slope = float(foundations.derivatives.derivative(f, at))
    ends = torch.tensor([at - 0.9, at + 0.9])
    left.plot(ends, start + slope * (ends - at), "--", color=colours[0], label=f"tangent: slope {slope:.3f}")
    left.plot(at, start, "o", color="black", markersize=7)
    left.set(title="Secants over x ± h turn into the tangent", xlabel="x", ylabel="f(x)", ylim=(-1.9, 3.2))
    left.legend(loc="upper left", fontsize=9)
    right.plot(x, 2 * torch.cos(2 * x) + x / 2, color="black", label="closed form: 2 cos 2x + x / 2")
    slopes = foundations.derivatives.derivative(f, x[::12])
    right.plot(x[::12], slopes, "o", color=colours[1], markersize=5, label="central differences")
    right.axhline(0, color="grey", linewidth=0.8)
    right.set(title="The slope at every place is f'", xlabel="x", ylabel="f'(x)", ylim=(-2.9, 4.6))
    right.legend(loc="upper center", fontsize=9)
    return figure


# Several numbers ------------------------------------------------------------------------------------------------------


def _hills(x: "Tensor") -> "Tensor":
    """A hill and a hollow in a bowl. Shapes: (2, *) -> (*)."""
    hill, hollow = ((-((x[0] - centre) ** 2) - x[1] ** 2).exp() for centre in (-1, 1))
    return (x[0] ** 2 + x[1] ** 2) / 8 + hill - hollow


def gradient_field() -> "Figure":
    """Gradients across contours, and the two slices whose slopes are the partial derivatives."""
    import torch
    from matplotlib import pyplot as plt

    colour = kit.figures.COLOURS[1]
    side, at = torch.linspace(-2.2, 2.2, 121, dtype=torch.float64), torch.tensor([-0.5, 0.9], dtype=torch.float64)
    everywhere = torch.stack(torch.meshgrid(side, side, indexing="xy"))
    some = everywhere[:, 5::10, 5::10].flatten(1).T
    arrows = torch.stack([foundations.derivatives.gradient(_hills, place) for place in some])
    figure, axes = plt.subplot_mosaic([["map", "x"], ["map", "y"]], figsize=(11, 5.2), width_ratios=[1.25, 1])
    shown = axes["map"].contourf(side, side, _hills(everywhere), 16, cmap="cividis", alpha=0.55)
    figure.colorbar(shown, ax=axes["map"], label="f(x, y)")
    axes["map"].quiver(*some.T, *arrows.T, color="black", width=0.004)
    axes["map"].plot(*at, "o", color=colour, markersize=9, markeredgecolor="white", zorder=4)
    axes["map"].set(title="The gradient points straight uphill, across the contours", xlabel="x", ylabel="y")
    axes["map"].set_aspect("equal")
    axes["map"].grid(visible=False)
    axes["map"].axhline(float(at[1]), color=colour, linestyle=":")
    axes["map"].axvline(float(at[0]), color=colour, linestyle=":")
    _slice(axes["x"], side, at, 0)
    _slice(axes["y"], side, at, 1)
    return figure


def _slice(axes: "Axes", side: "Tensor", at: "Tensor", index: int) -> None:
    """The function along one axis through the point `at`, with its tangent there."""
    slope = float(foundations.derivatives.partial_derivative(_hills, at, index))
    line = at.unsqueeze(1).repeat(1, len(side))
    line[index] = side
    ends = at[index] + side[[30, -31]] / 2
    colour, name, other = kit.figures.COLOURS[1], "xy"[index], "yx"[index]
    axes.plot(side, _hills(line), color="black")
    axes.plot(ends, _hills(at) + slope * (ends - at[index]), "--", color=colour, linewidth=2)
    axes.plot(at[index], _hills(at), "o", color=colour, markersize=7)
    axes.set(title=f"{other} held at {float(at[1 - index])}: ∂f/∂{name} = {slope:.3f}", xlabel=name, ylabel="f(x, y)")


def _swirl(x: "Tensor") -> "Tensor":
    """A bent map of the plane. Shapes: (2, *) -> (2, *)."""
    import torch

    return torch.stack([x[0] + 0.35 * torch.sin(2 * x[1]), x[1] + 0.5 * torch.sin(1.5 * x[0])])


def jacobian_of_a_map() -> "Figure":
    """A map bends the grid; close to a point it does what its Jacobian does."""
    import torch
    from matplotlib import pyplot as plt

    blue, red = kit.figures.COLOURS[:2]
    at, side = torch.tensor([0.8, 0.3], dtype=torch.float64), torch.linspace(-2, 2, 101, dtype=torch.float64)
    matrix = foundations.derivatives.jacobian(_swirl, at)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 5.2))
    for fixed in side[::5].unsqueeze(1):
        for line in (torch.stack([side, fixed.expand(101)]), torch.stack([fixed.expand(101), side])):
            left.plot(*line, color="grey", linewidth=0.6, linestyle="-")
            right.plot(*_swirl(line), color="grey", linewidth=0.6, linestyle="-")
    corners = torch.tensor([[-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1]], dtype=torch.float64)
    border = torch.nn.functional.interpolate(corners.unsqueeze(0), size=201, mode="linear", align_corners=True)[0]
    for width, label in ((1.2, "F, for a wide and a narrow square"), (0.3, "")):
        around = at.unsqueeze(1) + border * width / 2
        left.fill(*around, color=blue, alpha=0.4)
        right.fill(*_swirl(around), color=blue, alpha=0.4, label=label)
        straight = _swirl(at).unsqueeze(1) + matrix @ border * width / 2
        right.plot(*straight, color=red, linestyle="-", linewidth=1.8, label=label and "F(a) + J (x - a)")
    for axes, place in ((left, at), (right, _swirl(at))):
        axes.plot(*place, "o", color="black", markersize=4)
        axes.set_aspect("equal")
        axes.grid(visible=False)
    (a, b), (c, d) = matrix.tolist()
    left.set(title=f"Squares around a = ({at[0]:.1f}, {at[1]:.1f})", xlabel="x", ylabel="y")
    right.set(title="F bends them; a narrow one moves as J says", xlabel="F₁", ylabel="F₂", ylim=(-2.7, 4))
    numbers = f"J = [{a:.2f}  {b:.2f}; {c:.2f}  {d:.2f}], area × |det J| = {abs(a * d - b * c):.2f}"
    right.legend(loc="upper left", fontsize=9, title=numbers, title_fontsize=9, alignment="left")
    return figure


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


def error_and_step(errors: "Errors") -> "Figure":
    """The V: too long a step cuts the series off, too short a one drowns in rounding."""
    from matplotlib import pyplot as plt

    colours, fitted = kit.figures.COLOURS, slopes_of(errors)
    figure, axes = plt.subplots(figsize=(8, 5.4))
    for colour, marker, (name, (steps, wrong)) in zip(colours, "os", errors.items(), strict=False):
        rounding, truncation = (fitted[f"{zone}_slope_{name}"] for zone in ("rounding", "truncation"))
        label = f"{name}: fitted slopes {rounding:.2f} and {truncation:.2f}"
        axes.loglog(steps, wrong, linestyle="-", marker=marker, markersize=4, color=colour, label=label)
        middle = PRECISIONS[name][1] ** (1 / 3)
        axes.axvline(middle, color=colour, linestyle=":", linewidth=1.5)
        axes.text(middle, 2e-14, f"eps^(1/3) = {middle:.0e} ", color=colour, ha="right", fontsize=9)
    axes.text(1e-11, 1e-7, "rounding: eps |f| / h", rotation=-30, fontsize=10)
    axes.text(1e-4, 2e-11, "truncation:\nh² |f'''| / 6", fontsize=10)
    axes.set(title="Too short a step rounds, too long a one cuts the series off", ylim=(1e-14, 1))
    axes.set(xlabel="step h (unit of x)", ylabel="mean error of sin'(x), x from 0.5 to 1.5")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure


# Networks -------------------------------------------------------------------------------------------------------------


def _network(config: Config, run: kit.Run, activation: "Callable[[], nn.Module]") -> "nn.Sequential":
    from torch import nn

    stream = run.streams.torch("weights")
    first = foundations.Linear(4, config.hidden, generator=stream)
    return nn.Sequential(first, activation(), foundations.Linear(config.hidden, 3, generator=stream))


def chain_of_jacobians(config: Config, run: kit.Run) -> "Figure":
    """dE/dx = J4 J3 J2 J1 through a small network, beside what the backward pass gives."""
    import torch
    from matplotlib import pyplot as plt

    def loss(logits: "Tensor") -> "Tensor":
        return foundations.losses.cross_entropy_from_logits(logits.unsqueeze(0), torch.tensor([0]))

    network = _network(config, run, foundations.Tanh).double()
    x = torch.randn(4, generator=run.streams.torch("point"), dtype=torch.float64).requires_grad_()
    stages = foundations.derivatives.chain_rule([*network, loss], x)
    (automatic,) = torch.autograd.grad(loss(network(x)), x)
    run.summary({"chain_rule_difference": float((stages[-1].total - automatic).abs().max())})
    names = ("J₁ = W₁\nx → z", "J₂ = diag(1 - tanh² z)\nz → h", "J₃ = W₂\nh → logits", "J₄ = (p - y)ᵀ\nlogits → E")
    factors = [(name, stage.local) for name, stage in zip(names, stages, strict=True)][::-1]
    shown = [*factors, ("J₄ J₃ J₂ J₁", stages[-1].total), ("backward pass\ndE/dx", automatic)]
    matrices = [(name, matrix.reshape(-1, matrix.shape[-1])) for name, matrix in shown]
    widths = [matrix.shape[1] + 1.5 for _, matrix in matrices]
    figure, all_axes = plt.subplots(1, 6, figsize=(13, 3.9), width_ratios=widths)
    for axes, sign, (name, matrix) in zip(all_axes, ("", "×", "×", "×", "=", "="), matrices, strict=True):
        _show_matrix(axes, name, matrix, sign)
    figure.suptitle("The chain rule through a network: the product of the Jacobians is the gradient", weight="bold")
    return figure


def _show_matrix(axes: "Axes", name: str, matrix: "Tensor", sign: str) -> None:
    """A matrix as coloured numbers, red above and blue below zero, with the `sign` that stands before it."""
    limit = max(float(matrix.abs().max()), 1e-12)
    axes.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit)
    for row, entries in enumerate(matrix.tolist() if max(matrix.shape) <= 8 else []):
        for column, entry in enumerate(entries):
            text, colour = f"{entry:.2f}" if entry else "0", "white" if abs(entry) > 0.6 * limit else "black"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    axes.set_title(name, fontsize=10, weight="normal")
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(f"{matrix.shape[0]} × {matrix.shape[1]}", fontsize=9)
    axes.set_ylabel(sign, rotation=0, fontsize=18, labelpad=12, va="center")
    axes.grid(visible=False)


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
    run.figure("6_gradient_check", gradient_check(reports))


def gradient_check(reports: "dict[str, foundations.GradientReport]") -> "Figure":
    """Relative differences of each gradient, on both sides of the tolerance."""
    from matplotlib import pyplot as plt

    colours, names = kit.figures.COLOURS, list(reports["right"].differences)
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    for colour, shift, (kind, report) in zip(colours, (-0.18, 0.18), reports.items(), strict=False):
        widths = [report.differences[name].relative for name in names]
        label = "tanh' = 1 - tanh²" if kind == "right" else "a slip: tanh' = 1 - tanh"
        axes.barh([place + shift for place in range(len(names))], widths, height=0.34, color=colour, label=label)
    axes.axvline(TOLERANCE, color="black", linestyle="--", linewidth=1.2, label="tolerance")
    axes.set(title="A slip in one layer spoils the gradients of all before it", xscale="log", xlim=(1e-13, 10))
    axes.set_xlabel("largest relative difference, automatic against numerical")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure


if __name__ == "__main__":
    kit.launch(main)
