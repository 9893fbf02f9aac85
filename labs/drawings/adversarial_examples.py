"""The pictures of the lab `adversarial_examples`: how accuracy falls, and what the networks take images for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from labs.adversarial_examples import Config, Norm, Results

NAMES = {"plain": "trained plainly", "robust": "trained under attack"}
ATTACKS = {"fgsm": ("one step (FGSM)", "--"), "pgd": ("many steps (PGD)", "-")}
NORMS: "dict[Norm, tuple[str, str]]" = {
    "linf": ("Each pixel changed by at most epsilon", "epsilon, L-infinity (share of black to white)"),
    "l2": ("The whole change at most epsilon long", "epsilon, L2 (length over all pixels)"),
}


def draw_accuracy(results: "Results", radius: float, config: "Config") -> "Figure":
    """Accuracy against epsilon, a panel for each norm."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True)
    for axes, (norm, (title, label)) in zip(panels, NORMS.items(), strict=True):
        for colour, (name, name_shown) in zip(colours, NAMES.items(), strict=False):
            for attack, (attack_shown, style) in ATTACKS.items():
                found = {
                    key[3]: 100 * each.accuracy for key, each in results.items() if key[:3] == (name, attack, norm)
                }
                line = {"color": colour, "linestyle": style, "marker": "o", "markersize": 4}
                axes.plot(list(found), list(found.values()), label=f"{name_shown}, {attack_shown}", **line)
        axes.set(title=title, xlabel=label, ylim=(-3, 103))
        if norm == config.norm:
            axes.axvline(radius, color=colours[6], linestyle=":", label="epsilon of the training under attack")
    panels[0].set_ylabel("test images read right (%)")
    lines, labels = next(axes for axes in panels if len(axes.lines) == 5).get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=3)
    return figure


def draw_pictures(
    results: "Results", norm: "Norm", labels: "Tensor", class_names: Sequence[str], config: "Config"
) -> "Figure":
    """Images that projected gradient moved against each network by ever more, and what it takes them for."""
    kit.figures.COLOURS  # noqa: B018  # the project's style comes with them
    from matplotlib import pyplot as plt

    epsilons = [key[3] for key in results if key[:3] == ("plain", "pgd", norm)]
    figure = plt.figure(figsize=(1.02 * 2 * len(epsilons) + 1.3, 1.24 * len(labels) + 1.2))
    halves = figure.subfigures(1, 2, wspace=0.03, squeeze=False)
    for half, (name, name_shown) in zip(halves.flat, NAMES.items(), strict=True):
        half.suptitle(f"Against the network {name_shown}", fontsize=11, fontweight="bold")
        panels = half.subplots(len(labels), len(epsilons), squeeze=False)
        for column, epsilon in enumerate(epsilons):
            found = results[name, "pgd", norm, epsilon]
            for row, axes in enumerate(panels[:, column]):
                answer = int(found.answers[row])
                _show(axes, found.images[row], class_names[answer], found.sureness[row], answer == int(labels[row]))
            panels[-1, column].set_xlabel(f"{epsilon:g}", fontsize=10)
        for axes, label in zip(panels[:, 0], labels.tolist(), strict=True):
            axes.set_ylabel(class_names[label], rotation=0, ha="right", va="center", fontsize=10)
    figure.suptitle(f"Moved by projected gradient (PGD), {config.test_attack_steps} steps: {NORMS[norm][0].lower()}")
    said = "Above an image: what the network says and how sure it is, blue where right, orange where wrong"
    figure.supxlabel(f"{said}\nleft: the true class; below: {NORMS[norm][1]}", fontsize=10)
    return figure


def _show(axes: "Axes", image: "Tensor", answer: str, sureness: "Tensor", right: bool) -> None:
    picture = image.permute(1, 2, 0).numpy()
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
    colour = kit.figures.COLOURS[0 if right else 1]
    weight = "normal" if right else "bold"
    axes.set_title(f"{answer}  {100 * sureness:.0f} %", fontsize=9, color=colour, fontweight=weight, pad=3)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
