"""The pictures of the lab `anomaly_detection`: how well each class is found, scores beside the threshold, mistakes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from labs.anomaly_detection import Config, Trial
    from labs.kit.data import ImageData


def draw_areas(
    trials: "Sequence[Trial]", mean: "Mapping[str, float]", ways: "Sequence[str]", images: "ImageData"
) -> "Figure":
    """For each held-out class the area of the autoencoder and of the best principal components, hardest class below."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    order = sorted(range(len(trials)), key=lambda label: trials[label].areas[ways[0]])
    figure, axes = plt.subplots(figsize=(7.2, 0.36 * len(trials) + 1.9))
    for way, colour, marker in zip(ways, colours, ("o", "s"), strict=False):
        areas = [trials[label].areas[way] for label in order]
        axes.plot(areas, range(len(order)), marker, color=colour, label=f"{way}: {mean[way]:.3f} on average", zorder=3)
        axes.axvline(mean[way], color=colour, linestyle="--", linewidth=1)
    for row, label in enumerate(order):
        both = [trials[label].areas[way] for way in ways]
        axes.plot(both, [row, row], "-", color="#999999", linewidth=1.5, zorder=2)
    axes.axvline(0.5, color="black", linestyle=":", linewidth=1)
    axes.annotate(" guessing", (0.5, len(order) - 0.6), fontsize=8)
    axes.set_yticks(range(len(order)), [images.class_names[label] for label in order])
    axes.set(xlabel="ROC AUC (chance that a defect scores above an ordinary image)", ylabel="class held out")
    axes.set_xlim(min(0.48, *(trial.areas[way] - 0.02 for trial in trials for way in ways)), 1.005)
    axes.set_title("How well a class that was never shown is found")
    figure.legend(loc="outside lower center", fontsize=9)
    return figure


def draw_scores(trials: "Sequence[Trial]", images: "ImageData", config: "Config") -> "Figure":
    """Scores of ordinary images and of defects, for the class found best and the class found worst."""
    colours = kit.figures.COLOURS
    import numpy as np
    from matplotlib import pyplot as plt

    first = next(iter(trials[0].areas))
    order = sorted(range(len(trials)), key=lambda label: trials[label].areas[first])
    figure, panels = plt.subplots(1, 2, figsize=(10.4, 3.7))
    for axes, label, word in zip(panels, (order[-1], order[0]), ("easiest", "hardest"), strict=True):
        trial = trials[label]
        scores = trial.scores[first].numpy()
        edges = np.linspace(0, np.quantile(scores, 0.999), 50)
        name = images.class_names[label]
        for part, text, colour in ((~trial.odd, "ordinary", colours[0]), (trial.odd, "defect", colours[1])):
            own = scores[part.numpy()]
            axes.hist(own, edges, weights=np.full(len(own), 100 / len(own)), alpha=0.55, color=colour, label=text)
        text = f"threshold: {config.quantile:.0%} of ordinary ones pass"
        axes.axvline(trial.threshold, color="black", linestyle="--", label=text)
        axes.set_title(f"The {word} class, {name}: ROC AUC {trial.areas[first]:.3f}")
        axes.set(xlabel="distance to the nearest ordinary codes (1 - cosine)", ylabel="share of the kind (%)")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    return figure


def draw_worst(trials: "Sequence[Trial]", images: "ImageData") -> "Figure":
    """A row for each held-out class: the defects that look most ordinary, the ordinary images that look oddest."""
    import torch
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(9.6, 0.51 * len(trials) + 0.8))
    for axes, title in zip(panels, trials[0].worst, strict=True):
        rows = [trial.worst[title] for trial in trials]
        sheet = kit.figures.grid(torch.cat(rows), len(rows[0]), scale=1)
        axes.imshow(sheet, cmap="gray", vmin=0, vmax=255)
        step = sheet.height / len(trials)
        axes.set_yticks([step * (row + 0.5) for row in range(len(trials))], images.class_names)
        axes.set(xticks=[], title=title, ylabel="class held out")
        axes.tick_params(length=0)
        axes.grid(visible=False)
    figure.suptitle("The worst mistakes: each image, and to its right what the autoencoder makes of it", fontsize=11)
    return figure
