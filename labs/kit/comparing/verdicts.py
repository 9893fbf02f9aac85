"""What the groups' figures say, and how sure that is: nothing is ranked on fewer than three seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foundations.statistics import (
    bootstrap_interval,
    improvement_interval,
    interquartile_mean,
    probability_of_improvement,
)
from labs.kit.comparing.gathering import Finished
from labs.kit.comparing.groups import Group
from labs.kit.comparing.metrics import final
from labs.kit.judging import Direction

LEAST_SEEDS = 3
FEW_RUNS = 10
"""Fewer runs than this make a bootstrap interval too narrow: 3, 5, 8 of them hold a mean in 74, 85, 90 % of cases."""
MANY_PAIRS = 10
"""From so many pairs on, chance alone is likely to tell some apart."""

Verdict = Literal["better", "worse", "not told apart"]


@dataclass(frozen=True)
class Standing:
    """A group's figures (runs), and what they come to."""

    group: Group
    scores: NDArray[np.float64]
    mean: float
    deviation: float | None
    middle: float
    """Their interquartile mean."""
    interval: tuple[float, float]
    """95 %, of the interquartile mean."""

    @property
    def label(self) -> str:
        """The group's name."""
        return self.group.label

    @property
    def ranked(self) -> bool:
        """Whether it has seeds enough to be ranked."""
        return len(self.group.seeds) >= LEAST_SEEDS


@dataclass(frozen=True)
class Pair:
    """How probable it is that a run of `first` does better than one of `second`."""

    first: str
    second: str
    probability: float
    interval: tuple[float, float]

    @property
    def verdict(self) -> Verdict:
        """Of the first: told from the second only where the interval leaves out 1/2."""
        low, high = self.interval
        return "better" if low > 0.5 else "worse" if high < 0.5 else "not told apart"

    def turned(self) -> "Pair":
        """The same, seen from the second."""
        low, high = self.interval
        return Pair(self.second, self.first, 1 - self.probability, (1 - high, 1 - low))


@dataclass(frozen=True)
class Comparison:
    """The groups by one metric: those ranked first, by their interquartile mean, and then the others."""

    metric: str
    direction: Direction
    standings: tuple[Standing, ...]
    pairs: tuple[Pair, ...]

    @property
    def reference(self) -> Standing | None:
        """The ranked group of the best interquartile mean; None where fewer than two groups are ranked."""
        return self.standings[0] if self.pairs else None

    def against(self, label: str, other: str) -> Pair | None:
        """The pair of these groups, seen from the first; None where they were not held against each other."""
        for pair in self.pairs:
            if {pair.first, pair.second} == {label, other}:
                return pair if pair.first == label else pair.turned()
        return None


def compare(metric: str, groups: Sequence[Group], direction: Direction, stream: np.random.Generator) -> Comparison:
    """Hold `groups` against each other by the final values of `metric`, which all their runs have."""
    sign = 1.0 if direction == "max" else -1.0
    standings = [_standing(group, metric, stream) for group in groups]
    ranked = [each for each in standings if each.ranked]
    if len(ranked) < 2:
        return Comparison(metric, direction, tuple(standings), ())
    ranked.sort(key=lambda each: -sign * each.middle)
    pairs = []
    for first, second in combinations(ranked, 2):
        scores = sign * first.scores, sign * second.scores
        found = probability_of_improvement(*scores)
        pairs.append(Pair(first.label, second.label, found, improvement_interval(*scores)))
    unranked = [each for each in standings if not each.ranked]
    return Comparison(metric, direction, (*ranked, *unranked), tuple(pairs))


def _standing(group: Group, metric: str, stream: np.random.Generator) -> Standing:
    scores = np.array([_final(run, metric) for run in group.runs])
    deviation = float(scores.std(ddof=1)) if len(scores) > 1 else None
    interval = bootstrap_interval(scores, stream=stream)
    return Standing(group, scores, float(scores.mean()), deviation, interquartile_mean(scores), interval)


def _final(run: Finished, metric: str) -> float:
    value = final(run, metric)
    assert value is not None, metric  # `metrics.choose` has made sure
    return value


def words(metric: str) -> str:
    """A metric's name as a reader wants it."""
    return metric.replace("_", " ")


def headline(found: Comparison) -> str:
    """What the comparison says, in one line."""
    name = words(found.metric)
    if len(found.standings) == 1:
        return f"{name}: one group, nothing to compare"
    if found.reference is None:
        return f"{name}: no ranking, too few seeds"
    first = found.reference.label
    others = [pair for pair in found.pairs if pair.first == first]
    beaten = [pair.second for pair in others if pair.verdict == "better"]
    if len(others) == 1:
        return f"{name}: {first} is {others[0].verdict} {'than' if beaten else 'from'} {others[0].second}"
    told = f"all {len(others)}" if len(beaten) == len(others) else f"{len(beaten) or 'none'} of the {len(others)}"
    return f"{name}: {first} is better than {told} others"


def cautions(found: Comparison) -> list[str]:
    """What keeps the figures from saying more: one line each."""
    said = [*_too_few_seeds(found)]
    ranked = [len(each.scores) for each in found.standings if each.ranked]
    if found.pairs and not any(_can_differ(ours, others) for ours, others in combinations(ranked, 2)):
        said.append("so few runs can never be told apart with 95 % confidence: 4 against 4 are the least that can")
    if len(found.pairs) >= MANY_PAIRS:
        chance = 0.05 * len(found.pairs)
        said.append(
            f"were all {len(found.pairs)} pairs equal, chance would still tell about {chance:.1g} of them apart"
        )
    several = [len(each.scores) for each in found.standings if len(each.scores) > 1]
    if (least := min(several, default=FEW_RUNS)) < FEW_RUNS:
        held = "5 runs hold the true mean in 85 of 100 cases"
        said.append(f"from few runs ({least} here) the bootstrap makes too narrow intervals: those of {held}")
    return said


def _too_few_seeds(found: Comparison) -> list[str]:
    few = [each.group for each in found.standings if not each.ranked]
    if not few or len(found.standings) < 2:
        return []
    what = "some groups are not ranked" if found.pairs else "NO RANKING"
    counts = listed([f"{group.label} has {len(group.seeds)}" for group in few])
    return [f"{what}: {LEAST_SEEDS} seeds of each are the least ({counts}); run more, for example with --seeds 0-4"]


def _can_differ(ours: int, others: int) -> bool:
    """Whether so many runs can be told apart at all: where each of ours beats each of the others."""
    return improvement_interval(np.arange(ours), -1.0 - np.arange(others))[0] > 0.5


def listed(parts: Sequence[str]) -> str:
    """A few of `parts`, and how many more there are."""
    return ", ".join(parts[:4]) + (f" and {len(parts) - 4} more" if len(parts) > 4 else "")
