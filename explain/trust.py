"""Whether a single explanation may be believed: its line fits, accounts for the answer, and comes again."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from explain.explanation import Explanation, short_number
from explain.quality import Growth, grow_until_stable

FITS = 0.5
"""The least weighted R2 of a line that says something of the model."""
ALIKE = 0.6
"""The least mean Jaccard index of the seeds' top features: four shared of five make 4 / 6."""
START = 125
"""Samples of the first stage."""


def doubts(explanation: Explanation, growth: Growth | None = None, label: int | None = None) -> list[str]:
    """What speaks against believing an explanation, in words; empty where it passes.

    The weighted R2 is below one half; the line misses the model's answer in the case itself by more than its largest
    weight and its largest contribution, so that what no bar shows is larger than any bar; or (with `growth`)
    explanations of other seeds share too few of their strongest features. `label`: None means the first.
    """
    chosen = explanation.labels[0] if label is None else label
    rest = abs(explanation.predictions[chosen] - explanation.local_predictions[chosen])
    # Weights besides contributions: in a typical row nothing is added by any column, and that is right.
    largest = float(np.abs([explanation.contributions(chosen), explanation.weights_of(chosen)]).max())
    found = []
    if explanation.r2_of(chosen) < FITS:
        found.append(f"the line fits badly (R² {explanation.r2_of(chosen):.2f})")
    if rest > largest:
        most = short_number(largest)
        found.append(f"the line misses the answer by {short_number(rest)}, more than any feature weighs ({most})")
    if growth is not None and growth.stages[-1][1] < ALIKE:
        samples, jaccard = growth.stages[-1]
        found.append(f"with {samples:,} samples other seeds name other features (Jaccard index {jaccard:.2f})")
    return found


def grow_each(
    cases: Mapping[str, Callable[[int, int], Explanation]], *, samples: int, seeds: Sequence[int], top: int = 5
) -> dict[str, Growth]:
    """Whether `samples` are enough for each case's explanation: doubled until all seeds name the same `top` features.

    `cases`: by name, functions of samples and seed, as for `grow_until_stable`.
    """
    start = min(START, samples)
    return {
        name: grow_until_stable(each, start=start, limit=samples, seeds=seeds, top=top, jaccard=1.0)
        for name, each in cases.items()
    }


def trust_table(
    found: Mapping[str, Explanation], grown: Mapping[str, Growth], label: int | None = None
) -> list[dict[str, str]]:
    """A row for each case: the model's answer, the line's, its fit, whether the samples were enough, and the doubts.

    They were enough where all seeds named the same top features (see `grow_each`).
    `label`: None means the first of each.
    """
    rows = []
    for name, each in found.items():
        chosen = each.labels[0] if label is None else label
        samples, jaccard = grown[name].stages[-1]
        row = {
            "case": name,
            "explained": each.names[chosen],
            "the model says": short_number(each.predictions[chosen]),
            "the line says": short_number(each.local_predictions[chosen]),
            "R²": f"{each.r2[chosen]:.2f}",
            "Jaccard of the seeds": f"{jaccard:.2f}",
            "samples enough": f"yes, {samples:,}" if grown[name].enough else f"no, {samples:,}",
            "doubts": "; ".join(doubts(each, grown[name], chosen)) or "none",
        }
        rows.append(row)
    return rows


def told_doubts(table: Sequence[Mapping[str, str]]) -> str | None:
    """One sentence that names the rows of a `trust_table` that are in doubt; None where there are none."""
    doubtful = [row["case"] for row in table if row["doubts"] != "none"]
    if not doubtful:
        return None
    told = f"{len(doubtful)} of {len(table)} explanations shown are in doubt (see the table trust)"
    return f"{told}: {', '.join(doubtful)}"
