"""Move what a network has learned to a new task with few labels: digits 0-4 to 5-9, and MNIST to another scanner's.

A LeNet-5 learns one task with many labels. The new task has 10 to 1,000: a network learns it from scratch, or the first
network gets a new head, and learns on in the head alone, in its last blocks too, or in all of it, the first blocks the
slowest. The run shows how good each way is for each number of labels, which weights moved how far, and how general
the features of each block are: the last blocks of a body belong to its task.
Sources: Yosinski et al. 2014, arXiv:1411.1792; Howard & Ruder 2018, arXiv:1801.06146 (a learning rate for each block).
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from statistics import mean, stdev
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Interval

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from foundations.learner import Metrics
    from foundations.training import Prepare
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


@dataclass(frozen=True, eq=False)
class Part:
    """Images of bytes (n, 1, 28, 28) and their labels (n), from 0 on."""

    images: "Tensor"
    labels: "Tensor"

    @classmethod
    def of(cls, images: "Tensor", labels: "Tensor", classes: range, most: int, run: kit.Run) -> "Part":
        """The first images of the classes in a range, `most` at most, their labels counted from 0."""
        kept = ((labels >= classes.start) & (labels < classes.stop)).nonzero()[:most, 0]
        return cls(images[kept].to(run.device), (labels[kept] - classes.start).to(run.device))


@dataclass(frozen=True, eq=False)
class Task:
    """Two tasks: the one learned first (source) and the new one (target), each with test images."""

    title: str
    classes: tuple[int, int]
    source: Part
    target: Part
    source_test: Part
    test: Part


def main(config: Config, run: kit.Run) -> None:
    """Learn each first task, then each new one in all ways."""
    from labs.drawings import transfer_learning as drawings

    found, tasks = {}, make_tasks(config, run)
    pretrained = {}
    for name, task in tasks.items():
        pretrained[name] = pretrain(f"{name}_source", task, config, run)
        trials = Trials(task, pretrained[name], config, run.streams.child(name))
        for _ in run.follow(trials, steps=len(trials.plan), name=name):
            pass
        found[name] = trials
        run.table(f"accuracy_{name}", trials.rows())
        reached = {
            (labels, way): mean(trials.accuracies(way, labels)) for labels in trials.counts for way in trials.ways
        }
        run.summary({f"{name}/{way}_{labels}": value for (labels, way), value in reached.items()})
    run.figure("accuracy", drawings.draw_accuracy(found))
    task, body = tasks["new_classes"], pretrained["new_classes"]
    run.figure("generality", drawings.draw_generality(generality(task, body, run)))
    run.figure("movement", drawings.draw_movement(found["new_classes"], list(foundations.transfer.blocks(body))))
    run.model("pretrained", body.eval(), task.test.images[:8] / 255)


def make_tasks(config: Config, run: kit.Run) -> dict[str, Task]:
    """Two tasks: the second half of the classes after the first half, and the embedded digits after all of the data."""
    data = run.load_images(config.data)
    shape, count = tuple(data.train_images.shape[1:]), len(data.class_names)
    require(shape == (1, 28, 28), "data", config.data, "grey images of 28x28 pixels")
    require(count >= 4, "data", config.data, f"images of at least 4 classes, to be cut into halves; it has {count}")
    half, digits = count // 2, run.load_images("digits")
    cuts = {"new_classes": (data, range(half), range(half, count))}
    if data.name != digits.name:
        cuts["new_scanner"] = (digits, range(count), range(len(digits.class_names)))
    return {name: task(data, *cut, config, run) for name, cut in cuts.items()}


def task(data: "ImageData", new: "ImageData", first: range, then: range, config: Config, run: kit.Run) -> Task:
    """First the classes `first` of the data, then the classes `then` of the data `new`."""
    source = Part.of(data.train_images, data.train_labels, first, config.source_images, run)
    source_test = Part.of(data.test_images, data.test_labels, first, config.test_images, run)
    target = Part.of(new.train_images, new.train_labels, then, len(new.train_labels), run)
    test = Part.of(new.test_images, new.test_labels, then, config.test_images, run)
    names = [
        f"{each.class_names[kept[0]]} to {each.class_names[kept[-1]]}" for each, kept in ((data, first), (new, then))
    ]
    title = f"{data.name}, {names[0]}, then {'' if new is data else new.name + ', '}{names[1]}"
    return Task(title, (len(first), len(then)), source, target, source_test, test)


def scaled(batch: "Tensor", *_: Any) -> "Tensor":
    """Bytes to [0, 1]."""
    return batch / 255


def varied(batch: "Tensor", generator: "Generator") -> "Tensor":
    """Bytes to [0, 1], each image turned, scaled and shifted in its own way."""
    return foundations.augmentation.random_affine(scaled(batch), generator, degrees=15, scale=0.15, shift=0.1)


def learner(
    network: "nn.Module",
    groups: Any,
    part: Part,
    batch_size: int,
    steps: int,
    prepare: "Prepare",
    streams: "foundations.Streams",
) -> "foundations.SupervisedLearner":
    """AdamW whose rate rises for a tenth of the steps and falls to 0."""
    return foundations.SupervisedLearner(
        network,
        foundations.AdamW(groups, fused=True),
        foundations.losses.cross_entropy_from_logits,
        part.images,
        part.labels,
        batch_size=min(batch_size, len(part.labels)),
        streams=streams,
        prepare=prepare,
        schedule=foundations.schedules.warmup_cosine(steps // 10, steps),
    )


def lenet(classes: int, streams: "foundations.Streams", part: Part) -> "nn.Module":
    """A LeNet-5 at its first weights, on the device of `part`."""
    import torch

    network = foundations.LeNet5(classes, generator=streams.torch("weights")).to(part.images.device)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def pretrain(name: str, task: Task, config: Config, run: kit.Run) -> "nn.Module":
    """The network that has learned the first task, as the phase `name`."""
    streams, batch = run.streams.child(name), min(SOURCE_BATCH, len(task.source.labels))
    steps = config.source_epochs * (len(task.source.labels) // batch)
    network = lenet(task.classes[0], streams, task.source)
    groups = [{"params": list(network.parameters()), "lr": RATES["scratch"]}]
    training = learner(network, groups, task.source, batch, steps, varied, streams)
    for _ in run.follow(training, steps=steps, examples_per_step=batch, name=name):
        pass
    return network


class Trials:
    """A learner whose every step is one training on the new task, from beginning to end: a way, labels, a seed.

    `results` has for each step the test accuracy and how far the body's blocks went from where they began.
    """

    def __init__(self, task: Task, pretrained: "nn.Module", config: Config, streams: "foundations.Streams") -> None:
        self.task, self.pretrained, self.config, self.streams = task, pretrained, config, streams
        classes, scarcest = task.classes[1], int(task.target.labels.bincount().min())
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
        blocks = foundations.transfer.blocks(network).values()
        before = [[each.detach().clone() for each in block.parameters()] for block in blocks]
        part = self.few(labels, streams)
        steps, prepare = self.config.steps, varied if self.config.augment else scaled
        training = learner(network, groups, part, BATCH, steps, prepare, streams)
        for _ in zip(range(steps), training.learn(), strict=False):
            pass
        test = self.task.test
        scores = {"accuracy": foundations.accuracy}
        right = foundations.evaluate(network, test.images, test.labels, scores, scale=scaled)["accuracy"]
        return [right, *(moved(old, list(block.parameters())) for old, block in zip(before, blocks, strict=True))]

    def begin(self, way: str, streams: "foundations.Streams") -> tuple["nn.Module", Any]:
        """The network before it learns the new task, and what of it learns at which rate."""
        from foundations.transfer import block_learning_rates, replace_head, thaw_last_blocks

        classes, thawed = self.task.classes[1], self.ways[way]
        if thawed is None:
            network = lenet(classes, streams, self.task.target)
            return network, [{"params": list(network.parameters()), "lr": RATES[way]}]
        network = deepcopy(self.pretrained)
        replace_head(network, classes, generator=streams.torch("weights"))
        thaw_last_blocks(network, thawed)
        return network, block_learning_rates(network, RATES.get(way, RATE_OF_HEAD), FACTOR)

    def few(self, labels: int, streams: "foundations.Streams") -> Part:
        """So many labelled images of the new task, the same number of each class."""
        target, shots = self.task.target, labels // self.task.classes[1]
        kept = foundations.transfer.few_shot(target.labels, shots, streams.torch("images"))
        return Part(target.images[kept], target.labels[kept])

    def accuracies(self, way: str, labels: int) -> list[float]:
        """The test accuracies of one way with so many labels, over the seeds."""
        pairs = zip(self.plan, self.results, strict=True)
        return [result[0] for (one, count, _), result in pairs if (one, count) == (way, labels)]

    def rows(self) -> list[dict[str, str]]:
        """The table: a row for each number of labels, right answers in %, mean ± standard deviation of the seeds."""
        from labs.drawings import transfer_learning as drawings

        rows = []
        for labels in self.counts:
            found = {way: [100 * each for each in self.accuracies(way, labels)] for way in self.ways}
            shown = {drawings.label(way): f"{mean(each):.1f} ± {stdev(each):.1f}" for way, each in found.items()}
            last = list(self.ways)[2]
            gains = [one - other for one, other in zip(found[last], found["scratch"], strict=True)]
            gain = {f"{drawings.label(last)}, gain in points": f"{mean(gains):+.1f} ± {stdev(gains):.1f}"}
            rows.append({"labels": f"{labels:,}"} | shown | gain)
        return rows

    def state_dict(self) -> dict[str, Any]:
        """The results so far."""
        return {"results": [list(each) for each in self.results]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the training after the last one in `state`."""
        self.results = [list(each) for each in state["results"]]


def moved(before: "Sequence[Tensor]", after: "Sequence[Tensor]") -> float:
    """|w - w_0| / |w_0|, all weights of a block as one vector."""
    steps = sum(float((new.detach() - old).square().sum()) for new, old in zip(after, before, strict=True))
    return float((steps / sum(float(old.square().sum()) for old in before)) ** 0.5)


def generality(task: Task, pretrained: "nn.Module", run: kit.Run) -> dict[tuple[str, str], dict[str, float]]:
    """How often the nearest neighbour is of the same class, in %: (task, body) -> block whose features say so -> share.

    Of classes that the trained body has seen and of new ones, beside a body that is not trained.
    """
    bodies = {"trained on the first task": pretrained, "untrained": lenet(task.classes[0], run.streams, task.test)}
    shares = {
        (title, body): neighbours(network, part)
        for title, part in (("first task", task.source_test), ("new task", task.test))
        for body, network in bodies.items()
    }
    rows = [
        {"classes of the": title, "body": body} | {place: f"{share:.1f}" for place, share in found.items()}
        for (title, body), found in shares.items()
    ]
    run.table("nearest_neighbour_is_of_the_same_class_in_percent", rows)
    return shares


def neighbours(network: "nn.Module", part: Part) -> dict[str, float]:
    """The share of images whose nearest neighbour is of their class, in %, by their pixels and behind each block."""
    x, labels = scaled(part.images[:NEIGHBOURS]), part.labels[:NEIGHBOURS]
    features = foundations.transfer.block_features(network, x)
    named = {"pixels": features.pop("input"), **features}
    return {name: 100 * foundations.transfer.nearest_neighbour_accuracy(each, labels) for name, each in named.items()}


if __name__ == "__main__":
    kit.launch(main)
