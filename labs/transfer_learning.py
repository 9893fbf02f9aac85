"""Move what a network has learned to a new task with few labels: digits 0-4 to 5-9, and MNIST to another scanner's.

A LeNet-5 learns one task with many labels. The new task has 10 to 1,000: a network learns it from scratch, or the first
network gets a new head, and learns on in the head alone, in its last blocks too, or in all of it, the first blocks the
slowest. The run shows how good each way is for each number of labels, which weights moved how far, and how general
the features of each block are: the last blocks of a body belong to its task.
Sources: Yosinski et al. 2014, arXiv:1411.1792; Howard & Ruder 2018, arXiv:1801.06146 (a learning rate for each block).
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from statistics import mean
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from annotated_types import Ge, Interval

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from torch import Tensor

    from foundations.learner import Metrics
    from labs.kit.data import ImageData

topic = "foundations"
BLOCKS = 4
"""Those of LeNet-5 that have weights: two convolutions, two dense layers."""
FACTOR = 0.5
"""Each block's learning rate, as a multiple of that of the block behind it."""
RATES = {"scratch": 3e-3, "head": 1e-2}
"""AdamW's largest step size of these two ways; in the others it is RATE_OF_HEAD in the head."""
RATE_OF_HEAD = 3e-3
SOURCE_BATCH, BATCH = 64, 32
VARIATION = {"degrees": 15, "scale": 0.15, "shift": 0.1}
"""The largest turn, and changes of size and place as shares of an image's side."""
NEIGHBOURS = 1_000
"""Test images among which neighbours are sought."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set to learn from first: a registered name or a folder of 28x28 grey images."""
    labels: tuple[kit.Count, ...] = (10, 30, 100, 300, 1_000)
    """Labelled images of the new task, the same number of each class."""
    repetitions: Annotated[int, Ge(2)] = 5
    """Trainings for each way and number of labels, each with its own images of the new task."""
    last_blocks: Annotated[int, Interval(ge=1, lt=BLOCKS)] = 2
    """Blocks of the body that learn on, in the way between the head alone and all."""
    source_images: kit.Count = 12_000
    """Images of the first task at most."""
    source_epochs: kit.Count = 6
    """Passes over them, each time turned, scaled and shifted a little."""
    steps: kit.Count = 150
    """Updates on the new task."""
    augment: bool = False
    """Turn, scale and shift the images of the new task too, in every way: worth much where labels are few."""
    test_images: kit.Count = 2_000
    """Test images of the new task at most."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {
            "labels": (10, 30),
            "repetitions": 2,
            "source_images": 600,
            "source_epochs": 3,
            "steps": 20,
            "test_images": 300,
        },
        "full": {"repetitions": 10, "source_images": 60_000, "source_epochs": 10, "steps": 400, "test_images": 10_000},
    }


class Task(NamedTuple):
    """Two tasks: the one learned first (source) and the new one (target), each with its classes and test images."""

    source: "ImageData"
    target: "ImageData"


def main(config: Config, run: kit.Run) -> None:
    """Learn each first task, then each new one in all ways."""
    from labs.drawings import transfer_learning as drawings

    found: dict[str, Trials] = {}
    for name, task in make_tasks(config, run).items():
        pretrained = pretrain(f"{name}_source", task.source, config, run)
        found[name] = trials = Trials(task, pretrained, config, run.streams.child(name))
        for _ in run.follow(trials, steps=len(trials.plan), name=name):
            pass
        run.table(f"accuracy_{name}", drawings.accuracy_rows(trials))
        run.summary(
            {f"{name}/{way}_{n}": mean(trials.accuracies(way, n)) for n, way in product(trials.counts, trials.ways)}
        )
    run.figure("accuracy", drawings.draw_accuracy(found))
    first = found["new_classes"]
    shares = generality(first.task, first.pretrained, run)
    run.table("nearest_neighbour_is_of_the_same_class_in_percent", drawings.generality_rows(shares))
    run.figure("generality", drawings.draw_generality(shares))
    run.figure("movement", drawings.draw_movement(first))
    run.model("pretrained", first.pretrained.eval(), foundations.images.scaled(first.task.target.test_images[:8]))


def make_tasks(config: Config, run: kit.Run) -> dict[str, Task]:
    """Two tasks: the second half of the classes after the first half, and the embedded digits after all of the data."""
    data = run.load_images(config.data)
    data.require_grey(config.data)
    count = len(data.class_names)
    require(count >= 4, "data", config.data, f"images of at least 4 classes, to be cut into halves; it has {count}")
    half, digits = count // 2, run.load_images("digits")
    cuts = {"new_classes": (range(half), data, range(half, count))}
    if data.name != digits.name:
        cuts["new_scanner"] = (range(count), digits, range(len(digits.class_names)))
    tasks = {}
    for name, (first, new, then) in cuts.items():
        source = data.of_classes(first, config.source_images, config.test_images)
        target = new.of_classes(then, test_count=config.test_images)
        tasks[name] = Task(source.to(run.device), target.to(run.device))
    return tasks


def lenet(data: "ImageData", streams: "foundations.Streams") -> "foundations.LeNet5":
    """A LeNet-5 at its first weights for the classes of `data`, on their device."""
    network = foundations.LeNet5(len(data.class_names), generator=streams.torch("weights"))
    return foundations.images.channels_last(network, data.train_images.device)


def pretrain(name: str, source: "ImageData", config: Config, run: kit.Run) -> "foundations.LeNet5":
    """The network that has learned the first task, as the phase `name`."""
    streams, batch = run.streams.child(name), min(SOURCE_BATCH, len(source.train_labels))
    steps = config.source_epochs * (len(source.train_labels) // batch)
    network = lenet(source, streams)
    learner = foundations.images.image_classifier(
        network,
        foundations.AdamW(network.parameters(), lr=RATES["scratch"], fused=True),
        source.train_images,
        source.train_labels,
        batch_size=batch,
        steps=steps,
        prepare=foundations.images.augmented(**VARIATION),
        streams=streams,
    )
    for _ in run.follow(learner, steps=steps, examples_per_step=batch, name=name):
        pass
    return network


class Trials:
    """A learner whose every step is one training on the new task, from beginning to end: a way, labels, a seed.

    `results` has for each step the test accuracy and how far the body's blocks went from where they began.
    """

    def __init__(
        self, task: Task, pretrained: "foundations.LeNet5", config: Config, streams: "foundations.Streams"
    ) -> None:
        self.task, self.pretrained, self.config, self.streams = task, pretrained, config, streams
        classes, scarcest = len(task.target.class_names), int(task.target.train_labels.bincount().min())
        fits = [count for count in config.labels if classes <= count <= classes * scarcest]
        allowed = f"from {classes}, one a class, to {classes * scarcest:,}, as many as there are"
        require(len(fits) > 0, "labels", config.labels, allowed)
        self.counts = sorted(set(fits))
        last = f"last_{config.last_blocks}"
        self.ways: dict[str, int | None] = {"scratch": None, "head": 0, last: config.last_blocks, "all": BLOCKS}
        self.plan = [(way, n, seed) for n in self.counts for seed in range(config.repetitions) for way in self.ways]
        self.results: list[list[float]] = []

    def learn(self) -> "Iterator[Metrics]":
        """Train one network after the other."""
        while len(self.results) < len(self.plan):
            way, labels, seed = self.plan[len(self.results)]
            self.results.append(self.one(way, labels, seed))
            yield {f"accuracy/{way}": self.results[-1][0]}

    def one(self, way: str, labels: int, seed: int) -> list[float]:
        """Test accuracy, then for each block |w - w_0| / |w_0|."""
        streams = self.streams.child(f"{labels} labels, seed {seed}")
        network, groups = self.begin(way, streams)
        before, steps, (images, few) = deepcopy(network), self.config.steps, self.few(labels, streams)
        learner = foundations.images.image_classifier(
            network,
            foundations.AdamW(groups, fused=True),
            images,
            few,
            batch_size=min(BATCH, len(few)),
            steps=steps,
            prepare=foundations.images.augmented(**VARIATION) if self.config.augment else foundations.images.scaled,
            streams=streams,
        )
        for _ in zip(range(steps), learner.learn(), strict=False):
            pass
        right = foundations.images.image_accuracy(network, self.task.target.test_images, self.task.target.test_labels)
        return [right, *foundations.transfer.block_changes(before, network).values()]

    def begin(self, way: str, streams: "foundations.Streams") -> tuple["foundations.LeNet5", list[dict[str, Any]]]:
        """The network before it learns the new task, and what of it learns at which rate."""
        target, thawed, transfer = self.task.target, self.ways[way], foundations.transfer
        if thawed is None:
            network = lenet(target, streams)
            return network, [{"params": list(network.parameters()), "lr": RATES[way]}]
        network = deepcopy(self.pretrained)
        transfer.replace_head(network, len(target.class_names), generator=streams.torch("weights"))
        transfer.thaw_last_blocks(network, thawed)
        return network, transfer.block_learning_rates(network, RATES.get(way, RATE_OF_HEAD), FACTOR)

    def few(self, labels: int, streams: "foundations.Streams") -> "tuple[Tensor, Tensor]":
        """So many images of the new task, the same number of each class, and their labels."""
        target = self.task.target
        each = labels // len(target.class_names)
        kept = foundations.transfer.few_shot(target.train_labels, each, streams.torch("images"))
        return target.train_images[kept], target.train_labels[kept]

    def accuracies(self, way: str, labels: int) -> list[float]:
        """The test accuracies of one way with so many labels, over the seeds."""
        pairs = zip(self.plan, self.results, strict=True)
        return [result[0] for (one, count, _), result in pairs if (one, count) == (way, labels)]

    def state_dict(self) -> dict[str, Any]:
        """The results so far."""
        return {"results": [list(each) for each in self.results]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the training after the last one in `state`."""
        self.results = [list(each) for each in state["results"]]


def generality(task: Task, pretrained: "foundations.LeNet5", run: kit.Run) -> dict[tuple[str, str], dict[str, float]]:
    """How often the nearest test image is of the same class: (task, body) -> block by whose features -> share.

    Of classes that the trained body has seen and of new ones, beside a body that is not trained.
    """
    bodies = {"trained on the first task": pretrained, "untrained": lenet(task.source, run.streams)}
    shares = {}
    for title, data in (("first task", task.source), ("new task", task.target)):
        x, labels = foundations.images.scaled(data.test_images[:NEIGHBOURS]), data.test_labels[:NEIGHBOURS]
        for body, network in bodies.items():
            shares[title, body] = foundations.transfer.nearest_neighbour_by_block(network, x, labels)
    return shares


if __name__ == "__main__":
    kit.launch(main)
