"""Runs beside each other: what each group comes to, how sure that is, and how they learned."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from labs.kit.comparing import gathering, groups
from labs.kit.comparing.groups import Group
from labs.kit.config import Config as Settings
from labs.kit.console import open_console
from labs.kit.report import number

if TYPE_CHECKING:
    from labs.kit.comparing.figures import Looks
    from labs.kit.comparing.gathering import Finished
    from labs.kit.comparing.verdicts import Comparison, Pair, Standing
    from labs.kit.run import Run

MOST_ROWS = 40
MOST_SUMMED_UP = 8
"""Groups that the summary has room for, the first of the table."""


@dataclass(frozen=True)
class Config(Settings):
    """What is compared; `labs.kit.comparing.command` fills it in."""

    runs: tuple[str, ...] = ()
    """Ids of the runs."""
    group: tuple[str, ...] = ()
    """Settings whose values make the groups; none makes one group of all."""
    metric: tuple[str, ...] = ()
    """Figures by which they are compared."""
    direction: Literal["max", "min"] | None = None
    """Which end of each figure is better; None goes by what its lab says, or by its name."""
    left_out: tuple[str, ...] = ()
    """What was left out of the runs asked for, and why."""
    lab: str = ""
    """The lab whose runs they are; empty where there are several."""

    @property
    def experiment(self) -> str:
        """The lab's own, if it is one."""
        return self.lab or "comparisons"


def main(config: Config, run: "Run") -> None:
    """Compare by each metric; draw; keep what was compared."""
    from labs.kit.comparing import figures
    from labs.kit.comparing.curves import worth_drawing
    from labs.kit.comparing.metrics import direction
    from labs.kit.comparing.verdicts import cautions, compare

    runs = [gathering.read(identity) for identity in config.runs]
    parts = groups.grouped(runs, config.group)
    run.table("runs_compared", [_run_row(group, each, config) for group in parts for each in group.runs])
    for text in (*config.left_out, *groups.remarks(parts)):
        run.note(text)
    if any(group.label not in _values_said(group) for group in parts):
        run.table("groups", [{"group": group.label, "settings": _values_said(group)} for group in parts])
    found = [
        compare(metric, parts, direction(metric, runs, config.direction), run.streams.numpy(metric))
        for metric in config.metric
    ]
    colours = figures.looks(_with_room(found[0], parts, run))
    for each in found:
        tell(each, run)
        draw(each, colours, run)
    for text in dict.fromkeys(text for each in found for text in cautions(each)):
        run.note(text)
    shown = [group for group in parts if group.label in colours]
    for metric, figure in figures.learning(worth_drawing(runs, config.metric), shown, colours):
        run.figure(f"learning_{one_word(metric)}", figure)


def tell(found: "Comparison", run: "Run") -> None:
    """The table, on the console and the page, and the figures of the summary."""
    from labs.kit.comparing.verdicts import headline

    rows = [_row(each, found) for each in found.standings]
    wanted = {"max": "higher is better", "min": "lower is better"}[found.direction]
    _print(f"{headline(found)} ({wanted})" if found.pairs else headline(found), rows)
    run.table(f"compared_by_{one_word(found.metric)}", rows)
    if len(found.pairs) > 1:
        run.table(f"compared_by_{one_word(found.metric)}_in_pairs", [_pair_row(pair) for pair in found.pairs])
    name = re.sub("[{}]", "", found.metric)
    run.summary({f"{name}/{in_a_name(each.label)}": each.middle for each in found.standings[:MOST_SUMMED_UP]})


def draw(found: "Comparison", colours: "Looks", run: "Run") -> None:
    """Each run and the interquartile means; from three ranked groups on, their pairs."""
    from labs.kit.comparing import figures

    run.figure(f"compared_by_{one_word(found.metric)}", figures.standings(found, colours))
    if found.pairs:
        run.figure(f"compared_by_{one_word(found.metric)}_how_sure", figures.wins(found, colours))
    if len(found.pairs) > 1:
        run.figure(f"pairs_{one_word(found.metric)}", figures.matrix(found, colours))


def one_word(metric: str) -> str:
    """A metric's name, as a file may be called."""
    return re.sub(r"\W+", "_", metric).strip("_")


def in_a_name(label: str) -> str:
    """A group's label, as a part of a metric's name."""
    return re.sub(r"[^\w.:-]+", " ", label).strip()


def _with_room(found: "Comparison", parts: Sequence[Group], run: "Run") -> list[Group]:
    """The groups that the pictures have room for, in the order of their settings."""
    from labs.kit.comparing.figures import MOST_GROUPS
    from labs.kit.comparing.verdicts import listed

    first = [each.group for each in found.standings[:MOST_GROUPS]]
    if len(parts) > MOST_GROUPS:
        hidden = listed([each.label for each in found.standings[MOST_GROUPS:]])
        run.note(f"the pictures show the first {MOST_GROUPS} groups of the first table, not {hidden}")
    return [group for group in parts if group in first]


def _row(standing: "Standing", found: "Comparison") -> dict[str, object]:
    """A group's line in the table."""
    low, high = standing.interval
    several = len(standing.scores) > 1
    cells: dict[str, object] = {
        "group": standing.label,
        "runs": len(standing.scores),
        "seeds": len(standing.group.seeds),
        "mean": number(standing.mean),
        "deviation": number(standing.deviation),
        "interquartile mean": number(standing.middle),
        "95 % interval of it": f"{number(low)} to {number(high)}" if several else "–",
    }
    if len(found.standings) == 1:
        return cells
    if found.reference is None:
        return {**cells, "verdict": "no ranking" if standing.ranked else "no ranking: too few seeds"}
    beats = f"probability of doing better than {found.reference.label}"
    if pair := found.against(standing.label, found.reference.label):
        return {**cells, beats: _sure(pair), "verdict": pair.verdict}
    return {**cells, beats: "–", "verdict": "the first" if standing is found.reference else "too few seeds"}


def _pair_row(pair: "Pair") -> dict[str, object]:
    return {
        "group": pair.first,
        "against": pair.second,
        "probability of doing better": _sure(pair),
        "verdict": pair.verdict,
    }


def _run_row(group: Group, run: "Finished", config: Config) -> dict[str, object]:
    """Which run is in which group, and its figures."""
    from labs.kit.comparing.metrics import final

    figures = {metric: number(value) for metric in config.metric if (value := final(run, metric)) is not None}
    return {"group": group.label, "run": run.id[:8], "name": run.record["name"], "seed": str(run.seed), **figures}


def _values_said(group: Group) -> str:
    return ", ".join(f"{name}={groups.shown(value)}" for name, value in group.values.items()) or group.label


def _sure(pair: "Pair") -> str:
    return f"{pair.probability:.2f} ({pair.interval[0]:.2f} to {pair.interval[1]:.2f})"


def _print(title: str, rows: Sequence[dict[str, object]]) -> None:
    """The table on the console; the page has the rest of a long one."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in rows[0]:
        table.add_column(column, overflow="fold")
    for row in rows[:MOST_ROWS]:
        table.add_row(*map(str, row.values()))
    if len(rows) > MOST_ROWS:
        table.caption = f"and {len(rows) - MOST_ROWS} more groups, on the page"
    open_console().print(table)
