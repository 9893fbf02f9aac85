"""`python -m labs runs`: a table of recent runs; those that belong to another one are counted beside it."""

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from foundations.errors import InputError
from labs.kit import stale
from labs.kit.console import open_console
from labs.kit.folder import RunFolder, all_runs, find, home
from labs.kit.parser import Parser
from labs.kit.report import number

WIDE = 110
LEFT_OUT = ("lab", "preset", "seed", "step")
"""Columns that a terminal narrower than `WIDE` has no room for."""
DOINGS = {"labs.kit.repeating": "seeds of", "labs.kit.sweeps": "sweep of", "labs.kit.comparing": "comparison of"}
"""Beginning of a module of the kit -> what a run of it does with a lab."""


class Listed(NamedTuple):
    """A run, what is known of it, and the runs below it."""

    run: RunFolder
    record: dict[str, Any]
    below: list[RunFolder]


def runs(arguments: Sequence[str]) -> int:
    """Print a table of recent runs."""
    parser = Parser("python -m labs runs", description="Recent runs and how they ended.")
    parser.add_argument("--lab", help="only runs of this lab, and what was done with it")
    parser.add_argument("--of", metavar="RUN", help="the runs that belong to this one: a sweep's, say")
    parser.add_argument("--count", type=int, default=20, help="at most so many (default 20)")
    chosen = parser.parse_args(arguments)
    if chosen.count < 1:
        raise InputError(f"--count {chosen.count}: must be at least 1")
    stale.sweep()
    above = find(chosen.of) if chosen.of else None
    found = [each for each in _listed(above) if chosen.lab in (None, *_labs(each.record))]
    if not found:
        where = f"below {above.record['name']}" if above else f"in {home()}; start one: python -m labs.gan_mnist"
        print(f"no runs {where}")
        return 0
    _print_table([_row(each) for each in found[: chosen.count]])
    if len(found) > chosen.count:
        print(f"and {len(found) - chosen.count:,} older: --count {len(found)} shows all")
    return 0


def _listed(above: RunFolder | None) -> list[Listed]:
    """The runs below `above`, or those that stand alone or on top; the newest first."""
    known = [(run, run.record) for run in all_runs()]
    names = {run.path.name for run, _ in known}
    below: dict[str, list[RunFolder]] = defaultdict(list)
    for run, record in known:
        if record.get("parent") in names:
            below[record["parent"]].append(run)
    wanted = (
        {run.path.name for run in below[above.path.name]}
        if above
        else names.difference(run.path.name for children in below.values() for run in children)
    )
    return [Listed(run, record, below[run.path.name]) for run, record in known if run.path.name in wanted]


def _labs(record: Mapping[str, Any]) -> tuple[str, str]:
    """The lab of a run, and the one that it does something with."""
    return record["lab"], _subject(record)


def _subject(record: Mapping[str, Any]) -> str:
    """The lab that a run of the kit repeats, searches or compares."""
    config = record["config"]
    return Path(str(config.get("target") or config.get("lab") or "labs").removeprefix("labs.")).stem


def lab_shown(record: Mapping[str, Any]) -> str:
    """The lab of a run, in words where the run only does something with a lab: `seeds of mnist_classifier`."""
    for module, doing in DOINGS.items():
        if record["target"].startswith(module):
            return f"{doing} {_subject(record)}"
    return str(record["lab"])


def _print_table(rows: Sequence[Mapping[str, str]]) -> None:
    """One line a run on a terminal; a narrow one shows fewer columns."""
    from rich.table import Table

    terminal, console = sys.stdout.isatty(), open_console()
    table = Table(box=None, pad_edge=False)
    empty = {column for column in ("below",) if not any(row[column] for row in rows)}
    for column in rows[0]:
        if column not in empty and (console.width >= WIDE or column not in LEFT_OUT):
            longest = max(len(text) for text in (column, *(row[column] for row in rows)))
            least = None if column == "result" else min(longest, 20)
            table.add_column(column, min_width=least, no_wrap=terminal, overflow="ellipsis" if terminal else "fold")
    for row in rows:
        table.add_row(*(row[str(column.header)] for column in table.columns))
    console.print(table)


def _row(listed: Listed) -> dict[str, str]:
    record, config = listed.record, listed.record["config"]
    result = "  ".join(f"{name} {number(value)}" for name, value in list(record["summary"].items())[:2])
    return {
        "run": listed.run.path.name[:8],
        "name": record["name"],
        "lab": lab_shown(record),
        "preset": config["preset"],
        "seed": str(config["seed"] if config.get("seeds") is None else config["seeds"]),
        "started": datetime.fromisoformat(record["started"]).astimezone().strftime("%Y-%m-%d %H:%M"),
        "state": listed.run.state(),
        "below": _counted(listed.below),
        "step": f"{record['step']:,}" if "step" in record else "",
        "result": result or " ".join((record["error"] or "").split()),
    }


def _counted(below: Sequence[RunFolder]) -> str:
    """How many runs belong to one, and how many of them did not finish: `24 runs, 3 pruned`."""
    states = Counter(run.state() for run in below)
    unusual = [f"{count} {state}" for state, count in sorted(states.items()) if state != "finished"]
    return ", ".join([f"{len(below)} run{'s' * (len(below) != 1)}", *unusual]) if below else ""
