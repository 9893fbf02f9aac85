"""Classify handwritten digits with a multilayer perceptron or LeNet-5, and look at what was learned and what was not.

The run shows the layers and their weights, learning curves, the kernels of the first layer and what they make of one
digit, which digits are taken for which, and the mistakes that the network was surest of.
Source: LeCun et al. 1998, Proc. IEEE 86(11).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from torch import Generator, Tensor, nn

    from labs.kit.data import ImageData

topic = "foundations"
FEWEST_STEPS = 600
"""Updates at least, unless the epochs are given: a few epochs of few images teach little."""
FEWEST_LOOKS = 6
"""Times at least that the errors are measured; once an epoch where there are more."""
ERROR_TICKS = (0, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
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
    run.figure("learning_curves", _draw_curves(run))
    run.figure("confusion_matrix", _draw_confusion(tests[0], images))
    run.figure("surest_mistakes", _draw_mistakes(tests[0], images))
    run.figure("first_layer", _draw_first_layer(networks[0], images.test_images[:1].to(run.device) / 255))
    run.model(config.model, networks[0].eval(), example)


def load(config: Config, run: kit.Run) -> "ImageData":
    """The images, no more for training than asked for."""
    from dataclasses import replace

    images = run.load_images(config.data)
    count, _, height, width = images.train_images.shape
    require(height == width, "data", config.data, f"of square images, not {height}x{width}")
    kept = min(config.training_images, count)
    # The first ones of a folder may all be of one class.
    chosen = run.streams.torch("subset")
    order = _permutation(count, chosen)[:kept] if kept < count else slice(None)
    return replace(images, train_images=images.train_images[order], train_labels=images.train_labels[order])


def _permutation(count: int, generator: "Generator") -> "Tensor":
    import torch

    return torch.randperm(count, generator=generator)


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
    import torch

    _, channels, side, _ = images.train_images.shape
    classes, weights = len(images.class_names), streams.torch("weights")
    if model == "lenet":
        network: nn.Module = foundations.LeNet5(classes, channels, image_side=side, generator=weights)
        # Convolutions are faster where the channels of a pixel lie side by side.
        return network.to(run.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
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
    watched = {
        "training": (images.train_images[:LOOKED_AT], images.train_labels[:LOOKED_AT]),
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
    mean = sum(scores) / len(scores)
    spread = math.sqrt(sum((score - mean) ** 2 for score in scores) / max(1, len(scores) - 1))
    rows = [{"seed": str(seed), "test error %": f"{100 * (1 - score):.2f}"} for seed, score in enumerate(scores)]
    rows.append({"seed": "mean", "test error %": f"{100 * (1 - mean):.2f} (standard deviation {100 * spread:.2f})"})
    rows.append({"seed": "LeNet-5 in 1998 (published)", "test error %": "0.95"})
    run.table("test_error", rows)
    run.summary(
        {
            "test/accuracy": mean,
            "test/accuracy_spread": spread,
            "test/accuracy_lowest": min(scores),
            "parameters": layers.parameters,
            "multiply_adds": layers.multiply_adds,
        }
    )


# --- the figures ------------------------------------------------------------------------------------------------------


def _draw_curves(run: kit.Run) -> "Figure":
    """Loss and errors of the first repetition over its steps."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
    prefix = "seed_0/" if run.history("seed_0/loss/training")[0] else ""
    at, losses = run.history(f"{prefix}loss/training")
    left.plot(at, losses, linewidth=0.8, alpha=0.35, label="one batch")
    left.plot(at, kit.figures.running_median(losses), color=colours[0], label="running median")
    left.set(title="Loss on the training images", xlabel="update", ylabel="cross-entropy (nats)", yscale="log")
    for part, label in (("training", "training images (a sample)"), ("test", "test images")):
        line = run.history(f"{prefix}error/{part}")
        right.plot(*line, marker="o", markersize=4, label=f"{label}: {line[1][-1]:.2f} % at last")
    right.set(title="Images taken for another class", xlabel="update", ylabel="error (%)", xlim=(0, None))
    right.set_yscale("symlog", linthresh=0.1, linscale=0.3)  # a logarithm that knows 0
    right.set_yticks([tick for tick in ERROR_TICKS if tick <= 1.5 * right.dataLim.ymax])
    right.yaxis.set_major_formatter("{x:g}")
    right.set_ylim(0, 1.2 * right.dataLim.ymax)
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def _draw_confusion(probabilities: "Tensor", images: "ImageData") -> "Figure":
    """Rows: what it is; columns: what the network says. Only mistakes are coloured: right answers outshine them."""
    from matplotlib import pyplot as plt
    from sklearn.metrics import confusion_matrix

    names = images.class_names
    counts = confusion_matrix(images.test_labels, probabilities.argmax(1), labels=range(len(names)))
    mistakes = counts.copy()
    mistakes[range(len(names)), range(len(names))] = 0
    side = 2.6 + 0.44 * len(names)
    figure, axes = plt.subplots(figsize=(side + 1, side))
    shown = axes.imshow(mistakes, cmap="Blues", vmin=0, vmax=max(1, mistakes.max()) * 1.1)
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            if row == column:
                recall = f"{100 * count / max(1, line.sum()):.1f}%"
                axes.text(column, row, recall, ha="center", va="center", fontsize=7, color="#777777")
            elif count:
                light = "white" if count > 0.7 * mistakes.max() else "black"
                axes.text(column, row, str(count), ha="center", va="center", fontsize=9, color=light)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    total, right = counts.sum(), counts.trace()
    axes.set(xlabel="what the network says", ylabel="what it is")
    axes.set_title(f"{total - right:,} mistakes among {total:,} test images ({100 * right / total:.2f} % right)")
    figure.colorbar(shown, ax=axes, shrink=0.8, label="images taken for another class")
    return figure


def _draw_mistakes(probabilities: "Tensor", images: "ImageData") -> "Figure":
    """The wrong answers that the network was surest of."""
    from matplotlib import pyplot as plt

    sureness, answers = probabilities.max(dim=1)
    wrong = (answers != images.test_labels).nonzero()[:, 0]
    worst = wrong[sureness[wrong].argsort(descending=True)][:24].tolist()
    figure, panels = plt.subplots(3, 8, figsize=(11, 5.2))
    for axes in panels.flat:
        axes.axis("off")
    for axes, index in zip(panels.flat, worst, strict=False):
        axes.imshow(images.test_images[index].permute(1, 2, 0).numpy(), cmap="gray", vmin=0, vmax=255)
        truth, said = (images.class_names[int(which[index])] for which in (images.test_labels, answers))
        axes.set_title(f"{truth}, says {said}\n{100 * sureness[index]:.1f} % sure", fontsize=9, fontweight="normal")
    figure.suptitle(f"The surest of {len(wrong)} mistakes: what it is, what the network says", fontweight="bold")
    return figure


def _draw_first_layer(network: "nn.Module", image: "Tensor") -> "Figure":
    """The first layer's weights, and for convolutions what each makes of an image."""
    first = next(layer for layer in network.modules() if isinstance(layer, (foundations.Conv2d, foundations.Linear)))
    weight = first.weight.detach().cpu()
    if isinstance(first, foundations.Conv2d):
        return _draw_kernels(weight.mean(dim=1), first(image)[0].detach().cpu(), image[0].mean(dim=0).cpu())
    strongest = weight.norm(dim=1).argsort(descending=True)[:24]
    return _draw_templates(weight[strongest].view(len(strongest), *image.shape[1:]).mean(dim=1))


def _draw_kernels(kernels: "Tensor", maps: "Tensor", image: "Tensor") -> "Figure":
    """Above the kernels, below their answers to the image on the left."""
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(2, len(kernels) + 1, figsize=(1.5 * len(kernels) + 2.6, 3.9))
    panels[0, 0].axis("off")
    _show(panels[1, 0], image, "gray", 0, 1)
    panels[1, 0].set_title("image", fontsize=10)
    largest, loudest = float(kernels.abs().max()), float(maps.abs().max())
    for index, (kernel, answer) in enumerate(zip(kernels, maps, strict=True)):
        weights = _show(panels[0, index + 1], kernel, "RdBu_r", -largest, largest)
        answers = _show(panels[1, index + 1], answer, "PuOr_r", -loudest, loudest)
        panels[0, index + 1].set_title(f"kernel {index + 1}", fontsize=10)
    figure.colorbar(weights, ax=panels[0], label="weight")
    figure.colorbar(answers, ax=panels[1], label="value in the map")
    figure.suptitle("The kernels of the first convolution, and the maps that they make of one image", fontweight="bold")
    return figure


def _draw_templates(templates: "Tensor") -> "Figure":
    """What each neuron of a dense layer looks for, laid out as the image."""
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(3, 8, figsize=(11, 4.6))
    largest = float(templates.abs().max()) / 2  # a few weights are far larger than all others
    for axes, template in zip(panels.flat, templates, strict=False):
        shown = _show(axes, template, "RdBu_r", -largest, largest)
    figure.colorbar(shown, ax=panels, label="weight of the pixel", extend="both")
    figure.suptitle("What the neurons of the first layer look for: those with the largest weights", fontweight="bold")
    return figure


def _show(axes: "Axes", picture: "Tensor", colours: str, least: float, most: float) -> "AxesImage":
    axes.axis("off")
    return axes.imshow(picture.numpy(), cmap=colours, vmin=least, vmax=most)


if __name__ == "__main__":
    kit.launch(main)
