"""See probability: distributions, expectation, entropy, cross-entropy and the two directions of the KL divergence.

Four distributions and their samples; sample means whose error falls as 1 / sqrt(n); the entropy of a coin and of a
digit's pixels, in nats; what a wrong belief costs; and one Gaussian fitted to a mixture of two by either divergence:
D(p || q) covers both modes, D(q || p) chooses one (Bishop 2006, Pattern Recognition and Machine Learning, section
10.1.2). All is held against SciPy.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from annotated_types import Ge

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from foundations.probability import Distribution
    from labs.kit.data import ImageData

    Errors = dict[str, tuple[np.ndarray, np.ndarray]]

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
    from labs.drawings import probability as drawings

    pixels = pixels_as_coins(run.load_images(config.data))
    shown = distributions()
    draws = {
        name: each.sample(run.streams.torch(name), (config.repetitions, config.samples)).double()
        for name, each in shown.items()
    }
    errors = errors_of_the_mean(shown, draws)
    target, fits = fit_both_ways(config.fits)
    run.figure("1_distributions", drawings.draw_distributions(shown, draws))
    run.figure("2_law_of_large_numbers", drawings.draw_law_of_large_numbers(shown, draws, errors))
    run.figure("3_entropy_of_a_coin", drawings.draw_entropy_of_a_coin())
    run.figure("4_entropy_of_pixels", drawings.draw_entropy_of_pixels(pixels))
    run.figure("5_cross_entropy", drawings.draw_cross_entropy())
    run.figure("6_two_divergences", drawings.draw_fits(target, fits))
    differences = against_scipy()
    run.table("against_scipy", [{"quantity": of, "largest difference": each} for of, each in differences.items()])
    run.table("one_gaussian_for_two_modes", [fit.row() for fit in fits])
    nats = {"pixel_entropy": float(pixels.entropies.sum()), "pixel_cross_entropy_test": pixels.cost}
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


def errors_of_the_mean(shown: "dict[str, Distribution]", draws: "dict[str, Tensor]") -> "Errors":
    """How far the mean of n draws lies from the expectation (root mean square): name -> (n, error)."""
    import numpy as np
    import torch

    found = {}
    for name, each in shown.items():
        counts = np.unique(np.geomspace(1, draws[name].shape[1], 40).astype(int))
        means = draws[name].cumsum(1)[:, counts - 1] / torch.from_numpy(counts)
        found[name] = counts, (means - each.expectation(lambda x: x)).square().mean(0).sqrt().numpy()
    return found


def slopes_of(errors: "Errors") -> dict[str, float]:
    """The slope of each error in the logarithms: -1/2 by the law of large numbers."""
    import numpy as np

    return {
        f"slope_of_error_{name}": float(np.polyfit(np.log(counts), np.log(error), 1)[0])
        for name, (counts, error) in errors.items()
    }


# Information ----------------------------------------------------------------------------------------------------------


class Pixels(NamedTuple):
    """The pixels of a set of images as independent coins, bright or dark."""

    shares: "Tensor"
    """How often each is bright in the training images: (height, width)."""
    entropies: "Tensor"
    """Of each, in nats: (height, width)."""
    cost: float
    """Cross-entropy of a test image under the training images' shares, in nats."""


def pixels_as_coins(images: "ImageData") -> Pixels:
    """Each pixel as a coin: its entropy, and what the test images cost who knows only the training images' shares."""
    import torch

    train, test = ((part > 127).mean((0, 1), dtype=torch.float64) for part in (images.train_images, images.test_images))
    # Laplace's rule: nothing is held impossible because it was never seen.
    smoothed = (train * len(images.train_images) + 1) / (len(images.train_images) + 2)
    p, q = (torch.stack([share, 1 - share], dim=-1) for share in (test, smoothed))
    entropies = foundations.probability.entropy(torch.stack([train, 1 - train], dim=-1))
    return Pixels(train, entropies, float(foundations.probability.cross_entropy(p, q).sum()))


# Two divergences ------------------------------------------------------------------------------------------------------


class Target(NamedTuple):
    """A mixture of two Gaussians on a grid of places: probabilities that sum to 1."""

    x: "Tensor"
    p: "Tensor"


class Fit(NamedTuple):
    """The Gaussian q for which one divergence from or to the target is smallest, among those of a grid."""

    divergence: str
    means: "Tensor"
    sigmas: "Tensor"
    nats: "Tensor"
    """The divergence for every standard deviation and mean: (sigmas, means)."""
    q: "Tensor"
    """The best one, on the target's places."""

    @property
    def best(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        row, column = divmod(int(self.nats.argmin()), len(self.means))
        return float(self.means[column]), float(self.sigmas[row])

    def row(self) -> dict[str, object]:
        """As in the table."""
        mean, sigma = self.best
        return {"smallest": self.divergence, "mean": mean, "sigma": sigma, "nats": float(self.nats.min())}


def fit_both_ways(fits: int) -> tuple[Target, list[Fit]]:
    """The Gaussian q nearest to a mixture p of two, by D(p || q) and by D(q || p), among fits x fits of them."""
    import torch

    kl = foundations.probability.kl_divergence
    x = torch.linspace(-8, 8, 401, dtype=torch.float64)
    components = _on_grid(x, torch.tensor([-2.0, 2.0]).double(), torch.tensor([0.7, 0.9]).double())
    p = 0.6 * components[0] + 0.4 * components[1]
    means, sigmas = torch.linspace(-4, 4, fits).double(), torch.linspace(0.4, 4, fits).double()
    maps = {"D(p || q)": torch.zeros(fits, fits), "D(q || p)": torch.zeros(fits, fits)}
    for row, sigma in enumerate(sigmas):  # a row at a time, so that the memory stays small
        q = _on_grid(x, means, sigma.expand(fits))
        maps["D(p || q)"][row], maps["D(q || p)"][row] = kl(p.expand_as(q), q), kl(q, p.expand_as(q))
    found = []
    for name, nats in maps.items():
        row, column = divmod(int(nats.argmin()), fits)
        found.append(Fit(name, means, sigmas, nats, _on_grid(x, means[column], sigmas[row])))
    return Target(x, p), found


def _on_grid(x: "Tensor", means: "Tensor", sigmas: "Tensor") -> "Tensor":
    """Gaussians on the places `x`, each summing to 1; 1e-300 keeps far places above 0. Shapes: (*) -> (*, len(x))."""
    weights = (-(((x - means.unsqueeze(-1)) / sigmas.unsqueeze(-1)) ** 2) / 2).exp() + 1e-300
    return weights / weights.sum(-1, keepdim=True)


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
