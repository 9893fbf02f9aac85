"""`python -m labs runs | resume | replay`: what can be done with runs that were."""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from foundations.errors import InputError
from labs.kit import config as settings
from labs.kit import stale
from labs.kit.folder import RunFolder, all_runs, find, home
from labs.kit.journal import read_points, repeatable
from labs.kit.lab import Lab, load
from labs.kit.origin import Origin
from labs.kit.parser import Parser

PIPE_WIDTH = 200
WIDE = 110
LEFT_OUT = ("lab", "preset", "seed", "step")
"""Columns that a terminal narrower than `WIDE` has no room for."""


def runs(arguments: Sequence[str]) -> int:
    """Print a table of recent runs."""
    parser = Parser("python -m labs runs", description="Recent runs and how they ended.")
    parser.add_argument("--lab", help="only runs of this lab")
    parser.add_argument("--count", type=int, default=20, help="at most so many (default 20)")
    chosen = parser.parse_args(arguments)
    if chosen.count < 1:
        raise InputError(f"--count {chosen.count}: must be at least 1")
    stale.sweep()
    found = [run for run in all_runs() if chosen.lab in (None, run.record["lab"])][: chosen.count]
    if not found:
        print(f"no runs in {home()}; start one: python -m labs.gan_mnist")
        return 0
    _print_table([_row(run) for run in found])
    return 0


def _print_table(rows: Sequence[Mapping[str, str]]) -> None:
    """One line a run on a terminal; a narrow one shows fewer columns."""
    from rich.console import Console
    from rich.table import Table

    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else PIPE_WIDTH, markup=False)
    table = Table(box=None, pad_edge=False)
    for column in rows[0]:
        if console.width >= WIDE or column not in LEFT_OUT:
            longest = max(len(text) for text in (column, *(row[column] for row in rows)))
            least = None if column == "result" else min(longest, 20)
            table.add_column(column, min_width=least, no_wrap=terminal, overflow="ellipsis" if terminal else "fold")
    for row in rows:
        table.add_row(*(row[str(column.header)] for column in table.columns))
    console.print(table)


def _row(run: RunFolder) -> dict[str, str]:
    record, config = run.record, run.record["config"]
    result = "  ".join(f"{name} {value:.4g}" for name, value in list(record["summary"].items())[:2])
    return {
        "run": run.path.name[:8],
        "name": record["name"],
        "lab": record["lab"],
        "preset": config["preset"],
        "seed": str(config["seed"]),
        "started": datetime.fromisoformat(record["started"]).astimezone().strftime("%Y-%m-%d %H:%M"),
        "state": run.state(),
        "step": f"{record['step']:,}" if "step" in record else "",
        "result": result or " ".join((record["error"] or "").split()),
    }


def resume(arguments: Sequence[str]) -> int:
    """Go on with a run that was stopped."""
    parser = Parser("python -m labs resume", description="Go on with a run from its last checkpoint.")
    parser.add_argument("run", help="id, beginning of an id, name, or last")
    run = find(parser.parse_args(arguments).run)
    state = run.state()
    if state == "finished":
        stale.sweep()  # it may have lost its process while it was being uploaded
        raise InputError(f"run {run.record['name']!r}: is finished; start a new one, or replay it")
    if state == "running":
        raise InputError(f"run {run.record['name']!r}: is still running; stop it first (Ctrl-C)")
    from labs.kit.launch import execute

    lab, config = _lab_and_config(run)
    return execute(lab, config, origin=Origin(resumes=run))


def replay(arguments: Sequence[str]) -> int:
    """Run a run again from its record, and say whether every metric came out identical."""
    parser = Parser("python -m labs replay", description="Run a run again and compare every metric.")
    parser.add_argument("run", help="id, beginning of an id, name, or last")
    original = find(parser.parse_args(arguments).run)
    if original.state() != "finished":
        raise InputError(f"run {original.record['name']!r}: is {original.state()}; only a finished run can be replayed")
    from labs.kit.launch import execute

    lab, config = _lab_and_config(original)
    status = execute(lab, config, origin=Origin(replays=original))
    if status:
        return status
    again = next(run for run in all_runs() if run.record["replay_of"] == original.path.name)
    return _compare(original, again)


def _lab_and_config(run: RunFolder) -> tuple[Lab, settings.Config]:
    """The lab of a run, set as the run was, on the device and the threads that it had."""
    record = run.record
    lab = load(record["target"])
    actual = {"device": record["environment"]["device"].partition(":")[0], "threads": record["environment"]["threads"]}
    return lab, settings.check(lab.config_type, {**record["config"], **actual}, source=f"record of {record['name']}: ")


def _compare(original: RunFolder, again: RunFolder) -> int:
    before, after = original.record, again.record
    if before["digest"] == after["digest"]:
        print(
            f"identical: all {before['values_seen']:,} metric values of {before['name']} came out the same, to the bit"
        )
        return 0
    old, new = _values(original), _values(again)
    differing = sorted((step, name) for name, step in old if new.get((name, step)) != old[name, step])
    print(f"different: {len(differing):,} of {len(old):,} recorded points of {before['name']} came out otherwise")
    if differing:
        step, name = differing[0]
        print(f"  first at step {step:,}: {name} was {old[name, step]!r}, is {new.get((name, step))!r}")
    elif added := sorted({name for name, _ in new} - {name for name, _ in old}):
        print(f"  new metrics: {', '.join(added)}")
    else:
        print("  only values between the recorded points differ")
    for what in _changes(before, after):
        print(f"  {what}")
    return 1


def _values(run: RunFolder) -> dict[tuple[str, int], float]:
    points = read_points(run.path / "journal.jsonl")
    return {(p.name, p.step): p.value for p in points if repeatable(p.name)}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What else is not as it was: code, versions, machine."""
    old = {**before["environment"], **before["git"]}
    new = {**after["environment"], **after["git"]}
    return [f"{key} was {old.get(key)}, is {new.get(key)}" for key in old if old.get(key) != new.get(key)]
