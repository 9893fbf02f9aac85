"""`python -m labs compare`: finished runs beside each other."""

import dataclasses
from collections.abc import Sequence

from foundations.errors import InputError
from labs.kit.comparing import comparison, gathering, groups, metrics
from labs.kit.comparing.comparison import Config
from labs.kit.comparing.gathering import Gathered
from labs.kit.config import check
from labs.kit.lab import Lab, load
from labs.kit.parser import Parser

ABOUT = """Compare finished runs: mean, spread, interquartile mean and its interval, how probable it is that one does
better than another, and learning curves with bands. A parent (a sweep, a lab with --seeds) stands for its runs."""


def main(arguments: Sequence[str]) -> int:
    """Run the command. Raises: InputError for runs, settings or metrics that cannot be compared."""
    lab, config = _asked(arguments)
    from labs.kit.launch import execute

    return execute(lab, config, arguments)


def _asked(arguments: Sequence[str]) -> tuple[Lab, Config]:
    """The comparison that the words ask for, checked before anything is written."""
    chosen = _parser().parse_args(arguments)
    gathered = _gather(chosen.runs, chosen.lab)
    runs = gathered.runs
    labs, presets = {run.lab for run in runs}, {run.record["config"]["preset"] for run in runs}
    names = groups.choose(runs, chosen.group)
    figures = metrics.choose(runs, chosen.metric)
    settings = {
        "runs": [run.id for run in runs],
        "group": names,
        "metric": figures,
        "direction": chosen.direction,
        "left_out": gathered.left_out,
        "lab": labs.pop() if len(labs) == 1 else "",
        "run_name": f"compare-{'-'.join(names[:2]) or 'seeds'}",
    }
    if len(presets) == 1:
        settings["preset"] = presets.pop()
    config = check(Config, settings)
    about = f"{config.lab or 'Several labs'}: {', '.join(figures)} of {len(runs)} runs"
    by = f" by {', '.join(names[:4])}" + (", ..." if len(names) > 4 else "") if names else ""
    return dataclasses.replace(load(comparison.__name__), summary=about + by, command="-m labs compare"), config


def _parser() -> Parser:
    parser = Parser(prog="python -m labs compare", description=ABOUT)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="id, beginning of an id, name, or last")
    parser.add_argument("--lab", help="all finished runs of this lab, the newest of each settings and seed")
    about_group = "setting whose values make the groups, may be repeated (default: all that differ but the seed)"
    parser.add_argument("--group", action="append", default=[], metavar="SETTING", help=about_group)
    about_metric = (
        "figure to compare by, of the summary or the journal, may be repeated (default: the lab's main figure)"
    )
    parser.add_argument("--metric", action="append", default=[], metavar="NAME", help=about_metric)
    about_direction = "which end of it is better (default: as the lab says, or by its name: less of losses and errors)"
    parser.add_argument("--direction", choices=("max", "min"), help=about_direction)
    return parser


def _gather(references: Sequence[str], lab: str | None) -> Gathered:
    if bool(references) == (lab is not None):
        raise InputError("compare: give either runs or --lab NAME (`python -m labs runs` lists runs)")
    gathered = gathering.of_lab(lab) if lab is not None else gathering.named(references)
    if len(gathered.runs) < 2:
        left = f" ({'; '.join(gathered.left_out)})" if gathered.left_out else ""
        raise InputError(
            f"compare: {len(gathered.runs)} finished run{left}; give two or more, or run a lab --seeds 0-4"
        )
    return gathered
