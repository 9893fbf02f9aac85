"""The pictures of the lab `calculus`: slopes, gradients, Jacobians, errors, the chain rule."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from foundations.derivatives import Stage

    Errors = dict[str, tuple[np.ndarray, np.ndarray]]


def draw_slope() -> "Figure":
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


def _hills(x: "Tensor") -> "Tensor":
    """A hill and a hollow in a bowl. Shapes: (2, *) -> (*)."""
    hill, hollow = ((-((x[0] - centre) ** 2) - x[1] ** 2).exp() for centre in (-1, 1))
    return (x[0] ** 2 + x[1] ** 2) / 8 + hill - hollow


def draw_gradient() -> "Figure":
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


def draw_jacobian() -> "Figure":
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


def draw_error_and_step(errors: "Errors", fitted: Mapping[str, float], balance: Mapping[str, float]) -> "Figure":
    """The error over the step: truncation of the Taylor series where it is long, rounding where it is short.

    `fitted`: slopes of both arms, by name; `balance`: type -> the step at which theory expects the smallest error.
    """
    from matplotlib import pyplot as plt

    colours = kit.figures.COLOURS
    figure, axes = plt.subplots(figsize=(8, 5.4))
    for colour, marker, (name, (steps, wrong)) in zip(colours, "os", errors.items(), strict=False):
        rounding, truncation = (fitted[f"{zone}_slope_{name}"] for zone in ("rounding", "truncation"))
        label = f"{name}: fitted slopes {rounding:.2f} and {truncation:.2f}"
        axes.loglog(steps, wrong, linestyle="-", marker=marker, markersize=4, color=colour, label=label)
        middle = balance[name]
        axes.axvline(middle, color=colour, linestyle=":", linewidth=1.5)
        axes.text(middle, 2e-14, f"eps^(1/3) = {middle:.0e} ", color=colour, ha="right", fontsize=9)
    axes.text(1e-11, 1e-7, "rounding: eps |f| / h", rotation=-30, fontsize=10)
    axes.text(1e-4, 2e-11, "truncation:\nh² |f'''| / 6", fontsize=10)
    axes.set(title="Short steps suffer from rounding, long ones from truncation", ylim=(1e-14, 1))
    axes.set(xlabel="step h (unit of x)", ylabel="mean error of sin'(x), x from 0.5 to 1.5")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure


def draw_chain(stages: "Sequence[Stage]", automatic: "Tensor") -> "Figure":
    """dE/dx = J4 J3 J2 J1 through a small network, beside what the backward pass gives."""
    from matplotlib import pyplot as plt

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


def draw_gradient_check(reports: "Mapping[str, foundations.GradientReport]", tolerance: float) -> "Figure":
    """Relative differences of each gradient, on both sides of the tolerance."""
    from matplotlib import pyplot as plt

    colours, names = kit.figures.COLOURS, list(reports["right"].differences)
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    for colour, shift, (kind, report) in zip(colours, (-0.18, 0.18), reports.items(), strict=False):
        widths = [report.differences[name].relative for name in names]
        label = "tanh' = 1 - tanh²" if kind == "right" else "a slip: tanh' = 1 - tanh"
        axes.barh([place + shift for place in range(len(names))], widths, height=0.34, color=colour, label=label)
    axes.axvline(tolerance, color="black", linestyle="--", linewidth=1.2, label=f"tolerance {tolerance:g}")
    axes.set(title="A slip in one layer spoils the gradients of all before it", xscale="log", xlim=(1e-13, 10))
    axes.set_xlabel("largest relative difference, automatic against numerical")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure
