"""The pictures of the lab `house_prices`: maps of California, errors of the models, what the errors hang on."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def draw_map(rows: "pd.DataFrame", values: "Array", title: str, label: str, symmetric: float | None = None) -> "Figure":
    """A dot a district, coloured by `values`; from -`symmetric` to `symmetric`, where that is given."""
    import numpy as np
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 6))
    colours: dict[str, Any] = {"cmap": "viridis"}
    if symmetric:
        colours = {"cmap": "RdBu_r", "vmin": -symmetric, "vmax": symmetric}
    size = 5 if len(rows) > 10_000 else 9
    dots = axes.scatter(rows["longitude"], rows["latitude"], c=values, s=size, linewidths=0, **colours)
    axes.set_aspect(1 / np.cos(np.deg2rad(rows["latitude"].mean())))  # a degree of longitude is the shorter one
    axes.set(xlabel="longitude (degrees)", ylabel="latitude (degrees)")
    axes.set_title(title, loc="left")
    figure.colorbar(dots, label=label, shrink=0.8, extend="both" if symmetric else "neither")
    return figure


def draw_comparison(rows: Sequence[Mapping[str, Any]]) -> "Figure":
    """The models' errors on the test rows, networks in another colour."""
    from matplotlib import pyplot as plt

    names, errors = [row["model"] for row in rows], [row["RMSE (USD)"] for row in rows]
    colours = [kit.figures.COLOURS[int(name.startswith("network"))] for name in names]
    figure, axes = plt.subplots(figsize=(7, 3.8))
    drawn = axes.barh(names, errors, color=colours)
    labels = [f"{row['RMSE (USD)']:,}" + (f" ± {row['spread (USD)']}" if row["seeds"] > 1 else "") for row in rows]
    axes.bar_label(drawn, labels, padding=4, fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y", visible=False)
    axes.set_title("Error on the test rows: shorter is better", loc="left")
    axes.set_xlabel("root mean squared error (USD; ± deviation between seeds)")
    return figure


def draw_predicted_and_true(truth: "Array", guesses: "Mapping[str, Array]") -> "Figure":
    """All would lie on the diagonal, were a model perfect."""
    from matplotlib import pyplot as plt
    from matplotlib.colors import LogNorm

    shared = LogNorm(1, 60, clip=True)
    figure, panels = plt.subplots(1, len(guesses), figsize=(9.4, 4.4), sharey=True)
    for axes, (name, guess) in zip(panels, guesses.items(), strict=True):
        bins = axes.hexbin(truth / 1000, guess / 1000, gridsize=50, norm=shared, mincnt=1, cmap="cividis", linewidths=0)
        axes.axline((0, 0), slope=1, color=kit.figures.COLOURS[1], label="perfect")
        axes.set(xlabel="true price (1,000 USD)", aspect="equal")
        axes.set_title(name, loc="left")
    panels[0].set_ylabel("predicted price (1,000 USD)")
    panels[0].legend(loc="upper left")
    figure.colorbar(bins, ax=panels, label="test districts", shrink=0.8)
    return figure


def draw_importance(columns: Sequence[str], rises: "Mapping[str, Array]") -> "Figure":
    """How much each model's error grows when one column is shuffled. Shape of a model's rises: (columns, shuffles)."""
    import numpy as np
    from matplotlib import pyplot as plt

    order = np.argsort([rise.mean() for rise in list(rises.values())[-1]])
    figure, axes = plt.subplots(figsize=(7, 4.6))
    for place, (name, rise) in enumerate(rises.items()):
        heights = np.arange(len(order)) + 0.2 - 0.4 * place
        axes.barh(heights, rise.mean(axis=1)[order], 0.4, xerr=rise.std(axis=1)[order], label=name)
    axes.set_yticks(range(len(order)), [columns[index].replace("_", " ") for index in order])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_title("Which columns each model relies on", loc="left")
    axes.set_xlabel(
        "rise of the RMSE on test rows when the column is shuffled (USD)\n"
        "rooms, bedrooms, population and households go together:\n"
        "shuffling one of them makes districts that do not exist"
    )
    axes.legend(loc="lower right")
    return figure


def draw_learning_curve(counts: Sequence[int], curves: Mapping[str, Sequence[float]]) -> "Figure":
    """The error on the validation rows over the number of rows learnt from."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4))
    for name, errors in curves.items():
        axes.plot(counts, errors, marker="o", label=name)
    axes.set(xlabel="training rows", ylabel="RMSE on validation rows (USD)", xscale="log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_title("What more rows would bring", loc="left")
    axes.legend()
    return figure
