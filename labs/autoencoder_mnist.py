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
from labs.drawings.autoencoder_mnist import SHOWN

if TYPE_CHECKING:
    from torch import Tensor

    from generative.codes import Coder, Measure
    from labs.kit.data import ImageData

topic = "generative models"
FEWEST = 10
"""Test images below which no figure would mean anything."""
DEAD = 0.01
"""A number of the code with less spread than this says nothing."""
REFERENCES = 5_000
"""Codes of training images that lay the cells in which codes are kept."""
BITS = (1, 2, 3, 4, 6, 8)
"""In which a number of a code is kept, on average."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: a registered name, or a folder of images in one sub-folder a class."""
    model: Literal["dense", "deep", "conv", "denoising", "sparse"] = "denoising"
    """dense, deep, conv: kinds of layers. denoising: puts right moved, noisy images. sparse: so too, few units on at a
    time."""
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
    from labs.drawings import autoencoder_mnist as drawings

    images = load(config, run)
    pca = generative.PrincipalComponents(images.train_images, config.code_size)
    autoencoder = _train(config, images, run)
    coders: dict[str, Coder] = {"autoencoder": autoencoder, "PCA": pca}
    _tell_reconstruction(coders, images, config, run)
    searches = _tell_search(coders, images, config, run)
    run.figure("learning_curve", drawings.draw_curve(pca, images, config, run))
    run.figure("reconstructions", drawings.draw_reconstructions(coders, images, config, run))
    run.figure("map_of_codes", drawings.draw_map(coders, images, config))
    run.figure("search", drawings.draw_search(searches, images, config))
    run.figure("compression", drawings.draw_compression(_compress(coders, images, config)))
    run.film("reconstructions")
    run.model("autoencoder", autoencoder.eval(), images.test_images[:1].to(run.device) / 255)


def load(config: Config, run: kit.Run) -> "ImageData":
    """The images, shuffled, since the first ones of a folder may all be of one class; no more than asked for."""
    whole = run.load_images(config.data)
    need = max(config.code_size, config.batch_size, config.neighbours)
    enough = len(whole.train_images) >= need and len(whole.test_images) >= FEWEST
    settings = f"code_size={config.code_size}, batch_size={config.batch_size} and neighbours={config.neighbours}"
    has = f"it has {len(whole.train_images)} and {len(whole.test_images)}"
    allowed = f"of {need} training images or more, for {settings}, and {FEWEST} test images; {has}"
    require(enough, "data", config.data, allowed)
    images = whole.subset(config.training_images, run.streams.torch("subset"), test_count=config.test_images)
    most = min(len(images.train_images), config.gallery)
    require(config.neighbours <= most, "neighbours", config.neighbours, f"at most {most}, the images searched")
    return images


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

    def show() -> None:
        made = generative.codes.reconstruct(learner.autoencoder, shown)
        run.images("reconstructions", torch.cat([shown / 255, made]), columns=len(shown))

    show()  # before the first step: what an untrained network makes of them
    for _ in run.follow(learner, steps=config.steps, examples_per_step=config.batch_size):
        if run.every(config.show_every):
            show()
    return learner.autoencoder.to("cpu")


# --- figures of merit -------------------------------------------------------------------------------------------------


def _tell_reconstruction(coders: "Mapping[str, Coder]", images: "ImageData", config: Config, run: kit.Run) -> None:
    """Errors on the test images, and how sparse the codes are; alarms where the codes say little."""
    codes, test = generative.codes, images.test_images
    error = {name: float(codes.reconstruction_errors(coder, test).mean()) for name, coder in coders.items()}
    back = {name: codes.psnr(test, codes.reconstruct(coder, test).clamp(0, 1)) for name, coder in coders.items()}
    sparsity = {name: _sparsity(codes.embed(coder, test)) for name, coder in coders.items()}
    spread = codes.embed(coders["autoencoder"], images.train_images[:REFERENCES]).std(dim=0)
    dead = int((spread < DEAD).sum())
    run.table(
        "reconstruction",
        [
            {
                "code": name,
                "squared error a pixel": f"{error[name]:.5f}",
                "PSNR dB": f"{back[name]:.2f}",
                "Hoyer sparsity": f"{sparsity[name]:.3f}",
            }
            for name in coders
        ],
    )
    run.summary(
        {
            "reconstruction_error": error["autoencoder"],
            "reconstruction_error_pca": error["PCA"],
            "psnr": back["autoencoder"],
            "psnr_pca": back["PCA"],
            "hoyer_sparsity": sparsity["autoencoder"],
            "dead_units": dead,
        }
    )
    if dead:
        run.note(f"{dead} of the code's {len(spread)} numbers are nearly the same for all images")
    if error["autoencoder"] >= error["PCA"]:
        run.note(f"the autoencoder reconstructs no better than PCA: {_advice(config)}")


def _sparsity(codes: "Tensor") -> float:
    """The mean Hoyer sparsity, from 0, all units equally large, to 1, one unit alone; a single unit has 0."""
    return float(generative.codes.hoyer_sparsity(codes).mean()) if codes.shape[1] > 1 else 0.0


def _advice(config: Config) -> str:
    """What to try where little was learned."""
    if config.learning_rate > Config.learning_rate:
        return f"lower --learning-rate, now {config.learning_rate:g}"
    return "train for longer (--steps)"


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


def _compress(
    coders: "Mapping[str, Coder]", images: "ImageData", config: Config
) -> "dict[str, list[generative.codes.Compression]]":
    """Each coder's codes, kept in fewer and fewer bits."""
    codes, shown = generative.codes, images.test_images[: config.queries]
    points = {}
    for name, coder in coders.items():
        references = codes.embed(coder, images.train_images[:REFERENCES])
        points[name] = [codes.compression(coder, shown, references, bits) for bits in BITS]
    return points


if __name__ == "__main__":
    kit.launch(main)
