"""The pictures of the lab `classic_control`: how an agent learns, beside what was published, and how it plays."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from agents.recipes import Published


def draw_learning(
    curves: Mapping[int, tuple[Sequence[float], Sequence[float]]], published: "Published", title: str, episodes: int
) -> "Figure":
    """The mean greedy return over environment steps, a line a seed, beside the published score."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8.2, 4.4))
    axes.axhspan(published.floor, published.mean + published.deviation, color="0.5", alpha=0.15, linewidth=0)
    axes.axhline(published.mean, color="0.4", linewidth=1, linestyle=":")
    for (seed, (steps, returns)), colour in zip(curves.items(), [*colours] * len(curves), strict=False):
        axes.plot(steps, returns, "-o", color=colour, linewidth=1.6, markersize=3, label=f"seed {seed}")
    score = rf"{published.mean:.0f} $\pm$ {published.deviation:.0f}"
    axes.set_title(f"{title} (grey: what was published, {score})", loc="left")
    axes.set(xlabel="environment steps", ylabel=f"mean return of {episodes} greedy episodes")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    if len(curves) > 1:
        figure.legend(loc="outside lower center", ncols=min(5, len(curves)), fontsize=9)
    return figure


def draw_film(frames: "NDArray[Any]", every: int, title: str) -> "Figure":
    """Eight moments of an episode, equally far apart; from frame to frame there are `every` steps."""
    kit.figures.COLOURS  # noqa: B018  the project's style comes with them
    from matplotlib import pyplot as plt

    height, width = frames.shape[1:3]
    figure, panels = plt.subplots(2, 4, figsize=(11, 0.9 + 5.5 * height / width))
    for number, axes in enumerate(panels.flat):
        place = round(number * (len(frames) - 1) / (panels.size - 1))
        axes.imshow(frames[place])
        axes.set_title(f"step {every * place}", fontsize=10, fontweight="normal")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
        axes.spines[:].set_color("0.8")
    figure.suptitle(title, fontweight="bold", fontsize=12)
    return figure
