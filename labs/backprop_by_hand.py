"""Digits by a network in NumPy alone, whose backward pass is written out: no autograd anywhere.

Every layer knows its own derivative and hands the gradient on to the layer before it; that is all of back-propagation
(Rumelhart, Hinton & Williams 1986, Nature 323). The run first holds the gradients against central differences, then
trains, then shows one digit on its way up and the gradient on its way down.
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Interval

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    import numpy as np

    from foundations.scratch import Layer, Network
    from foundations.scratch.arrays import Array
    from labs.kit.data import ImageData

topic = "foundations"
best = ("test/accuracy", "max")
CHECKED_IMAGES, CHECKED_WEIGHTS = 16, 60
"""Images in the batch whose gradient is checked, and weights of each array that are."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: mnist, digits, or a folder of images in one sub-folder a class."""
    model: Literal["mlp", "cnn"] = "mlp"
    """mlp: dense layers. cnn: two convolutions with pooling before them; better, and some ten times slower."""
    hidden: tuple[kit.Count, ...] = (256, 64)
    """Widths of the hidden dense layers."""
    epochs: kit.Count = 10
    """Passes over the training images."""
    batch_size: kit.Count = 128
    """Images an update."""
    learning_rate: kit.Rate = 0.1
    """Step size at the beginning; it falls in a straight line to 0."""
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.9
    """Share of the last step that is made again; raised, it smooths and speeds up, until it overshoots."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"data": "digits", "hidden": (64, 32), "epochs": 12, "batch_size": 64},
        "full": {"model": "cnn", "hidden": (64,), "learning_rate": 0.05},
    }
    useful_threads: ClassVar[int] = 1


def main(config: Config, run: kit.Run) -> None:
    """Check the gradients, train, look. All on one core."""
    from threadpoolctl import threadpool_limits  # NumPy's threads are not torch's

    from labs.drawings import backprop_by_hand as drawings

    digits = run.load_images(config.data)
    count = len(digits.train_labels)
    require(config.batch_size <= count, "batch_size", config.batch_size, f"at most {count:,}, the training images")
    with threadpool_limits(1):
        network = build_network(config, digits, run.streams)
        checked = check_gradients(config, digits, run.streams)
        run.figure("gradient_check", drawings.draw_check(checked))
        seconds = _train(network, config, digits, run)
        _show(network, digits, run, checked, seconds)


def build_network(
    config: Config, digits: "ImageData", streams: "foundations.Streams", dtype: str = "float32"
) -> "Network":
    """The network of `config`, with the same first weights whatever the `dtype`. Raises: InputError for tiny images."""
    from foundations import scratch

    weights: dict[str, Any] = {"generator": streams.numpy("weights"), "dtype": dtype}
    channels, height, width = digits.train_images.shape[1:]
    layers: list[Layer] = []
    if config.model == "cnn":
        require(min(height, width) >= 12, "image size", (height, width), "at least 12x12 pixels for model='cnn'")
        layers += [scratch.Convolution(channels, 8, 5, padding=2, **weights), scratch.ReLU(), scratch.MaxPool(2)]
        layers += [scratch.Convolution(8, 16, 5, **weights), scratch.ReLU(), scratch.MaxPool(2)]
        channels, height, width = 16, (height // 2 - 4) // 2, (width // 2 - 4) // 2
    layers.append(scratch.Flatten())
    size = channels * height * width
    for wider in config.hidden:
        layers += [scratch.Dense(size, wider, **weights), scratch.ReLU()]
        size = wider
    layers.append(scratch.Dense(size, len(digits.class_names), **weights))
    return scratch.Network(layers)


def check_gradients(
    config: Config, digits: "ImageData", streams: "foundations.Streams"
) -> dict[str, tuple["Array", "Array"]]:
    """For each array of weights: the gradients of some of its weights, by backward and by central differences."""
    from foundations import scratch

    network = build_network(config, digits, streams, "float64")  # float32 would drown differences in rounding
    x = _scaled(digits.train_images[:CHECKED_IMAGES].numpy(), "float64")
    labels = digits.train_labels[:CHECKED_IMAGES].numpy()

    def error() -> float:
        return scratch.cross_entropy_from_logits(network.forward(x), labels)[0]

    network.backward(scratch.cross_entropy_from_logits(network.forward(x), labels)[1])
    generator, checked = streams.numpy("checked weights"), {}
    for name, gradient in network.gradients().items():
        # Weights of a pixel that is always black, or of a silent neuron, have gradients of 0: those prove nothing.
        places = generator.permutation(gradient.ravel().nonzero()[0])[:CHECKED_WEIGHTS]
        numerical = scratch.numerical_gradient(error, network.parameters()[name], places, step=1e-6)
        checked[name] = (gradient.ravel()[places], numerical)
    return checked


def _scaled(images: "np.ndarray[Any, Any]", dtype: str = "float32") -> "Array":
    """Bytes to [0, 1]."""
    scaled: Array = images.astype(dtype) / 255
    return scaled


def _train(network: "Network", config: Config, digits: "ImageData", run: kit.Run) -> float:
    """Train; gives the processor time that it took in this process, in seconds."""
    from foundations import scratch

    steps_per_epoch = len(digits.train_labels) // config.batch_size
    steps = config.epochs * steps_per_epoch
    learner = scratch.ScratchLearner(
        network,
        scratch.SGD(config.learning_rate, config.momentum),
        scratch.cross_entropy_from_logits,
        digits.train_images.numpy(),
        digits.train_labels.numpy(),
        batch_size=config.batch_size,
        generator=run.streams.numpy("batches"),
        prepare=_scaled,
        schedule=foundations.schedules.linear_decay(steps),
    )
    began = time.process_time()
    for _ in run.follow(learner, steps=steps, examples_per_step=config.batch_size):
        if run.every(steps_per_epoch):
            run.log({"test/accuracy": _accuracy(network, digits)})
    return time.process_time() - began


def _accuracy(network: "Network", digits: "ImageData") -> float:
    right = network.predict(_scaled(digits.test_images.numpy())).argmax(axis=1) == digits.test_labels.numpy()
    return float(right.mean())


def _show(
    network: "Network", digits: "ImageData", run: kit.Run, checked: dict[str, tuple["Array", "Array"]], seconds: float
) -> None:
    """The figures by which the run is judged, and the pictures."""
    from foundations import scratch
    from labs.drawings import backprop_by_hand as drawings

    x, labels = _scaled(digits.test_images.numpy()), digits.test_labels.numpy()
    logits = network.predict(x)
    twin = scratch.as_torch(network)
    wanted = foundations.predict(twin, digits.test_images[:500] / 255).numpy()
    errors = {name: scratch.relative_error(*pair) for name, pair in checked.items()}
    rows = [
        {"array": name, "shape": str(array.shape), "gradient check, relative error": f"{errors[name]:.1e}"}
        for name, array in network.parameters().items()
    ]
    run.table("weights", rows)
    run.table("cost", [{"processor time of training, s": round(seconds, 1), "cores": 1, "autograd": "none"}])
    run.summary(
        {
            "test/accuracy": _accuracy(network, digits),
            "gradient_check_error": max(errors.values()),
            "difference_from_torch": float(abs(logits[:500] - wanted).max()),
            "weights": sum(array.size for array in network.parameters().values()),
        }
    )
    run.figure("learning_curves", drawings.draw_curves(run))
    run.figure("up_and_down_the_network", drawings.draw_passes(network, x, labels, digits.class_names))
    if (logits.argmax(axis=1) != labels).any():
        run.figure("mistakes", drawings.draw_mistakes(x, labels, scratch.softmax(logits), digits.class_names))
    run.model("network", twin, digits.test_images[:8] / 255)


if __name__ == "__main__":
    kit.launch(main)
