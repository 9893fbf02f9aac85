"""Classify handwritten digits with a multilayer perceptron or LeNet-5, and look at what was learned and what was not.

The run shows the layers and their weights, learning curves, the kernels of the first layer and what they make of one
digit, which digits are taken for which, and the mistakes that the network was surest of.
Source: LeCun et al. 1998, Proc. IEEE 86(11).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from labs.kit.data import ImageData

topic = "foundations"
best = ("test/accuracy", "max")
FEWEST_STEPS = 600
"""Updates at least, unless the epochs are given: a few epochs of few images teach little."""
FEWEST_LOOKS = 6
"""Times at least that the errors are measured; once an epoch where there are more."""
LOOKED_AT = 2_000
"""Training images whose error is measured beside that of the test images."""


class Recipe(NamedTuple):
    """How a network is trained well in little time."""

    epochs: int
    batch_size: int
    learning_rate: float


RECIPES = {"lenet": Recipe(3, 64, 4e-3), "mlp": Recipe(8, 128, 3e-3)}


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab; None takes what suits the model."""

    data: str = "mnist"
    """Data set: a registered name or a folder. LeNet-5 wants images of 28x28 or 32x32 pixels."""
    model: Literal["lenet", "mlp"] = "lenet"
    """lenet: LeNet-5, 61,706 weights. mlp: hidden layers of 256 and 128 with dropout, 235,146 weights."""
    repetitions: kit.Count = 1
    """Repetitions, each with its own first weights and order of the images; the figures show the first."""
    epochs: kit.Count | None = None
    """Passes over the training images."""
    batch_size: kit.Count | None = None
    """Images an update."""
    learning_rate: kit.Rate | None = None
    """AdamW's largest step size, reached after a fifth of the steps; from there it falls along a cosine to 0."""
    weight_decay: float = 0.02
    """Share of each weight that an update with learning rate 1 would take away; biases are spared."""
    augment: bool = False
    """Turn, scale and shift every training image a little each time: slower to learn, and better in the end."""
    training_images: kit.Count = 60_000
    """Training images at most."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"training_images": 6_400, "epochs": 1},
        "full": {"repetitions": 5, "epochs": 20, "augment": True},
    }
    useful_threads: ClassVar[int] = 1


def main(config: Config, run: kit.Run) -> None:
    """Train each repetition; then tables and pictures of the first."""
    from labs.drawings import mnist_classifier as drawings

    images = load(config, run)
    recipe, steps = plan(config, len(images.train_labels))
    example = images.train_images[:1].to(run.device) / 255
    networks = [train(seed, steps, recipe, images, config, run) for seed in range(config.repetitions)]
    layers = foundations.summary(networks[0], example)
    print(layers)
    run.table("layers", layers.rows())
    tests = [_probabilities(network, images.test_images.to(run.device)) for network in networks]
    scores = [foundations.accuracy(each, images.test_labels) for each in tests]
    _report(scores, layers, run)
    run.figure("learning_curves", drawings.draw_curves(run))
    run.figure("confusion_matrix", drawings.draw_confusion(tests[0], images))
    run.figure("surest_mistakes", kit.figures.mistakes(tests[0], images))
    run.figure("first_layer", drawings.draw_first_layer(networks[0], images.test_images[:1].to(run.device) / 255))
    run.model(config.model, networks[0].eval(), example)


def load(config: Config, run: kit.Run) -> "ImageData":
    """The images, no more for training than asked for."""
    images = run.load_images(config.data)
    count, _, height, width = images.train_images.shape
    require(height == width, "data", config.data, f"of square images, not {height}x{width}")
    if config.training_images < count:
        return images.subset(config.training_images, run.streams.torch("subset"))
    return images


def plan(config: Config, count: int) -> tuple[Recipe, int]:
    """What is asked for, or else suits the model, and the updates that this makes of `count` training images."""
    own = RECIPES[config.model]
    asked = config.epochs or own.epochs, config.batch_size or own.batch_size, config.learning_rate or own.learning_rate
    recipe = Recipe(*asked)
    require(recipe.batch_size <= count, "batch_size", recipe.batch_size, f"at most {count:,}, the training images")
    steps = recipe.epochs * (count // recipe.batch_size)
    return recipe, steps if config.epochs else max(steps, FEWEST_STEPS)


def build(model: str, images: "ImageData", streams: "foundations.Streams", run: kit.Run) -> "nn.Module":
    """The network at its first weights."""
    _, channels, side, _ = images.train_images.shape
    classes, weights = len(images.class_names), streams.torch("weights")
    if model == "lenet":
        network = foundations.LeNet5(classes, channels, image_side=side, generator=weights)
        return foundations.images.channels_last(network, run.device)
    sizes, masks = (channels * side**2, 256, 128, classes), streams.torch("dropout", run.device)
    return foundations.MLP(sizes, dropout=0.1, generator=weights, dropout_generator=masks).to(run.device)


def train(seed: int, steps: int, recipe: Recipe, images: "ImageData", config: Config, run: kit.Run) -> "nn.Module":
    """One repetition, a phase of the run. What the test images say on the way is shown, and chooses nothing."""
    streams = run.streams.child(f"seed {seed}")
    network = build(config.model, images, streams, run)
    groups = foundations.regularizers.decay_groups(network, config.weight_decay)
    learner = foundations.SupervisedLearner(
        network,
        foundations.AdamW(groups, lr=recipe.learning_rate, fused=True),
        foundations.losses.cross_entropy_from_logits,
        images.train_images.to(run.device),
        images.train_labels.to(run.device),
        batch_size=recipe.batch_size,
        prepare=_prepare(config),
        schedule=foundations.schedules.warmup_cosine(steps // 5, steps),
        streams=streams,
    )
    sample = images.subset(LOOKED_AT, run.streams.torch("watched"))
    watched = {
        "training": (sample.train_images, sample.train_labels),
        "test": (images.test_images, images.test_labels),
    }
    looks = min(-(-steps // FEWEST_LOOKS), len(images.train_labels) // recipe.batch_size)
    name = "training" if config.repetitions == 1 else f"seed_{seed}"
    for _ in run.follow(learner, steps=steps, examples_per_step=recipe.batch_size, name=name):
        if run.every(looks):
            for part, (x, labels) in watched.items():
                right = foundations.accuracy(_probabilities(network, x.to(run.device)), labels)
                run.log({f"error/{part}": 100 * (1 - right)})
    return network


def _prepare(config: Config) -> "foundations.training.Prepare":
    def prepare(batch: "Tensor", generator: "Generator") -> "Tensor":
        batch = batch / 255
        if config.augment:
            batch = foundations.augmentation.random_affine(batch, generator, degrees=10, scale=0.1, shift=0.06)
        return batch

    return prepare


def _probabilities(network: "nn.Module", images: "Tensor") -> "Tensor":
    """What the network says of images of bytes, (count, classes), on the CPU."""
    logits = foundations.predict(network, images, scale=lambda batch: batch / 255)
    return logits.softmax(dim=1).cpu()


def _report(scores: Sequence[float], layers: "foundations.inspection.Summary", run: kit.Run) -> None:
    """Mean and spread over the seeds, and beside them the published figure for LeNet-5."""
    right, spread = mean(scores), stdev(scores) if len(scores) > 1 else 0.0
    rows = [{"seed": str(seed), "test error %": f"{100 * (1 - score):.2f}"} for seed, score in enumerate(scores)]
    rows.append({"seed": "mean", "test error %": f"{100 * (1 - right):.2f} (standard deviation {100 * spread:.2f})"})
    rows.append({"seed": "LeNet-5 in 1998 (published)", "test error %": "0.95"})
    run.table("test_error", rows)
    run.summary(
        {
            "test/accuracy": right,
            "test/accuracy_spread": spread,
            "test/accuracy_lowest": min(scores),
            "parameters": layers.parameters,
            "multiply_adds": layers.multiply_adds,
        }
    )


if __name__ == "__main__":
    kit.launch(main)
