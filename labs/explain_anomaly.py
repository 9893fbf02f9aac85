"""Which strokes made the autoencoder cry defect: LIME on an anomaly score, tried on defects that were planted.

An autoencoder learns all digits but one class, the defect; what it cannot make again is odd. LIME says which cells of
an image raise that score, asked in two ways: what if the ink were taken away, and what if it were as the autoencoder
would have it. Ordinary digits then get a blob, a stroke or a gap at a known place: which way finds it, and does either
find it better than the plain map of errors, or chance? Source: Ribeiro et al. 2016, arXiv:1602.04938.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from annotated_types import Ge, Interval

import explain
import generative
import labs.kit as kit
from foundations.errors import require, require_choice

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from explain import Explanation, Localisation
    from explain.defects import Defect
    from labs.kit.data import ImageData

    Array = NDArray[np.float64]

topic = "explanation"
SIDE, BATCH = 28, 128
AWAY, MENDED, ERRORS, CHANCE = "LIME, ink taken away", "LIME, mended", "map of errors", "chance"
WAYS = (AWAY, MENDED, ERRORS)
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


class Case(NamedTuple):
    """An image that raises the alarm, and how much each way blames each cell for it, by way: (cells,).

    `image`, `mended`: (1, 28, 28) in [0, 1], what it is and what the autoencoder makes of it. `truth` (28, 28): where
    a defect was planted, if one was. `reasons`: LIME's explanations, by way.
    """

    image: "Tensor"
    mended: "Tensor"
    truth: "NDArray[np.bool_]"
    reasons: "dict[str, Explanation]"
    blame: "dict[str, Array]"

    @property
    def score(self) -> float:
        """The anomaly score."""
        return self.reasons[AWAY].predictions[0]


class Alarm(NamedTuple):
    """The autoencoder's score of images, (n, 1, 28, 28) -> (n,), its reconstruction, and the score of an alarm."""

    score: "Any"
    mend: "Any"
    threshold: float


def main(config: Config, run: kit.Run) -> None:
    """Train, find the odd ones, ask why; then plant defects and see whether they are found."""
    import numpy as np

    from labs.drawings import explain_anomaly as drawings

    images, odd = load(config, run)
    alarm = train(images, config, run)
    cells = explain.grid(SIDE, SIDE, config.cells)
    scores = alarm.score(images.test_images / 255)
    surest, false = judge(scores, images, odd, alarm, config, run)
    nothing = np.zeros((SIDE, SIDE), np.bool_)
    alarms, false_alarms = (
        [explain_alarm(images.test_images[each] / 255, nothing, alarm, cells, config) for each in numbers]
        for numbers in (surest, false)
    )
    ordinary = images.test_images[(images.test_labels != odd) & (scores < alarm.threshold)] / 255
    random = np.random.default_rng(config.seed)
    planted: dict[str, list[Case]] = {kind: plant_many(kind, ordinary, random, alarm, cells, config) for kind in KINDS}
    found = {kind: localisation(cases, cells) for kind, cases in planted.items()}
    falls = mend_in_order(alarms, alarm, cells, config)
    shown = [*alarms[:ALARMS], *false_alarms]
    believe(shown, alarm, cells, config, run)
    tell(found, falls, [*alarms, *(case for cases in planted.values() for case in cases)], alarm, run)
    names = [f"a {images.class_names[odd]}"] * len(alarms[:ALARMS]) + ["ordinary"] * len(false_alarms)
    run.figure("alarms", drawings.draw_alarms(shown, names, cells, config.defect, alarm.threshold))
    run.figure("planted", drawings.draw_planted(planted, cells))
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


def train(images: "ImageData", config: Config, run: kit.Run) -> Alarm:
    """The autoencoder of ordinary digits; a tenth is kept apart, of which one in twenty raises the alarm."""
    from generative.codes import anomaly_scores, anomaly_threshold, reconstruct

    count = len(images.train_images) // 10
    apart = images.train_images[:count]
    autoencoder = taken(config.run, config, run) if config.run else fit(images.train_images[count:], config, run)
    run.model("autoencoder", autoencoder, images.train_images[:1].to(run.device) / 255)

    def score(batch: "Tensor") -> "Tensor":
        return anomaly_scores(autoencoder, batch.to(run.device)).cpu()

    def mend(batch: "Tensor") -> "Tensor":
        return reconstruct(autoencoder, batch.to(run.device)).cpu()

    return Alarm(score, mend, anomaly_threshold(score(apart / 255)))


def fit(ordinary: "Tensor", config: Config, run: kit.Run) -> "Any":
    """An autoencoder of `ordinary`, bytes (n, 1, 28, 28)."""
    learner = generative.build_autoencoder(
        config.model,
        ordinary,
        code_size=config.code_size,
        steps=config.steps,
        batch_size=BATCH,
        streams=run.streams,
        device=run.device,
    )
    for _ in run.follow(learner, steps=config.steps, examples_per_step=BATCH):
        pass
    return learner.autoencoder.eval()


def taken(reference: str, config: Config, run: kit.Run) -> "Any":
    """The autoencoder of a finished run of this lab."""
    from labs.kit.models import load_model

    kept = load_model(reference)
    require(kept.lab == "explain_anomaly", "run", reference, f"a run of explain_anomaly, not of {kept.lab}")
    for name in ("data", "defect"):
        then = kept.run.record["config"][name]
        require(then == getattr(config, name), "run", reference, f"with the {name} of this one: add --{name} {then}")
    run.note(f"the autoencoder is that of run {kept.run.record['name']}")
    return kept.module.to(run.device)


def judge(
    scores: "Tensor", images: "ImageData", odd: int, alarm: Alarm, config: Config, run: kit.Run
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


def explain_alarm(
    image: "Tensor", truth: "NDArray[np.bool_]", alarm: Alarm, cells: "NDArray[np.int64]", config: Config
) -> Case:
    """Which cells are to blame, by each way."""
    from explain.gradients import segment_sums

    mended = alarm.mend(image[None])[0]
    fills: dict[str, Any] = {AWAY: 0, MENDED: mended.numpy()}
    reasons = {
        way: explain_score(image, fill, alarm, cells, config.samples, config.seed) for way, fill in fills.items()
    }
    blame = {way: reason.weights_of() for way, reason in reasons.items()}
    blame[ERRORS] = segment_sums((image - mended).square().numpy(), cells, layout="CHW")
    return Case(image, mended, truth, reasons, blame)


def explain_score(
    image: "Tensor", fill: Any, alarm: Alarm, cells: "NDArray[np.int64]", samples: int, seed: int
) -> "Explanation":
    """The weights of an image's cells for its score; hidden cells become `fill`."""
    settings: dict[str, Any] = {"layout": "CHW", "segments": cells, "names": ["anomaly score"]}
    return explain.explain_score(alarm.score, image, fill=fill, samples=samples, seed=seed, **settings)


def believe(cases: Sequence[Case], alarm: Alarm, cells: "NDArray[np.int64]", config: Config, run: kit.Run) -> None:
    """Whether the alarms shown have explanations to be believed: the fit, and the same cells from other seeds."""
    named = {f"alarm {place}": case for place, case in enumerate(cases, 1)}
    asked = {
        name: partial(explain_score, case.image, case.mended.numpy(), alarm, cells) for name, case in named.items()
    }
    grown = explain.grow_each(asked, samples=config.samples, seeds=range(SEEDS))
    table = explain.trust_table({name: case.reasons[MENDED] for name, case in named.items()}, grown)
    run.table("trust", table)
    if told := explain.told_doubts(table):
        run.note(told)
    if quiet := sum(case.score <= alarm.threshold for case in cases):
        run.note(f"{quiet} of the {len(cases)} images shown score below the threshold: they raise no alarm")


# --- planted defects --------------------------------------------------------------------------------------------------


def plant_many(
    kind: "Defect",
    ordinary: "Tensor",
    random: "np.random.Generator",
    alarm: Alarm,
    cells: "NDArray[np.int64]",
    config: Config,
) -> list[Case]:
    """Ordinary digits with a defect of this kind, each explained."""
    chosen = random.choice(len(ordinary), config.planted, replace=len(ordinary) < config.planted)
    spoilt = [plant(kind, ordinary[int(each)], random) for each in chosen]
    return [explain_alarm(image, truth, alarm, cells, config) for image, truth in spoilt]


def plant(kind: "Defect", image: "Tensor", random: "np.random.Generator") -> "tuple[Tensor, NDArray[np.bool_]]":
    """`image` (1, height, width) with a defect, and the pixels (height, width) that are it."""
    import numpy as np
    import torch

    spoilt, truth = explain.plant_defect(kind, image[0].numpy(), random)
    return torch.from_numpy(spoilt.astype(np.float32))[None], truth


def localisation(cases: Sequence[Case], cells: "NDArray[np.int64]") -> "dict[str, list[Localisation]]":
    """How well each way finds what was planted, by case. For chance: what is expected of an order at random."""
    found = {way: [explain.localisation(case.blame[way], case.truth, cells) for case in cases] for way in WAYS}
    chance = [explain.Localisation(0.5, each.share, each.share) for each in found[AWAY]]
    return {**found, CHANCE: chance}


def mend_in_order(
    cases: Sequence[Case], alarm: Alarm, cells: "NDArray[np.int64]", config: Config
) -> "dict[str, Array]":
    """Each alarm's score over the threshold as cells are mended, the most blamed first: (cases, cells + 1)."""
    import numpy as np

    from explain.hiding import hide_segments

    box = explain.BlackBox(alarm.score, outputs="values")
    count = config.cells**2
    falls: dict[str, list[Any]] = {way: [] for way in (*WAYS, CHANCE)}
    for place, case in enumerate(cases):
        hide = hide_segments(case.image, layout="CHW", segments=cells, fill=case.mended.numpy())
        for way, found in falls.items():
            orders = explain.random_orders(count, 5, place) if way == CHANCE else np.argsort(-case.blame[way])[None]
            found.append(explain.deletion_curve(box, hide, orders, 0).mean(axis=0) / alarm.threshold)
    return {way: np.stack(found) for way, found in falls.items()}


def tell(
    found: "Mapping[str, Mapping[str, Sequence[Localisation]]]",
    falls: "Mapping[str, Array]",
    cases: Sequence[Case],
    alarm: Alarm,
    run: kit.Run,
) -> None:
    """The tables and the summary; and where LIME is no better than the plain map."""
    import numpy as np

    rows = []
    for kind, ways in found.items():
        for way, each in ways.items():
            areas, hits = np.array([one.roc_auc for one in each]), np.mean([one.hit for one in each])
            row = {"defect": kind, "blamed by": way}
            row |= {"ROC AUC of planted cells": f"{areas.mean():.3f} ± {areas.std():.3f}"}
            rows.append({**row, "most blamed cell is planted": f"{hits:.0%}"})
    run.table("localisation", rows)
    short = dict(zip((*WAYS, CHANCE), ("away", "mended", "errors", "chance"), strict=True))
    every = {way: [one for ways in found.values() for one in ways[way]] for way in short}
    for way, name in short.items():
        located, pointed = (float(np.mean([getattr(one, key) for one in every[way]])) for key in ("roc_auc", "hit"))
        calm = (falls[way] < 1).argmax(axis=1) + np.where((falls[way] < 1).any(axis=1), 0, falls[way].shape[1])
        run.summary({f"located/{name}": located, f"pointed/{name}": pointed})
        run.summary({f"cells_to_calm/{name}": float(np.median(calm))})
    run.summary(
        {f"r2/{short[way]}": float(np.mean([case.reasons[way].r2_of() for case in cases])) for way in (AWAY, MENDED)}
    )
    run.summary(
        {"planted/alarms": float(np.mean([case.score > alarm.threshold for case in cases if case.truth.any()]))}
    )
    lead = np.array([one.roc_auc - other.roc_auc for one, other in zip(every[MENDED], every[ERRORS], strict=True)])
    error = float(lead.std(ddof=1)) / len(lead) ** 0.5
    if lead.mean() < 2 * error:
        worse = "finds planted defects less well than" if lead.mean() < -2 * error else "is no clear gain on"
        text = f"{lead.mean():+.3f} ± {error:.3f} ROC AUC (standard error)"
        run.note(f"LIME {worse} the plain map of errors, which asks the network but once: {text}")


if __name__ == "__main__":
    kit.launch(main)
