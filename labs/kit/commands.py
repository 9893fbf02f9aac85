"""`python -m labs resume | replay`: go on with a run that was stopped, or repeat one that finished."""

from collections.abc import Mapping, Sequence
from typing import Any

from foundations.errors import InputError
from labs.kit import config as settings
from labs.kit import stale
from labs.kit.folder import RunFolder, all_runs, find
from labs.kit.journal import repeatable
from labs.kit.lab import Lab, load
from labs.kit.origin import Origin
from labs.kit.parser import Parser


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
    return {(p.name, p.step): p.value for p in run.points() if repeatable(p.name)}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What else is not as it was: code, versions, machine."""
    old = {**before["environment"], **before["git"]}
    new = {**after["environment"], **after["git"]}
    return [f"{key} was {old.get(key)}, is {new.get(key)}" for key in old if old.get(key) != new.get(key)]
