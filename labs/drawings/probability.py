"""The pictures of the lab `probability`: distributions, sample means, entropies, divergences."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from foundations.probability import Distribution
    from labs.probability import Errors, Fit, Pixels, Target


def draw_distributions(shown: "dict[str, Distribution]", draws: "dict[str, Tensor]") -> "Figure":
    """Each distribution as its formula says, over the shares of its samples."""
    import torch
    from matplotlib import pyplot as plt

    blue, red = kit.figures.COLOURS[:2]
    figure, all_axes = plt.subplots(2, 2, figsize=(10.5, 6.6))
    for axes, (name, each) in zip(all_axes.flat, shown.items(), strict=True):
        sample = draws[name][0].numpy()
        if name in ("uniform", "normal"):
            x = torch.linspace(-2, 4, 601, dtype=torch.float64)
            axes.hist(sample, bins=60, range=(-2, 4), density=True, color=blue, alpha=0.4, label="samples")
            axes.plot(x, each.probability(x), color="black", label="p(x)")
            axes.set(xlabel="x", ylabel="density (1 / unit of x)")
        else:
            x = each.weighted_values()[0]
            shares = [float((sample == value).mean()) for value in x.tolist()]
            axes.bar(x, shares, width=0.5, color=blue, alpha=0.4, label="samples")
            axes.plot(x, each.probability(x), "o", color="black", label="p(x)")
            axes.set(xlabel="x", ylabel="probability", xticks=x.tolist())
        spread = math.sqrt(each.variance)
        top = axes.get_ylim()[1]
        axes.errorbar(
            each.mean, 1.06 * top, xerr=spread, fmt="o", color=red, capsize=4, label="mean ± standard deviation"
        )
        axes.set_ylim(0, 1.15 * top)
        axes.set_title(f"{name}: mean {each.mean:.3g}, variance {each.variance:.3g}, entropy {each.entropy:.3g} nats")
        axes.title.set_fontsize(10)
    handles, labels = all_axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    return figure


def draw_law_of_large_numbers(
    shown: "dict[str, Distribution]", draws: "dict[str, Tensor]", errors: "Errors"
) -> "Figure":
    """Running means of a few rows of coin tosses, and the error of all means against the number of draws."""
    import torch
    from matplotlib import pyplot as plt

    colours = kit.figures.COLOURS
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4))
    coin, rows = shown["bernoulli"], draws["bernoulli"][:8]
    n = torch.arange(1, rows.shape[1] + 1)
    band = (coin.variance / n).sqrt()
    left.fill_between(n, coin.mean - 2 * band, coin.mean + 2 * band, color=colours[5], alpha=0.3, label="E ± 2 σ / √n")
    for row in rows.cumsum(1) / n:
        left.plot(n, row, color=colours[0], linewidth=0.8, linestyle="-")
    left.plot([], [], color=colours[0], linewidth=0.8, linestyle="-", label="eight rows of tosses")
    left.axhline(coin.mean, color="black", linewidth=1.2, label=f"expectation {coin.mean}")
    left.set(xscale="log", ylim=(-0.05, 1.05), xlabel="tosses n", ylabel="share of ones among the first n")
    left.set_title("A coin of p = 0.3: the mean settles")
    left.legend(fontsize=9)
    for (name, (counts, error)), marker in zip(errors.items(), "os^D", strict=True):
        right.loglog(counts, error, marker=marker, markersize=3.5, linestyle="-", linewidth=1, label=name)
    counts = errors["normal"][0]
    right.loglog(counts, counts**-0.5, color="grey", linestyle="--", label="1 / √n")
    right.set(
        xlabel="draws n", ylabel="root mean square error (unit of x)", title="The error of a mean falls as 1 / √n"
    )
    right.legend(fontsize=9)
    return figure


def draw_entropy_of_a_coin() -> "Figure":
    """The entropy of a coin, and the surprisal of either side."""
    import torch
    from matplotlib import pyplot as plt

    blue, red, green = kit.figures.COLOURS[:3]
    p = torch.linspace(0, 1, 401, dtype=torch.float64)
    nats = foundations.probability.entropy(torch.stack([p, 1 - p], dim=1))
    figure, axes = plt.subplots(figsize=(7, 4.4))
    axes.plot(p, -p.log(), color=red, linestyle="--", label="surprisal of a 1: -log p")
    axes.plot(p, -(1 - p).log(), color=green, linestyle=":", linewidth=2, label="surprisal of a 0: -log(1 - p)")
    axes.plot(p, nats, color=blue, linewidth=2.5, label="entropy: the expected surprisal")
    axes.plot(0.5, math.log(2), "o", color="black")
    arrow = {"arrowstyle": "-", "color": "grey"}
    axes.annotate("log 2 = 0.693 nats = 1 bit", (0.5, math.log(2)), (0.5, 1.35), ha="center", arrowprops=arrow)
    axes.set(
        title="A coin is most uncertain when it is fair", xlabel="probability p of a 1", ylabel="nats", ylim=(0, 2.6)
    )
    axes.legend(loc="upper center", fontsize=9)
    return figure


def draw_entropy_of_pixels(pixels: "Pixels") -> "Figure":
    """How often each pixel is bright, and how uncertain that leaves it."""
    from matplotlib import pyplot as plt

    import labs.kit.figures  # noqa: F401  # importing it sets the style of the project

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5))
    for axes, values, name, cmap in (
        (left, pixels.shares, "How often each pixel is bright", "gray"),
        (right, pixels.entropies, "How uncertain it is: its entropy", "viridis"),
    ):
        drawn = axes.imshow(values, cmap=cmap, vmin=0, vmax=1 if cmap == "gray" else math.log(2))
        figure.colorbar(drawn, ax=axes, label="share of the training images" if cmap == "gray" else "nats")
        axes.set(title=name, xticks=[], yticks=[])
        axes.grid(visible=False)
    nats = float(pixels.entropies.sum())
    text = f"Independent pixels: {nats:.1f} nats an image; by these shares test images cost {pixels.cost:.1f}"
    figure.suptitle(text, fontsize=10)
    return figure


def draw_cross_entropy() -> "Figure":
    """What it costs to believe q where p is true: the entropy of p, and the divergence on top."""
    import torch
    from matplotlib import pyplot as plt

    blue, red = kit.figures.COLOURS[:2]
    p = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
    beliefs = {
        "right": p,
        "uniform": torch.full_like(p, 0.25),
        "reversed": p.flip(0),
        "overconfident": torch.tensor([0.97, 0.01, 0.01, 0.01], dtype=torch.float64),
    }
    figure = plt.figure(figsize=(11, 4.6))
    grid = figure.add_gridspec(2, 4, width_ratios=[1, 1, 0.1, 2.2])
    for place, (name, q) in enumerate(beliefs.items()):
        axes = figure.add_subplot(grid[place // 2, place % 2])
        axes.bar(torch.arange(4) - 0.2, p, width=0.4, color="black", alpha=0.7, label="p, the truth")
        axes.bar(torch.arange(4) + 0.2, q, width=0.4, color=red, label="q, the belief")
        axes.set(title=name, ylim=(0, 1), xticks=range(4), xlabel="class" if place > 1 else "", ylabel="probability")
    last = figure.add_subplot(grid[:, 3])
    truth, q = p.expand(4, 4), torch.stack(list(beliefs.values()))
    entropy, divergence = foundations.probability.entropy(truth), foundations.probability.kl_divergence(truth, q)
    last.barh(list(beliefs), entropy, color=blue, label="entropy H(p)")
    last.barh(list(beliefs), divergence, left=entropy, color=red, label="divergence D(p || q)")
    for row, (start, more) in enumerate(zip(entropy.tolist(), divergence.tolist(), strict=True)):
        last.text(start + more + 0.03, row, f"{start + more:.2f}", va="center", fontsize=10)
    last.invert_yaxis()
    last.set(title="Cross-entropy H(p, q) = H(p) + D(p || q)", xlabel="nats", xlim=(0, 3))
    last.grid(visible=False, axis="y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2, fontsize=9)
    last.legend(loc="upper right", fontsize=9)
    return figure


def draw_fits(target: "Target", fits: "Sequence[Fit]") -> "Figure":
    """The target with the best Gaussian of either divergence, and both divergences over all Gaussians."""
    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    figure, all_axes = plt.subplots(1, 3, figsize=(14, 4.3), width_ratios=[1.25, 1, 1])
    left, step = all_axes[0], float(target.x[1] - target.x[0])
    left.fill_between(target.x, target.p / step, color="grey", alpha=0.4, label="p: two modes")
    for colour, style, axes, fit in zip(colours, ("-", "--"), all_axes[1:], fits, strict=False):
        mean, sigma = fit.best
        label = f"smallest {fit.divergence}: mean {mean:.2f}, σ {sigma:.2f}"
        left.plot(target.x, fit.q / step, color=colour, linestyle=style, linewidth=2, label=label)
        _draw_divergence(axes, fit, colour)
    left.set(title="One Gaussian for two modes", xlabel="x", ylabel="density (1 / unit of x)", ylim=(0, 0.85))
    left.legend(loc="upper right", fontsize=9)
    return figure


def _draw_divergence(axes: "Axes", fit: "Fit", colour: str) -> None:
    """A divergence over all Gaussians, and its lowest place."""
    levels = [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1, 1.5, 2, 3, 5, 8]
    drawn = axes.contourf(fit.means, fit.sigmas, fit.nats, levels, cmap="viridis_r", extend="both")
    axes.figure.colorbar(drawn, ax=axes, label="nats")
    axes.plot(*fit.best, "o", color=colour, markeredgecolor="white", markersize=10)
    covers = "covers both" if fit.divergence == "D(p || q)" else "chooses one"
    axes.set(title=f"{fit.divergence} {covers}", xlabel="mean of q", ylabel="standard deviation σ of q")
    axes.grid(visible=False)
