"""See probability: distributions, expectation, entropy, cross-entropy and the two faces of the KL divergence.

Four distributions and their samples; sample means that settle as 1 / sqrt(n); what a coin and a digit's pixels leave
open, in nats; what a wrong belief costs; and one Gaussian fitted to two humps by either divergence: D(p || q) covers
both, D(q || p) chooses one (Bishop 2006, Pattern Recognition and Machine Learning, section 10.1.2).
All is held against SciPy.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from foundations.probability import Distribution
    from labs.kit.data import ImageData

topic = "mathematics"


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set whose pixels' entropy is shown: mnist, digits, or a folder of images in one sub-folder a class."""
    samples: Annotated[int, Ge(1000)] = 20_000
    """Draws from each distribution, in each repetition."""
    repetitions: Annotated[int, Ge(10)] = 100
    """Independent rows of draws, over which the error of a sample mean is averaged."""
    fits: Annotated[int, Ge(20)] = 80
    """Means, and widths, that are tried when a Gaussian is fitted: fits x fits Gaussians."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"samples": 4_000, "repetitions": 40, "fits": 40},
        "full": {"samples": 100_000, "fits": 200},
    }


def main(config: Config, run: kit.Run) -> None:
    """From distributions to divergences."""
    images = run.load_images(config.data)
    shown = distributions()
    draws = {
        name: each.sample(run.streams.torch(name), (config.repetitions, config.samples)).double()
        for name, each in shown.items()
    }
    run.figure("1_distributions", with_samples(shown, draws))
    errors = errors_of_the_mean(shown, draws)
    run.figure("2_law_of_large_numbers", law_of_large_numbers(shown, draws, errors))
    run.figure("3_entropy_of_a_coin", entropy_of_a_coin())
    nats, figure = entropy_of_pixels(images)
    run.figure("4_entropy_of_pixels", figure)
    run.figure("5_cross_entropy", cross_entropy_as_bars())
    best, figure = fit_both_ways(config.fits)
    run.figure("6_two_divergences", figure)
    differences = against_scipy()
    run.table("against_scipy", [{"quantity": of, "largest difference": each} for of, each in differences.items()])
    run.table("one_gaussian_for_two_humps", best)
    run.summary({"largest_difference_to_scipy": max(differences.values()), **slopes_of(errors), **nats})


# Distributions and expectation ----------------------------------------------------------------------------------------


def distributions() -> "dict[str, Distribution]":
    """One of each kind."""
    kinds = foundations.probability
    return {
        "uniform": kinds.Uniform(-1, 2),
        "normal": kinds.Normal(1, 0.8),
        "bernoulli": kinds.Bernoulli(0.3),
        "categorical": kinds.Categorical((0.1, 0.4, 0.15, 0.05, 0.3)),
    }


def with_samples(shown: "dict[str, Distribution]", draws: "dict[str, Tensor]") -> "Figure":
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


def errors_of_the_mean(
    shown: "dict[str, Distribution]", draws: "dict[str, Tensor]"
) -> "dict[str, tuple[np.ndarray, np.ndarray]]":
    """How far the mean of n draws lies from the expectation (root mean square): name -> (n, error)."""
    import numpy as np
    import torch

    found = {}
    for name, each in shown.items():
        counts = np.unique(np.geomspace(1, draws[name].shape[1], 40).astype(int))
        means = draws[name].cumsum(1)[:, counts - 1] / torch.from_numpy(counts)
        found[name] = counts, (means - each.expectation(lambda x: x)).square().mean(0).sqrt().numpy()
    return found


def slopes_of(errors: "dict[str, tuple[np.ndarray, np.ndarray]]") -> dict[str, float]:
    """The slope of each error in the logarithms: -1/2 by the law of large numbers."""
    import numpy as np

    return {
        f"slope_of_error_{name}": float(np.polyfit(np.log(counts), np.log(error), 1)[0])
        for name, (counts, error) in errors.items()
    }


def law_of_large_numbers(
    shown: "dict[str, Distribution]", draws: "dict[str, Tensor]", errors: "dict[str, tuple[np.ndarray, np.ndarray]]"
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


# Information ----------------------------------------------------------------------------------------------------------


def entropy_of_a_coin() -> "Figure":
    """The entropy of a coin, and the surprise of either side."""
    import torch
    from matplotlib import pyplot as plt

    blue, red, green = kit.figures.COLOURS[:3]
    p = torch.linspace(0, 1, 401, dtype=torch.float64)
    nats = foundations.probability.entropy(torch.stack([p, 1 - p], dim=1))
    figure, axes = plt.subplots(figsize=(7, 4.4))
    axes.plot(p, -p.log(), color=red, linestyle="--", label="surprise of a 1: -log p")
    axes.plot(p, -(1 - p).log(), color=green, linestyle=":", linewidth=2, label="surprise of a 0: -log(1 - p)")
    axes.plot(p, nats, color=blue, linewidth=2.5, label="entropy: the surprise to expect")
    axes.plot(0.5, math.log(2), "o", color="black")
    arrow = {"arrowstyle": "-", "color": "grey"}
    axes.annotate("log 2 = 0.693 nats = 1 bit", (0.5, math.log(2)), (0.5, 1.35), ha="center", arrowprops=arrow)
    axes.set(
        title="A coin is most uncertain when it is fair", xlabel="probability p of a 1", ylabel="nats", ylim=(0, 2.6)
    )
    axes.legend(loc="upper center", fontsize=9)
    return figure


def entropy_of_pixels(images: "ImageData") -> "tuple[dict[str, float], Figure]":
    """Each pixel as a coin: what it leaves open, and what the test images cost who knows only the pixels' means."""
    import torch
    from matplotlib import pyplot as plt

    kit.figures.COLOURS.index("#000000")
    train, test = ((part > 127).double().mean((0, 1)) for part in (images.train_images, images.test_images))
    smoothed = (train * len(images.train_images) + 1) / (len(images.train_images) + 2)  # Laplace: nothing is impossible
    p, q = (torch.stack([share, 1 - share], dim=-1) for share in (test, smoothed))
    nats = foundations.probability.entropy(torch.stack([train, 1 - train], dim=-1))
    cost = float(foundations.probability.cross_entropy(p, q).sum())
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5))
    for axes, values, name, cmap in (
        (left, train, "How often each pixel is bright", "gray"),
        (right, nats, "How uncertain it is: its entropy", "viridis"),
    ):
        drawn = axes.imshow(values, cmap=cmap, vmin=0, vmax=1 if cmap == "gray" else math.log(2))
        figure.colorbar(drawn, ax=axes, label="share of the training images" if cmap == "gray" else "nats")
        axes.set(title=name, xticks=[], yticks=[])
        axes.grid(visible=False)
    text = f"Independent pixels: {float(nats.sum()):.1f} nats an image; by these shares test images cost {cost:.1f}"
    figure.suptitle(text, fontsize=10)
    return {"pixel_entropy": float(nats.sum()), "pixel_cross_entropy_test": cost}, figure


def cross_entropy_as_bars() -> "Figure":
    """What it costs to believe q where p is true: the entropy of p, and the divergence on top."""
    import torch
    from matplotlib import pyplot as plt

    blue, red = kit.figures.COLOURS[:2]
    p = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
    beliefs = {
        "right": p,
        "hesitant": torch.full_like(p, 0.25),
        "turned round": p.flip(0),
        "too sure": torch.tensor([0.97, 0.01, 0.01, 0.01], dtype=torch.float64),
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


# Two divergences ------------------------------------------------------------------------------------------------------


def fit_both_ways(fits: int) -> "tuple[list[dict[str, object]], Figure]":
    """The Gaussian q nearest to a p of two humps, by D(p || q) and by D(q || p), among fits x fits of them."""
    import torch
    from matplotlib import pyplot as plt

    kl, colours = foundations.probability.kl_divergence, kit.figures.COLOURS
    x = torch.linspace(-8, 8, 401, dtype=torch.float64)

    def on_grid(means: "Tensor", widths: "Tensor") -> "Tensor":
        weights = (-(((x - means.unsqueeze(-1)) / widths.unsqueeze(-1)) ** 2) / 2).exp() + 1e-300
        return weights / weights.sum(-1, keepdim=True)

    humps = on_grid(torch.tensor([-2.0, 2.0]).double(), torch.tensor([0.7, 0.9]).double())
    p = 0.6 * humps[0] + 0.4 * humps[1]
    means, widths = torch.linspace(-4, 4, fits).double(), torch.linspace(0.4, 4, fits).double()
    maps = {"D(p || q)": torch.zeros(fits, fits), "D(q || p)": torch.zeros(fits, fits)}
    for row, width in enumerate(widths):  # a row at a time, so that the memory stays small
        q = on_grid(means, width.expand(fits))
        maps["D(p || q)"][row], maps["D(q || p)"][row] = kl(p.expand_as(q), q), kl(q, p.expand_as(q))
    figure, all_axes = plt.subplots(1, 3, figsize=(14, 4.3), width_ratios=[1.25, 1, 1])
    step = float(x[1] - x[0])
    rows: list[dict[str, object]] = []
    all_axes[0].fill_between(x, p / step, color="grey", alpha=0.4, label="p: two humps")
    for colour, style, axes, (name, values) in zip(colours, ("-", "--"), all_axes[1:], maps.items(), strict=False):
        row, column = divmod(int(values.argmin()), fits)
        mean, width = means[column], widths[row]
        label = f"smallest {name}: mean {mean:.2f}, σ {width:.2f}"
        all_axes[0].plot(x, on_grid(mean, width) / step, color=colour, linestyle=style, linewidth=2, label=label)
        _valley(axes, name, means, widths, values, colour)
        rows.append({"smallest": name, "mean": float(mean), "sigma": float(width), "nats": float(values.min())})
    all_axes[0].set(title="One Gaussian for two humps", xlabel="x", ylabel="density (1 / unit of x)", ylim=(0, 0.85))
    all_axes[0].legend(loc="upper right", fontsize=9)
    return rows, figure


def _valley(axes: "Axes", name: str, means: "Tensor", widths: "Tensor", values: "Tensor", colour: str) -> None:
    """A divergence over all Gaussians, and its lowest place."""
    levels = [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1, 1.5, 2, 3, 5, 8]
    drawn = axes.contourf(means, widths, values, levels, cmap="viridis_r", extend="both")
    axes.figure.colorbar(drawn, ax=axes, label="nats")
    row, column = divmod(int(values.argmin()), len(means))
    axes.plot(means[column], widths[row], "o", color=colour, markeredgecolor="white", markersize=10)
    covers = "covers both" if name == "D(p || q)" else "chooses one"
    axes.set(title=f"{name} {covers}", xlabel="mean of q", ylabel="standard deviation σ of q")
    axes.grid(visible=False)


# SciPy ----------------------------------------------------------------------------------------------------------------


def against_scipy() -> dict[str, float]:
    """The largest absolute difference of each quantity, over the four distributions and a thousand random rows."""
    import numpy as np
    import scipy.stats
    import torch

    x = torch.linspace(-4, 6, 101, dtype=torch.float64)
    references: dict[str, Any] = {
        "uniform": scipy.stats.uniform(-1, 3),
        "normal": scipy.stats.norm(1, 0.8),
        "bernoulli": scipy.stats.bernoulli(0.3),
        "categorical": scipy.stats.rv_discrete(values=(range(5), (0.1, 0.4, 0.15, 0.05, 0.3))),
    }
    pairs: dict[str, tuple[Any, Any]] = {}
    for name, own in distributions().items():
        theirs = references[name]
        density = theirs.pdf if name in ("uniform", "normal") else theirs.pmf
        pairs[f"probability, {name}"] = density(x), own.probability(x)
        pairs[f"mean, {name}"] = theirs.mean(), own.mean
        pairs[f"variance, {name}"] = theirs.var(), own.variance
        pairs[f"entropy, {name}"] = theirs.entropy(), own.entropy
    p, q = (torch.from_numpy(np.random.default_rng(seed).dirichlet(np.ones(10), 1000)) for seed in (0, 1))
    pairs["entropy of rows"] = scipy.stats.entropy(p, axis=1), foundations.probability.entropy(p)
    pairs["KL divergence of rows"] = scipy.stats.entropy(p, q, axis=1), foundations.probability.kl_divergence(p, q)
    return {of: float(np.abs(np.asarray(theirs) - np.asarray(own)).max()) for of, (theirs, own) in pairs.items()}


if __name__ == "__main__":
    kit.launch(main)
