"""The pictures of the lab `vae_mnist`: bounds, reconstructions, and walks through the latent space."""

from typing import TYPE_CHECKING

import generative
import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from labs.kit.data import ImageData
    from labs.vae_mnist import Config, Judged, Seen


def draw_bounds(judged: "Judged", latents: int, config: "Config", run: kit.Run) -> "Figure":
    """How the bound was climbed, with so many latents an image, and how much each latent unit says."""
    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4), width_ratios=(3, 2))
    at, bounds = run.history("nats/bound")
    name = "ELBO" if config.objective == "elbo" else f"bound of {latents} latents"
    falling = [-value for value in kit.figures.running_median(bounds)]
    left.plot(at, falling, color=colours[0], label=f"training: -{name}")
    tested = run.history("validation/bound")
    left.plot(tested[0], [-value for value in tested[1]], "o-", color=colours[1], markersize=4, label="test: -ELBO")
    estimate = f"test: -log p(x) = {judged.nats:.1f}, k = {config.estimate_latents:,}"
    left.axhline(judged.nats, color=colours[2], linestyle=":", label=estimate)
    lowest, begun = min(*falling, judged.nats), falling[len(falling) // 20]
    left.set_ylim(lowest - 0.05 * (begun - lowest), begun)
    left.set(title="The bound, upside down: lower is better", xlabel="update", ylabel="nats per image")
    each = judged.terms.kl.mean(0).sort(descending=True)
    active = (judged.terms.means.var(0) > generative.bounds.ACTIVE_VARIANCE)[each.indices].tolist()
    places = range(1, len(active) + 1)
    right.bar(places, each.values.tolist(), color=[colours[0] if is_active else colours[4] for is_active in active])
    right.xaxis.get_major_locator().set_params(integer=True)
    right.set(title=f"{sum(active)} of {len(active)} latent units are active", ylabel="divergence from N(0, 1) (nats)")
    right.set_xlabel("latent unit, the most telling first")
    left.legend(fontsize=9)
    return figure


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
    figure = _sheet(torch.cat(pictures), rows, [""] * len(means))
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
    figure = _sheet(learner.sample(latents, labels), names, [f"{value:g}" for value in values.tolist()])
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
    figure = _sheet(torch.cat(pictures), names, ["image", *shares, "image"])
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
    figure = _sheet(drawn, [f"latent {row + 1}" for row in range(rows)], list(images.class_names))
    figure.axes[0].set_xlabel("class that was asked for")
    figure.suptitle("One latent, every class", fontweight="bold")
    return figure


def _sheet(pictures: "Tensor", rows: list[str], columns: list[str]) -> "Figure":
    """Pictures row by row, the rows and columns named."""
    from matplotlib import pyplot as plt

    height, width, gap = *pictures.shape[2:], kit.figures.GAP
    figure, axes = plt.subplots(figsize=(1.6 + 0.75 * len(columns), 1.1 + 0.75 * len(rows) * height / width))
    axes.imshow(kit.figures.grid(pictures, len(columns), scale=1), cmap="gray", vmin=0, vmax=255)
    axes.set_xticks([gap + width / 2 + place * (width + gap) for place in range(len(columns))], columns)
    axes.set_yticks([gap + height / 2 + place * (height + gap) for place in range(len(rows))], rows)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure
