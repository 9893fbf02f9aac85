"""The picture of the lab `cartpole`: how each agent learns."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Curve = tuple[Sequence[float], Sequence[float]]

BEST = 500
"""The largest return of an episode."""


def draw_learning(curves: "Mapping[str, Sequence[Curve]]", solved: float) -> "Figure":
    """The mean greedy return over environment steps: a line an agent, the median of its runs, and the band of them.

    `curves` has by agent, for each of its runs, the environment steps of all looks and the mean returns found there.
    """
    colours = kit.figures.COLOURS  # the project's style comes with them
    import numpy as np
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8.2, 4.4))
    for (name, runs), colour in zip(curves.items(), colours, strict=False):
        steps = np.unique(np.concatenate([np.asarray(taken) for taken, _ in runs]))
        means = np.stack([np.interp(steps, *run) for run in runs])
        style = "--" if name.startswith("sb3-") else "-"
        marker = "o" if len(steps) < 4 else None  # a single look is no line
        axes.plot(steps, np.median(means, axis=0), style, color=colour, linewidth=1.8, marker=marker, label=name)
        if len(means) > 1:
            axes.fill_between(steps, means.min(axis=0), means.max(axis=0), color=colour, alpha=0.15, linewidth=0)
    axes.axhline(solved, color="0.4", linewidth=1, linestyle=":")
    axes.text(1, solved - 5, f"solved: {solved:.0f}", transform=axes.get_yaxis_transform(), ha="right", va="top")
    most = max(map(len, curves.values()))
    axes.set_title(f"Balancing the pole: {f'median and range of {most} runs' if most > 1 else 'one run'}", loc="left")
    axes.set(xlabel="environment steps", ylabel="mean return of greedy episodes", ylim=(0, 1.04 * BEST))
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    figure.legend(loc="outside lower center", ncols=min(4, len(curves)), fontsize=9)
    return figure
