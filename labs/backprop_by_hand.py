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
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import nn

    from foundations.scratch import Layer, Network
    from foundations.scratch.arrays import Array, Labels
    from labs.kit.data import ImageData

topic = "foundations"
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

    digits = run.load_images(config.data)
    count = len(digits.train_labels)
    require(config.batch_size <= count, "batch_size", config.batch_size, f"at most {count:,}, the training images")
    with threadpool_limits(1):
        network = build_network(config, digits, run.streams)
        checked = check_gradients(config, digits, run.streams)
        run.figure("gradient_check", _draw_check(checked))
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
        # Behind a pixel that is always black, or before a silent neuron, nothing is to be seen: gradients there are 0.
        places = generator.permutation(gradient.ravel().nonzero()[0])[:CHECKED_WEIGHTS]
        numerical = scratch.numerical_gradient(error, network.parameters()[name], places, step=1e-6)
        checked[name] = (gradient.ravel()[places], numerical)
    return checked


def _scaled(images: "np.ndarray[Any, Any]", dtype: str = "float32") -> "Array":
    """Bytes to [0, 1]."""
    scaled: Array = images.astype(dtype) / 255
    return scaled


def _train(network: "Network", config: Config, digits: "ImageData", run: kit.Run) -> float:
    """Train; gives the seconds of processor time that it took in this process."""
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

    x, labels = _scaled(digits.test_images.numpy()), digits.test_labels.numpy()
    logits = network.predict(x)
    twin = as_torch(network)
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
    run.figure("learning_curves", _draw_curves(run))
    run.figure("up_and_down_the_network", _draw_passes(network, x, labels, digits.class_names))
    if (logits.argmax(axis=1) != labels).any():
        run.figure("mistakes", _draw_mistakes(x, labels, scratch.softmax(logits), digits.class_names))
    run.model("network", twin, digits.test_images[:8] / 255)


def as_torch(network: "Network") -> "nn.Module":
    """The same network of torch's layers, with the same weights: the proof, and what others can load."""
    import torch
    from torch import nn

    from foundations import scratch

    def twin(layer: "Layer") -> nn.Module:
        shape = layer.parameters["weight"].shape if "weight" in layer.parameters else ()
        if isinstance(layer, scratch.Convolution):
            return nn.Conv2d(shape[1], shape[0], shape[2], layer.stride, layer.padding)
        if isinstance(layer, scratch.Dense):
            return nn.Linear(shape[1], shape[0])
        if isinstance(layer, scratch.MaxPool):
            return nn.MaxPool2d(layer.size, layer.stride, layer.padding)
        return nn.ReLU() if isinstance(layer, scratch.ReLU) else nn.Flatten()

    module = nn.Sequential(*(twin(layer) for layer in network.layers))
    module.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in network.parameters().items()})
    return module.eval()


# --- pictures ---------------------------------------------------------------------------------------------------------


def _draw_check(checked: dict[str, tuple["Array", "Array"]]) -> "Figure":
    """Left: both gradients of every checked weight. Right: how far they lie apart, array by array."""
    import numpy as np

    figure, (left, right) = _subplots(1, 2, figsize=(10, 4.6))
    for row, (name, pair) in enumerate(checked.items()):
        # Each array in its own unit, the root mean square of its gradient: else the largest would hide the others.
        found, numerical = np.stack(pair) / np.sqrt(np.square(pair[1]).mean())
        colour, marker = kit.figures.COLOURS[row % 6], "os^Dv<>p"[row % 8]
        style = {"color": colour, "marker": marker, "linestyle": "none", "markersize": 4.5, "alpha": 0.7}
        left.plot(numerical, found, label=name, **style)
        right.plot(np.maximum(abs(found - numerical), 1e-12), row + np.linspace(-0.25, 0.25, len(found)), **style)
    left.axline((0, 0), slope=1, color="black", linewidth=0.8, linestyle="-", zorder=1)
    left.set_title("Two ways to the same gradient", loc="left")
    left.set_xlabel(r"by central differences, $(E(w + \epsilon) - E(w - \epsilon))\, /\, 2\epsilon$")
    left.set_ylabel(r"by back-propagation, $\partial E / \partial w$")
    left.legend(title="weights", fontsize=8)
    right.axvline(1e-6, color="black", linewidth=1, linestyle="--")
    right.annotate("allowed", (8e-7, 0.02), xycoords=("data", "axes fraction"), ha="right")
    right.set(xscale="log", xlim=(1e-12, 1e-5), yticks=range(len(checked)), yticklabels=list(checked))
    right.invert_yaxis()
    right.set_title("How far they lie apart", loc="left")
    right.set_xlabel("difference of the two")
    figure.supxlabel("unit: root mean square of the gradient of the array of weights", fontsize=9)
    return figure


def _draw_curves(run: kit.Run) -> "Figure":
    figure, (left, right) = _subplots(1, 2, figsize=(10, 3.6))
    steps, losses = run.history("loss/training")
    left.plot(steps, losses, linewidth=0.8, alpha=0.5)
    left.plot(steps, kit.figures.running_median(losses), color=kit.figures.COLOURS[0], linestyle="-", linewidth=2)
    left.set_yscale("log")
    left.set_title("Loss of the training batches", loc="left")
    left.set_ylabel("cross-entropy, nats")
    steps, accuracies = run.history("test/accuracy")
    right.plot(steps, [100 * each for each in accuracies], marker="o", color=kit.figures.COLOURS[1], linestyle="-")
    right.set_title(f"Test images: {accuracies[-1]:.2%} right at the end", loc="left")
    right.set_ylabel("right, %")
    for axes in (left, right):
        axes.set_xlabel("step (one batch)")
        axes.set_xlim(left=0)
    return figure


def _draw_passes(network: "Network", x: "Array", labels: "Labels", names: tuple[str, ...]) -> "Figure":
    """One digit that the network is unsure of: values on the way up, gradients on the way down."""
    from foundations import scratch

    chosen = _most_doubtful(network, x[:1000], labels[:1000])
    values, gradients = _passes(network, x[chosen : chosen + 1], labels[chosen : chosen + 1])
    shown = [0, *(i + 1 for i, layer in enumerate(network.layers) if isinstance(layer, scratch.ReLU))]
    figure, axes = _subplots(2, len(shown) + 1, figsize=(3.1 * (len(shown) + 1), 6.6))
    for column, place in enumerate(shown):
        name = f"after layer {place}, ReLU" if place else "the image"
        _draw_numbers(axes[0, column], values[place][0], f"$a$, {name}", "viridis")
        _draw_numbers(axes[1, column], gradients[place][0], r"$\partial E/\partial a$ there", "RdBu_r")
        axes[1, column].set_xlabel("red: more here, more error", fontsize=9)
    label = int(labels[chosen])
    _draw_bars(axes[0, -1], scratch.softmax(values[-1])[0], label, names, f"softmax$(z)$; it is a {names[label]}")
    _draw_bars(axes[1, -1], gradients[-1][0], label, names, r"$\partial E/\partial z$ = softmax − one-hot")
    figure.suptitle("One image: its values go forward, and the error's gradient comes back", weight="bold")
    axes[0, 0].set_ylabel("forward  →", fontsize=12)
    axes[1, 0].set_ylabel("←  backward", fontsize=12)
    return figure


def _most_doubtful(network: "Network", x: "Array", labels: "Labels") -> int:
    """The image whose true class has a probability next to a half: both values and gradients are then worth a look."""
    from foundations import scratch

    probabilities = scratch.softmax(network.predict(x))[range(len(labels)), labels]
    return int(abs(probabilities - 0.5).argmin())


def _passes(network: "Network", x: "Array", labels: "Labels") -> tuple[list["Array"], list["Array"]]:
    """Value and gradient before the first layer and after every layer: back-propagation, step by step."""
    from foundations import scratch

    values = [x]
    for layer in network.layers:
        values.append(layer.forward(values[-1]))
    gradients = [scratch.cross_entropy_from_logits(values[-1], labels)[1]]
    for layer in reversed(network.layers):
        gradients.insert(0, layer.backward(gradients[0]))
    return values, gradients


def _draw_numbers(panel: "Axes", array: "Array", title: str, cmap: str) -> None:
    """Channels (channels, height, width) side by side in rows; a vector is drawn as so many channels of one pixel."""
    maps = array.reshape(len(array), *(array.shape[1:] or (1, 1)))
    rows = max(n for n in range(1, int(len(maps) ** 0.5) + 1) if len(maps) % n == 0)
    picture = maps.reshape(rows, -1, *maps.shape[1:]).transpose(0, 2, 1, 3).reshape(rows * maps.shape[1], -1)
    limit = float(abs(picture).max()) or 1.0
    image = panel.imshow(picture, cmap=cmap, vmin=0 if cmap == "viridis" else -limit, vmax=limit)
    panel.figure.colorbar(image, ax=panel, shrink=0.8)
    panel.set_title(f"{title}\nroot mean square {(picture**2).mean() ** 0.5:.2g}", fontsize=9.5, loc="left")
    panel.set(xticks=[], yticks=[])
    panel.grid(visible=False)


def _draw_bars(panel: "Axes", heights: "Array", label: int, names: tuple[str, ...], title: str) -> None:
    """A bar a class, the true one in orange."""
    panel.bar(range(len(names)), heights, color=[kit.figures.COLOURS[i == label] for i in range(len(names))])
    panel.axhline(0, color="black", linewidth=0.8)
    panel.set_title(title, fontsize=9.5, loc="left")
    panel.set_xticks(range(len(names)), names if len(names) <= 12 else [""] * len(names), fontsize=8)
    panel.set_xlabel("class (orange: the true one)")


def _draw_mistakes(x: "Array", labels: "Labels", probabilities: "Array", names: tuple[str, ...]) -> "Figure":
    """The test images that it gets wrong with the most confidence."""
    said, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = (said != labels).nonzero()[0]
    worst = wrong[sure[wrong].argsort()[::-1]][:24]
    rows = -(-len(worst) // 8)
    figure, axes = _subplots(rows, 8, figsize=(10, 1.55 * rows + 0.5))
    for panel in axes.flat:
        panel.axis("off")
    for panel, i in zip(axes.flat, worst, strict=False):
        panel.imshow(x[i].transpose(1, 2, 0), cmap="gray", vmin=0, vmax=1)
        text = f"{names[labels[i]]}, said {names[said[i]]} ({sure[i]:.0%})"
        panel.set_title(text, fontsize=8, weight="normal")
    figure.suptitle(f"The surest of {len(wrong)} mistakes among {len(labels):,} test images", weight="bold")
    return figure


def _subplots(rows: int, columns: int, *, figsize: tuple[float, float]) -> tuple["Figure", Any]:
    """Empty axes in the project's looks, which `kit.figures` sets when it is first named."""
    assert kit.figures
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(rows, columns, figsize=figsize, squeeze=False)
    return figure, axes[0] if rows == 1 and columns == 2 else axes


if __name__ == "__main__":
    kit.launch(main)
