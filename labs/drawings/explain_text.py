"""The pictures of the lab `explain_text`: words in colour, the strongest words, trials, known reasons."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from explain import Explanation

    Array = NDArray[np.float64]

COLUMNS = 96
"""Letters in a line."""
EACH = 4
"""Right answers shown, and mistakes."""
RANKED = 15
FOR, AGAINST = 0, 4
"""Blue and orange, by number among the kit's colours."""


def surest(found: "Sequence[Explanation]", truths: "NDArray[np.int64]", *, right: bool) -> list[int]:
    """The numbers of the right or the wrong answers, the surest first; right ones of each class in turn."""
    order = sorted(range(len(found)), key=lambda number: -found[number].predictions[found[number].labels[0]])
    kept = [number for number in order if (found[number].labels[0] == truths[number]) == right]
    seen: dict[int, int] = {}
    turns = []
    for number in kept:
        label = found[number].labels[0]
        seen[label] = seen.get(label, 0) + 1
        turns.append((seen[label], number))
    return [number for _, number in sorted(turns, key=lambda turn: turn[0])]


def draw_sentences(
    found: "Sequence[Explanation]", truths: "NDArray[np.int64]", class_names: Sequence[str], name: str
) -> "Figure":
    """Sentences with their words in colour: the surest right answers, then the surest mistakes."""
    _ = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    from explain.highlights import draw_words

    chosen = [number for right in (True, False) for number in surest(found, truths, right=right)[:EACH]]
    lines = sum(2.3 + len(found[number].settings["text"]) // COLUMNS for number in chosen)
    figure, axes = plt.subplots(figsize=(0.4 + 0.084 * COLUMNS, 0.9 + 0.25 * lines))
    limit = max(float(abs(weights).max()) for number in chosen for weights in found[number].weights.values())
    top = 0.0
    for number in chosen:
        each = found[number]
        says, label = each.labels[0], max(each.labels) if len(class_names) == 2 else each.labels[0]
        wrong = "" if says == truths[number] else f", but it is {class_names[int(truths[number])]}"
        verdict = f"{class_names[says]} ({100 * each.predictions[says]:.0f} %){wrong}"
        axes.text(0, top, verdict, fontsize=9, fontweight="bold", va="center")
        top = draw_words(axes, each, label, columns=COLUMNS, top=top + 1.05, limit=limit) + 0.35
    of = f"for {class_names[-1]} (blue) or against it (orange)" if len(class_names) == 2 else "for the verdict or not"
    axes.set_title(f"{name}: words {of}, deepest {limit:.2f}; surest answers, then mistakes", loc="left", fontsize=10)
    return figure


def draw_strongest(means: Mapping[str, float], class_names: Sequence[str]) -> "Figure":
    """The words with the highest and the lowest mean weights."""
    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt

    words = list(means)
    ends = {"high": words[:RANKED], "low": words[::-1][:RANKED]}
    figure, panels = plt.subplots(1, 2, figsize=(9, 1.4 + 0.26 * RANKED))
    named = (class_names[0] if len(class_names) == 2 else "others", class_names[-1])
    for axes, end, number, name in zip(panels, ("low", "high"), (AGAINST, FOR), named, strict=True):
        places = range(len(ends[end]))
        axes.barh(places, [abs(means[word]) for word in ends[end]], color=colours[number], height=0.7)
        axes.set_yticks(places, ends[end])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_title(f"for {name}", loc="left")
        axes.set_xlabel(f"mean weight (rise of P({name}))")
    figure.suptitle("The words that say most, over all explained sentences", fontweight="bold", fontsize=12)
    return figure


def draw_quality(turned: "Mapping[str, Mapping[str, Array]]", fits: Mapping[str, Sequence[float]]) -> "Figure":
    """Left how many verdicts turn as words are removed, right the fit of the lines."""
    colours = kit.figures.COLOURS
    import numpy as np
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4))
    for (name, each), number in zip(turned.items(), (0, 2), strict=True):
        for kind, line, words in (("named", "o-", "named first"), ("random", "s:", "at random")):
            counts, shares = np.arange(each[kind].shape[1]), 100 * each[kind]
            errors = shares.std(axis=0, ddof=1) / len(shares) ** 0.5
            style = {"color": colours[number], "capsize": 2, "markersize": 4}
            label = f"{name.replace('_', ' ')}, words {words}"
            left.errorbar(counts, shares.mean(axis=0), errors, fmt=line, label=label, **style)
        bins = np.linspace(0, 1, 31).tolist()
        label = f"{name.replace('_', ' ')}: median {np.median(fits[name]):.2f}"
        right.hist(fits[name], bins=bins, color=colours[number], alpha=0.6, label=label)
    left.set(xlabel="words removed", ylabel="verdicts that turn (%, ± standard error)", ylim=(-2, None))
    left.set_title("Do the named words decide the verdict?", loc="left")
    right.set(xlabel="weighted R² of the line", ylabel="sentences")
    right.set_title("How well a line fits near a sentence", loc="left")
    for axes in (left, right):
        axes.legend(fontsize=9)
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
    known = [each for each in agreements if not np.isnan(each)]
    right.hist(known, bins=np.linspace(min(0.0, *known), 1, 31).tolist(), color=colours[0])
    right.axvline(float(np.median(known)), color="black", linestyle=":", label=f"median {np.median(known):.2f}")
    right.set(xlabel="rank correlation of weights and true reasons", ylabel="sentences")
    right.set_title("Sentence by sentence", loc="left")
    right.legend(loc="upper left")
    figure.suptitle("A model that counts words: are its true reasons found?", fontweight="bold", fontsize=12)
    return figure
