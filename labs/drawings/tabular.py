"""The pictures of the lab `tabular`: learning, policies on maps and cards, paths along the cliff."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from agents.tabular import Comparison

METHODS = {
    "q_learning": "Q-learning",
    "sarsa": "SARSA",
    "expected_sarsa": "expected SARSA",
    "double_q_learning": "double Q-learning",
}
WANTED = 2.0
"""Percent that a policy's value may be below the optimum's."""


def draw_learning(comparison: "Comparison", name: str) -> "Figure":
    """Left how far greedy policies are from the optimum, right what the agents get while they explore."""
    import numpy as np

    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    each = comparison.members["sarsa"][0].episodes
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4))
    for (method, label), colour in zip(METHODS.items(), colours, strict=False):
        for axes, curves in ((left, comparison.gaps), (right, comparison.returns)):
            rows = np.array(curves[method])
            episodes = each * np.arange(1, len(rows) + 1)
            axes.plot(episodes, rows.mean(1), "-", color=colour, linewidth=1.8, label=label if axes is left else None)
            axes.fill_between(episodes, rows.min(1), rows.max(1), color=colour, alpha=0.15, linewidth=0)
    left.axhspan(0, WANTED, color="black", alpha=0.08, linewidth=0, label="within 2 %")
    left.set_yscale("symlog", linthresh=1)
    left.set(ylim=(-0.1, None), ylabel="below the optimum (%)", title="Value of the learned policy, computed exactly")
    late = np.concatenate([np.array(rows)[len(rows) // 10 :].ravel() for rows in comparison.returns.values()])
    low, high = np.quantile(late, 0.02), max(late.max(), comparison.optimum)
    right.set(ylim=(low - 0.1 * (high - low), high + 0.1 * (high - low)))
    right.set(ylabel="return of an episode", title="What it gets while it learns and explores")
    for axes in (left, right):
        axes.set_xlabel("episode")
    figure.legend(loc="outside lower center", ncols=5, fontsize=9)
    figure.suptitle(f"{name}: mean, and range over {len(comparison.members['sarsa'])} seeds")
    return figure


@dataclass(frozen=True)
class Grid:
    """A map: what each field is, and where each action leads: its arrow, and its side of a field (right, up)."""

    letters: "NDArray[Any]"
    arrows: Sequence[str]
    sides: Sequence[tuple[int, int]]

    @staticmethod
    def of(bare: Any) -> "Grid":
        """The map of FrozenLake or of CliffWalking, whose actions are numbered differently."""
        import numpy as np

        if hasattr(bare, "desc"):
            return Grid(bare.desc.astype(str), "←↓→↑", ((-1, 0), (0, -1), (1, 0), (0, 1)))
        letters = np.where(bare._cliff, "H", "F")
        letters[3, 0], letters[3, 11] = "S", "G"
        return Grid(letters, "↑→↓←", ((0, 1), (1, 0), (0, -1), (-1, 0)))

    def prepare(self, axes: "Axes") -> None:
        """The fields that are no choice: holes, goal; and no ticks."""
        for row, line in enumerate(self.letters):
            for column, letter in enumerate(line):
                if letter == "H":
                    axes.add_patch(_square(row, column, facecolor="#444444"))
                elif letter == "G":
                    axes.add_patch(_square(row, column, facecolor="white"))
                    axes.text(column, row, "★", ha="center", va="center", fontsize=15, color=kit.figures.COLOURS[1])
                elif letter == "S":
                    axes.add_patch(_square(row, column, facecolor="none", edgecolor=kit.figures.COLOURS[1]))
        rows, columns = self.letters.shape
        axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), xticks=[], yticks=[], aspect="equal")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)


def _square(row: int, column: int, **look: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, linewidth=2.5, **look)


def draw_policies(comparison: "Comparison", name: str, grid: Grid) -> "Figure":
    """The optimum, and beside it each method's policy and values on the map (first seed)."""
    import numpy as np

    kit.figures.COLOURS  # noqa: B018  the project's style comes with them
    from matplotlib import pyplot as plt

    wide = grid.letters.shape[1] > 8
    tables = {"optimum (dynamic programming)": comparison.best.action_values}
    tables |= {label: comparison.members[method][0].values for method, label in METHODS.items()}
    shape, size = ((3, 2), (14, 8.2)) if wide else ((1, 5), (16, 4.2))
    figure, panels = plt.subplots(*shape, figsize=size)
    for axes in panels.flat[len(tables) :]:
        axes.axis("off")
    best = comparison.best.values.reshape(grid.letters.shape)[grid.letters != "H"]
    for axes, (label, table) in zip(panels.flat, tables.items(), strict=False):
        values = table.max(1).reshape(grid.letters.shape)
        shown = axes.imshow(values, cmap="viridis", vmin=best.min(), vmax=best.max())
        for (row, column), letter in np.ndenumerate(grid.letters):
            if letter in "FS":
                choices = table[row * values.shape[1] + column]
                _arrow(axes, row, column, grid.arrows[int(choices.argmax())], shown, values[row, column])
        grid.prepare(axes)
        axes.set_title(label)
    figure.colorbar(shown, ax=panels, label="value: return to expect", shrink=0.8)
    figure.suptitle(f"{name}: where each method goes, and what it expects there", fontweight="bold")
    return figure


def _arrow(axes: "Axes", row: int, column: int, arrow: str, shown: Any, value: float) -> None:
    """An arrow above the value, readable on its colour."""
    red, green, blue, _ = shown.cmap(shown.norm(value))
    ink = "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"
    axes.text(column, row - 0.12, arrow, ha="center", va="center", fontsize=13, color=ink, fontweight="bold")
    axes.text(column, row + 0.31, f"{value:.3g}", ha="center", va="center", fontsize=6.5, color=ink)


def draw_q_table(comparison: "Comparison", name: str, grid: Grid) -> "Figure":
    """Q-learning's whole table: each field a square of triangles, one for each way to leave it."""
    import numpy as np

    kit.figures.COLOURS  # noqa: B018  the project's style comes with them
    from matplotlib import pyplot as plt
    from matplotlib.collections import PolyCollection

    table, rows = comparison.members["q_learning"][0].values, grid.letters.shape[0]
    fields = [(row, column) for (row, column), letter in np.ndenumerate(grid.letters) if letter in "FS"]
    corners, numbers, places = [], [], []
    for row, column in fields:
        for action, (right, up) in enumerate(grid.sides):
            side = (right - up) / 2, (-up - right) / 2, (right + up) / 2, (right - up) / 2
            first, second = (column + side[0], row + side[1]), (column + side[2], row + side[3])
            corners.append([(column, row), first, second])
            numbers.append(table[row * grid.letters.shape[1] + column, action])
            places.append((column + 0.31 * right, row - 0.31 * up))
    figure, axes = plt.subplots(figsize=(13, 5.4) if grid.letters.shape[1] > 8 else (7.2, 6.2))
    low = float(np.quantile(numbers, 0.02)) if min(numbers) > -50 else -20.0
    triangles = PolyCollection(corners, array=np.array(numbers), cmap="viridis", edgecolors="white", linewidths=0.5)
    triangles.set_clim(low, max(numbers))
    axes.add_collection(triangles)
    if rows <= 4:
        for (x, y), number in zip(places, numbers, strict=True):
            red, green, blue, _ = triangles.cmap(triangles.norm(number))
            ink = "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"
            axes.text(x, y, f"{number:.2g}" if abs(number) < 100 else f"{number:.0f}", ha="center", va="center",
                      fontsize=7, color=ink)  # fmt: skip
    grid.prepare(axes)
    axes.set_title(f"Q-learning's table, {name}: a triangle an action")
    figure.colorbar(triangles, ax=axes, label="Q(state, action): return to expect", shrink=0.8, extend="min")
    return figure


def draw_edge(edge: "Comparison", grid: Grid) -> "Figure":
    """With a tenth of random steps: the paths, and what the agents get meanwhile."""
    import numpy as np

    from agents.dynamic_programming import likeliest_path

    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(14, 4.2), width_ratios=(1.35, 1))
    each = edge.members["sarsa"][0].episodes
    grid.prepare(left)
    for number, ((method, name), colour) in enumerate(zip(METHODS.items(), colours, strict=False)):
        states = likeliest_path(edge.model, edge.members[method][0].policy)
        row, column = np.array(divmod(states, grid.letters.shape[1])) + 0.13 * (number - 1.5)
        left.plot(column, row, "-", color=colour, linewidth=2.4, label=name)
        left.plot(column[-1], row[-1], "o", color=colour, markersize=5)
        rows = np.array(edge.returns[method])
        episodes = each * np.arange(1, len(rows) + 1)
        right.plot(episodes, rows.mean(1), "-", color=colour, linewidth=1.8)
        right.fill_between(episodes, rows.min(1), rows.max(1), color=colour, alpha=0.12, linewidth=0)
    rows, columns = grid.letters.shape
    left.set(xticks=np.arange(columns + 1) - 0.5, yticks=np.arange(rows + 1) - 0.5, xticklabels=[], yticklabels=[])
    left.tick_params(length=0)
    left.grid(visible=True, alpha=0.5)
    left.text(5.5, 3, "cliff: -100", color="white", ha="center", va="center", fontsize=12)
    left.set_title("Greedy paths learned with 10 % random steps (first seed)")
    right.axhline(edge.optimum, color="black", linewidth=1, linestyle=":", label="best, without random steps")
    right.set(ylim=(-120, 0), xlabel="episode", ylabel="return of an episode")
    right.set_title("What they get meanwhile: who walks along the edge, falls")
    figure.legend(loc="outside lower center", ncols=5, fontsize=9)
    return figure


def draw_taxi(comparison: "Comparison", bare: Any) -> "Figure":
    """Fetch at R, bring to B: the taxi's choice on each field, by the optimum and as Q-learning has it."""
    kit.figures.COLOURS  # noqa: B018  the project's style comes with them
    from matplotlib import pyplot as plt

    tables = {"optimum": comparison.best.action_values, "Q-learning": comparison.members["q_learning"][0].values}
    figure, panels = plt.subplots(1, 4, figsize=(15, 4.4))
    values = comparison.best.values
    limits = {"vmin": values[values > 0].min() - 4, "vmax": values.max()}
    for number, axes in enumerate(panels):
        (name, table), passenger = list(tables.items())[number % 2], 0 if number < 2 else 4
        states = [[bare.encode(row, column, passenger, 3) for column in range(5)] for row in range(5)]
        shown = axes.imshow(table.max(1)[states], cmap="viridis", **limits)
        for row in range(5):
            for column in range(5):
                choices = table[states[row][column]]
                _arrow(axes, row, column, "↓↑→←PD"[int(choices.argmax())], shown, float(choices.max()))
                if column < 4 and bare.desc[1 + row, 2 * column + 2] == b"|":
                    axes.plot([column + 0.5] * 2, [row - 0.5, row + 0.5], "-", color="black", linewidth=4)
        for (row, column), letter in zip(bare.locs, "RGYB", strict=True):
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            axes.text(column - 0.44, row - 0.43, letter, ha="left", va="top", fontsize=8, weight="bold", bbox=box)
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_title(f"{'passenger waits at R' if passenger == 0 else 'passenger aboard'}: {name}", fontsize=10)
    figure.colorbar(shown, ax=panels, label="value: return to expect", shrink=0.8)
    figure.suptitle(
        "Taxi from R to B: P picks up, D drops off, black lines are walls; dark fields are hardly ever met",
        weight="bold",
    )
    return figure


def draw_blackjack(comparison: "Comparison") -> "Figure":
    """What hitting has before sticking, without and with a usable ace: the optimum, and as Q-learning has it."""
    import numpy as np

    kit.figures.COLOURS  # noqa: B018  the project's style comes with them
    from matplotlib import pyplot as plt

    tables = {
        "optimum": comparison.best.action_values[: 32 * 11 * 2],
        "Q-learning": comparison.members["q_learning"][0].values,
    }
    figure, panels = plt.subplots(2, 2, figsize=(11, 8), height_ratios=(18, 10))
    better = {name: (table[:, 1] - table[:, 0]).reshape(32, 11, 2) for name, table in tables.items()}
    for ace, row in enumerate(panels):
        low = 12 if ace else 4
        for axes, (name, advantage) in zip(row, better.items(), strict=True):
            part = advantage[low:22, 1:, ace]
            extent = (0.5, 10.5, low - 0.5, 21.5)
            shown = axes.imshow(part, origin="lower", cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", extent=extent)
            other = better["optimum"][low:22, 1:, ace]
            for total, card in np.argwhere((part > 0) != (other > 0)):
                axes.plot(card + 1, total + low, "x", color="black", markersize=7, markeredgewidth=2)
            axes.set(xticks=range(1, 11), yticks=range(low, 22, 1 if ace else 2))
            axes.set_xticklabels(["A", *map(str, range(2, 11))])
            axes.set(xlabel="card that the dealer shows", ylabel="own sum")
            axes.set_title(f"{name}, {'usable ace' if ace else 'no usable ace'}")
            axes.grid(visible=False)
    figure.colorbar(shown, ax=panels, label="Q(hit) - Q(stick), in stakes: red hits, blue sticks", shrink=0.7)
    figure.suptitle("Blackjack: when to take another card (crosses: not the optimum's choice)", fontweight="bold")
    return figure
