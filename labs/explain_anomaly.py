"""Which strokes made the autoencoder cry defect: LIME on an anomaly score, tried on defects that were planted.

An autoencoder learns all digits but one class, the defect; what it cannot make again is odd. LIME says which cells of
an image raise that score, asked in two ways: what if the ink were taken away, and what if it were as the autoencoder
would have it. Ordinary digits then get a blob, a stroke or a gap at a known place: which way finds it, and does either
find it better than the plain map of errors, or chance? Source: Ribeiro et al. 2016, arXiv:1602.04938.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Interval

import explain
import generative
import labs.kit as kit
from foundations.errors import require, require_choice
from labs.drawings import explain_anomaly as drawings
from labs.drawings.explain_anomaly import WAYS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from explain import Alarm, Blamed, Localisation
    from explain.defects import Defect
    from labs.kit.data import ImageData

    Array = NDArray[np.float64]

topic = "explanation"
SIDE, BATCH = 28, 128
KINDS: "tuple[Defect, ...]" = ("blob", "stroke", "gap")
ALARMS, FALSE_ALARMS = 6, 3
"""Defects and ordinary digits in the picture."""
SEEDS = 3
"""Explanations of one alarm, each with a seed of its own, which must name the same cells."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set of grey images of 28x28 pixels: a registered name or a folder."""
    run: str | None = None
    """A finished run of this lab, with the same data and defect, whose autoencoder is asked; None trains one."""
    defect: str = "4"
    """The class that is never shown to the autoencoder."""
    model: Literal["dense", "deep", "conv", "denoising", "sparse"] = "conv"
    """The autoencoder."""
    code_size: kit.Count = 16
    """Numbers in its code: with many it makes anything again, a defect too."""
    steps: kit.Count = 1_500
    """Updates."""
    training_images: Annotated[int, Ge(1_000)] = 60_000
    """Training images at most."""
    planted: Annotated[int, Ge(2)] = 20
    """Ordinary digits that get a defect, of each kind."""
    alarms: Annotated[int, Ge(2)] = 20
    """Digits of the class held out whose alarm is explained."""
    samples: Annotated[int, Ge(100)] = 1_000
    """Copies with changed cells for an explanation."""
    cells: Annotated[int, Interval(ge=3, le=28)] = 7
    """Cells along each side of an image."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"steps": 60, "training_images": 1_500, "planted": 2, "alarms": 6, "samples": 200},
        "full": {"steps": 6_000, "planted": 200, "alarms": 200},
    }
    useful_threads: ClassVar[int] = 1


def main(config: Config, run: kit.Run) -> None:
    """Train, find the odd ones, ask why; then plant defects and see whether they are found."""
    import numpy as np
    import torch

    images, odd = load(config, run)
    alarm = train(images, config, run)
    scores = alarm.score(images.test_images / 255)
    surest, false = judge(scores, images, odd, alarm, config, run)
    settings: dict[str, Any] = {"samples": config.samples, "seed": config.seed}
    alarms, false_alarms = (
        [alarm.blame(images.test_images[each] / 255, **settings) for each in numbers] for numbers in (surest, false)
    )
    ordinary = (images.test_images[(images.test_labels != odd) & (scores < alarm.threshold)] / 255).numpy()
    random = np.random.default_rng(config.seed)
    planted: dict[str, list[Blamed]] = {}
    for kind in KINDS:
        spoilt = explain.plant_defects(kind, ordinary, config.planted, random)
        planted[kind] = [alarm.blame(torch.from_numpy(image), truth, **settings) for image, truth in spoilt]
    found = {kind: alarm.localise(cases) for kind, cases in planted.items()}
    falls = alarm.falls(alarms)
    shown = [*alarms[:ALARMS], *false_alarms]
    believe(shown, alarm, config, run)
    tell_located(found, run)
    tell_scores(falls, alarms, [case for cases in planted.values() for case in cases], alarm, run)
    names = [f"a {images.class_names[odd]}"] * len(alarms[:ALARMS]) + ["ordinary"] * len(false_alarms)
    run.figure("alarms", drawings.draw_alarms(shown, names, alarm, config.defect))
    run.figure("planted", drawings.draw_planted(planted, alarm))
    run.figure("localisation", drawings.draw_localisation(found, falls))


def load(config: Config, run: kit.Run) -> "tuple[ImageData, int]":
    """The images, no more for training than asked for, and the number of the class held out."""
    from dataclasses import replace

    images = run.load_images(config.data)
    shape = tuple(images.train_images.shape[1:])
    require(shape == (1, SIDE, SIDE), "data", config.data, f"of grey images of 28x28 pixels, not {shape}")
    require_choice("defect", config.defect, images.class_names)
    odd = images.class_names.index(config.defect)
    ordinary = images.train_labels != odd
    kept = replace(images, train_images=images.train_images[ordinary], train_labels=images.train_labels[ordinary])
    return kept.subset(config.training_images, run.streams.torch("subset")), odd


def train(images: "ImageData", config: Config, run: kit.Run) -> "Alarm":
    """The autoencoder of ordinary digits; a tenth is kept apart, of which one in twenty raises the alarm."""
    from generative.codes import anomaly_scores, anomaly_threshold, reconstruct

    count = len(images.train_images) // 10
    apart = images.train_images[:count]
    autoencoder = load_autoencoder(images.train_images[count:], config, run)
    run.model("autoencoder", autoencoder, images.train_images[:1].to(run.device) / 255)

    def score(batch: "Tensor") -> "Tensor":
        return anomaly_scores(autoencoder, batch.to(run.device)).cpu()

    def mend(batch: "Tensor") -> "Tensor":
        return reconstruct(autoencoder, batch.to(run.device)).cpu()

    return explain.Alarm(score, mend, anomaly_threshold(score(apart / 255)), explain.grid(SIDE, SIDE, config.cells))


def load_autoencoder(ordinary: "Tensor", config: Config, run: kit.Run) -> Any:
    """An autoencoder that learned `ordinary`, bytes (n, 1, 28, 28), or that of a finished run."""
    if config.run:
        return run.load_model(config.run, lab="explain_anomaly", data=config.data, defect=config.defect).module
    settings: dict[str, Any] = {"batch_size": BATCH, "streams": run.streams, "device": run.device}
    learner = generative.build_autoencoder(
        config.model, ordinary, code_size=config.code_size, steps=config.steps, **settings
    )
    for _ in run.follow(learner, steps=config.steps, examples_per_step=BATCH):
        pass
    return learner.autoencoder.eval()


def judge(
    scores: "Tensor", images: "ImageData", odd: int, alarm: "Alarm", config: Config, run: kit.Run
) -> tuple[list[int], list[int]]:
    """How well the class held out is told apart; its oddest digits, and the oddest among the ordinary."""
    from sklearn.metrics import roc_auc_score

    defects = images.test_labels == odd
    caught = (scores > alarm.threshold)[defects].double().mean().item()
    false = (scores > alarm.threshold)[~defects].double().mean().item()
    area = float(roc_auc_score(defects.numpy(), scores.numpy()))
    run.summary({"alarm/roc_auc": area, "alarm/caught": caught, "alarm/false": false})
    if area < 0.7:
        run.note(f"the autoencoder hardly tells the defect ({area:.2f} ROC AUC): its alarms mean little")
    order = scores.argsort(descending=True)
    surest = order[defects[order]][: config.alarms].tolist()
    return surest, order[~defects[order]][:FALSE_ALARMS].tolist()


def believe(cases: "Sequence[Blamed]", alarm: "Alarm", config: Config, run: kit.Run) -> None:
    """Whether the alarms shown have explanations to be believed: the fit, and the same cells from other seeds."""
    named = {f"alarm {place}": case for place, case in enumerate(cases, 1)}
    found = {name: case.reasons["mended"] for name, case in named.items()}
    again = {name: partial(alarm.explain, case.image, case.mended.numpy()) for name, case in named.items()}
    drawings.show_trust(explain.examine(found, again, samples=config.samples, seeds=range(SEEDS)), run)
    if quiet := sum(case.score <= alarm.threshold for case in cases):
        run.note(f"{quiet} of the {len(cases)} images shown score below the threshold: they raise no alarm")


def tell_located(found: "Mapping[str, Mapping[str, Sequence[Localisation]]]", run: kit.Run) -> None:
    """Whether planted defects are found, by each way; and where LIME is no better than the plain map."""
    run.table("localisation", drawings.located_rows(found))
    every = {way: [one for ways in found.values() for one in ways[way]] for way in WAYS}
    for way, each in every.items():
        run.summary({f"located/{way}": mean(one.roc_auc for one in each)})
        run.summary({f"pointed/{way}": mean(one.hit for one in each)})
    lead = explain.paired_lead(*([one.roc_auc for one in every[way]] for way in ("mended", "errors")))
    if not lead.clear:
        worse = "finds planted defects less well than" if lead.mean < -2 * lead.error else "is no clear gain on"
        run.note(f"LIME {worse} the plain map of errors, which asks the network but once: ROC AUC {lead.told()}")


def tell_scores(
    falls: "Mapping[str, Array]", alarms: "Sequence[Blamed]", planted: "Sequence[Blamed]", alarm: "Alarm", run: kit.Run
) -> None:
    """How soon mending ends an alarm, how well LIME's lines fit, and how many planted defects raise the alarm."""
    run.summary({f"cells_to_calm/{way}": explain.segments_to_calm(each) for way, each in falls.items()})
    cases = [*alarms, *planted]
    run.summary({f"r2/{way}": mean(case.reasons[way].r2_of() for case in cases) for way in ("away", "mended")})
    run.summary({"planted/alarms": mean(case.score > alarm.threshold for case in planted)})


if __name__ == "__main__":
    kit.launch(main)
