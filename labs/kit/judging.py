"""Which of a lab's runs is the best, and which runs may be held against each other at all.

A lab names its main figure in a line beside `topic`:

    best = ("frechet_distance", "min", "final_samples")

the figure as `run.summary` calls it, whether the largest or the smallest wins, and the settings that decide what the
figure means: a distance estimated from 1,000 samples lies higher than one from 10,000, whatever the generator.
"""

import ast
import importlib.util
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast, get_args

from foundations.errors import InputError

Direction = Literal["max", "min"]
SUMMARY = "summary/"
"""What stands in front of a summary figure's name among the metrics."""
LESS_IS_BETTER = frozenset(
    {"bits", "distance", "divergence", "error", "errors", "fd", "fid", "kl", "loss", "mae", "mse", "nats"}
    | {"negative", "nll", "perplexity", "regret", "rmse", "seconds"}
)
"""Words in the name of a figure that is better the smaller it is."""


@dataclass(frozen=True)
class MainFigure:
    """The figure by which a lab's runs are judged."""

    name: str
    direction: Direction
    alike: tuple[str, ...] = ()
    """Settings in which runs must agree for their figures to mean the same."""


class Candidate(NamedTuple):
    """What judging needs to know of a finished run."""

    run: str
    value: float
    basis: str
    preset: str
    started: str


def main_figure(target: str) -> MainFigure | None:
    """What the lab of that module or file names as its main figure, read without running it; None if nothing.

    Raises: InputError for a line that cannot be understood.
    """
    file = _file_of(target)
    tree = ast.parse(file.read_text(encoding="utf-8")) if file and file.is_file() else ast.Module([], [])
    for node in tree.body:
        names = [name.id for name in getattr(node, "targets", ()) if isinstance(name, ast.Name)]
        if isinstance(node, ast.Assign) and names == ["best"]:
            return _understood(target, node.value)
    return None


def direction_of(metric: str, target: str | None) -> Direction:
    """Which end of a metric is the better one: as its lab says of its main figure; of others, by their names.

    Errors, losses and distances are to be small, all else is to be large. `target` is the lab's module or file.
    """
    own = main_figure(target) if target else None
    if own and own.name == metric.removeprefix(SUMMARY):
        return own.direction
    words = set(re.split(r"[/_\W]+", metric.lower()))
    return "min" if words & LESS_IS_BETTER else "max"


def _file_of(target: str) -> Path | None:
    if target.endswith(".py"):
        return Path(target)
    try:
        spec = importlib.util.find_spec(target)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin else None


def _understood(target: str, node: ast.expr) -> MainFigure:
    try:
        words = ast.literal_eval(node)
    except ValueError:
        words = None
    plain = isinstance(words, tuple) and len(words) >= 2 and all(isinstance(word, str) for word in words)
    if not plain or words[1] not in get_args(Direction):
        wanted = '(figure, "max" or "min", settings that must agree ...)'
        raise InputError(f"lab {target}: best = {ast.unparse(node)}: must be {wanted}")
    return MainFigure(words[0], cast(Direction, words[1]), tuple(words[2:]))


def basis(record: Mapping[str, Any], alike: Collection[str]) -> str:
    """What the figures of a run rest on, in words: its data, by content, and the settings `alike`.

    Runs are comparable where these words are the same. The preset is not among them: more training on the same terms
    is what makes one run better than another.
    """
    data = [f"data {fingerprint}" for fingerprint in sorted(facts["fingerprint"] for facts in record["data"].values())]
    return ", ".join([*data, *(f"{name} {record['config'].get(name)}" for name in alike)])


def best_of(candidates: Sequence[Candidate], direction: Direction) -> Candidate | None:
    """The best of those that are comparable with the newest; of equals, the earliest.

    Smoke runs count only where there are no others: they show that a lab runs, and must not take the place of what
    was trained in earnest because they are newer.
    """
    serious = [each for each in candidates if each.preset != "smoke"] or list(candidates)
    if not serious:
        return None
    newest = max(serious, key=lambda each: each.started)
    rivals = [each for each in serious if each.basis == newest.basis]
    sign = -1 if direction == "max" else 1
    return min(rivals, key=lambda each: (sign * each.value, each.started))
