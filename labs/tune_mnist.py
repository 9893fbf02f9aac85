"""Search hyper-parameters of a small network in four ways, grid, random, Bayesian and genetic, on one budget.

Each way tries as many settings of learning rate, momentum and batch size, and is judged by the least error on images
held out. In a repetition all ways train from the same first weights on the same images in the same order: only where
they look differs. Whether the clever ways beat chance is said with intervals over the repetitions.
Sources: Bergstra & Bengio 2012, JMLR 13 (random beats grid); Bergstra et al. 2011, NeurIPS 24 (Bayesian: tree of Parzen
estimators, TPE); Deb et al. 2002, IEEE Trans. Evol. Comp. 6(2) (genetic: NSGA-II).
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from annotated_types import Ge, Interval

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from torch import Tensor, nn

    from labs.kit.data import ImageData
    from labs.kit.sweeps.search import Search

topic = "foundations"
WAYS = {"grid": "grid", "random": "random", "bayesian": "tpe", "genetic": "genetic"}
"""The ways of searching -> what the sweeps call them."""
LARGEST_BATCH = 256
SPACE = ("learning_rate=log(1e-3,10)", "momentum=uniform(0,0.98)", f"batch_size=intlog(16,{LARGEST_BATCH})")
"""Where they search."""
NEAR = 1.1
"""An error at most so many times the least of all ways counts as found."""
FEWEST = 3
"""Repetitions from which on the ways are compared."""
ALIKE = "within chance"


@dataclass(frozen=True)
class Tuned(kit.Config):
    """The settings that are searched."""

    learning_rate: kit.Rate = 0.1
    """Step size of gradient descent."""
    momentum: kit.Share = 0.9
    """Share of the last step that is taken again."""
    batch_size: kit.Count = 64
    """Images an update."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: a registered name or a folder."""
    points: Annotated[int, Interval(ge=2, le=6)] = 4
    """Points of the grid along each of three settings; every way has the points^3 trials that the grid takes."""
    repetitions: kit.Count = 5
    """Repetitions, each with its own images, first weights and draws."""
    hidden: kit.Count = 64
    """Units in the hidden layer of the network."""
    epochs: kit.Count = 2
    """Passes over the training images in a trial."""
    training_images: Annotated[int, Ge(LARGEST_BATCH)] = 2_000
    """Images that a trial learns from, as many as the largest batch at least."""
    validation_images: kit.Count = 2_000
    """Images held out, whose error is to be small."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"points": 2, "repetitions": 3, "training_images": 600, "validation_images": 300, "epochs": 1},
        "full": {"points": 5, "repetitions": 10, "training_images": 5_000, "validation_images": 5_000},
    }
    useful_threads: ClassVar[int] = 1

    @property
    def trials(self) -> int:
        """What each way may try."""
        return self.points**3


class Found(NamedTuple):
    """What one way found in one repetition."""

    search: "Search"
    test_error: float


def main(config: Config, run: kit.Run) -> None:
    """Search in every way, each repetition a phase of the run; then compare."""
    from labs.drawings import tune_mnist as drawings

    images = run.load_images(config.data)
    parts = split(config, len(images.train_labels), run)
    found: dict[str, list[Found]] = {way: [] for way in WAYS}
    for repetition in range(config.repetitions):
        task = Task(config, images, parts, run, repetition)
        for way in WAYS:
            search = task.search(way)
            for _ in run.follow(search, steps=config.trials, name=f"{way}_{repetition}"):
                pass
            found[way].append(Found(search, task.test_error(search.best_settings())))
    searches = {way: [each.search for each in several] for way, several in found.items()}
    run.table("ways", rows(found))
    run.table("best_settings", best_settings(searches))
    compare(searches, run)
    run.figure("best_so_far", drawings.draw_best_so_far(searches))
    run.figure("where_each_looked", drawings.draw_places(searches))
    run.summary(_summary(found))


def split(config: Config, available: int, run: kit.Run) -> tuple[int, int]:
    """Images to learn from and images held out: as many as asked for, or their shares of what there is."""
    asked = config.training_images + config.validation_images
    if asked <= available:
        return config.training_images, config.validation_images
    learned_from = available * config.training_images // asked
    enough = learned_from >= LARGEST_BATCH and learned_from < available
    require(enough, "data", config.data, f"of more than {available:,} training images, or validation_images smaller")
    held_out = available - learned_from
    run.note(f"{available:,} images, fewer than asked for: trials learn from {learned_from:,}, {held_out:,} judge them")
    return learned_from, held_out


class Task:
    """One repetition: what a trial of any way learns from, starts at and is judged by."""

    def __init__(
        self, config: Config, images: "ImageData", parts: tuple[int, int], run: kit.Run, repetition: int
    ) -> None:
        self.config, self.images, self.device = config, images, run.device
        self.streams = run.streams.child(f"repetition {repetition}")
        chosen = foundations.Batches(len(images.train_labels), sum(parts), self.streams.torch("images")).next()
        learned_from, held_out = chosen.split(parts)
        images_of, labels_of = images.train_images.to(run.device), images.train_labels.to(run.device)
        self.inputs, self.labels = images_of[learned_from], labels_of[learned_from]
        self.validation = images_of[held_out], labels_of[held_out]

    def search(self, way: str) -> "Search":
        """The search that goes this way."""
        from labs.kit.sweeps.samplers import sampler_of
        from labs.kit.sweeps.search import Search
        from labs.kit.sweeps.space import parse

        space = parse(SPACE, Tuned)
        seed = int(self.streams.numpy(way).integers(2**31))
        sampler = sampler_of(WAYS[way], seed=seed, space=space, points=self.config.points)
        return Search(space.suggest, self.error, sampler)

    def train(self, settings: Mapping[str, Any]) -> "nn.Module":
        """The network that these settings make, always from the same first weights."""
        streams, classes = self.streams.child("training"), len(self.images.class_names)
        sizes = (self.inputs[0].numel(), self.config.hidden, classes)
        network = foundations.MLP(sizes, generator=streams.torch("weights")).to(self.device)
        rate, momentum = settings["learning_rate"], settings["momentum"]
        learner = foundations.SupervisedLearner(
            network,
            foundations.SGD(network.parameters(), lr=rate, momentum=momentum, fused=True),
            foundations.losses.cross_entropy_from_logits,
            self.inputs,
            self.labels,
            batch_size=settings["batch_size"],
            prepare=lambda batch, _: batch / 255,
            streams=streams,
        )
        steps = self.config.epochs * (len(self.labels) // settings["batch_size"])
        for _ in zip(range(steps), learner.learn(), strict=False):
            pass
        return network

    def error(self, settings: Mapping[str, Any]) -> float:
        """Images held out that are taken for another class, in percent."""
        return self._wrong(self.train(settings), *self.validation)

    def test_error(self, settings: Mapping[str, Any]) -> float:
        """Test images that are taken for another class, in percent."""
        return self._wrong(self.train(settings), self.images.test_images, self.images.test_labels)

    def _wrong(self, network: "nn.Module", inputs: "Tensor", labels: "Tensor") -> float:
        logits = foundations.predict(network, inputs.to(self.device), scale=lambda batch: batch / 255)
        return 100 * (1 - foundations.accuracy(logits, labels.to(self.device)))


# --- the tables -------------------------------------------------------------------------------------------------------


def rows(found: Mapping[str, list[Found]]) -> list[dict[str, object]]:
    """What each way found: mean, spread and least over the repetitions, and how soon it was near the best of all."""
    searches = {way: [each.search for each in several] for way, several in found.items()}
    least = least_errors(searches)
    return [
        {
            "way": way,
            "error of the best (%)": f"{statistics.mean(least[way]):.2f}",
            "standard deviation": f"{statistics.stdev(least[way]):.2f}" if len(each) > 1 else "one repetition",
            "least": f"{min(least[way]):.2f}",
            f"trials to within {NEAR:g} x the best": _in_words(trials_to(searches, way)),
            "its test error (%)": f"{statistics.mean(one.test_error for one in each):.2f}",
        }
        for way, each in found.items()
    ]


def least_errors(searches: "Mapping[str, list[Search]]") -> dict[str, list[float]]:
    """The least error that each way found in each repetition."""
    return {way: [search.least for search in several] for way, several in searches.items()}


def trials_to(searches: "Mapping[str, list[Search]]", way: str) -> list[int | None]:
    """In each repetition, the trials until `way` was near the least error of all ways; None where it never was."""
    counts: list[int | None] = []
    for repetition, search in enumerate(searches[way]):
        least = min(each[repetition].least for each in searches.values())
        near = [count for count, best in enumerate(search.best_so_far(), 1) if best <= NEAR * least]
        counts.append(near[0] if near else None)
    return counts


def _in_words(counts: list[int | None]) -> str:
    reached = sorted(count for count in counts if count is not None)
    if not reached:
        return "never"
    often = "" if len(reached) == len(counts) else f", in {len(reached)} of {len(counts)}"
    return f"{statistics.median(reached):g} (median{often})"


def best_settings(searches: "Mapping[str, list[Search]]") -> list[dict[str, object]]:
    """The best that each way found in all repetitions."""
    table: list[dict[str, object]] = []
    for way, several in searches.items():
        best = min(several, key=lambda search: search.least)
        settings = {name: f"{value:.3g}" for name, value in best.best_settings().items()}
        table.append({"way": way, **settings, "error (%)": f"{best.least:.2f}"})
    return table


def compare(searches: "Mapping[str, list[Search]]", run: kit.Run) -> None:
    """Whether the other ways beat random search, or whether the difference is within what chance makes of it."""
    least = least_errors(searches)
    chance = least.pop("random")
    if len(chance) < FEWEST:
        run.note(f"fewer than {FEWEST} repetitions: the differences between the ways may all be chance")
        return
    streams = run.streams.child("bootstrap")
    table = [_against(way, errors, chance, streams.numpy(way)) for way, errors in least.items()]
    run.table("against_random_search", table)
    if same := [str(row["way"]) for row in table if row["verdict"] == ALIKE]:
        run.note(f"the difference from random search is {ALIKE} for: {', '.join(same)}")


def _against(way: str, errors: list[float], chance: list[float], stream: Any) -> dict[str, object]:
    """The mean difference, repetition by repetition, since both had the same task there; its bootstrap interval."""
    differences = [one - other for one, other in zip(errors, chance, strict=True)]
    low, high = foundations.statistics.bootstrap_interval(differences, statistics.fmean, stream=stream)
    better = 1 - foundations.statistics.probability_of_improvement(errors, chance)
    return {
        "way": way,
        "error less that of random search (points)": f"{statistics.fmean(differences):+.2f}",
        "95 % interval": f"{low:+.2f} to {high:+.2f}",
        "probability of a smaller error": f"{better:.2f}",
        "verdict": ALIKE if low <= 0 <= high else "better" if high < 0 else "worse",
    }


def _summary(found: Mapping[str, list[Found]]) -> dict[str, float]:
    """The figures by which the run is judged."""
    figures = {}
    for way, each in found.items():
        figures[f"error/{way}"] = statistics.fmean(one.search.least for one in each)
        figures[f"test_error/{way}"] = statistics.fmean(one.test_error for one in each)
    return figures


if __name__ == "__main__":
    kit.launch(main)
