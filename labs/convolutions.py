"""See what convolutions do: designed kernels, the geometry of sliding windows, and kernels that a network finds itself.

A kernel is laid on every place of an image, and the products are added up; in networks the kernel is not flipped. The
lab takes one such sum apart, lets known kernels (edges, blur, sharpening) look at a digit and a photograph, draws
stride, padding, dilation and pooling, then trains a small network on digits and shows its kernels before and after, its
feature maps, and what excites each kernel most. Sources: LeCun et al. 1998, Proc. IEEE 86(11); Zeiler & Fergus 2013,
arXiv:1311.2901 (looking into networks); Erhan et al. 2009 (the input that excites a unit most).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor, nn

    from labs.kit.data import ImageData

topic = "foundations"
FIELD = 10
"""Pixels along a side of what one unit of the second convolution sees: 5 + 1 for the pooling + 2 * 2 for the kernel."""
MOST = 16
"""Kernels of a layer that a figure shows at most."""
WINDOWS = {"plain": (1, 0, 1), "padding 1": (1, 1, 1), "stride 2": (2, 0, 1), "dilation 2": (1, 0, 2)}
"""Title -> stride, padding and dilation of a 3x3 kernel."""


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
    data = run.load_images(config.data)
    count, channels, height, width = data.train_images.shape
    require((channels, height, width) == (1, 28, 28), "data", config.data, "grey images of 28x28 pixels")
    require(config.batch_size <= count, "batch_size", config.batch_size, f"at most {count:,}, the training images")
    digit = data.test_images[:1] / 255
    run.figure("one_step", draw_one_step())
    run.figure("kernels_on_a_digit", draw_filtered(digit))
    run.figure("kernels_on_a_photograph", draw_filtered(photograph()))
    run.figure("windows", draw_windows(digit))
    run.figure("pooling", draw_pooling(digit))
    run.table("sizes", sizes())
    _learn(config, run, data)


# --- designed kernels -------------------------------------------------------------------------------------------------


def draw_one_step() -> "Figure":
    """One place of the kernel: what lies under it, times the weights, added up, is one number of the feature map."""
    import torch
    from matplotlib.patches import Rectangle

    image = torch.tensor([[0.0, 0, 1, 1, 0], [1, 0, 1, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0]])
    kernel = foundations.kernels.PREWITT_X
    products = image[:3, :3] * kernel + 0.0  # no -0
    steps = {
        "image": image,
        "kernel (not flipped)": kernel,
        f"products, their sum {products.sum():g}": products,
        "feature map": correlate(image[None, None], kernel)[0, 0],
    }
    figure, grid = panels(1, 4, (11, 3.4), width_ratios=(5, 3, 3, 3))
    for axes, (title, values) in zip(grid[0], steps.items(), strict=True):
        show(axes, values, title, most=5)
        for row, line in enumerate(values.tolist()):
            for column, value in enumerate(line):
                axes.text(column, row, f"{value:g}", ha="center", va="center", fontsize=12)
    for axes, size in ((grid[0, 0], 3), (grid[0, 3], 1)):
        axes.add_patch(Rectangle((-0.46, -0.46), size - 0.08, size - 0.08, fill=False, linewidth=3))
    for axes, sign in zip(grid[0, 1:], ("×", "=", "→"), strict=True):
        axes.text(-0.12, 0.5, sign, transform=axes.transAxes, fontsize=18, ha="center", va="center")
    figure.suptitle("One step of a cross-correlation; the kernel seeks edges brighter on the right", weight="bold")
    return figure


def correlate(images: "Tensor", kernel: "Tensor", stride: int = 1, padding: int = 0, dilation: int = 1) -> "Tensor":
    """`images` (batch, 1, height, width) through a convolution that has `kernel` as its only one."""
    layer = foundations.Conv2d(1, 1, 3, stride, padding, dilation, bias=False)
    layer.load_state_dict({"weight": kernel[None, None]})
    return cast("Tensor", layer(images)).detach()


def panels(rows: int, columns: int, size: tuple[float, float], **settings: Any) -> "tuple[Figure, Any]":
    """A figure, and its axes as an array (rows, columns)."""
    from matplotlib import pyplot as plt

    import labs.kit.figures  # noqa: F401  # importing it sets the style of the project

    return plt.subplots(rows, columns, figsize=size, squeeze=False, **settings)


def show(axes: "Axes", image: "Tensor", title: str = "", *, most: float | None = None, colours: str = "gray") -> Any:
    """A matrix as a picture from black (0) to white (1), or from blue (-most) to red (most); or three as colours."""
    low, high = (0.0, 1.0) if most is None else (-most, most)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set(visible=True, color="lightgrey")
    axes.set_title(title, fontsize=10)
    pixels = image.permute(1, 2, 0) if image.dim() == 3 else image
    return axes.imshow(pixels.numpy(), cmap=colours if most is None else "RdBu_r", vmin=low, vmax=high)


def photograph() -> "Tensor":
    """A colour photograph that scikit-learn carries, at half its size. Shape: (1, 3, 213, 320), values in [0, 1]."""
    import torch
    from sklearn.datasets import load_sample_image

    pixels = torch.from_numpy(load_sample_image("china.jpg").copy()).permute(2, 0, 1)[None] / 255
    return cast("Tensor", foundations.AveragePool2d(2)(pixels))


def draw_filtered(image: "Tensor") -> "Figure":
    """The image under known kernels, in colours that say whether an edge gets brighter or darker."""
    kernels, filtered = foundations.kernels, foundations.kernels.filter_images
    grey = image.mean(dim=1, keepdim=True)
    edges = {name: filtered(grey, getattr(kernels, name)) for name in ("SOBEL_X", "SOBEL_Y", "PREWITT_X", "LAPLACIAN")}
    looks = {
        "sharpen": kernels.SHARPEN,
        "emboss": kernels.EMBOSS,
        "box blur 5x5": kernels.box_blur(5),
        "Gaussian blur 7x7": kernels.gaussian_blur(7, 1.5),
    }
    figure, grid = panels(2, 5, (12, 5.4 if image.shape[2] == image.shape[3] else 4))
    places = iter(grid.flat)
    show(next(places), image[0].squeeze(0), "original")
    for name, answer in edges.items():
        show(next(places), answer[0, 0], name.replace("_", " ").lower(), most=float(answer.abs().quantile(0.995)))
    strength = (edges["SOBEL_X"].square() + edges["SOBEL_Y"].square()).sqrt()[0, 0]
    show(next(places), strength / strength.quantile(0.995), "root of sobel x² + sobel y²", colours="gray_r")
    for name, kernel in looks.items():
        show(next(places), filtered(image, kernel)[0].clamp(0, 1).squeeze(0), name)
    title = (
        "Known kernels (red: brighter to the right or downwards, for the Laplacian darker than around; blue: reverse)"
    )
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure


# --- sliding windows --------------------------------------------------------------------------------------------------


def draw_windows(digit: "Tensor") -> "Figure":
    """Which pixels the kernel touches at its first two places, and the size of what comes out."""
    import torch.nn.functional as F

    small = foundations.AveragePool2d(4)(digit)  # 7 x 7: few enough to count
    small = small / small.max()
    marks = ((0, kit.figures.COLOURS[5], "s", 110), (1, kit.figures.COLOURS[1], "o", 70))
    figure, grid = panels(2, len(WINDOWS), (11, 6.4), height_ratios=(9, 7))
    for (above, below), (title, geometry) in zip(grid.T, WINDOWS.items(), strict=True):
        stride, padding, dilation = geometry
        padded = F.pad(small, (padding,) * 4, value=0.4)[0, 0]
        out = correlate(small, foundations.kernels.box_blur(3), *geometry)[0, 0]
        _count(above, padded, 9, title + ("\n7 x 7, grey padding around" if padding else "\n7 x 7"))
        _count(below, out, 7, f"result: {len(out)} x {len(out)}")
        for place, colour, marker, size in marks:
            columns = [place * stride + dilation * v for _ in range(3) for v in range(3)]
            rows = [dilation * u for u in range(3) for _ in range(3)]
            style = {"s": size, "marker": marker, "facecolor": "none", "edgecolor": colour, "linewidth": 2}
            above.scatter(columns, rows, **style)
            below.scatter([place], [0], **style)
    title = "A 3x3 kernel (here: the mean) at its first place (squares) and its second (circles)"
    formula = "size = floor((height + 2 padding - 2 dilation - 1) / stride) + 1"
    figure.suptitle(f"{title}\n{formula}", fontsize=11, fontweight="bold")
    return figure


def _count(axes: "Axes", image: "Tensor", rows: int, title: str) -> None:
    """An image whose pixels can be counted, each as large as in every other; room for 9 columns."""
    show(axes, image)
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[:].set_visible(False)
    axes.set(xlim=(-0.55, 8.5), ylim=(rows - 0.5, -0.55), anchor="NW")
    ends = [-0.5, len(image) - 0.5]
    for line in range(len(image) + 1):
        axes.plot(ends, [line - 0.5] * 2, [line - 0.5] * 2, ends, color="grey", linewidth=0.5, linestyle="-")


def draw_pooling(digit: "Tensor") -> "Figure":
    """Max and average pooling of one digit over windows of growing size."""
    figure, grid = panels(2, 5, (11, 5))
    kinds = (("max", foundations.MaxPool2d), ("average", foundations.AveragePool2d))
    for row, (name, kind) in zip(grid, kinds, strict=True):
        for axes, size in zip(row, (1, 2, 4, 7, 28), strict=True):
            pooled = kind(size)(digit)[0, 0]
            title = "the digit: 28 x 28" if size == 1 else f"{name} {size} x {size}: {len(pooled)} x {len(pooled)}"
            show(axes, pooled, f"global {name}: {pooled.item():.2f}" if size == 28 else title)
    figure.suptitle("Pooling: max keeps thin strokes bright, the average fades them", fontweight="bold")
    return figure


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
    run.figure("learned_kernels", draw_kernels(kernels_of(untrained), kernels_of(network)))
    run.figure("feature_maps", draw_maps(network, images, labels))
    _excite(run, network[:4], images)
    run.model("network", network, images[:8])


def _excite(run: kit.Run, layers: "nn.Module", images: "Tensor") -> None:
    """What the second convolution's kernels answer to: real patches, and patches made for them."""
    strongest, patches = most_exciting(layers, images)
    made = climb(layers, len(patches), run.streams)
    answers = foundations.predict(layers, made).flatten(1).diagonal()
    rows = zip(range(1, len(patches) + 1), strongest.tolist(), answers.tolist(), strict=True)
    columns = ("kernel", "answer to the best test patch", "answer to the patch made for it")
    run.table("what_excites_each_kernel", [dict(zip(columns, row, strict=True)) for row in rows])
    run.summary({"made_to_best_real_answer": float((answers / strongest.clamp_min(1e-3)).median())})
    run.figure("what_excites_each_kernel", draw_excitement(made.cpu(), patches.cpu()))


def kernels_of(network: "nn.Sequential") -> "Tensor":
    """The first convolution's kernels, as many as a figure takes. Shape: (kernels, 5, 5)."""
    weights = cast("Tensor", network[0].weight)
    return weights.detach().cpu()[:MOST, 0]


def most_exciting(layers: "nn.Module", images: "Tensor", count: int = 6) -> "tuple[Tensor, Tensor]":
    """For each kernel the strongest answer, and the patches of `count` images that it answers to most strongly.

    Shapes: images (batch, 1, 28, 28) -> (kernels), (kernels, count, 1, FIELD, FIELD).
    """
    import torch

    maps = foundations.predict(layers, images)  # (batch, kernels, 10, 10)
    strongest, places = maps.flatten(start_dim=2).max(dim=2)  # (batch, kernels): one patch an image
    top = strongest.topk(min(count, len(images)), dim=0)
    patches = []
    for kernel, chosen in enumerate(top.indices.T):
        for image in chosen.tolist():
            row, column = divmod(int(places[image, kernel]), maps.shape[3])
            patches.append(images[image, :, 2 * row : 2 * row + FIELD, 2 * column : 2 * column + FIELD])  # 2: pooling
    return top.values[0], torch.stack(patches).unflatten(0, (maps.shape[1], -1))


def climb(layers: "nn.Module", kernels: int, streams: "foundations.Streams", steps: int = 200) -> "Tensor":
    """For each kernel a patch of grey values in [0, 1] that it answers to most: up the gradient, from dim noise.

    Shapes: -> (kernels, 1, FIELD, FIELD).
    """
    import torch

    device = next(layers.parameters()).device
    patches = 0.1 * torch.rand(kernels, 1, FIELD, FIELD, generator=streams.torch("climb"))
    patches = patches.to(device).requires_grad_()
    for _ in range(steps):
        answers = layers(patches).flatten(1).diagonal()  # kernel k's answer to patch k
        (slope,) = torch.autograd.grad(answers.sum(), patches)
        length = slope.flatten(1).norm(dim=1).clamp_min(1e-12)
        patches = (patches + 0.2 * slope / length[:, None, None, None]).clamp(0, 1).detach().requires_grad_()
    return patches.detach()


def draw_kernels(before: "Tensor", after: "Tensor") -> "Figure":
    """The first convolution's kernels, before training and after."""
    most = float(max(before.abs().max(), after.abs().max()))
    figure, grid = panels(2, len(before), (max(6.0, 1.25 * len(before)), 3.1))
    for row, kernels, label in zip(grid, (before, after), ("first weights", "learned"), strict=True):
        for axes, kernel in zip(row, kernels, strict=True):
            picture = show(axes, kernel, most=most)
        row[0].set_ylabel(label)
    figure.colorbar(picture, ax=grid, label="weight", pad=0.02)
    figure.suptitle("Kernels of the first convolution:\nfrom noise towards strokes and edges", fontweight="bold")
    return figure


def draw_maps(network: "nn.Sequential", images: "Tensor", labels: "Tensor") -> "Figure":
    """What the first convolution's kernels make of three digits."""
    digits = images[[int((labels == label).nonzero()[0]) for label in labels.unique()[:3]]]
    kernels, maps = kernels_of(network), foundations.predict(network[:2], digits).cpu()[:, :MOST]
    figure, grid = panels(len(digits) + 1, len(kernels) + 1, (1.25 * len(kernels) + 1.25, 1.3 * len(digits) + 1.5))
    grid[0, 0].axis("off")
    grid[0, 0].text(0.5, 0.5, "kernel →\n\nimage ↓", ha="center", va="center", transform=grid[0, 0].transAxes)
    for axes, kernel in zip(grid[0, 1:], kernels, strict=True):
        show(axes, kernel, most=float(kernels.abs().max()))
    for row, digit, each in zip(grid[1:], digits.cpu(), maps / maps.max(), strict=True):
        show(row[0], digit[0])
        for axes, feature_map in zip(row[1:], each, strict=True):
            show(axes, feature_map, colours="viridis")
    figure.suptitle("Feature maps after ReLU:\nyellow where the kernel above finds what it seeks", fontweight="bold")
    return figure


def draw_excitement(made: "Tensor", patches: "Tensor") -> "Figure":
    """For each kernel of the second convolution: the patch made for it, and the test patches it answers to most."""
    kernels, each = min(len(made), MOST), patches.shape[1] + 1
    rows = -(-kernels // 2)
    figure, grid = panels(rows, 2 * each + 1, (1.5 * each + 0.8, 0.78 * rows + 0.7))
    for axes in grid.flat:
        axes.axis("off")
    for kernel in range(kernels):
        second = kernel // rows  # the right half of the figure
        line = grid[kernel % rows, second * (each + 1) :]
        show(line[0], made[kernel, 0], colours="magma")
        for axes, patch in zip(line[1:], patches[kernel, :, 0], strict=False):
            show(axes, patch)
        line[0].text(-0.15, 0.5, str(kernel + 1), ha="right", va="center", transform=line[0].transAxes)
    title = "What excites each kernel of the second convolution: a patch made for it (coloured), and test patches"
    figure.suptitle(title, fontweight="bold", fontsize=11)
    return figure


if __name__ == "__main__":
    kit.launch(main)
