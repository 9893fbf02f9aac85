"""Squeeze handwritten digits through a code of 32 numbers, and see what such codes are good for, beside PCA.

An autoencoder learns to make an image again from a short code of it (Hinton & Salakhutdinov 2006, Science 313). The run
shows reconstructions, a map of the codes, what a search among them finds, and how small a digit can be kept: each
beside principal components, the best that straight lines can do. Denoising: Vincent et al. 2010, JMLR 11.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

from annotated_types import Ge

import generative
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from generative.codes import Coder, Measure
    from labs.kit.data import ImageData

topic = "generative models"
DEAD = 0.01
"""A number of the code with less spread than this says nothing."""
REFERENCES = 5_000
"""Codes of training images that lay the cells in which codes are kept."""
BITS = (1, 2, 3, 4, 6, 8)
ERROR_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
SHOWN = 10
"""Images in a row of a picture."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: a registered name, or a folder of images in one sub-folder a class."""
    model: Literal["dense", "deep", "conv", "denoising", "sparse"] = "denoising"
    """dense, deep, conv: kinds of layers. denoising: puts right moved, noisy images. sparse: so too, few units on."""
    code_size: kit.Count = 32
    """Numbers in the code, and principal components beside it."""
    steps: kit.Count = 3_000
    """Updates."""
    batch_size: Annotated[int, Ge(2)] = 128
    """Images an update."""
    learning_rate: kit.Rate = 2e-3
    """AdamW's largest step size, reached after a tenth of the steps; from there it falls along a cosine to 0."""
    neighbours: kit.Count = 10
    """Images that a search finds."""
    training_images: kit.Count = 60_000
    """Training images at most."""
    test_images: Annotated[int, Ge(100)] = 10_000
    """Test images at most."""
    gallery: kit.Count = 20_000
    """Training images that are searched, at most."""
    queries: Annotated[int, Ge(SHOWN)] = 2_000
    """Test images that are searched for, at most."""
    mapped: Annotated[int, Ge(100)] = 1_500
    """Test images on the map, at most."""
    show_every: kit.Count = 250
    """Steps between pictures, and between looks at the test images, which choose nothing."""

    useful_threads: ClassVar[int] = 1
    presets: ClassVar[kit.Presets] = {
        "smoke": {
            "steps": 40,
            "training_images": 3_000,
            "test_images": 500,
            "gallery": 1_000,
            "queries": 200,
            "mapped": 150,
            "show_every": 20,
        },
        "full": {"steps": 20_000, "gallery": 60_000, "queries": 10_000, "show_every": 1_000},
    }


class Search(NamedTuple):
    """What a search finds by one kind of code and one measure, and how much of it is of the right class."""

    found: "Tensor"
    precision: float


def main(config: Config, run: kit.Run) -> None:
    """Train, then put every use of the codes beside the same with principal components."""
    images = load(config, run)
    pca = generative.PrincipalComponents(images.train_images, config.code_size)
    autoencoder = _train(config, images, run)
    coders: dict[str, Coder] = {"autoencoder": autoencoder, "PCA": pca}
    _tell_reconstruction(coders, images, run)
    searches = _tell_search(coders, images, config, run)
    run.figure("learning_curve", _draw_curve(pca, images, run))
    run.figure("reconstructions", _draw_reconstructions(coders, images, config, run))
    run.figure("map_of_codes", _draw_map(coders, images, config))
    run.figure("search", _draw_search(searches, images, config))
    run.figure("compression", _draw_compression(coders, images, config))
    run.film("reconstructions")
    run.model("autoencoder", autoencoder.eval(), images.test_images[:1].to(run.device) / 255)


def load(config: Config, run: kit.Run) -> "ImageData":
    """The images, shuffled, since the first ones of a folder may all be of one class; no more than asked for."""
    from dataclasses import replace

    import torch

    images, stream = run.load_images(config.data), run.streams.torch("subset")
    train = torch.randperm(len(images.train_images), generator=stream)[: config.training_images]
    test = torch.randperm(len(images.test_images), generator=stream)[: config.test_images]
    most = min(len(train), config.gallery)
    require(config.neighbours <= most, "neighbours", config.neighbours, f"at most {most}, the images searched")
    return replace(
        images,
        train_images=images.train_images[train],
        train_labels=images.train_labels[train],
        test_images=images.test_images[test],
        test_labels=images.test_labels[test],
    )


def _train(config: Config, images: "ImageData", run: kit.Run) -> "generative.Autoencoder":
    """The trained network; on the way, test images and what becomes of them."""
    import torch

    learner = generative.build_autoencoder(
        config.model,
        images.train_images,
        code_size=config.code_size,
        steps=config.steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        validation=images.test_images,
        validate_every=config.show_every,
        streams=run.streams,
        device=run.device,
    )
    shown = images.test_images[: 2 * SHOWN].to(run.device)
    for _ in run.follow(learner, steps=config.steps, examples_per_step=config.batch_size):
        if run.every(config.show_every):
            made = generative.codes.reconstruct(learner.autoencoder, shown)
            run.images("reconstructions", torch.cat([shown / 255, made]), columns=2 * SHOWN)
    return learner.autoencoder.to("cpu")


# --- figures of merit -------------------------------------------------------------------------------------------------


def _tell_reconstruction(coders: "Mapping[str, Coder]", images: "ImageData", run: kit.Run) -> None:
    """Errors on the test images; alarms where the codes say little."""
    codes, test = generative.codes, images.test_images
    error = {name: float(codes.reconstruction_errors(coder, test).mean()) for name, coder in coders.items()}
    back = {name: codes.psnr(test, codes.reconstruct(coder, test).clamp(0, 1)) for name, coder in coders.items()}
    spread = codes.embed(coders["autoencoder"], images.train_images[:REFERENCES]).std(dim=0)
    run.table(
        "reconstruction",
        [
            {"code": name, "squared error a pixel": f"{error[name]:.5f}", "PSNR dB": f"{back[name]:.2f}"}
            for name in error
        ],
    )
    run.summary(
        {
            "reconstruction_error": error["autoencoder"],
            "reconstruction_error_pca": error["PCA"],
            "psnr": back["autoencoder"],
            "psnr_pca": back["PCA"],
            "dead_units": int((spread < DEAD).sum()),
        }
    )
    if (spread < DEAD).any():
        run.note(f"{int((spread < DEAD).sum())} of the code's {len(spread)} numbers are nearly the same for all images")
    if error["autoencoder"] >= error["PCA"]:
        run.note("the autoencoder reconstructs no better than PCA: train for longer (--steps)")


def _tell_search(coders: "Mapping[str, Coder]", images: "ImageData", config: Config, run: kit.Run) -> dict[str, Search]:
    """precision@k of a search by code, by principal components and by pixels; the better measure of each is kept."""
    codes = generative.codes
    queries, gallery = images.test_images[: config.queries], images.train_images[: config.gallery]
    kinds = {name: (codes.embed(coder, queries), codes.embed(coder, gallery)) for name, coder in coders.items()}
    kinds["pixels"] = (queries.flatten(1) / 255, gallery.flatten(1) / 255)
    measures: tuple[Measure, ...] = ("cosine", "euclidean")
    rows: list[dict[str, str]] = []
    best: dict[str, Search] = {}
    for name, (asked, kept) in kinds.items():
        found = {measure: codes.nearest(asked, kept, config.neighbours, measure=measure) for measure in measures}
        tried = {measure: Search(each, _precision(each, images)) for measure, each in found.items()}
        shown = {measure: f"{100 * search.precision:.2f} %" for measure, search in tried.items()}
        rows.append({"searched by": name, "cosine": shown["cosine"], "euclidean": shown["euclidean"]})
        best[name] = max(tried.values(), key=lambda search: search.precision)
    run.table(f"precision_at_{config.neighbours}", rows)
    run.summary({f"precision_at_{config.neighbours}_{name}": search.precision for name, search in best.items()})
    return best


def _precision(found: "Tensor", images: "ImageData") -> float:
    return generative.codes.precision_at(found, images.train_labels, images.test_labels[: len(found)])


# --- pictures ---------------------------------------------------------------------------------------------------------


def _draw_curve(pca: "Coder", images: "ImageData", run: kit.Run) -> "Figure":
    """Errors over the updates, with that of principal components as the line to get under."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.8, 3.8))
    at, losses = run.history("loss/training")
    axes.plot(at, losses, linewidth=0.7, alpha=0.35)
    axes.plot(at, kit.figures.running_median(losses), color=colours[0], label="training (one batch)")
    at, errors = run.history("validation/loss")
    axes.plot(at, errors, color=colours[1], linestyle="-", marker="o", markersize=3.5, label="test images")
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


def _draw_reconstructions(coders: "Mapping[str, Coder]", images: "ImageData", config: Config, run: kit.Run) -> "Figure":
    """One image of each class, and what comes back; beside it the same images made noisy."""
    import torch
    from matplotlib import pyplot as plt

    firsts = [int((images.test_labels == label).int().argmax()) for label in range(min(SHOWN, len(images.class_names)))]
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


def _draw_map(coders: "Mapping[str, Coder]", images: "ImageData", config: Config) -> "Figure":
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

    colours = kit.figures.COLOURS
    for label, name in enumerate(names):
        own = places[np.array(labels) == label]
        glyph = f"${name if len(name) == 1 else label}$"
        axes.scatter(own[:, 0], own[:, 1], marker=glyph, s=26, linewidths=0.2, color=colours[label % len(colours)])
        if len(own):
            x, y = np.median(own, axis=0)
            box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "black", "alpha": 0.85}
            axes.text(x, y, name, ha="center", va="center", fontsize=15, fontweight="bold", bbox=box)
    axes.set(xticks=[], yticks=[], xlabel="t-SNE 1 (no unit)", ylabel="t-SNE 2 (no unit)")


def _draw_search(searches: "Mapping[str, Search]", images: "ImageData", config: Config) -> "Figure":
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


def _draw_compression(coders: "Mapping[str, Coder]", images: "ImageData", config: Config) -> "Figure":
    """PSNR against the rate: the same codes, kept in fewer and fewer bits."""
    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    shown = images.test_images[: config.queries]
    figure, axes = plt.subplots(figsize=(6.8, 4.2))
    for name, colour in zip(coders, colours, strict=False):
        references = generative.codes.embed(coders[name], images.train_images[:REFERENCES])
        points = [generative.codes.compression(coders[name], shown, references, bits) for bits in BITS]
        axes.plot([p.rate for p in points], [p.psnr for p in points], "-o", color=colour, label=name)
        for point in points:
            place = (0, -14 if name == "PCA" else 7)
            axes.annotate(
                f"{point.bits}", (point.rate, point.psnr), place, textcoords="offset points", ha="center", fontsize=8
            )
    axes.set(xscale="log", xlabel="compression rate (times smaller than 8 bits a pixel)", ylabel="PSNR (dB)")
    ticks = [p.rate for p in points]
    axes.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
    axes.minorticks_off()
    axes.margins(y=0.15)
    axes.set_title("How small an image can be kept (at the points: bits a number)")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


if __name__ == "__main__":
    kit.launch(main)
