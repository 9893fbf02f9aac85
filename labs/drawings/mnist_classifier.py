"""The pictures of the lab `mnist_classifier`: learning curves, what is taken for what, the first layer."""

from typing import TYPE_CHECKING

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from torch import Tensor, nn

    from labs.kit.data import ImageData

ERROR_TICKS = (0, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def draw_curves(run: kit.Run) -> "Figure":
    """Loss and errors of the first repetition over its steps."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
    prefix = "seed_0/" if run.history("seed_0/loss/training")[0] else ""
    at, losses = run.history(f"{prefix}loss/training")
    left.plot(at, losses, linewidth=0.8, alpha=0.35, label="one batch")
    left.plot(at, kit.figures.running_median(losses), color=colours[0], label="running median")
    left.set(title="Loss on the training images", xlabel="update", ylabel="cross-entropy (nats)", yscale="log")
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter("{x:g}")
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


def draw_confusion(probabilities: "Tensor", images: "ImageData") -> "Figure":
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


def draw_first_layer(network: "nn.Module", image: "Tensor") -> "Figure":
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
