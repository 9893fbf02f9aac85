"""The pictures of the lab `convolutions`: sliding windows, known kernels, learned kernels and what they answer to."""

from typing import TYPE_CHECKING, Any, cast

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor, nn


MOST = 16
"""Kernels of a layer that a figure shows at most."""
WINDOWS = {"plain": (1, 0, 1), "padding 1": (1, 1, 1), "stride 2": (2, 0, 1), "dilation 2": (1, 0, 2)}
"""Title -> stride, padding and dilation of a 3x3 kernel."""


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
        "feature map": _correlate(image[None, None], kernel)[0, 0],
    }
    figure, grid = _panels(1, 4, (11, 3.4), width_ratios=(5, 3, 3, 3))
    for axes, (title, values) in zip(grid[0], steps.items(), strict=True):
        _show(axes, values, title, most=5)
        for row, line in enumerate(values.tolist()):
            for column, value in enumerate(line):
                axes.text(column, row, f"{value:g}", ha="center", va="center", fontsize=12)
    for axes, size in ((grid[0, 0], 3), (grid[0, 3], 1)):
        axes.add_patch(Rectangle((-0.46, -0.46), size - 0.08, size - 0.08, fill=False, linewidth=3))
    for axes, sign in zip(grid[0, 1:], ("×", "=", "→"), strict=True):
        axes.text(-0.12, 0.5, sign, transform=axes.transAxes, fontsize=18, ha="center", va="center")
    figure.suptitle("One step of a cross-correlation; the kernel seeks edges brighter on the right", weight="bold")
    return figure


def _correlate(images: "Tensor", kernel: "Tensor", stride: int = 1, padding: int = 0, dilation: int = 1) -> "Tensor":
    """`images` (batch, 1, height, width) through a convolution that has `kernel` as its only one."""
    layer = foundations.Conv2d(1, 1, 3, stride, padding, dilation, bias=False)
    layer.load_state_dict({"weight": kernel[None, None]})
    return cast("Tensor", layer(images)).detach()


def _panels(rows: int, columns: int, size: tuple[float, float], **settings: Any) -> "tuple[Figure, Any]":
    """A figure, and its axes as an array (rows, columns)."""
    from matplotlib import pyplot as plt

    import labs.kit.figures  # noqa: F401  # importing it sets the style of the project

    return plt.subplots(rows, columns, figsize=size, squeeze=False, **settings)


def _show(axes: "Axes", image: "Tensor", title: str = "", *, most: float | None = None, colours: str = "gray") -> Any:
    """A matrix as a picture from black (0) to white (1), or from blue (-most) to red (most); or three as colours."""
    low, high = (0.0, 1.0) if most is None else (-most, most)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set(visible=True, color="lightgrey")
    axes.set_title(title, fontsize=10)
    pixels = image.permute(1, 2, 0) if image.dim() == 3 else image
    return axes.imshow(pixels.numpy(), cmap=colours if most is None else "RdBu_r", vmin=low, vmax=high)


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
    figure, grid = _panels(2, 5, (12, 5.4 if image.shape[2] == image.shape[3] else 4))
    places = iter(grid.flat)
    _show(next(places), image[0].squeeze(0), "original")
    for name, answer in edges.items():
        _show(next(places), answer[0, 0], name.replace("_", " ").lower(), most=float(answer.abs().quantile(0.995)))
    strength = (edges["SOBEL_X"].square() + edges["SOBEL_Y"].square()).sqrt()[0, 0]
    _show(next(places), strength / strength.quantile(0.995), "root of sobel x² + sobel y²", colours="gray_r")
    for name, kernel in looks.items():
        _show(next(places), filtered(image, kernel)[0].clamp(0, 1).squeeze(0), name)
    title = (
        "Known kernels (red: brighter to the right or downwards, for the Laplacian darker than around; blue: reverse)"
    )
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure


def draw_windows(digit: "Tensor") -> "Figure":
    """Which pixels the kernel touches at its first two places, and the size of what comes out."""
    import torch.nn.functional as F

    small = foundations.AveragePool2d(4)(digit)  # 7 x 7: few enough to count
    small = small / small.max()
    marks = ((0, kit.figures.COLOURS[5], "s", 110), (1, kit.figures.COLOURS[1], "o", 70))
    figure, grid = _panels(2, len(WINDOWS), (11, 6.4), height_ratios=(9, 7))
    for (above, below), (title, geometry) in zip(grid.T, WINDOWS.items(), strict=True):
        stride, padding, dilation = geometry
        padded = F.pad(small, (padding,) * 4, value=0.4)[0, 0]
        out = _correlate(small, foundations.kernels.box_blur(3), *geometry)[0, 0]
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
    _show(axes, image)
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[:].set_visible(False)
    axes.set(xlim=(-0.55, 8.5), ylim=(rows - 0.5, -0.55), anchor="NW")
    ends = [-0.5, len(image) - 0.5]
    for line in range(len(image) + 1):
        axes.plot(ends, [line - 0.5] * 2, [line - 0.5] * 2, ends, color="grey", linewidth=0.5, linestyle="-")


def draw_pooling(digit: "Tensor") -> "Figure":
    """Max and average pooling of one digit over windows of growing size."""
    figure, grid = _panels(2, 5, (11, 5))
    kinds = (("max", foundations.MaxPool2d), ("average", foundations.AveragePool2d))
    for row, (name, kind) in zip(grid, kinds, strict=True):
        for axes, size in zip(row, (1, 2, 4, 7, 28), strict=True):
            pooled = kind(size)(digit)[0, 0]
            title = "the digit: 28 x 28" if size == 1 else f"{name} {size} x {size}: {len(pooled)} x {len(pooled)}"
            _show(axes, pooled, f"global {name}: {pooled.item():.2f}" if size == 28 else title)
    figure.suptitle("Pooling: max keeps thin strokes bright, the average fades them", fontweight="bold")
    return figure


def _kernels_of(network: "nn.Sequential") -> "Tensor":
    """The first convolution's kernels, as many as a figure takes. Shape: (kernels, 5, 5)."""
    weights = cast("Tensor", network[0].weight)
    return weights.detach().cpu()[:MOST, 0]


def draw_kernels(untrained: "nn.Sequential", trained: "nn.Sequential") -> "Figure":
    """The first convolution's kernels, before training and after."""
    before, after = _kernels_of(untrained), _kernels_of(trained)
    most = float(max(before.abs().max(), after.abs().max()))
    figure, grid = _panels(2, len(before), (max(6.0, 1.25 * len(before)), 3.1))
    for row, kernels, label in zip(grid, (before, after), ("first weights", "learned"), strict=True):
        for axes, kernel in zip(row, kernels, strict=True):
            picture = _show(axes, kernel, most=most)
        row[0].set_ylabel(label)
    figure.colorbar(picture, ax=grid, label="weight", pad=0.02)
    figure.suptitle("Kernels of the first convolution:\nfrom noise towards strokes and edges", fontweight="bold")
    return figure


def draw_maps(network: "nn.Sequential", images: "Tensor", labels: "Tensor") -> "Figure":
    """What the first convolution's kernels make of three digits."""
    digits = images[[int((labels == label).nonzero()[0]) for label in labels.unique()[:3]]]
    kernels, maps = _kernels_of(network), foundations.predict(network[:2], digits).cpu()[:, :MOST]
    figure, grid = _panels(len(digits) + 1, len(kernels) + 1, (1.25 * len(kernels) + 1.25, 1.3 * len(digits) + 1.5))
    grid[0, 0].axis("off")
    grid[0, 0].text(0.5, 0.5, "kernel →\n\nimage ↓", ha="center", va="center", transform=grid[0, 0].transAxes)
    for axes, kernel in zip(grid[0, 1:], kernels, strict=True):
        _show(axes, kernel, most=float(kernels.abs().max()))
    for row, digit, each in zip(grid[1:], digits.cpu(), maps / maps.max(), strict=True):
        _show(row[0], digit[0])
        for axes, feature_map in zip(row[1:], each, strict=True):
            _show(axes, feature_map, colours="viridis")
    figure.suptitle("Feature maps after ReLU:\nyellow where the kernel above finds what it seeks", fontweight="bold")
    return figure


def draw_excitement(made: "Tensor", patches: "Tensor") -> "Figure":
    """For each kernel of the second convolution: the patch made for it, and the test patches it answers to most."""
    kernels, each = min(len(made), MOST), patches.shape[1] + 1
    rows = -(-kernels // 2)
    figure, grid = _panels(rows, 2 * each + 1, (1.5 * each + 0.8, 0.78 * rows + 0.7))
    for axes in grid.flat:
        axes.axis("off")
    for kernel in range(kernels):
        second = kernel // rows  # the right half of the figure
        line = grid[kernel % rows, second * (each + 1) :]
        _show(line[0], made[kernel, 0], colours="magma")
        for axes, patch in zip(line[1:], patches[kernel, :, 0], strict=False):
            _show(axes, patch)
        line[0].text(-0.15, 0.5, str(kernel + 1), ha="right", va="center", transform=line[0].transAxes)
    title = "What excites each kernel of the second convolution: a patch made for it (coloured), and test patches"
    figure.suptitle(title, fontweight="bold", fontsize=11)
    return figure
