"""Compare LeNet, AlexNet, GoogLeNet and ResNet: weights, work, speed, accuracy; and see why depth needs residuals.

Narrow members of the four families learn digits from the same images. Then plain networks of growing depth stand beside
residual ones with exactly as many weights: beyond some depth a plain network fits even its training images worse (the
degradation problem), while a residual one still gains. Full-size networks are counted against the published figures.
Sources: LeCun et al. 1998, Proc. IEEE 86(11); Krizhevsky et al. 2012, NeurIPS; Szegedy et al. 2014, arXiv:1409.4842;
He et al. 2015, arXiv:1512.03385.
"""

from dataclasses import dataclass, replace
from functools import partial
from statistics import mean
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

from annotated_types import Ge, MinLen

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from labs.kit.data import ImageData

topic = "foundations"
SIDE = 28
FAMILIES = ("LeNet-5", "AlexNet", "GoogLeNet", "ResNet-18")
NARROW = {"LeNet-5": 1.0, "AlexNet": 1 / 8, "GoogLeNet": 1 / 8, "ResNet-18": 1 / 8}
"""Widths that suit small grey digits, as shares of the published ones."""
WINDOW = 50
"""Updates over which the last training loss is the mean: a batch alone says little."""
CURVE_POINTS = 200
TIMED_SECONDS = 0.3
"""What the timing of a network takes, about."""
LEARNING_RATE = {"families": 3e-3, "degradation": 0.1}
"""Largest step size of AdamW for the families, and of gradient descent with momentum for the deep networks."""
Depth = Annotated[int, Ge(8)]


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: a registered name or a folder of 28x28 images."""
    repetitions: kit.Count = 1
    """Repetitions of each training, with other first weights and another order of the images."""
    widths: Annotated[tuple[kit.Rate, ...], MinLen(1)] = (1.0,)
    """Factors on the families' widths; each gives a network of every family."""
    steps: kit.Count = 250
    """Updates of each member of a family."""
    depths: Annotated[tuple[Depth, ...], MinLen(1)] = (8, 20, 32)
    """Layers of the plain and the residual networks, 6n + 2: 8, 14, 20, 26, 32, ..."""
    deep_steps: kit.Count = 200
    """Updates of each plain and each residual network."""
    deep_width: kit.Rate = 0.5
    """Width of the plain and residual networks; 1 begins with 16 channels."""
    batch_size: kit.Count = 64
    """Images an update."""
    test_images: kit.Count = 4_000
    """Test images at most."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {
            "threads": 1,
            "widths": (0.5,),
            "steps": 5,
            "depths": (8, 20),
            "deep_steps": 5,
            "batch_size": 8,
            "test_images": 100,
        },
        "full": {"repetitions": 3, "widths": (0.5,), "steps": 400, "deep_steps": 300, "test_images": 10_000},
    }
    useful_threads: ClassVar[int] = 2


class Member(NamedTuple):
    """A network of a family: its test accuracy for each seed, weights, work for an image, images a second.

    `width` is the factor that was asked for, `share` that on the published width.
    """

    family: str
    width: float
    share: float
    accuracies: list[float]
    parameters: int
    multiply_adds: int
    training_speed: float
    inference_speed: float

    @property
    def accuracy(self) -> float:
        """The mean over the seeds."""
        return mean(self.accuracies)


class Deep(NamedTuple):
    """A plain or residual network: its last training losses and test errors (in %), one a seed, and its first curve."""

    depth: int
    kind: str
    losses: list[float]
    errors: list[float]
    curve: tuple[list[int], list[float]]

    @property
    def loss(self) -> float:
        """The mean over the seeds."""
        return mean(self.losses)


def main(config: Config, run: kit.Run) -> None:
    """Count, train the families, train the deep networks."""
    from labs.drawings import cnn_architectures as drawings

    images = load(config, run)
    run.table("published_parameters", drawings.published_rows())
    members = [_member(family, width, images, config, run) for width in config.widths for family in FAMILIES]
    run.table("families", [drawings.member_row(member) for member in members])
    run.figure("accuracy_and_cost", drawings.draw_members(members))
    deep = [_deep(depth, kind, images, config, run) for depth in config.depths for kind in ("plain", "residual")]
    run.table("degradation", [drawings.deep_row(each, WINDOW) for each in deep])
    run.figure("degradation", drawings.draw_degradation(deep, WINDOW))
    of_first_width = members[: len(FAMILIES)]
    run.summary({f"test_accuracy/{member.family}": member.accuracy for member in of_first_width})
    run.summary({f"training_loss/{each.kind}_{each.depth}": each.loss for each in deep})


def load(config: Config, run: kit.Run) -> "ImageData":
    """The images. Raises: InputError, before anything is trained, where they or the depths do not suit."""
    images = run.load_images(config.data)
    count, _, height, width = images.train_images.shape
    require((height, width) == (SIDE, SIDE), "data", config.data, f"of {SIDE}x{SIDE} pixels, not {width}x{height}")
    require(config.batch_size <= count, "batch_size", config.batch_size, f"at most {count:,}, the training images")
    for name, each in (("widths", config.widths), ("depths", config.depths)):
        require(len(set(each)) == len(each), name, each, "different from each other")
    for depth in config.depths:
        require(depth % 6 == 2, "depths", depth, "6n + 2: 8, 14, 20, 26, 32, ...")
    most = config.test_images
    return replace(images, test_images=images.test_images[:most], test_labels=images.test_labels[:most]).to(run.device)


# --- the four families ------------------------------------------------------------------------------------------------


def build(family: str, width: float, images: "ImageData", streams: "foundations.Streams", run: kit.Run) -> "nn.Module":
    """The network of that family at its first weights, `width` times as wide as the published one."""
    classes, channels = len(images.class_names), images.train_images.shape[1]
    weights, masks = streams.torch("weights"), streams.torch("dropout", run.device)
    if family == "LeNet-5":
        return foundations.LeNet5(classes, channels, width=width, generator=weights)
    if family == "AlexNet":
        return foundations.AlexNet(
            classes,
            channels,
            variant="one_gpu",
            width=width,
            image_side=SIDE,
            dropout=0.2,  # a network so narrow needs less than the published 0.5
            generator=weights,
            dropout_generator=masks,
        )
    if family == "GoogLeNet":
        return foundations.GoogLeNet(
            classes, channels, width=width, image_side=SIDE, generator=weights, dropout_generator=masks
        )
    return foundations.networks.resnet18(classes, channels, width=width, image_side=SIDE, generator=weights)


def _member(family: str, width: float, images: "ImageData", config: Config, run: kit.Run) -> Member:
    """Train a network of the family with every seed, and measure it."""
    share, accuracies = width * NARROW[family], []
    for seed in range(config.repetitions):
        streams = run.streams.child(f"{family} {width:g} {seed}")
        network = foundations.images.channels_last(build(family, share, images, streams, run), run.device)
        name = f"{family.replace('-', '')}_{width:g}_{seed}".replace(".", "p")
        optimizer = foundations.AdamW(network.parameters(), lr=LEARNING_RATE["families"], fused=True)
        _train(network, optimizer, config.steps, images, streams, name, config, run)
        accuracies.append(foundations.images.image_accuracy(network, images.test_images, images.test_labels))
    batch = foundations.images.scaled(images.train_images[: config.batch_size])
    counted = foundations.summary(network, batch[:1])
    speed = partial(foundations.timing.samples_per_second, network, batch, budget=TIMED_SECONDS)
    speeds = speed(training=True), speed(training=False)
    return Member(family, width, share, accuracies, counted.parameters, counted.multiply_adds, *speeds)


def _train(
    network: "nn.Module",
    optimizer: "Optimizer",
    steps: int,
    images: "ImageData",
    streams: "foundations.Streams",
    name: str,
    config: Config,
    run: kit.Run,
) -> None:
    """One phase of the run; points of its curve are kept, and all of its end."""
    learner = foundations.images.image_classifier(
        network,
        optimizer,
        images.train_images,
        images.train_labels,
        batch_size=config.batch_size,
        steps=steps,
        warmup=steps // 5,
        streams=streams,
    )
    for step, metrics in run.follow(learner, steps=steps, examples_per_step=config.batch_size, name=name):
        if run.every(max(1, steps // CURVE_POINTS)) or step > steps - WINDOW:
            run.log({"curve/loss": metrics["loss/training"]})


# --- plain and residual -----------------------------------------------------------------------------------------------


def build_deep(
    depth: int, kind: str, images: "ImageData", config: Config, streams: "foundations.Streams"
) -> "foundations.CifarResNet":
    """The network of this depth, with or without shortcuts."""
    return foundations.CifarResNet(
        depth,
        len(images.class_names),
        images.train_images.shape[1],
        residual=kind == "residual",
        width=config.deep_width,
        generator=streams.torch("weights"),
    )


def _deep(depth: int, kind: str, images: "ImageData", config: Config, run: kit.Run) -> Deep:
    """Train the network of this depth with every seed."""
    curves, accuracies = [], []
    for seed in range(config.repetitions):
        streams = run.streams.child(f"deep {seed}")  # plain and residual begin alike and see the same batches
        network = foundations.images.channels_last(build_deep(depth, kind, images, config, streams), run.device)
        rate, name = LEARNING_RATE["degradation"], f"{kind}_{depth}_{seed}"
        optimizer = foundations.SGD(network.parameters(), lr=rate, momentum=0.9, weight_decay=1e-4)
        _train(network, optimizer, config.deep_steps, images, streams, name, config, run)
        curves.append(run.history(f"{name}/curve/loss"))
        accuracies.append(foundations.images.image_accuracy(network, images.test_images, images.test_labels))
    errors = [100 * (1 - accuracy) for accuracy in accuracies]
    return Deep(depth, kind, [mean(losses[-WINDOW:]) for _, losses in curves], errors, curves[0])


if __name__ == "__main__":
    kit.launch(main)
