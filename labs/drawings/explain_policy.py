"""The pictures of the lab `explain_policy`: an episode and its film, the overview, trials, known rules."""

from typing import TYPE_CHECKING, Any

import labs.kit as kit
from labs.drawings.explaining import AGAINST, FOR, fit_histogram
from labs.drawings.explaining import show_trust as show_trust

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from explain import TwoActions
    from explain.policies import EpisodeExplanation

    Array = NDArray[np.float64]

NAMES = ("cart position", "cart velocity", "pole angle", "angular velocity")
UNITS = ("m", "m/s", "rad", "rad/s")
SCENE = slice(130, 350)
"""The rows of a rendered picture between which the pole moves."""
LINES = (0, 2, 1, 3)
"""A colour for each number of the state."""


def draw_episode(along: "EpisodeExplanation", policy: "TwoActions") -> "Figure":
    """Along the episode: what the policy says, and what each number of the state adds to it."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    import numpy as np
    from matplotlib import pyplot as plt

    figure, (above, below) = plt.subplots(2, 1, figsize=(9.5, 5.6), sharex=True, height_ratios=(1, 1.5))
    steps = np.arange(len(along.predictions))
    right = along.predictions > policy.threshold
    for side, number, name in ((right, FOR, "pushes right"), (~right, AGAINST, "pushes left")):
        above.plot(steps[side], along.predictions[side], "o", color=colours[number], markersize=3.5, label=name)
    above.plot(steps, along.local_predictions, "-", color="0.6", linewidth=1, zorder=0, label="line near the state")
    above.axhline(policy.threshold, color="black", linewidth=0.8, linestyle=":")
    above.set_title(
        f"{policy.quantity} along an episode (median R² of the lines {np.median(along.r2):.2f})", loc="left"
    )
    above.set_ylabel(policy.quantity)
    for name, adds, number in zip(NAMES, along.contributions.T, LINES, strict=True):
        below.plot(steps, adds, "-", color=colours[number], linewidth=1.6, label=name)
    below.axhline(0, color="black", linewidth=0.8)
    below.set_title("What each number of the state adds: above 0 it drives to the right, below to the left", loc="left")
    below.set(xlabel="step of the episode", ylabel=f"adds to {policy.quantity}")
    for axes in (above, below):
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    return figure


def film_frames(
    frames: "NDArray[np.uint8]", along: "EpisodeExplanation", policy: "TwoActions", most: int = 80
) -> "NDArray[np.uint8]":
    """At most `most` pictures of the cart, each above the bars of what drives it: (n, height, width, 3)."""
    colours = kit.figures.COLOURS
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), dpi=80)
    figure.set_layout_engine("none")
    canvas: Any = FigureCanvasAgg(figure)
    stage, panel = figure.add_axes((0.03, 0.53, 0.94, 0.4)), figure.add_axes((0.22, 0.12, 0.75, 0.33))
    picture = stage.imshow(frames[0][SCENE])
    stage.set(xticks=[], yticks=[])
    stage.grid(visible=False)
    limit = 1.05 * float(np.abs(along.contributions).max()) or 1.0
    bars = panel.barh(range(len(NAMES)), along.contributions[0], height=0.7)
    panel.set_yticks(range(len(NAMES)), NAMES, fontsize=10)
    panel.set(xlim=(-limit, limit), xlabel=f"adds to {policy.quantity}: drives left | drives right")
    panel.invert_yaxis()
    panel.set_axisbelow(True)
    panel.axvline(0, color="black", linewidth=0.8)
    says = stage.set_title("", loc="left", fontsize=11)
    made = []
    for step in range(0, len(frames), max(1, -(-len(frames) // most))):
        picture.set_data(frames[step][SCENE])
        right, answer = bool(along.predictions[step] > policy.threshold), along.predictions[step]
        says.set_text(f"step {step}: pushes {'right' if right else 'left'}, {policy.quantity} = {answer:.2f}")
        says.set_color(colours[FOR] if right else "#B06F00")
        for bar, adds in zip(bars, along.contributions[step], strict=True):
            bar.set_width(adds)
            bar.set_color(colours[FOR if adds >= 0 else AGAINST])
        canvas.draw()
        made.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    return np.stack(made)


def draw_overview(overview: "EpisodeExplanation", policy: "TwoActions") -> "Figure":
    """Each state a dot: how far each number drives to the left or right, coloured by the number itself."""
    _ = kit.figures.COLOURS
    import numpy as np
    from matplotlib import pyplot as plt

    adds, seen = overview.contributions, overview.observations
    order = np.argsort(-np.abs(adds).mean(axis=0))
    random = np.random.default_rng(0)
    figure, axes = plt.subplots(figsize=(9, 4.2))
    shown = None
    for place, column in enumerate(order):
        spread = float(np.percentile(np.abs(seen[:, column]), 90)) or 1.0
        height = place + 0.32 * random.uniform(-1, 1, len(adds))
        style: dict[str, Any] = {"cmap": "cividis", "vmin": -1, "vmax": 1, "s": 12, "alpha": 0.8, "linewidths": 0}
        shown = axes.scatter(adds[:, column], height, c=seen[:, column] / spread, **style)
    axes.axvline(0, color="black", linewidth=0.8)
    means = np.abs(adds).mean(axis=0)
    axes.set_yticks(range(len(order)), [f"{NAMES[column]}\nmean size {means[column]:.3f}" for column in order])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"adds to {policy.quantity}: drives left (below 0) or right (above 0)")
    axes.set_title(f"What drives left and right, in {len(adds):,} states", loc="left")
    assert shown is not None
    bar = figure.colorbar(shown, ax=axes, ticks=(-1, 0, 1), extend="both")
    bar.set_ticklabels(["-1 (left)", "0", "1 (right)"])
    bar.set_label("the number, over its 90th percentile")
    return figure


def draw_quality(r2: "Array", named: "Array", random: "Array") -> "Figure":
    """Left the fit of the lines, right the share of pushes that turn as numbers become typical.

    Shapes: named (numbers + 1,), random (orders, numbers + 1).
    """
    colours = kit.figures.COLOURS
    import numpy as np
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4))
    fit_histogram(left, {"": r2.tolist()}, "states")
    left.set_title("How well a line fits near a state", loc="left")
    counts, middle, spread = np.arange(len(named)), 100 * random.mean(axis=0), 100 * random.std(axis=0)
    right.plot(counts, 100 * named, "o-", color=colours[0], label="in the explanation's order")
    low, high = middle - spread, middle + spread
    right.plot(counts, middle, "s--", color=colours[4], label="in random orders, ± deviation")
    right.fill_between(counts, low, high, color=colours[4], alpha=0.2, linewidth=0)
    right.set(xlabel="numbers of the state made typical", ylabel="pushes that turn (%)", xticks=counts, ylim=(-2, None))
    right.set_title("Does the named reason decide the push?", loc="left")
    right.legend(loc="best", fontsize=9)
    return figure


def draw_hand_made(true: "Array", weights: "Array", reached: float) -> "Figure":
    """The true slopes of the rule written by hand beside the weights found, both as shares of their sum."""
    colours = kit.figures.COLOURS
    import numpy as np
    from matplotlib import pyplot as plt

    shares = weights / np.abs(weights).sum(axis=1, keepdims=True)
    places = np.arange(len(NAMES))
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    axes.barh(places - 0.19, 100 * true / np.abs(true).sum(), height=0.36, color=colours[2], label="true slope")
    spread = {"xerr": 100 * shares.std(axis=0), "capsize": 3, "color": colours[0]}
    label = f"weight: mean and deviation over {len(weights):,} states"
    axes.barh(places + 0.19, 100 * shares.mean(axis=0), height=0.36, label=label, **spread)
    axes.set_yticks(places, NAMES)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("share of all four, per standard deviation (%)")
    said = f"A rule written by hand, which balances for {reached:.0f} of 500 steps: true and found"
    axes.set_title(said, loc="left")
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure


def draw_rules(slopes: "Array", found: "Array") -> "Figure":
    """True slopes against weights, of all rules in all states; each explanation scaled to the rule's size."""
    colours = kit.figures.COLOURS
    import numpy as np
    from matplotlib import pyplot as plt

    scaled = found / np.abs(found).sum(axis=2, keepdims=True) * np.abs(slopes).sum(axis=1)[:, None, None]
    figure, axes = plt.subplots(figsize=(5.6, 5))
    for number, name in enumerate(NAMES):
        true = np.broadcast_to(slopes[:, number, None], scaled.shape[:2]).ravel()
        style: dict[str, Any] = {"color": colours[LINES[number]], "markersize": 2.5, "alpha": 0.5}
        axes.plot(true + 0.05 * (number - 1.5), scaled[..., number].ravel(), "o", label=name, **style)
    limit = 1.15 * float(np.abs(slopes).max())
    axes.plot([-limit, limit], [-limit, limit], "-", color="black", linewidth=0.8, zorder=0)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axes.set(
        xlabel="true slope of the rule, per standard deviation (dots side by side)",
        ylabel="weight, scaled to the rule's size",
    )
    axes.set_title(f"{len(slopes)} known rules, {found.shape[1]} states each", loc="left")
    axes.legend(loc="upper left", fontsize=9, markerscale=2)
    return figure
