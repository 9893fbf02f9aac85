"""The pictures of the lab `explain_text`: words in colour, the strongest words, trials, known reasons."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import labs.kit as kit
from labs.drawings.explaining import AGAINST, FOR, bars, fit_histogram
from labs.drawings.explaining import show_trust as show_trust

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from explain import Lead, Trust, Turning

    Array = NDArray[np.float64]

COLUMNS = 96
"""Letters in a line."""
RANKED = 15


def draw_sentences(trust: "Trust", truths: Mapping[str, str], class_names: Sequence[str], reader: str) -> "Figure":
    """Sentences with their words in colour, each below its verdict; said is what is true instead, and what to doubt."""
    _ = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    from explain.highlights import draw_words

    shown, doubts = trust.found, trust.doubts
    lines = sum(2.3 + len(each.settings["text"]) // COLUMNS for each in shown.values())
    figure, axes = plt.subplots(figsize=(0.4 + 0.084 * COLUMNS, 0.9 + 0.25 * lines))
    top = 0.0
    for name, each in shown.items():
        says, label = each.labels[0], max(each.labels) if len(class_names) == 2 else each.labels[0]
        wrong = "" if class_names[says] == truths[name] else f", but it is {truths[name]}"
        verdict = f"{class_names[says]} ({100 * each.predictions[says]:.0f} %){wrong}"
        told = f"largest weight {abs(each.weights[label]).max():.2g}, R² {each.r2[says]:.2f}"
        axes.text(0, top, verdict, fontsize=9, fontweight="bold", va="center")
        axes.text(COLUMNS, top, told + ", in doubt" * bool(doubts[name]), fontsize=8.5, va="center", ha="right")
        top = draw_words(axes, each, label, columns=COLUMNS, top=top + 1.05) + 0.35
    of = f"for {class_names[-1]} (blue) or against it (orange)" if len(class_names) == 2 else "for the verdict or not"
    axes.set_title(f"{reader}: words {of}; deepest is each sentence's largest weight", loc="left", fontsize=10)
    return figure


def draw_strongest(means: Mapping[str, float], class_names: Sequence[str]) -> "Figure":
    """The words with the highest and the lowest mean weights."""
    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    ends = {"high": [word for word, mean in means.items() if mean > 0][:RANKED]}
    ends["low"] = [word for word, mean in list(means.items())[::-1] if mean < 0][:RANKED]
    figure, panels = plt.subplots(1, 2, figsize=(9, 1.4 + 0.26 * RANKED), sharex=True)
    named = (class_names[0] if len(class_names) == 2 else "others", class_names[-1])
    for axes, end, number, name in zip(panels, ("low", "high"), (AGAINST, FOR), named, strict=True):
        bars(axes, ends[end], [abs(means[word]) for word in ends[end]], colours[number])
        axes.set_title(f"for {name}", loc="left")
        axes.set_xlabel(f"mean weight (rise of P({name}))")
    figure.suptitle("The words that say most, over all explained sentences", fontweight="bold", fontsize=12)
    return figure


def draw_quality(turned: "Mapping[str, Turning]", fits: Mapping[str, Sequence[float]]) -> "Figure":
    """Left how many verdicts turn as words are removed, right the fit of the lines."""
    colours = kit.figures.COLOURS
    import numpy as np
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4))
    for (name, each), number in zip(turned.items(), (0, 2), strict=True):
        random = each.random.mean(axis=1)  # of each sentence's draws
        for turns, line, words in ((each.named, "o-", "named first"), (random, "s:", "at random")):
            counts, shares = np.arange(turns.shape[1]), 100.0 * turns
            errors = shares.std(axis=0, ddof=1) / len(shares) ** 0.5
            style = {"color": colours[number], "capsize": 2, "markersize": 4}
            label = f"{name.replace('_', ' ')}, words {words}"
            left.errorbar(counts, shares.mean(axis=0), errors, fmt=line, label=label, **style)
    left.set(xlabel="words removed", ylabel="verdicts that turn (%, ± standard error)", ylim=(-2, None))
    left.set_title("Do the named words decide the verdict?", loc="left")
    fit_histogram(right, {name.replace("_", " "): values for name, values in fits.items()}, "sentences")
    right.set_title("How well a line fits near a sentence", loc="left")
    left.legend(fontsize=9)
    return figure


def draw_reasons(pairs: "Sequence[tuple[Array, Array]]", agreements: Sequence[float]) -> "Figure":
    """What each word truly counts to the model that counts words, against its weight; and the rank correlations."""
    colours = kit.figures.COLOURS
    import numpy as np
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2))
    true, weights = (np.concatenate(each) for each in zip(*pairs, strict=True))
    left.plot(true, weights, "o", color=colours[0], markersize=3, alpha=0.35)
    left.axhline(0, color="black", linewidth=0.8)
    left.axvline(0, color="black", linewidth=0.8)
    left.set(xlabel="what the word truly adds (log odds)", ylabel="its weight in the explanation")
    left.set_title(f"Each word of {len(pairs):,} sentences", loc="left")
    right.hist(agreements, bins=np.linspace(min(0.0, *agreements), 1, 31).tolist(), color=colours[0])
    middle = float(np.median(agreements))
    right.axvline(middle, color="black", linestyle=":", label=f"median {middle:.2f}")
    right.set(xlabel="rank correlation of weights and true reasons", ylabel="sentences")
    right.set_title("Sentence by sentence", loc="left")
    right.legend(loc="upper left")
    figure.suptitle("A model that counts words: are its true reasons found?", fontweight="bold", fontsize=12)
    return figure


def removal_row(reader: str, named: "NDArray[np.floating]", chance: "Array", more: "Lead") -> dict[str, object]:
    """A reader's row of the table of verdicts that turn, in % of draws, both by sentence: (sentences,)."""
    return {
        "reader": reader,
        "sentences": len(named),
        "named words turn %": f"{named.mean():.1f}",
        "random words turn %": f"{chance.mean():.1f}",
        "deviation of draws": f"{chance.std(ddof=1):.1f}",
        "more by %": f"{more.mean:.1f} ± {more.error:.1f}",
    }
