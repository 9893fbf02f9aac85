"""The pictures of the lab `backprop_by_hand`: the gradient check, learning curves, one digit up and down, mistakes."""

from typing import TYPE_CHECKING, Any

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from foundations.scratch import Network
    from foundations.scratch.arrays import Array, Labels


def draw_check(checked: dict[str, tuple["Array", "Array"]]) -> "Figure":
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


def draw_curves(run: kit.Run) -> "Figure":
    """The loss of the batches, and the accuracy on the test images."""
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


def draw_passes(network: "Network", x: "Array", labels: "Labels", names: tuple[str, ...]) -> "Figure":
    """One digit that the network is unsure of: values on the way up, gradients on the way down."""
    from foundations import scratch

    chosen = _most_doubtful(network, x[:1000], labels[:1000])
    values, gradients = passes(network, x[chosen : chosen + 1], labels[chosen : chosen + 1])
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


def passes(network: "Network", x: "Array", labels: "Labels") -> tuple[list["Array"], list["Array"]]:
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


def draw_mistakes(x: "Array", labels: "Labels", probabilities: "Array", names: tuple[str, ...]) -> "Figure":
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
