"""The pictures of the lab `translate_dates`: what is learned when, and where the decoder looks."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from labs.translate_dates import Reading


def draw_learning(run: kit.Run, beam: int, languages: Iterable[str]) -> "Figure":
    """The loss, and how many unseen dates come out without a mistake: by both ways of decoding, in each language."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, (left, middle, rights) = plt.subplots(1, 3, figsize=(14, 3.9))
    steps, losses = run.history("loss/training")
    left.plot(steps, losses, linewidth=0.8, alpha=0.35, color=colours[0], label="one batch")
    left.plot(steps, kit.figures.running_median(losses), color=colours[0], label="median of the batches around")
    left.set(title="Loss on the training pairs", xlabel="update", ylabel="cross-entropy (nats a sign)", yscale="log")
    names = {"beam": f"beam search, width {beam}", "greedy": "greedy decoding"}
    for (kind, label), line in zip(names.items(), ("-", "--"), strict=True):
        middle.plot(*run.history(f"exact/{kind}"), line, marker="o", markersize=3, label=label)
    for language in languages:
        rights.plot(*run.history(f"exact/{language}"), marker="o", markersize=3, label=language)
    for axes, title in ((middle, "Two ways of decoding"), (rights, "Greedy decoding, by language")):
        axes.set(title=title, xlabel="update", ylabel="unseen dates without a mistake (%)")
        axes.set(xlim=(0, None), ylim=(-3, 103))
    left.legend()
    middle.legend(loc="lower right")
    rights.legend(loc="lower right", fontsize=9)
    return figure


def draw_attention(readings: "Sequence[Reading]") -> "Figure":
    """Up to six dates: every row is a sign that is written, and where the decoder looks meanwhile."""
    kit.figures.COLOURS  # noqa: B018  the project's style comes with them
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(3, 2, figsize=(12, 10.5))
    for axes in panels.flat:
        axes.axis("off")
    for axes, (date, weights, written) in zip(panels.flat, readings, strict=False):
        axes.axis("on")
        shown = axes.imshow(weights, cmap="viridis", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(date.text)), ["␣" if sign == " " else sign for sign in date.text], fontsize=9)
        axes.set_yticks(range(len(written)), written, fontsize=9)
        axes.grid(visible=False)
        axes.set(title=f"{date.language}: {date.text}", xlabel="sign that is read", ylabel="sign that is written")
    figure.colorbar(shown, ax=panels, shrink=0.6, label="share of the attention")
    figure.suptitle("Where the decoder looks while it writes", fontweight="bold")
    return figure
