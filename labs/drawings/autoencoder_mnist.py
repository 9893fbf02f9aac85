"""The pictures of the lab `autoencoder_mnist`: reconstructions, a map of the codes, searches, compression."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import generative
import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from generative.codes import Coder, Compression
    from labs.autoencoder_mnist import Config, Search
    from labs.kit.data import ImageData

SHOWN = 10
"""Images in a row of a picture."""
MORE_COLOURS = ("#999999", "#7A4B2A", "#5D3A9B")
"""Grey, brown and violet: with the project's seven, ten classes differ."""
ERROR_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


def draw_curve(pca: "Coder", images: "ImageData", config: "Config", run: kit.Run) -> "Figure":
    """Errors over the updates, with that of principal components as the line to get under."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.8, 3.8))
    at, losses = run.history("loss/training")
    axes.plot(at, losses, linewidth=0.7, alpha=0.35)
    batch = "one batch, soiled" if config.model in generative.autoencoders.SOILED else "one batch"
    axes.plot(at, kit.figures.running_median(losses), color=colours[0], label=f"training ({batch})")
    at, errors = run.history("validation/loss")
    axes.plot(
        at,
        errors,
        color=colours[1],
        linestyle="-",
        marker="o",
        markersize=3.5,
        label="test images, clean" if "soiled" in batch else "test images",
    )
    floor = float(generative.codes.reconstruction_errors(pca, images.test_images).mean())
    axes.axhline(floor, color=colours[6], linestyle="--", label=f"test images, PCA: {floor:.4f}")
    axes.set(title="What is lost on the way through the code", xlabel="update", yscale="log")
    axes.set_ylabel("squared error a pixel\n(black 0, white 1)")
    low, high = axes.dataLim.intervaly
    axes.set_yticks([tick for tick in ERROR_TICKS if low / 2 < tick < high])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure


def draw_reconstructions(
    coders: "Mapping[str, Coder]", images: "ImageData", config: "Config", run: kit.Run
) -> "Figure":
    """One image of each class, and what comes back; beside it the same images made noisy."""
    import torch
    from matplotlib import pyplot as plt

    present = images.test_labels.unique()[:SHOWN]  # a class may have no test image
    firsts = [int((images.test_labels == label).int().argmax()) for label in present]
    clean = images.test_images[firsts] / 255
    noisy = generative.noisy(clean, run.streams.torch("noisy"))
    figure, both = plt.subplots(1, 2, figsize=(12, 2.5))
    for axes, title, given in zip(both, ("Clean images", "The same made noisy"), (clean, noisy), strict=True):
        rows = {"goes in": given} | {
            f"{name}": generative.codes.reconstruct(each, given) for name, each in coders.items()
        }
        labels = [
            name if made is clean else f"{name}\n{generative.codes.psnr(clean, made.clamp(0, 1)):.1f} dB"
            for name, made in rows.items()
        ]
        sheet = kit.figures.grid(torch.cat(list(rows.values())).clamp(0, 1), len(firsts), scale=1)
        axes.imshow(sheet, cmap="gray", vmin=0, vmax=255)
        axes.set_title(title)
        axes.set_xticks([])
        height = sheet.height / len(rows)
        axes.set_yticks([height * (row + 0.5) for row in range(len(rows))], labels)
        axes.tick_params(length=0)
        axes.grid(visible=False)
    figure.suptitle(f"Through {config.code_size} numbers and back (PSNR against the clean images)", fontweight="bold")
    return figure


def draw_map(coders: "Mapping[str, Coder]", images: "ImageData", config: "Config") -> "Figure":
    """Codes laid out flat so that neighbours stay neighbours, each image drawn as its class."""
    from matplotlib import pyplot as plt
    from sklearn.manifold import TSNE

    count = min(config.mapped, len(images.test_images))
    labels = images.test_labels[:count].tolist()
    figure, both = plt.subplots(1, 2, figsize=(12, 6.2))
    for axes, (name, coder) in zip(both, coders.items(), strict=True):
        rows = generative.codes.embed(coder, images.test_images[:count]).numpy()
        flat = TSNE(metric="cosine", init="random", random_state=config.seed, perplexity=min(30, count / 4))
        _scatter(axes, flat.fit_transform(rows), labels, images.class_names)
        axes.set_title(f"Codes of the {name}" if name == "autoencoder" else f"Codes of {name}")
    title = f"{count:,} test images by their {config.code_size} numbers, laid out flat by t-SNE, which sees no label"
    figure.suptitle(title, fontweight="bold")
    return figure


def _scatter(axes: "Axes", places: "Tensor", labels: list[int], names: tuple[str, ...]) -> None:
    """Each place as the glyph of its class: digits tell themselves apart where colours cannot."""
    import numpy as np

    colours = (*kit.figures.COLOURS, *MORE_COLOURS)
    for label, name in enumerate(names):
        own = places[np.array(labels) == label]
        colour = colours[label % len(colours)]
        glyph = f"${name if len(name) == 1 else label}$"
        axes.scatter(own[:, 0], own[:, 1], marker=glyph, s=26, linewidths=0.2, color=colour)
        if len(own):
            x, y = np.median(own, axis=0)
            box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "black", "alpha": 0.85}
            axes.text(x, y, name, ha="center", va="center", fontsize=15, fontweight="bold", bbox=box)
    axes.set(xticks=[], yticks=[], xlabel="t-SNE 1 (no unit)", ylabel="t-SNE 2 (no unit)")


def draw_search(searches: "Mapping[str, Search]", images: "ImageData", config: "Config") -> "Figure":
    """Three queries whose searches differ most, and what each finds; wrong classes in a thick frame."""
    from matplotlib import pyplot as plt

    labels = images.test_labels[: len(searches["pixels"].found)]
    right = {name: images.train_labels[each.found] == labels[:, None] for name, each in searches.items()}
    gain = right["autoencoder"].sum(1) - right["PCA"].sum(1)
    chosen = [int(gain.argmax()), int(gain.float().sub(gain.float().mean()).abs().argmin()), int(gain.argmin())]
    heads = ("the autoencoder's best win", "an ordinary one", "its worst loss")
    count = min(SHOWN, searches["pixels"].found.shape[1])
    figure, panels = plt.subplots(3 * len(searches), count + 1, figsize=(0.85 * (count + 3), 8.4))
    for row, axes in enumerate(panels):
        query, (name, search) = chosen[row // len(searches)], list(searches.items())[row % len(searches)]
        hits = int(right[name][query].sum())
        axes[0].set_ylabel(
            f"{name}\n{hits} of {search.found.shape[1]}", rotation=0, ha="right", va="center", fontsize=9
        )
        _frame(axes[0], images.test_images[query], wrong=False)
        if row % len(searches) == 0:
            axes[0].set_title(f"query: {heads[row // len(searches)]}", fontsize=9, loc="left")
        for place, panel in enumerate(axes[1:]):
            _frame(panel, images.train_images[search.found[query, place]], wrong=not right[name][query, place])
    figure.suptitle("A query, and its nearest among the training images; framed: another class", fontweight="bold")
    return figure


def _frame(axes: "Axes", image: "Tensor", *, wrong: bool) -> None:
    axes.imshow(image.permute(1, 2, 0).numpy(), cmap="gray_r", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=wrong, color=kit.figures.COLOURS[1], linewidth=3)


def draw_compression(compressions: "Mapping[str, Sequence[Compression]]") -> "Figure":
    """PSNR against the rate: the same codes, kept in fewer and fewer bits."""
    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.8, 4.2))
    for (name, points), colour in zip(compressions.items(), colours, strict=False):
        axes.plot([p.rate for p in points], [p.psnr for p in points], "-o", color=colour, label=name)
        for point, *rivals in zip(points, *compressions.values(), strict=True):
            place = (0, 7) if point.psnr >= max(each.psnr for each in rivals) else (0, -14)
            axes.annotate(
                f"{point.bits}", (point.rate, point.psnr), place, textcoords="offset points", ha="center", fontsize=8
            )
    axes.set(xscale="log", ylabel="PSNR (dB)")
    axes.set_xlabel("compression rate: times smaller than 8 bits a pixel\n(the decoder, kept once, is not counted)")
    ticks = [p.rate for p in points]
    axes.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
    axes.minorticks_off()
    axes.margins(y=0.15)
    axes.set_title("How small an image can be kept\n(at the points: bits a number on average, shared out by variance)")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
