"""Compare LeNet, AlexNet, GoogLeNet and ResNet: weights, work, speed, accuracy; and see why depth needs residuals.

Narrow members of the four families learn digits from the same images. Then plain networks of growing depth stand beside
residual ones with exactly as many weights: beyond some depth a plain network fits even its training images worse (the
degradation problem), while a residual one still gains. Full-size networks are counted against the published figures.
Sources: LeCun et al. 1998, Proc. IEEE 86(11); Krizhevsky et al. 2012, NeurIPS; Szegedy et al. 2014, arXiv:1409.4842;
He et al. 2015, arXiv:1512.03385.
"""

from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from annotated_types import Ge, MinLen

import foundations
import labs.kit as kit
from foundations.errors import InputError, require

if TYPE_CHECKING:
    from torch import Tensor, nn

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
        "full": {
            "repetitions": 3,
            "widths": (0.5,),
            "steps": 400,
            "deep_steps": 300,
            "test_images": 10_000,
        },
    }
    useful_threads: ClassVar[int] = 2


class Member(NamedTuple):
    """A network of a family: its test accuracy for each seed, weights, work for an image, images a second."""

    family: str
    width: float
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
    run.table("published_parameters", _published_rows())
    members = [_member(family, width, images, config, run) for width in config.widths for family in FAMILIES]
    run.table("families", [_member_row(member) for member in members])
    run.figure("accuracy_and_cost", drawings.draw_members(members))
    kinds = ("plain", "residual")
    deep = [_deep(depth, kind, images, config, run) for depth in config.depths for kind in kinds]
    run.table("degradation", [_deep_row(each) for each in deep])
    run.figure("degradation", drawings.draw_degradation(deep, WINDOW))
    run.summary(
        {
            **{f"test_accuracy/{each.family}": each.accuracy for each in members if each.width == config.widths[0]},
            **{f"training_loss/{each.kind}_{each.depth}": each.loss for each in deep},
        }
    )


def load(config: Config, run: kit.Run) -> "ImageData":
    """The images. Raises: InputError, before anything is trained, where they or the depths do not suit."""
    images = run.load_images(config.data)
    count, _, height, width = images.train_images.shape
    if (height, width) != (SIDE, SIDE):
        raise InputError(f"data={config.data!r}: images of {height}x{width} pixels; must be {SIDE}x{SIDE}")
    require(config.batch_size <= count, "batch_size", config.batch_size, f"at most {count:,}, the training images")
    for name, each in (("widths", config.widths), ("depths", config.depths)):
        require(len(set(each)) == len(each), name, each, "different from each other")
    for depth in config.depths:
        require(depth % 6 == 2, "depths", depth, "6n + 2: 8, 14, 20, 26, 32, ...")
    return images


def _published_rows() -> list[dict[str, str]]:
    """The full-size networks, counted here, beside the published counts."""
    from foundations.networks.published import PUBLISHED

    rows = []
    for network in PUBLISHED:
        counted = network.count()
        rows.append(
            {
                "network": network.name,
                "weights published": f"{network.weights:,}",
                "weights here": f"{counted.parameters:,}",
                "multiply-adds (million an image)": f"{counted.multiply_adds / 1e6:,.1f}",
            }
        )
    return rows


# --- the four families ------------------------------------------------------------------------------------------------


def build(family: str, width: float, images: "ImageData", streams: "foundations.Streams", run: kit.Run) -> "nn.Module":
    """The network of that family at its first weights, `width` times as wide as the narrow one."""
    classes, channels = len(images.class_names), images.train_images.shape[1]
    width, weights = width * NARROW[family], streams.torch("weights")
    masks = streams.torch("dropout", run.device)
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
    accuracies = []
    for seed in range(config.repetitions):
        streams = run.streams.child(f"{family} {width:g} {seed}")
        network = _on_device(build(family, width, images, streams, run), run)
        name = f"{family.replace('-', '')}_{width:g}_{seed}".replace(".", "p")
        optimizer = foundations.AdamW(network.parameters(), lr=LEARNING_RATE["families"], fused=True)
        _train(network, optimizer, config.steps, images, config, streams, run, name)
        accuracies.append(1 - _test_error(network, images, config, run))
    batch = images.train_images[: config.batch_size].to(run.device) / 255
    counted = foundations.summary(network, batch[:1])
    speeds = _speed(network, batch, train=True), _speed(network, batch, train=False)
    return Member(family, width, accuracies, counted.parameters, counted.multiply_adds, *speeds)


def _on_device(network: "nn.Module", run: kit.Run) -> "nn.Module":
    """Convolutions are faster where the channels of a pixel lie side by side."""
    import torch

    return network.to(run.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _train(
    network: "nn.Module",
    optimizer: Any,
    steps: int,
    images: "ImageData",
    config: Config,
    streams: "foundations.Streams",
    run: kit.Run,
    name: str,
) -> None:
    """One phase of the run; points of its curve are kept, and all of its end."""
    learner = foundations.SupervisedLearner(
        network,
        optimizer,
        foundations.losses.cross_entropy_from_logits,
        images.train_images.to(run.device),
        images.train_labels.to(run.device),
        batch_size=config.batch_size,
        prepare=lambda batch, _: batch / 255,
        schedule=foundations.schedules.warmup_cosine(steps // 5, steps),
        streams=streams,
    )
    for step, metrics in run.follow(learner, steps=steps, examples_per_step=config.batch_size, name=name):
        if run.every(max(1, steps // CURVE_POINTS)) or step > steps - WINDOW:
            run.log({"curve/loss": metrics["loss/training"]})


def _test_error(network: "nn.Module", images: "ImageData", config: Config, run: kit.Run) -> float:
    """The share of test images that are taken for another class. It chooses nothing."""
    x, labels = images.test_images[: config.test_images].to(run.device), images.test_labels[: config.test_images]
    return 1 - foundations.accuracy(foundations.predict(network, x, scale=lambda batch: batch / 255).cpu(), labels)


def _speed(network: "nn.Module", batch: "Tensor", *, train: bool) -> float:
    """Images a second in the fastest of many passes, forward and, to `train`, backward."""
    import torch

    def step() -> None:
        total = network(batch).sum()
        if train:
            total.backward()

    network.train(train)
    with torch.set_grad_enabled(train):
        return len(batch) / foundations.timing.fastest_call(step, batch.device, TIMED_SECONDS)


def _member_row(member: Member) -> dict[str, str]:
    lowest, highest = 100 * min(member.accuracies), 100 * max(member.accuracies)
    spread = f" ({lowest:.2f} to {highest:.2f})" if lowest < highest else ""
    return {
        "network": f"{member.family} x {member.width * NARROW[member.family]:g}",
        "weights": f"{member.parameters:,}",
        "multiply-adds (million an image)": f"{member.multiply_adds / 1e6:.2f}",
        "training (images/s)": f"{member.training_speed:,.0f}",
        "inference (images/s)": f"{member.inference_speed:,.0f}",
        "test accuracy %": f"{100 * member.accuracy:.2f}{spread}",
    }


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
    losses, errors = [], []
    for seed in range(config.repetitions):
        streams = run.streams.child(f"deep {seed}")  # plain and residual begin alike and see the same batches
        network = _on_device(build_deep(depth, kind, images, config, streams), run)
        rate = LEARNING_RATE["degradation"]
        optimizer = foundations.SGD(network.parameters(), lr=rate, momentum=0.9, weight_decay=1e-4)
        _train(network, optimizer, config.deep_steps, images, config, streams, run, f"{kind}_{depth}_{seed}")
        losses.append(mean(run.history(f"{kind}_{depth}_{seed}/curve/loss")[1][-WINDOW:]))
        errors.append(100 * _test_error(network, images, config, run))
    return Deep(depth, kind, losses, errors, run.history(f"{kind}_{depth}_0/curve/loss"))


def _deep_row(deep: Deep) -> dict[str, object]:
    row: dict[str, object] = {"layers": deep.depth, "kind": deep.kind}
    row[f"training loss, last {WINDOW} updates (nats)"] = f"{deep.loss:.4f}"
    return row | {"test error %": f"{mean(deep.errors):.2f}"}


if __name__ == "__main__":
    kit.launch(main)
