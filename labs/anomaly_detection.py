"""Find the digit that was never shown: each of the ten classes in turn plays the defect, the other nine are ordinary.

An autoencoder learns from ordinary images alone. Odd is then what it cannot make again from its code, or what has a
code unlike all ordinary ones; above a threshold, laid by ordinary images kept apart, an image is called a defect. Both
scores stand beside the same from principal components of several sizes. Source: Ruff et al. 2021, arXiv:2009.11732.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

from annotated_types import Ge, Interval, MinLen

import generative
import labs.kit as kit
from foundations.errors import require
from labs.drawings import anomaly_detection as drawings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from generative.codes import Coder
    from labs.kit.data import ImageData

topic = "generative models"
best = ("roc_auc", "max", "test_images")
NEIGHBOURS = 5
"""Ordinary codes, the most alike, to which an image's distance is taken."""
BY_CODE, BY_ERROR = "code distance", "reconstruction error"
SHOWN = 4
"""Images of each kind of mistake in a row of the picture."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: a registered name, or a folder of images in one sub-folder a class."""
    model: Literal["dense", "deep", "conv", "denoising", "sparse"] = "denoising"
    """The autoencoder; denoising learns shapes rather than strokes."""
    code_size: kit.Count = 32
    """Numbers in its code."""
    code_noise: Annotated[float, Ge(0)] = 0.5
    """Standard deviation of the noise added to the code in training, whose numbers have one of 1: alike codes must
    then mean alike images. On the sparse model's code the range of a number is 1."""
    pca_sizes: Annotated[tuple[kit.Count, ...], MinLen(1)] = (8, 16, 32, 64)
    """Numbers of principal components beside it; the table keeps the best, judged by the answers themselves."""
    steps: kit.Count = 500
    """Updates for each class held out."""
    batch_size: Annotated[int, Ge(2)] = 128
    """Images an update."""
    learning_rate: kit.Rate = 2e-3
    """AdamW's largest step size."""
    training_images: kit.Count = 60_000
    """Training images at most."""
    test_images: Annotated[int, Ge(100)] = 10_000
    """Test images at most."""
    remembered: kit.Count = 5_000
    """Ordinary codes that an image's code is compared with, at most."""
    apart: Annotated[int, Ge(20)] = 2_000
    """Ordinary training images kept apart, at most a fifth: they lay the threshold."""
    quantile: Annotated[float, Interval(gt=0, lt=1)] = 0.95
    """Share of ordinary images that the threshold lets pass."""

    useful_threads: ClassVar[int] = 1
    presets: ClassVar[kit.Presets] = {
        "smoke": {"steps": 10, "training_images": 1_500, "test_images": 300, "remembered": 500, "pca_sizes": (8, 32)},
        "full": {"steps": 6_000, "remembered": 20_000},
    }


class Trial(NamedTuple):
    """One class as the defect: what each way of scoring says of the test images, and what the first of them gets wrong.

    `worst` holds images of either mistake, each followed by what the autoencoder makes of it.
    """

    scores: "dict[str, Tensor]"
    areas: dict[str, float]
    threshold: float
    odd: "Tensor"
    worst: "dict[str, Tensor]"


def main(config: Config, run: kit.Run) -> None:
    """Each class in turn; then the table, the mean over the classes, and the worst mistakes."""
    images = load(config, run)
    trials = [_hold_out(label, images, config, run) for label in range(len(images.class_names))]
    mean = {way: sum(trial.areas[way] for trial in trials) / len(trials) for way in trials[0].areas}
    best_pca = max((way for way in mean if way.startswith("PCA")), key=mean.__getitem__)
    own = [way for way in mean if way.startswith("autoencoder")]
    _tell(trials, mean, [*own, best_pca], images, config, run)
    run.figure("roc_areas", drawings.draw_areas(trials, mean, [own[0], best_pca], images))
    run.figure("scores", drawings.draw_scores(trials, images, config))
    run.figure("worst_cases", drawings.draw_worst(trials, images))


def load(config: Config, run: kit.Run) -> "ImageData":
    """The images, shuffled, since the first ones of a folder may all be of one class; no more than asked for."""
    images = run.load_images(config.data)
    require(len(images.class_names) >= 2, "data", config.data, "of two classes or more: one is held out")
    images = images.subset(config.training_images, run.streams.torch("subset"), test_count=config.test_images)
    _require_enough(images, config)
    return images


def _require_enough(images: "ImageData", config: Config) -> None:
    """Raise InputError unless each class can be held out."""
    classes = len(images.class_names)
    others = len(images.train_labels) - int(images.train_labels.bincount(minlength=classes).max())
    fewest = others - min(config.apart, others // 5)
    allowed = f"of {config.batch_size} (batch_size) training images or more beside any class; it has {fewest}"
    at_most = f"at most {config.training_images} of them and {config.test_images} test images are taken"
    require(fewest >= max(config.batch_size, NEIGHBOURS), "data", config.data, f"{allowed}; {at_most}")
    most = min(fewest, images.train_images[0].numel())
    sizes = f"sizes of which one is {most} or less, as the pixels and the images allow"
    require(min(config.pca_sizes) <= most, "pca_sizes", config.pca_sizes, sizes)
    for name, odd in zip(images.class_names, images.test_labels.bincount(minlength=classes).tolist(), strict=True):
        enough = SHOWN <= odd <= len(images.test_labels) - SHOWN
        allowed = f"of {SHOWN} test images or more of each class, which are shown; {name!r} has {odd}"
        require(enough, "data", config.data, f"{allowed}; {at_most}")


def _hold_out(label: int, images: "ImageData", config: Config, run: kit.Run) -> Trial:
    """Learn from all other classes, then score the test images."""
    from sklearn.metrics import roc_auc_score

    ordinary = images.train_images[images.train_labels != label]
    count = min(config.apart, len(ordinary) // 5)
    apart, ordinary = ordinary[:count], ordinary[count:]
    autoencoder = _train(label, ordinary, config, run)
    test, odd = images.test_images, images.test_labels == label
    scores = _score("autoencoder", autoencoder, test, ordinary, config)
    sizes = [size for size in config.pca_sizes if size <= min(len(ordinary), test[0].numel())]
    components = generative.PrincipalComponents(ordinary, max(sizes))
    for size in sizes:
        scores |= _score(f"PCA {size}", components.first(size), test, ordinary, config)
    areas = {way: float(roc_auc_score(odd.numpy(), each.numpy())) for way, each in scores.items()}
    kept_apart = _score("autoencoder", autoencoder, apart, ordinary, config)
    first = next(iter(scores))
    threshold = generative.codes.anomaly_threshold(kept_apart[first], config.quantile)
    return Trial(scores, areas, threshold, odd, _worst(autoencoder, test, scores[first], odd))


def _worst(
    autoencoder: "generative.Autoencoder", test: "Tensor", scores: "Tensor", odd: "Tensor"
) -> "dict[str, Tensor]":
    """The defects that look most ordinary and the ordinary images that look oddest, each with its reconstruction."""
    import torch

    hidden = scores.where(odd, torch.inf).argsort()[:SHOWN]
    loud = scores.where(~odd, -torch.inf).argsort(descending=True)[:SHOWN]
    found = {}
    for title, chosen in (("Defects that look most ordinary", hidden), ("Ordinary images that look oddest", loud)):
        made = generative.codes.reconstruct(autoencoder, test[chosen])
        found[title] = torch.stack([test[chosen] / 255, made], dim=1).flatten(0, 1)
    return found


def _train(label: int, ordinary: "Tensor", config: Config, run: kit.Run) -> "generative.Autoencoder":
    """A small autoencoder of the ordinary images: a phase of the run."""
    learner = generative.build_autoencoder(
        config.model,
        ordinary,
        code_size=config.code_size,
        hidden=None if config.model in ("conv", "deep") else (256,),
        code_noise=config.code_noise,
        steps=config.steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        streams=run.streams.child(f"without {label}"),
        device=run.device,
    )
    for _ in run.follow(learner, steps=config.steps, examples_per_step=config.batch_size, name=f"without_{label}"):
        pass
    return learner.autoencoder.to("cpu")


def _score(name: str, coder: "Coder", images: "Tensor", ordinary: "Tensor", config: Config) -> "dict[str, Tensor]":
    """Both scores of the images."""
    codes = generative.codes
    remembered = codes.embed(coder, ordinary[: config.remembered])
    return {
        f"{name}, {BY_CODE}": codes.novelty_scores(coder, images, remembered, count=NEIGHBOURS),
        f"{name}, {BY_ERROR}": codes.anomaly_scores(coder, images),
    }


# --- what came out ----------------------------------------------------------------------------------------------------


def _tell(
    trials: "Sequence[Trial]",
    mean: "Mapping[str, float]",
    ways: "Sequence[str]",
    images: "ImageData",
    config: Config,
    run: kit.Run,
) -> None:
    """Tables: each class with the ways that count, and the mean of every way; the summary; an alarm."""
    first, best_pca = ways[0], ways[-1]
    caught = [float((trial.scores[first][trial.odd] > trial.threshold).double().mean()) for trial in trials]
    false = [float((trial.scores[first][~trial.odd] > trial.threshold).double().mean()) for trial in trials]
    rows: list[dict[str, object]] = [
        {
            "held out": name,
            **{way: f"{trial.areas[way]:.3f}" for way in ways},
            "caught": f"{c:.0%}",
            "false alarms": f"{f:.1%}",
        }
        for name, trial, c, f in zip(images.class_names, trials, caught, false, strict=True)
    ]
    run.table("roc_area_by_class", rows)
    run.table("roc_area_mean", [{"score": way, "mean ROC AUC": f"{area:.3f}"} for way, area in mean.items()])
    errors = [area for way, area in mean.items() if way.startswith("PCA") and way.endswith(BY_ERROR)]
    run.summary(
        {
            "roc_auc": mean[first],
            "roc_auc_pca_best": mean[best_pca],
            "roc_auc_by_error": mean[ways[1]],
            "roc_auc_by_error_pca_best": max(errors),
            "roc_auc_lowest": min(trial.areas[first] for trial in trials),
            "caught": sum(caught) / len(caught),
            "false_alarms": sum(false) / len(false),
        }
    )
    if mean[first] <= mean[best_pca]:
        fast = config.learning_rate > Config.learning_rate
        advice = f"lower --learning-rate, now {config.learning_rate:g}" if fast else "train for longer (--steps)"
        run.note(f"no better than principal components ({best_pca}): {advice}")


if __name__ == "__main__":
    kit.launch(main)
