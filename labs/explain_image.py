"""Why a network reads a digit so: LIME on images, for right answers and for the worst mistakes, put on trial.

LeNet-5 learns digits (or a finished run of mnist_classifier is taken). Parts of an image are hidden in many ways; what
the answers hang on is painted blue, what speaks against them orange. Then the parts are hidden and shown in the order
of their weights, beside integrated gradients and chance; other seeds are asked; and in each mistake the parts that
misled the network are hidden. Source: Ribeiro et al. 2016, arXiv:1602.04938; Petsiuk et al. 2018, arXiv:1806.07421.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Interval

import explain
import foundations
import labs.kit as kit
from foundations.errors import require
from labs.drawings import explain_image as drawings

if TYPE_CHECKING:
    from torch import Tensor, nn

    from explain import ExplainedImages, Mended, Trial
    from labs.kit.data import ImageData

topic = "explanation"
SIDE = 28
BATCH = 64
TOP = 5
"""Cells that two explanations are compared by."""
MISLED = 3
"""Cells that are hidden in each mistake."""
SHOWN = 6
"""Mistakes shown."""
TRIED_AGAIN = 10
"""Digits explained again with other seeds."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set of images of 28x28 pixels: a registered name or a folder."""
    run: str | None = None
    """A finished run of mnist_classifier (its name, id or `last`) whose network is explained; None trains one."""
    epochs: kit.Count = 2
    """Passes over the training images."""
    training_images: Annotated[int, Ge(1_000)] = 60_000
    """Training images at most."""
    explained: Annotated[int, Ge(10)] = 100
    """Rightly read test digits, and mistakes at most, that are explained and put on trial."""
    samples: Annotated[int, Ge(100)] = 1_000
    """Copies with hidden cells for an explanation."""
    cells: Annotated[int, Interval(ge=3, le=28)] = 7
    """Cells along each side of an image."""
    orders: kit.Count = 5
    """Orders at random for each digit, the baseline."""
    repetitions: Annotated[int, Ge(2)] = 5
    """Explanations of the same case, each with a seed of its own, which must agree."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {
            "epochs": 1,
            "training_images": 6_400,
            "explained": 10,
            "samples": 200,
            "orders": 2,
            "repetitions": 2,
        },
        "full": {"epochs": 6, "explained": 1_000, "orders": 10, "repetitions": 10},
    }
    useful_threads: ClassVar[int] = 1


def main(config: Config, run: kit.Run) -> None:
    """The network, its explanations, and the trial."""
    images = load(config, run)
    network = load_network(images, config, run)
    answers = foundations.predict(network, images.test_images.to(run.device), scale=lambda batch: batch / 255).cpu()
    box = explain.BlackBox(network, names=images.class_names, batch_size=256)
    settings: dict[str, Any] = {"layout": "CHW", "segments": explain.grid(SIDE, SIDE, config.cells), "fill": 0}
    settings |= {"samples": config.samples, "seed": config.seed}  # a hidden cell is black, as where nobody wrote
    digits, doubtful = (
        explain.explain_both_ways(box, images.test_images[chosen] / 255, images.test_labels[chosen], **settings)
        for chosen in choose(answers, images.test_labels, config, run)
    )
    orders = digits.orders(config.orders, config.seed)
    trials = {way: explain.trial_by_hiding(box, digits.hides(), each, digits.said) for way, each in orders.items()}
    turned = doubtful.mend(MISLED, config.orders, config.seed) if doubtful.mistaken else []
    tell_trials(trials, run)
    tell_quality(digits, doubtful, turned, config, run)
    run.figure("right_digits", drawings.draw_right(digits, images))
    name = "worst_mistakes" if doubtful.mistaken else "least_sure"
    run.figure(name, drawings.draw_doubtful(doubtful, turned, images, SHOWN))
    believe(doubtful, images, config, run)
    run.figure("curves", drawings.draw_curves(trials))
    run.figure("agreement", drawings.draw_agreement(digits, digits.agreements(TOP)))
    page = doubtful.reasons[0].html()
    run.file(f"{name.removesuffix('s')}.html", lambda path: path.write_text(page, encoding="utf-8"))
    if config.run is None:
        run.model("lenet_softmax", network, images.test_images[:1].to(run.device) / 255)


# --- the network and its answers --------------------------------------------------------------------------------------


def load(config: Config, run: kit.Run) -> "ImageData":
    """The images, no more for training than asked for."""
    from explain.blackbox import MANY_LABELS

    images = run.load_images(config.data)
    shape, classes = tuple(images.train_images.shape[1:]), len(images.class_names)
    require(shape == (1, SIDE, SIDE), "data", config.data, f"of grey images of 28x28 pixels, not {shape}")
    require(classes <= MANY_LABELS, "data", config.data, f"of at most {MANY_LABELS} classes, not {classes}")
    return images.subset(config.training_images, run.streams.torch("subset"))


def load_network(images: "ImageData", config: Config, run: kit.Run) -> "nn.Module":
    """LeNet-5 after learning, or the network of a finished run; with a softmax at its end."""
    import torch

    if config.run:
        network = run.load_model(config.run, lab="mnist_classifier", data=config.data).module
    else:
        network = foundations.LeNet5(len(images.class_names), generator=run.streams.torch("weights"))
        foundations.images.channels_last(network, run.device)
        train(network, images, config, run)
    return torch.nn.Sequential(network, foundations.Softmax(dim=1)).eval()


def train(network: "nn.Module", images: "ImageData", config: Config, run: kit.Run) -> None:
    """Teach the network the training images."""
    steps = max(200, config.epochs * (len(images.train_labels) // BATCH))
    learner = foundations.SupervisedLearner(
        network,
        foundations.AdamW(foundations.regularizers.decay_groups(network, 0.02), lr=4e-3, fused=True),
        foundations.losses.cross_entropy_from_logits,
        images.train_images.to(run.device),
        images.train_labels.to(run.device),
        batch_size=BATCH,
        prepare=lambda batch, generator: batch / 255,
        schedule=foundations.schedules.warmup_cosine(steps // 5, steps),
        streams=run.streams,
    )
    for _ in run.follow(learner, steps=steps, examples_per_step=BATCH):
        pass


def choose(answers: "Tensor", labels: "Tensor", config: Config, run: kit.Run) -> "tuple[Tensor, Tensor]":
    """Right digits at random, the first of each class in front; and the mistakes, those it was surest of first.

    Where there are no mistakes, the right answers that it was least sure of, the least sure first.
    """
    import torch

    sureness, said = answers.max(dim=1)
    right, wrong = (said == labels).nonzero()[:, 0], (said != labels).nonzero()[:, 0]
    accuracy = len(right) / len(labels)
    run.summary({"test/accuracy": accuracy})
    if accuracy < 0.9:
        run.note(f"the network reads only {accuracy:.0%} of the test digits: what it hangs on may be chance")
    shuffled = right[torch.randperm(len(right), generator=run.streams.torch("digits"))]
    first = [int((labels[shuffled] == label).nonzero()[0, 0]) for label in labels[shuffled].unique().tolist()]
    rest = [place for place in range(len(shuffled)) if place not in set(first)]
    chosen = shuffled[torch.tensor(first + rest)][: config.explained]
    if not len(wrong):
        run.note("the network makes no mistake: the right answers that it was least sure of are shown instead")
        return chosen, right[sureness[right].argsort()][: config.explained]
    return chosen, wrong[sureness[wrong].argsort(descending=True)][: config.explained]


# --- what came out ----------------------------------------------------------------------------------------------------


def tell_trials(trials: "Mapping[str, Trial]", run: kit.Run) -> None:
    """The areas under the curves, mean and spread over the digits; the promises, and where they are not kept."""
    areas = {way: explain.Trial(*(explain.area_under(curves) for curves in trial)) for way, trial in trials.items()}
    run.table("curves", drawings.area_rows(areas))
    lime, gradients, chance = areas.values()
    for name, area in (("lime", lime), ("gradients", gradients), ("random", chance)):
        means = {f"deletion/{name}": area.deletion.mean(), f"insertion/{name}": area.insertion.mean()}
        run.summary({key: float(mean) for key, mean in means.items()})
    lead = explain.paired_lead(lime.insertion, gradients.insertion)
    run.summary({"insertion/lead_of_lime": lead.mean, "insertion/lead_standard_error": lead.error})
    if lime.deletion.mean() >= chance.deletion.mean() / 2:
        run.note("hiding cells in LIME's order brings the answer down less than twice as fast as at random")
    if not lead.clear:
        words = "below" if lead.mean < -2 * lead.error else "not clearly above"
        run.note(f"insertion by LIME is {words} integrated gradients': {lead.told(4)}")


def tell_quality(
    digits: "ExplainedImages", doubtful: "ExplainedImages", turned: "Sequence[Mended]", config: Config, run: kit.Run
) -> None:
    """How far to trust the explanations: the fit, other seeds, the other method, and what mistakes hang on."""
    import numpy as np

    seeds = [config.seed + number for number in range(config.repetitions)]
    tried = range(min(TRIED_AGAIN, len(digits.reasons)))
    stable = [explain.stability(partial(digits.again, place, config.samples), seeds, top=TOP) for place in tried]
    agree = digits.agreements(TOP)
    figures = {
        "r2": [reason.r2_of() for reason in digits.reasons],
        "r2_of_mistakes" if doubtful.mistaken else "r2_of_least_sure": [each.r2_of() for each in doubtful.reasons],
        "jaccard_over_seeds": [each.jaccard for each in stable],
        "rank_correlation_with_gradients": [each.rank_correlation for each in agree],
        "top_overlap_with_gradients": [each.top_overlap for each in agree],
    }
    if turned:
        right = [each.answers.argmax(axis=1) == truth for each, truth in zip(turned, doubtful.rivals, strict=True)]
        figures |= {"mended": [each[0] for each in right], "mended_by_chance": [each[1:].mean() for each in right]}
    run.table("quality", drawings.quality_rows(figures, TOP, MISLED, len(tried)))
    run.summary({f"quality/{name}": float(np.mean(each)) for name, each in figures.items()})


def believe(doubtful: "ExplainedImages", images: "ImageData", config: Config, run: kit.Run) -> None:
    """Whether the answers shown have explanations to be believed: the fit, and the same cells from other seeds."""
    found, again = {}, {}
    for place, (reason, truth) in enumerate(zip(doubtful.reasons[:SHOWN], doubtful.truth.tolist(), strict=False)):
        name = f"{place + 1}: {images.class_names[truth]} as {images.class_names[reason.labels[0]]}"
        found[name], again[name] = reason, partial(doubtful.again, place)
    seeds = range(config.repetitions)
    drawings.show_trust(explain.examine(found, again, samples=config.samples, seeds=seeds, top=TOP), run)


if __name__ == "__main__":
    kit.launch(main)
