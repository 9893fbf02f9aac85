"""The pictures of the lab `recommender`: the clicks that were missed, and what LinUCB knows of the items."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from agents.bandits import BanditAgent

LEARNERS = {
    "blind_epsilon": "epsilon-greedy, no context",
    "blind_thompson": "Thompson, no context",
    "epsilon": "epsilon-greedy",
    "thompson": "Thompson",
    "linucb": "LinUCB",
}
LOOK = 100
"""Users between two looks at the regret."""


def draw_regret(curves: "Mapping[str, NDArray[np.float64]]", title: str) -> "Figure":
    """Left what was missed so far, right how much of it each further user adds.

    Shapes: each curve (looks, worlds), a look every `LOOK` users.
    """
    import numpy as np

    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.8))
    for (name, curve), colour in zip(curves.items(), colours, strict=False):
        users = LOOK * np.arange(1, len(curve) + 1)
        line = ":" if name.startswith("blind") else "-"
        low, high = np.quantile(curve, (0.1, 0.9), axis=1)
        left.plot(users, curve.mean(1), line, color=colour, linewidth=2, label=LEARNERS[name])
        left.fill_between(users, low, high, color=colour, alpha=0.12, linewidth=0)
        width = max(1, len(curve) // 20)
        recent = (curve[width:] - curve[:-width]).mean(1) / width  # LOOK is 100: already a percentage
        right.plot(users[width:], recent, line, color=colour, linewidth=2)
    left.set(xlabel="user", ylabel="regret (clicks missed)", title="Clicks missed so far (8 in 10 worlds shaded)")
    right.set(xlabel="user", ylabel="clicks missed of 100 users", title="Clicks missed lately", ylim=(0, None))
    figure.legend(loc="outside lower center", ncols=5, fontsize=9)
    figure.suptitle(f"{title}: mean of {curve.shape[1]} worlds")
    return figure


def draw_appeal(agent: "BanditAgent") -> "Figure":
    """LinUCB's idea of the first world beside the truth, and where it looked to get it."""
    import numpy as np

    kit.figures.COLOURS  # noqa: B018  the project's style comes with them
    from matplotlib import pyplot as plt

    policy: Any = agent.policy
    worlds: Any = agent.interaction.environments
    truth, learned = worlds.appeal[0], policy.weights[0]
    spread = np.sqrt(np.diagonal(policy.inverse[0], axis1=1, axis2=2))
    figure, panels = plt.subplots(1, 3, figsize=(12.5, 4.8), sharey=True)
    shown = _heat(panels[0], truth, "The truth: p(click)", "viridis", (0, 1))
    _heat(panels[1], learned, "As LinUCB has it", "viridis", (0, 1))
    figure.colorbar(shown, ax=panels[:2], label="click probability", shrink=0.85)
    doubt = _heat(panels[2], spread, "How little it knows", "cividis", (0, float(spread.max())))
    figure.colorbar(doubt, ax=panels[2], label="uncertainty, sqrt of A⁻¹'s diagonal", shrink=0.85)
    panels[0].set_ylabel("item")
    figure.suptitle("It knows what is worth showing, and leaves the rest in the dark (first world)", weight="bold")
    return figure


def _heat(axes: "Axes", table: "NDArray[np.float64]", title: str, colours: str, limits: tuple[float, float]) -> Any:
    """A table of items and interests; the best item for each interest of it is marked."""
    shown = axes.imshow(table, cmap=colours, vmin=limits[0], vmax=limits[1], aspect="auto")
    if colours == "viridis":
        columns = range(table.shape[1])
        axes.plot(columns, table.argmax(0), "o", color="white", markeredgecolor="black", markersize=8)
    axes.set(xticks=range(table.shape[1]), yticks=range(table.shape[0]), xlabel="interest (circle: its best item)")
    if colours != "viridis":
        axes.set_xlabel("interest")
    axes.set_title(title)
    axes.grid(visible=False)
    return shown
