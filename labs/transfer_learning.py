"""Move what a network has learned to a new task with few labels: digits 0-4 to 5-9, and MNIST to another scanner's.

A LeNet-5 learns one task with many labels. The new task has 10 to 1,000: a network learns it from scratch, or the first
network gets a new head, and learns on in the head alone, in its last blocks too, or in all of it, the first blocks the
slowest. The run shows how good each way is for each number of labels, which weights moved how far, and how far apart
the trained body puts digits that it has never seen.
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
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor, nn

    from foundations.learner import Metrics
    from labs.kit.data import ImageData

topic = "foundations"
BLOCKS = 4
"""Those of LeNet-5 that have weights: two convolutions, two dense layers."""
FACTOR = 0.5
"""Each block learns at so much of the rate of the one behind it."""
RATES = {"scratch": 3e-3, "head": 1e-2}
"""AdamW's largest step size; where a body learns on, RATE_OF_HEAD in the head."""
RATE_OF_HEAD = 3e-3
SOURCE_BATCH, BATCH = 64, 32


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set to learn from first: a registered name or a folder of 28x28 grey images."""
    labels: tuple[kit.Count, ...] = (10, 30, 100, 300, 1_000)
    """Labelled images of the new task, the same number of each class."""
    seeds: Annotated[int, Ge(2)] = 3
    """Trainings for each way and number of labels, each with its own images of the new task."""
    last_blocks: Annotated[int, Interval(ge=1, lt=BLOCKS)] = 2
    """Blocks of the body that learn on, in the way between the head alone and all."""
    source_images: kit.Count = 12_000
    """Images of the first task at most."""
    source_epochs: kit.Count = 3
    """Passes over them."""
    steps: kit.Count = 150
    """Updates on the new task."""
    test_images: kit.Count = 2_000
    """Test images of the new task at most."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"labels": (10, 30), "seeds": 2, "source_images": 600, "steps": 20, "test_images": 300},
        "full": {"seeds": 10, "source_images": 60_000, "source_epochs": 5, "steps": 400, "test_images": 10_000},
    }


@dataclass(frozen=True, eq=False)
class Part:
    """Images of bytes (n, 1, 28, 28) and their labels (n), from 0 on."""

    images: "Tensor"
    labels: "Tensor"

    @classmethod
    def of(cls, images: "Tensor", labels: "Tensor", classes: range, most: int, run: kit.Run) -> "Part":
        """Those of some neighbouring classes, `most` at most, the first ones."""
        kept = ((labels >= classes.start) & (labels < classes.stop)).nonzero()[:most, 0]
        return cls(images[kept].to(run.device), (labels[kept] - classes.start).to(run.device))


@dataclass(frozen=True, eq=False)
class Task:
    """What is learned first, and what then."""

    title: str
    classes: tuple[int, int]
    names: tuple[str, ...]
    source: Part
    target: Part
    test: Part


def main(config: Config, run: kit.Run) -> None:
    """Learn each first task, then each new one in all ways."""
    found, tasks = {}, make_tasks(config, run)
    pretrained = {}
    for name, task in tasks.items():
        pretrained[name] = pretrain(f"{name}_source", task, config, run)
        trials = Trials(task, pretrained[name], config, run.streams.child(name))
        for _ in run.follow(trials, steps=len(trials.plan), name=name):
            pass
        found[name] = trials
        run.table(f"accuracy_{name}", trials.rows())
        run.summary({f"{name}/{way}_{labels}": mean(trials.accuracies(way, labels))
                     for labels in trials.counts for way in trials.ways})  # fmt: skip
    run.figure("accuracy", draw_accuracy(found))
    run.figure("unseen_classes", draw_unseen(tasks["new_classes"], pretrained["new_classes"], run))
    run.figure("movement", draw_movement(found["new_classes"]))
    example = tasks["new_classes"].test.images[:8] / 255
    run.model("pretrained", pretrained["new_classes"].eval(), example)


def make_tasks(config: Config, run: kit.Run) -> dict[str, Task]:
    """The classes of the second half after those of the first; the embedded digits after all of the data."""
    data = run.load_images(config.data)
    shape, count = tuple(data.train_images.shape[1:]), len(data.class_names)
    require(shape == (1, 28, 28), "data", config.data, "grey images of 28x28 pixels")
    require(count >= 4, "data", config.data, f"images of at least 4 classes, to be cut into halves; it has {count}")
    half, most = count // 2, config.source_images
    first, second = range(half), range(half, count)
    names = f"{data.class_names[0]}-{data.class_names[half - 1]}", f"{data.class_names[half]}-{data.class_names[-1]}"
    source = Part.of(data.train_images, data.train_labels, first, most, run)
    tasks = {"new_classes": task(f"{names[0]} to {names[1]}", source, half, data, second, config, run)}
    if data.name != "digits":
        digits = run.load_images("digits")
        source = Part.of(data.train_images, data.train_labels, range(count), most, run)
        title = f"{data.name} to another scanner's digits"
        tasks["new_scanner"] = task(title, source, count, digits, range(10), config, run)
    return tasks


def task(title: str, source: Part, classes: int, new: "ImageData", chosen: range, config: Config, run: kit.Run) -> Task:
    """After `source` the `chosen` classes of the data `new`."""
    target = Part.of(new.train_images, new.train_labels, chosen, len(new.train_labels), run)
    test = Part.of(new.test_images, new.test_labels, chosen, config.test_images, run)
    return Task(title, (classes, len(chosen)), new.class_names[chosen.start : chosen.stop], source, target, test)


def scaled(batch: "Tensor", *_: Any) -> "Tensor":
    """Bytes to [0, 1]."""
    return batch / 255


def learner(
    network: "nn.Module", groups: Any, part: Part, batch_size: int, steps: int, streams: "foundations.Streams"
) -> "foundations.SupervisedLearner":
    """AdamW whose rate rises for a tenth of the steps and falls to 0."""
    return foundations.SupervisedLearner(
        network, foundations.AdamW(groups, fused=True), foundations.losses.cross_entropy_from_logits,
        part.images, part.labels, batch_size=batch_size, streams=streams, prepare=scaled,
        schedule=foundations.schedules.warmup_cosine(steps // 10, steps),
    )  # fmt: skip


def lenet(classes: int, streams: "foundations.Streams", part: Part) -> "nn.Module":
    """At its first weights."""
    import torch

    network = foundations.LeNet5(classes, generator=streams.torch("weights")).to(part.images.device)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def pretrain(name: str, task: Task, config: Config, run: kit.Run) -> "nn.Module":
    """The network that has learned the first task, as the phase `name`."""
    streams, batch = run.streams.child(name), min(SOURCE_BATCH, len(task.source.labels))
    steps = config.source_epochs * (len(task.source.labels) // batch)
    network = lenet(task.classes[0], streams, task.source)
    groups = [{"params": list(network.parameters()), "lr": RATES["scratch"]}]
    training = learner(network, groups, task.source, batch, steps, streams)
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
        self.plan = [(way, n, seed) for n in self.counts for seed in range(config.seeds) for way in self.ways]
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
        before = {name: [each.detach().clone() for each in block.parameters()] for name, block in _blocks(network)}
        part = self.few(labels, streams)
        steps = self.config.steps
        training = learner(network, groups, part, min(BATCH, len(part.labels)), steps, streams)
        for _ in zip(range(steps), training.learn(), strict=False):
            pass
        test = self.task.test
        scores = {"accuracy": foundations.accuracy}
        right = foundations.evaluate(network, test.images, test.labels, scores, scale=scaled)["accuracy"]
        return [right, *(_moved(before[name], list(block.parameters())) for name, block in _blocks(network))]

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
        """So many labelled images, the same number of each class."""
        import torch

        target, each = self.task.target, labels // self.task.classes[1]
        order = torch.randperm(len(target.labels), generator=streams.torch("images"))
        labels_in_order = target.labels.cpu()[order]
        chosen = [order[labels_in_order == label][:each] for label in range(self.task.classes[1])]
        kept = torch.cat(chosen).to(target.labels.device)
        return Part(target.images[kept], target.labels[kept])

    def accuracies(self, way: str, labels: int) -> list[float]:
        """Of all seeds."""
        pairs = zip(self.plan, self.results, strict=True)
        return [result[0] for (one, count, _), result in pairs if (one, count) == (way, labels)]

    def rows(self) -> list[dict[str, str]]:
        """The table: a row for each number of labels, right answers in %, mean ± standard deviation of the seeds."""
        rows = []
        for labels in self.counts:
            found = {way: [100 * each for each in self.accuracies(way, labels)] for way in self.ways}
            shown = {label(way): f"{mean(each):.1f} ± {stdev(each):.1f}" for way, each in found.items()}
            rows.append({"labels": f"{labels:,}"} | shown)
        return rows

    def state_dict(self) -> dict[str, Any]:
        """What came out so far."""
        return {"results": [list(each) for each in self.results]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on behind it."""
        self.results = [list(each) for each in state["results"]]


def _blocks(network: "nn.Module") -> "list[tuple[str, nn.Module]]":
    from foundations.transfer import blocks

    return list(blocks(network).items())


def _moved(before: "Sequence[Tensor]", after: "Sequence[Tensor]") -> float:
    steps = sum(float((new - old).square().sum()) for new, old in zip(after, before, strict=True))
    return float((steps / sum(float(old.square().sum()) for old in before)) ** 0.5)


def label(way: str) -> str:
    """What the figures call it."""
    names = {"scratch": "from scratch", "head": "head only", "all": "all, by block"}
    return names.get(way, way.replace("_", " ") + " blocks")


def draw_accuracy(found: Mapping[str, Trials]) -> "Figure":
    """Accuracy against labels, the spread of the seeds as a band; one panel a task."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(found), figsize=(1 + 5 * len(found), 4.4), squeeze=False)
    for axes, trials in zip(panels[0], found.values(), strict=True):
        for way, colour, marker in zip(trials.ways, colours, "so^D", strict=False):
            each = [[100 * value for value in trials.accuracies(way, count)] for count in trials.counts]
            means = [mean(values) for values in each]
            axes.plot(trials.counts, means, color=colour, linestyle="-", marker=marker, markersize=5, label=label(way))
            low, high = zip(*((m - stdev(v), m + stdev(v)) for m, v in zip(means, each, strict=True)), strict=True)
            axes.fill_between(trials.counts, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.set(xscale="log", xlabel="labelled images of the new task", ylabel="right answers to test images (%)")
        axes.set_xticks(trials.counts, [f"{count:,}" for count in trials.counts])
        axes.minorticks_off()
        axes.set_title(trials.task.title)
        axes.legend(loc="lower right", fontsize=9)
    return figure


def draw_unseen(task: Task, pretrained: "nn.Module", run: kit.Run) -> "Figure":
    """The new classes, before a single label of theirs, in the features of an untrained and of the trained body."""
    kit.figures.COLOURS  # noqa: B018  the project's style comes with them
    from matplotlib import pyplot as plt

    images = task.test.images[:800]
    bodies = {"untrained body": lenet(2, run.streams, task.test), "trained on the other classes": pretrained}
    figure, panels = plt.subplots(1, 2, figsize=(10.5, 4.8))
    for axes, (title, network) in zip(panels, bodies.items(), strict=True):
        features = foundations.predict(network.body, images, scale=scaled).cpu()  # type: ignore[arg-type]
        share = _nearest_right(features, task.test.labels[:800].cpu())
        _scatter(axes, features, task.test.labels[:800].cpu(), task.names)
        axes.set_title(f"{title}: the nearest neighbour is\nof the same class for {100 * share:.0f} % of the images")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), title="class, never shown so far")
    return figure


def _nearest_right(features: "Tensor", labels: "Tensor") -> float:
    import torch

    distances = torch.cdist(features, features).fill_diagonal_(torch.inf)
    return float((labels[distances.argmin(dim=1)] == labels).float().mean())


def _scatter(axes: "Axes", features: "Tensor", labels: "Tensor", names: Sequence[str]) -> None:
    from sklearn.decomposition import PCA

    at = PCA(2, svd_solver="full").fit_transform(features.numpy())
    for each, name in enumerate(names):
        colour, marker = kit.figures.COLOURS[each % len(kit.figures.COLOURS)], "osD^vP*"[each % 7]
        chosen = (labels == each).numpy()
        axes.scatter(
            at[chosen, 0], at[chosen, 1], s=12, color=colour, marker=marker, alpha=0.6, linewidths=0, label=name
        )
    axes.set(xlabel="first principal component", ylabel="second principal component", xticks=[], yticks=[])


def draw_movement(trials: Trials) -> "Figure":
    """How far the blocks went, with the most labels; a frozen block not at all."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    names = [name for name, _ in _blocks(trials.pretrained)]
    figure, axes = plt.subplots(figsize=(8, 4))
    most = trials.counts[-1]
    for place, (way, colour) in enumerate(zip(trials.ways, colours, strict=False)):
        pairs = zip(trials.plan, trials.results, strict=True)
        rows = [result[1:] for (one, count, _), result in pairs if (one, count) == (way, most)]
        heights = [100 * mean(column) for column in zip(*rows, strict=True)]
        at = [each + 0.2 * (place - 1.5) for each in range(len(names))]
        axes.bar(at, heights, 0.18, color=colour, label=label(way))
        for x, height in zip(at, heights, strict=True):
            axes.annotate("0" if height == 0 else f"{height:.0f}", (x, height), ha="center", va="bottom", fontsize=8)
    axes.set_xticks(range(len(names)), names)
    axes.set(xlabel="block, from the input to the head", ylabel="|w - w before| / |w before| (%)")
    axes.set_title(f"How far the weights went on {most:,} labels; frozen ones not at all")
    axes.legend(fontsize=9)
    return figure


if __name__ == "__main__":
    kit.launch(main)
