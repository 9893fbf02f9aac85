"""Learning curves of several runs as one: their median, and a band around it, where all of them have data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labs.kit.comparing import metrics
from labs.kit.comparing.gathering import Finished
from labs.kit.figures import SMOOTHED_FROM, running_median

Numbers = NDArray[np.float64]
Curve = tuple[Numbers, Numbers]
"""Where along the axis, and the values there."""
EXPERIENCE = "environment_steps"
"""What an agent has seen: a step of one learner may hold more of it than one of another."""
MIDDLE_HALF_FROM = 5
"""A band of so many runs is their middle half; of fewer, all between the lowest and the highest."""
GRID = 200
MOST_METRICS = 4


@dataclass(frozen=True)
class Band:
    """The median of `runs` curves and a band around it; shapes (places)."""

    at: Numbers
    middle: Numbers
    low: Numbers
    high: Numbers
    runs: int


def axis(runs: Sequence[Finished]) -> str:
    """What the curves are drawn over: environment steps where all runs count them, else the learner's steps."""
    return EXPERIENCE if EXPERIENCE in metrics.curves(runs) else "step"


def worth_drawing(runs: Sequence[Finished], chosen: Sequence[str]) -> list[str]:
    """Those of `chosen` that are curves; if none is, some that all runs have: nearest in name first, then losses."""
    known = [name for name in metrics.curves(runs) if name != EXPERIENCE]
    if own := [name for name in chosen if name in known]:
        return own
    wanted = {part for name in chosen for part in name.split("/")}

    def order(name: str) -> tuple[int, bool]:
        parts = set(name.split("/"))
        return -len(parts & wanted), "loss" not in parts

    return sorted(known, key=order)[:MOST_METRICS]


def curve(run: Finished, metric: str, along: str) -> Curve:
    """What the run kept of `metric`; long curves as their running median, whose noise would hide the band."""
    steps, values = _kept(run, metric)
    if len(steps) >= SMOOTHED_FROM:
        values = np.array(running_median(values.tolist()))
    return (np.interp(steps, *_kept(run, along)) if along != "step" else steps), values


def band(curves: Sequence[Curve]) -> Band | None:
    """`curves` read off at common places, none of which lies outside one of them; None where there is no such place."""
    start, end = max(at[0] for at, _ in curves), min(at[-1] for at, _ in curves)
    if start >= end:
        return None
    own = np.unique(np.concatenate([at for at, _ in curves]))
    places = own[(own >= start) & (own <= end)] if len(own) < GRID else np.linspace(start, end, GRID)
    values = np.stack([np.interp(places, *each) for each in curves])
    outer = (25, 75) if len(curves) >= MIDDLE_HALF_FROM else (0, 100)
    low, middle, high = np.percentile(values, (outer[0], 50, outer[1]), axis=0)
    return Band(places, middle, low, high, len(curves))


def _kept(run: Finished, metric: str) -> Curve:
    found = {point.step: point.value for point in run.points if point.name == metric}
    steps = sorted(found)
    return np.array(steps, float), np.array([found[step] for step in steps], float)
