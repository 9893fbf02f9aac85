"""The pictures of the lab `vae_mnist`: bounds, reconstructions, and walks through the latent space."""

from typing import TYPE_CHECKING

import generative
import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from labs.kit.data import ImageData
    from labs.vae_mnist import Config, Judged, Seen


def draw_bounds(judged: "Judged", latents: int, config: "Config", run: kit.Run) -> "Figure":
    """How the bound was climbed, with so many latents an image, and how much each latent unit says."""
    kit.figures.COLOURS  # noqa: B018  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.4), width_ratios=(3, 2))
    _draw_climb(left, judged, latents, config, run)
    _draw_units(right, judged)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    return figure


def _draw_climb(axes: "Axes", judged: "Judged", latents: int, config: "Config", run: kit.Run) -> None:
    """The same bound, the ELBO, of training and test images, whatever is climbed; the estimate below it."""
    first, second, third, fourth, *_ = kit.figures.COLOURS
    axes.plot(*_smoothed(_elbo_of_training(run)), color=first, label="training: -ELBO")
    if config.objective == "importance_weighted":
        most = "up to " if config.single else ""
        climbed = dict(zip(*run.history("nats/bound"), strict=True))
        axes.plot(
            *_smoothed(climbed), color=fourth, linestyle="--", label=f"training: -L_k, k = {most}{latents}, climbed"
        )
    at, tested = run.history("validation/bound")
    name = f"test: -ELBO, {len(judged.terms.kl):,} images"
    axes.plot(at, [-value for value in tested], "o-", color=second, markersize=4, label=name)
    given = "-log p(x | label)" if config.conditional else "-log p(x)"
    estimate = f"test: {given} \u2264 {judged.nats:.1f} \u00b1 {judged.error:.1f} (standard error),"
    estimate += f" k = {config.estimate_latents:,}, {judged.estimated:,} images"
    axes.axhline(judged.nats, color=third, linestyle=":", label=estimate)
    axes.axhspan(judged.nats - judged.error, judged.nats + judged.error, color=third, alpha=0.15, linewidth=0)
    density = " (of a density)" if config.likelihood == "gaussian" else ""
    axes.set(title=f"Bounds on {given}: lower is better", xlabel="update", ylabel=f"nats per image{density}")


def _elbo_of_training(run: kit.Run) -> dict[int, float]:
    """Reconstruction less divergence at each step of which both were kept."""
    reconstruction, kl = (dict(zip(*run.history(f"nats/{name}"), strict=True)) for name in ("reconstruction", "kl"))
    return {step: value - kl[step] for step, value in reconstruction.items() if step in kl}


def _smoothed(bound: dict[int, float]) -> tuple[list[int], list[float]]:
    """Steps, and the bound upside down, without its spikes."""
    return list(bound), [-value for value in kit.figures.running_median(list(bound.values()))]


def _draw_units(axes: "Axes", judged: "Judged") -> None:
    """What each latent unit says, and what all do together."""
    from matplotlib.ticker import MaxNLocator

    active_colour, silent_colour = kit.figures.COLOURS[0], kit.figures.COLOURS[4]
    each = judged.terms.kl.mean(0).sort(descending=True)
    active = (judged.terms.means.var(0) > generative.bounds.ACTIVE_VARIANCE)[each.indices].tolist()
    colours = [active_colour if is_active else silent_colour for is_active in active]
    axes.bar(range(1, len(active) + 1), each.values.tolist(), color=colours)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    total = f"divergence {each.values.sum():.3g} nats in all"
    axes.set(title=f"{sum(active)} of {len(active)} latent units are active,\n{total}")
    axes.set(ylabel="divergence from N(0, 1) (nats)")
    axes.set_xlabel("latent unit, the most telling first" + ("" if all(active) else "\n(orange: not active)"))


def draw_reconstructions(learner: "generative.VAELearner", images: "ImageData", test: "Seen") -> "Figure":
    """Test images, as the VAE sees them, and as it draws them from the mean of their latents."""
    import torch

    first, rows = slice(0, 12), ["test image"]
    labels = None if test.labels is None else test.labels[first]
    pictures = [images.test_images[test.order[first]].to(test.x.device) / 255]
    if not torch.equal(pictures[0], test.x[first]):
        pictures, rows = [*pictures, test.x[first]], [*rows, "binarized"]
    with torch.no_grad():
        means, _ = learner.vae.encode(test.x[first], labels)
    pictures, rows = [*pictures, learner.sample(means, labels)], [*rows, "drawn from\nits latent"]
    figure = kit.figures.sheet(torch.cat(pictures), rows, [""] * len(means))
    figure.suptitle("Test images that pass through the latent", fontweight="bold")
    return figure


def draw_traversals(learner: "generative.VAELearner", judged: "Judged", test: "Seen") -> "Figure":
    """One test image's latent, with one unit changed: what the most telling units mean."""
    import torch

    kl, latent = judged.terms.kl.mean(0), judged.terms.means[0]
    units = kl.argsort(descending=True)[:8].tolist()
    values = torch.linspace(-2.5, 2.5, 11)
    latents = torch.cat([generative.traverse(latent, unit, values) for unit in units])
    labels = None if test.labels is None else test.labels[:1].expand(len(latents))
    names = [f"unit {unit}: {kl[unit]:.1f} nats" for unit in units]
    figure = kit.figures.sheet(learner.sample(latents, labels), names, [f"{value:g}" for value in values.tolist()])
    figure.axes[0].set_xlabel("value of the unit (standard deviations of N(0, 1)); all others as in one test image")
    figure.suptitle("What the most telling latent units do", fontweight="bold")
    return figure


def draw_interpolations(
    learner: "generative.VAELearner", judged: "Judged", images: "ImageData", test: "Seen"
) -> "Figure":
    """Straight paths between the latents of test images; of one class where the VAE is told the label."""
    import torch

    true = images.test_labels[test.order]
    pairs = pairs_of(true, same=test.labels is not None)
    steps, pictures = 11, []
    for start, end in pairs:
        latents = generative.interpolate(judged.terms.means[start], judged.terms.means[end], steps)
        labels = None if test.labels is None else test.labels[start].expand(steps)
        pictures += [test.x[start : start + 1], learner.sample(latents, labels), test.x[end : end + 1]]
    names = [f"{images.class_names[true[start]]} to {images.class_names[true[end]]}" for start, end in pairs]
    shares = [f"{100 * step // (steps - 1)} %" for step in range(steps)]
    figure = kit.figures.sheet(torch.cat(pictures), names, ["image", *shares, "image"])
    figure.axes[0].set_xlabel("share of the straight way from one latent to the other")
    figure.suptitle("Paths through the latent space", fontweight="bold")
    return figure


def pairs_of(labels: "Tensor", *, same: bool, count: int = 8) -> list[tuple[int, int]]:
    """Places of two images each; of one class where the VAE is told the label."""
    if not same:
        return [(2 * pair, 2 * pair + 1) for pair in range(min(count, len(labels) // 2))]
    places = [(labels == label).nonzero().flatten().tolist() for label in labels.unique()]
    return [(first, second) for first, second, *_ in (each for each in places if len(each) >= 2)][:count] or [(0, 1)]


def draw_classes(learner: "generative.VAELearner", styles: "Tensor", images: "ImageData") -> "Figure":
    """A row has one latent of `styles`, a column one class: the latent holds the style."""
    import torch

    rows, classes = len(styles), len(images.class_names)
    asked = torch.arange(classes, device=styles.device).repeat(rows)
    drawn = learner.sample(styles.repeat_interleave(classes, dim=0), asked)
    figure = kit.figures.sheet(drawn, [f"latent {row + 1}" for row in range(rows)], list(images.class_names))
    figure.axes[0].set_xlabel("class that was asked for")
    figure.suptitle("One latent, every class", fontweight="bold")
    return figure
