"""See what convolutions do: designed kernels, the geometry of sliding windows, and kernels that a network finds itself.

A kernel is laid on every place of an image, and the products are added up; in networks the kernel is not flipped. The
lab takes one such sum apart, lets known kernels (edges, blur, sharpening) look at a digit and a photograph, draws
stride, padding, dilation and pooling, then trains a small network on digits and shows its kernels before and after, its
feature maps, and what excites each kernel most. Sources: LeCun et al. 1998, Proc. IEEE 86(11); Zeiler & Fergus 2013,
arXiv:1311.2901 (looking into networks); Erhan et al. 2009 (the input that excites a unit most).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from torch import Tensor, nn

    from labs.kit.data import ImageData

topic = "foundations"
best = ("test_accuracy", "max", "judged_images")
FIELD = 10
"""Side of the second convolution's receptive field, in pixels: 5, + 1 for the pooling, + 2 * 2 for its own kernel."""
STRIDE = 2
"""Pixels between two neighbouring places of its maps: the pooling's."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set of grey 28x28 images: a registered name or a folder."""
    first_kernels: kit.Count = 8
    """Kernels (5x5) of the first convolution."""
    second_kernels: kit.Count = 16
    """Kernels (3x3) of the second convolution, each over all maps of the first."""
    steps: kit.Count = 600
    """Updates of the network."""
    batch_size: kit.Count = 64
    """Images an update."""
    learning_rate: kit.Rate = 3e-3
    """Adam's step size at the beginning; it falls to 0 along half a cosine wave."""
    judged_images: kit.Count = 2_000
    """Test images that accuracy is measured on, and among which the most exciting patches are sought."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"first_kernels": 4, "second_kernels": 4, "steps": 20, "judged_images": 200},
        "full": {"steps": 5_000, "judged_images": 10_000},
    }
    useful_threads: ClassVar[int] = 2


def main(config: Config, run: kit.Run) -> None:
    """Designed kernels, sliding windows, learned kernels."""
    from labs.drawings import convolutions as drawings

    data = run.load_images(config.data)
    count, channels, height, width = data.train_images.shape
    require((channels, height, width) == (1, 28, 28), "data", config.data, "grey images of 28x28 pixels")
    require(config.batch_size <= count, "batch_size", config.batch_size, f"at most {count:,}, the training images")
    digit = data.test_images[:1] / 255
    run.figure("one_step", drawings.draw_one_step())
    run.figure("kernels_on_a_digit", drawings.draw_filtered(digit))
    run.figure("kernels_on_a_photograph", drawings.draw_filtered(photograph()))
    run.figure("windows", drawings.draw_windows(digit))
    run.figure("pooling", drawings.draw_pooling(digit))
    run.table("sizes", sizes())
    _learn(config, run, data)


def photograph() -> "Tensor":
    """A colour photograph that scikit-learn carries, at half its size. Shape: (1, 3, 213, 320), values in [0, 1]."""
    import torch
    from sklearn.datasets import load_sample_image

    pixels = torch.from_numpy(load_sample_image("china.jpg").copy()).permute(2, 0, 1)[None] / 255
    return cast("Tensor", foundations.AveragePool2d(2)(pixels))


def sizes() -> list[dict[str, object]]:
    """A row for each layer: what a 28x28 image becomes, and how many weights that takes."""
    import torch

    convolution, average = foundations.Conv2d, foundations.AveragePool2d
    layers: dict[str, nn.Module] = {
        "convolution 3x3": convolution(1, 1, 3),
        "convolution 3x3, padding 1": convolution(1, 1, 3, padding=1),
        "convolution 3x3, stride 2, padding 1": convolution(1, 1, 3, stride=2, padding=1),
        "convolution 3x3, dilation 2": convolution(1, 1, 3, dilation=2),
        "convolution 1x7 (not square)": convolution(1, 1, (1, 7)),
        "convolution 5x5, 8 kernels": convolution(1, 8, 5),
        "max pooling 2x2": foundations.MaxPool2d(2),
        "average pooling 3x3, stride 2": average(3, 2),
        "average pooling 3x3, stride 2, rounded up": average(3, 2, ceil_mode=True),
        "global average pooling": foundations.GlobalAveragePool(),
    }
    image = torch.zeros(1, 1, 28, 28)
    becomes = {name: " x ".join(map(str, layer(image).shape[1:])) for name, layer in layers.items()}
    weights = {name: sum(each.numel() for each in layer.parameters()) for name, layer in layers.items()}
    return [{"layer": name, "1 x 28 x 28 becomes": becomes[name], "weights": weights[name]} for name in layers]


# --- learned kernels --------------------------------------------------------------------------------------------------


def build(config: Config, classes: int, streams: "foundations.Streams") -> "nn.Sequential":
    """Two convolutions, each followed by ReLU and max pooling, and a dense layer."""
    from torch import nn

    stream = streams.torch("weights")
    return nn.Sequential(
        foundations.Conv2d(1, config.first_kernels, 5, generator=stream),  # 28 -> 24
        foundations.ReLU(),
        foundations.MaxPool2d(2),  # -> 12
        foundations.Conv2d(config.first_kernels, config.second_kernels, 3, generator=stream),  # -> 10
        foundations.ReLU(),
        foundations.MaxPool2d(2),  # -> 5
        foundations.Flatten(),
        foundations.Linear(config.second_kernels * 25, classes, generator=stream),
    )


def _learn(config: Config, run: kit.Run, data: "ImageData") -> None:
    """Train, and look inside."""
    from labs.drawings import convolutions as drawings

    network = build(config, len(data.class_names), run.streams).to(run.device)
    untrained = build(config, len(data.class_names), run.streams)  # drawn again: a resumed network has moved on
    learner = foundations.SupervisedLearner(
        network,
        foundations.Adam(network.parameters(), lr=config.learning_rate, fused=True),
        foundations.losses.cross_entropy_from_logits,
        data.train_images.to(run.device),
        data.train_labels.to(run.device),
        batch_size=config.batch_size,
        prepare=lambda images, stream: images / 255,
        schedule=foundations.schedules.cosine(config.steps),
        streams=run.streams,
    )
    images = data.test_images[: config.judged_images].to(run.device) / 255
    labels = data.test_labels[: config.judged_images].to(run.device)
    for _ in run.follow(learner, steps=config.steps, examples_per_step=config.batch_size):
        if run.every(max(1, config.steps // 6)):
            run.log({"test/accuracy": foundations.accuracy(foundations.predict(network, images), labels)})
    run.summary({"test_accuracy": foundations.accuracy(foundations.predict(network, images), labels)})
    network.eval()
    run.figure("learned_kernels", drawings.draw_kernels(untrained, network))
    run.figure("feature_maps", drawings.draw_maps(network, images, labels))
    _excite(run, network[:4], images)
    run.model("network", network, images[:8])


def _excite(run: kit.Run, layers: "nn.Module", images: "Tensor") -> None:
    """What the second convolution's kernels answer to: real patches, and patches made for them."""
    import explain
    from labs.drawings import convolutions as drawings

    strongest, patches = explain.strongest_patches(layers, images, field=FIELD, stride=STRIDE)
    made = explain.maximize_activations(layers, len(patches), (1, FIELD, FIELD), run.streams.torch("climb"))
    answers = foundations.predict(layers, made).flatten(1).diagonal()
    rows = zip(range(1, len(patches) + 1), strongest.tolist(), answers.tolist(), strict=True)
    columns = ("kernel", "answer to the best test patch", "answer to the patch made for it")
    run.table("what_excites_each_kernel", [dict(zip(columns, row, strict=True)) for row in rows])
    run.summary({"made_to_best_real_answer": float((answers / strongest.clamp_min(1e-3)).median())})
    run.figure("what_excites_each_kernel", drawings.draw_excitement(made.cpu(), patches.cpu()))


if __name__ == "__main__":
    kit.launch(main)
