"""Whether a single explanation may be believed: its line fits, accounts for the answer, and comes again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from explain.explanation import Explanation, short_number
from explain.quality import Growth, grow_until_stable
from foundations.errors import require

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


@dataclass(frozen=True)
class Trust:
    """Explanations of several cases, by case, and what became of each as samples were added; see `examine`.

    `top`: so many of the strongest features all seeds were to name.
    """

    found: Mapping[str, Explanation]
    grown: Mapping[str, Growth]
    top: int

    @property
    def doubts(self) -> dict[str, list[str]]:
        """What speaks against believing each explanation, for its first label: see `doubts`."""
        return {name: doubts(each, self.grown[name]) for name, each in self.found.items()}

    @property
    def jaccard(self) -> float:
        """How alike the seeds are in the end: the mean over the cases of their Jaccard indices."""
        return sum(each.stages[-1][1] for each in self.grown.values()) / len(self.grown)

    def rows(self) -> list[dict[str, str]]:
        """A table: each case's answer, the line's, its fit, whether the samples were enough, and the doubts."""
        return [self._row(name, each) for name, each in self.found.items()]

    def _row(self, name: str, explanation: Explanation) -> dict[str, str]:
        label, growth = explanation.labels[0], self.grown[name]
        samples, jaccard = growth.stages[-1]
        return {
            "case": name,
            "explained": explanation.names[label],
            "the model says": short_number(explanation.predictions[label]),
            "the line says": short_number(explanation.local_predictions[label]),
            "R²": f"{explanation.r2_of():.2f}",
            f"Jaccard of the seeds (top {self.top})": f"{jaccard:.2f}",
            "samples enough": f"{'yes' if growth.enough else 'no'}, {samples:,}",
            "doubts": "; ".join(doubts(explanation, growth)) or "none",
        }

    def note(self) -> str | None:
        """One sentence that names the cases whose explanations are in doubt; None where there are none."""
        doubtful = [name for name, found in self.doubts.items() if found]
        if not doubtful:
            return None
        told = f"{len(doubtful)} of {len(self.found)} explanations shown are in doubt (see the table trust)"
        return f"{told}: {', '.join(doubtful)}"


def examine(
    found: Mapping[str, Explanation],
    again: Mapping[str, Callable[[int, int], Explanation]],
    *,
    samples: int,
    seeds: Sequence[int],
    top: int = 5,
) -> Trust:
    """Whether explanations may be believed, and whether `samples` were enough for them.

    Each case is explained again by each of the `seeds`, with 125 samples and then twice as many each time, until all
    seeds name the same `top` features or `samples` are reached.
    `found`: explanations by case; `again`: by case functions of samples and seed, as for `grow_until_stable`.
    Raises: InputError as `grow_until_stable`, and unless both have the same cases.
    """
    require(found.keys() == again.keys(), "cases of again", list(again), f"those of found, {list(found)}")
    start = min(START, samples)
    grown = {
        name: grow_until_stable(each, start=start, limit=samples, seeds=seeds, top=top, jaccard=1.0)
        for name, each in again.items()
    }
    return Trust(found, grown, top)
