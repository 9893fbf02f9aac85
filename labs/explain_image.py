"""Why a network reads a digit so: LIME on images, for right answers and for the worst mistakes, put on trial.

LeNet-5 learns digits (or a finished run of mnist_classifier is taken). Parts of an image are hidden in many ways; what
the answers hang on is painted blue, what speaks against them orange. Then the parts are hidden and shown in the order
of their weights, beside integrated gradients and chance; other seeds are asked; and in each mistake the parts that
misled the network are hidden. Source: Ribeiro et al. 2016, arXiv:1602.04938; Petsiuk et al. 2018, arXiv:1806.07421.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from annotated_types import Ge, Interval

import explain
import foundations
import labs.kit as kit
from foundations.errors import require
from labs.drawings import explain_image as drawings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explain import Explanation, Mended, Trial
    from explain.quality import Hide
    from labs.kit.data import ImageData

    Array = NDArray[np.float64]

topic = "explanation"
SIDE = 28
LIME, GRADIENTS, CHANCE = "LIME", "integrated gradients", "random order"
BATCH = 64
LEARNING_RATE = 4e-3
TOP = 5
"""Cells that two explanations are compared by."""
MISLED = 3
"""Cells that are hidden in each mistake."""
MISTAKES = 6
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


class Explained(NamedTuple):
    """Digits as the network sees them, each (1, 28, 28) in [0, 1], what they are, and why it says what it says.

    `gradients` (digits, cells): integrated gradients of the answer, summed over each cell.
    """

    images: "Tensor"
    truth: "Tensor"
    reasons: "list[Explanation]"
    gradients: "Array"

    @property
    def said(self) -> list[int]:
        """What the network takes each for."""
        return [reason.labels[0] for reason in self.reasons]


def main(config: Config, run: kit.Run) -> None:
    """The network, its explanations, and the trial."""
    images = load(config, run)
    network = train(images, config, run) if config.run is None else taken(config.run, images, run)
    answers = network_answers(network, images.test_images)
    box = explain.BlackBox(network, names=images.class_names, batch_size=256)
    cells = explain.grid(SIDE, SIDE, config.cells)
    right, wrong = choose(answers, images.test_labels, config, run)
    digits, mistakes = (explained(numbers, images, network, box, config) for numbers in (right, wrong))
    orders = orders_of(digits, config)
    trials = {
        way: explain.trial_by_hiding(box, hides(digits, cells), each, digits.said) for way, each in orders.items()
    }
    turned = mend(mistakes, box, cells, config)
    tell_trials(trials, run)
    tell_quality(digits, mistakes, turned, box, config, run)
    run.figure("right_digits", drawings.draw_right(digits, cells, images))
    run.figure("worst_mistakes", drawings.draw_mistakes(mistakes, turned, cells, images, MISTAKES))
    believe(mistakes, images, box, config, run)
    run.figure("curves", drawings.draw_curves(trials))
    run.figure("agreement", drawings.draw_agreement(digits, agreements(digits, cells)))
    worst = mistakes.reasons[0]
    run.file("worst_mistake.html", lambda path: path.write_text(worst.html(), encoding="utf-8"))
    if config.run is None:
        run.model("lenet_softmax", network, images.test_images[:1].to(run.device) / 255)


def load(config: Config, run: kit.Run) -> "ImageData":
    """The images, no more for training than asked for."""
    images = run.load_images(config.data)
    shape = tuple(images.train_images.shape[1:])
    require(shape == (1, SIDE, SIDE), "data", config.data, f"of grey images of 28x28 pixels, not {shape}")
    return images.subset(config.training_images, run.streams.torch("subset"))


def train(images: "ImageData", config: Config, run: kit.Run) -> "nn.Module":
    """LeNet-5 with a softmax at its end."""
    import torch
    from torch import nn

    network = foundations.LeNet5(len(images.class_names), generator=run.streams.torch("weights"))
    network.to(run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's hints lack it
    steps = max(200, config.epochs * (len(images.train_labels) // BATCH))
    learner = foundations.SupervisedLearner(
        network,
        foundations.AdamW(foundations.regularizers.decay_groups(network, 0.02), lr=LEARNING_RATE, fused=True),
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
    return nn.Sequential(network, nn.Softmax(dim=1)).eval()


def taken(reference: str, images: "ImageData", run: kit.Run) -> "nn.Module":
    """The network of a finished run of mnist_classifier, with a softmax at its end."""
    from torch import nn

    from labs.kit.models import load_model

    kept = load_model(reference)
    require(kept.lab == "mnist_classifier", "run", reference, f"a run of mnist_classifier, not of {kept.lab}")
    answers = kept.module(images.test_images[:1] / 255).shape[1]
    classes = len(images.class_names)
    require(answers == classes, "run", reference, f"of {classes} classes as the data are, not of {answers}")
    run.note(f"the network is that of run {kept.run.record['name']}")
    return nn.Sequential(kept.module, nn.Softmax(dim=1)).eval().to(run.device)


def network_answers(network: "nn.Module", images: "Tensor") -> "Tensor":
    """Probabilities for images of bytes, (n, classes), on the CPU."""
    device = next(network.parameters()).device
    return foundations.predict(network, images.to(device), scale=lambda batch: batch / 255).cpu()


def choose(answers: "Tensor", labels: "Tensor", config: Config, run: kit.Run) -> "tuple[Tensor, Tensor]":
    """Right digits at random, the first of each class in front; and the mistakes, those it was surest of first."""
    import torch

    sureness, said = answers.max(dim=1)
    right, wrong = (said == labels).nonzero()[:, 0], (said != labels).nonzero()[:, 0]
    accuracy = len(right) / len(labels)
    run.summary({"test/accuracy": accuracy})
    if accuracy < 0.9:
        run.note(f"the network reads only {accuracy:.0%} of the test digits: what it hangs on may be chance")
    order = torch.randperm(len(right), generator=run.streams.torch("digits"))
    shuffled = right[order]
    first = [int((labels[shuffled] == label).nonzero()[0, 0]) for label in labels[shuffled].unique().tolist()]
    rest = [place for place in range(len(shuffled)) if place not in set(first)]
    chosen = shuffled[torch.tensor(first + rest)][: config.explained]
    if not len(wrong):
        run.note("the network makes no mistake: the right answers that it was least sure of stand in for mistakes")
        return chosen, right[sureness[right].argsort()][: config.explained]
    return chosen, wrong[sureness[wrong].argsort(descending=True)][: config.explained]


def explained(
    numbers: "Tensor", images: "ImageData", network: "nn.Module", box: "explain.BlackBox", config: Config
) -> Explained:
    """The test images of these numbers, explained both ways."""
    import numpy as np

    from explain.gradients import segment_sums

    chosen = images.test_images[numbers] / 255
    reasons = reasons_for(chosen, box, config, config.seed)
    said = [reason.labels[0] for reason in reasons]
    device = next(network.parameters()).device
    cells = explain.grid(SIDE, SIDE, config.cells)
    attributions = np.empty((len(chosen), 1, SIDE, SIDE))
    for label in set(said):
        own = [place for place, each in enumerate(said) if each == label]
        attributions[own] = explain.integrated_gradients(network, chosen[own].to(device), label=label)
    sums = np.stack([segment_sums(each, cells, layout="CHW") for each in attributions])
    return Explained(chosen, images.test_labels[numbers], reasons, sums)


def reasons_for(
    images: "Tensor", box: "explain.BlackBox", config: Config, seed: int, samples: int | None = None
) -> "list[Explanation]":
    """LIME's explanations of digits; a hidden cell is black, as where nobody wrote."""
    cells = explain.grid(SIDE, SIDE, config.cells)
    settings: dict[str, Any] = {"samples": samples or config.samples, "seed": seed}
    return explain.explain_images(box, list(images), layout="CHW", segments=cells, fill=0, **settings)


# --- the trial --------------------------------------------------------------------------------------------------------


def orders_of(digits: Explained, config: Config) -> "dict[str, list[Array]]":
    """For each way of ordering cells, what speaks most for the answer first, the order or orders of each digit."""
    import numpy as np

    count = config.cells**2
    lime = [np.argsort(-reason.weights_of(), kind="stable") for reason in digits.reasons]
    gradients = list(np.argsort(-digits.gradients, axis=1, kind="stable"))
    chance = [explain.random_orders(count, config.orders, config.seed + place) for place in range(len(lime))]
    return {LIME: lime, GRADIENTS: gradients, CHANCE: chance}


def hides(digits: Explained, cells: "NDArray[np.int64]") -> "list[Hide]":
    """For each digit the function that makes cells of it black."""
    return [explain.hide_segments(image, layout="CHW", segments=cells, fill=0) for image in digits.images]


def mend(mistakes: Explained, box: "explain.BlackBox", cells: "NDArray[np.int64]", config: Config) -> "list[Mended]":
    """Each mistake with the cells hidden that speak most for what was said and against what is true."""
    import numpy as np

    found = []
    for place, (hide, reason) in enumerate(zip(hides(mistakes, cells), mistakes.reasons, strict=True)):
        inked = np.unique(cells[mistakes.images[place][0].numpy() > 0])
        random = np.random.default_rng(config.seed + place)
        pull = reason.contrast(int(mistakes.truth[place]))
        found.append(explain.hide_misleading(box, hide, pull, MISLED, among=inked, draws=config.orders, random=random))
    return found


def believe(mistakes: Explained, images: "ImageData", box: "explain.BlackBox", config: Config, run: kit.Run) -> None:
    """Whether the mistakes shown have explanations to be believed: the fit, and the same cells from other seeds."""
    shown = range(min(MISTAKES, len(mistakes.reasons)))
    names = [
        f"{place + 1}: {images.class_names[int(mistakes.truth[place])]} as {images.class_names[mistakes.said[place]]}"
        for place in shown
    ]

    def again(place: int, samples: int, seed: int) -> "Explanation":
        return reasons_for(mistakes.images[place][None], box, config, seed, samples)[0]

    asked = {name: partial(again, place) for place, name in enumerate(names)}
    grown = explain.grow_each(asked, samples=config.samples, seeds=range(config.repetitions), top=TOP)
    table = explain.trust_table(dict(zip(names, mistakes.reasons, strict=False)), grown)
    run.table("trust", table)
    run.figure("stability", drawings.draw_growth(grown))
    if told := explain.told_doubts(table):
        run.note(told)


# --- what came out ----------------------------------------------------------------------------------------------------


def tell_trials(trials: "Mapping[str, Trial]", run: kit.Run) -> None:
    """The areas under the curves, mean and spread over the digits; the promises, and where they are not kept."""
    areas = {way: explain.Trial(*(explain.area_under(curves) for curves in trial)) for way, trial in trials.items()}
    rows = [
        {
            "cells in the order of": way,
            "deletion area (lower is better)": f"{area.deletion.mean():.3f} ± {area.deletion.std(ddof=1):.3f}",
            "insertion area (higher is better)": f"{area.insertion.mean():.3f} ± {area.insertion.std(ddof=1):.3f}",
        }
        for way, area in areas.items()
    ]
    run.table("curves", rows)
    lime, gradients, chance = (areas[way] for way in (LIME, GRADIENTS, CHANCE))
    lead = lime.insertion - gradients.insertion
    error = float(lead.std(ddof=1)) / len(lead) ** 0.5
    for name, area in (("lime", lime), ("gradients", gradients), ("random", chance)):
        run.summary(
            {f"deletion/{name}": float(area.deletion.mean()), f"insertion/{name}": float(area.insertion.mean())}
        )
    run.summary({"insertion/lead_of_lime": float(lead.mean()), "insertion/lead_standard_error": error})
    if lime.deletion.mean() >= chance.deletion.mean() / 2:
        run.note("hiding cells in LIME's order brings the answer down less than twice as fast as at random")
    if lead.mean() <= 2 * error:
        words = "below" if lead.mean() < -2 * error else "not clearly above"
        run.note(
            f"insertion by LIME is {words} integrated gradients': {lead.mean():+.4f} ± {error:.4f} (standard error)"
        )


def agreements(digits: Explained, cells: "NDArray[np.int64]") -> "list[explain.gradients.Agreement]":
    """How far both methods agree on each digit's cells with ink; of the others neither has anything to say."""
    import numpy as np

    found = []
    for image, reason, gradients in zip(digits.images, digits.reasons, digits.gradients, strict=True):
        inked = np.unique(cells[image[0].numpy() > 0])
        found.append(explain.gradients.agreement(reason.weights_of()[inked], gradients[inked], min(TOP, len(inked))))
    return found


def tell_quality(
    digits: Explained,
    mistakes: Explained,
    turned: "Sequence[Mended]",
    box: "explain.BlackBox",
    config: Config,
    run: kit.Run,
) -> None:
    """How far to trust the explanations: the fit, other seeds, the other method, and what mistakes hang on."""
    import numpy as np

    cells = explain.grid(SIDE, SIDE, config.cells)
    tried = digits.images[:TRIED_AGAIN]
    again = [reasons_for(tried, box, config, config.seed + seed) for seed in range(config.repetitions)]
    by_digit = [list(made) for made in zip(*again, strict=True)]
    stable = [explain.stability(made.__getitem__, range(config.repetitions), top=TOP) for made in by_digit]
    agree = agreements(digits, cells)
    now_right = [
        each.answers.argmax(axis=1) == truth for each, truth in zip(turned, mistakes.truth.tolist(), strict=True)
    ]
    figures = {
        "r2": [reason.r2_of() for reason in digits.reasons],
        "r2_of_mistakes": [reason.r2_of() for reason in mistakes.reasons],
        "jaccard_over_seeds": [each.jaccard for each in stable],
        "rank_correlation_with_gradients": [each.rank_correlation for each in agree],
        "top_overlap_with_gradients": [each.top_overlap for each in agree],
        "mended": [each[0] for each in now_right],
        "mended_by_chance": [each[1:].mean() for each in now_right],
    }
    words = (
        "R² of the surrogate, right digits",
        "R² of the surrogate, mistakes",
        f"top {TOP} cells shared by two seeds (Jaccard; {len(tried)} digits)",
        "rank correlation with integrated gradients, cells with ink",
        f"top {TOP} cells shared with integrated gradients",
        f"mistakes read rightly once the {MISLED} misleading cells are hidden",
        f"the same with {MISLED} inked cells drawn at random",
    )
    means = {name: (float(np.mean(each)), float(np.std(each))) for name, each in figures.items()}
    rows = [
        {"what": text, "mean ± spread": f"{m:.2f} ± {s:.2f}"}
        for text, (m, s) in zip(words, means.values(), strict=True)
    ]
    run.table("quality", rows)
    run.summary({f"quality/{name}": mean for name, (mean, _) in means.items()})


if __name__ == "__main__":
    kit.launch(main)
