"""Runs whose process vanished: found by their silence, their journal uploaded, marked so that nobody waits for them."""

from typing import TYPE_CHECKING

from labs.kit.folder import RunFolder, all_runs
from labs.kit.journal import read_points

if TYPE_CHECKING:
    from mlflow import MlflowClient


def sweep(client: "MlflowClient") -> list[RunFolder]:
    """Mark every stale run, and give them."""
    found = [run for run in all_runs() if run.record["ended"] is None and run.state() == "stale"]
    for run in found:
        _mark(run, client)
    return found


def _mark(run: RunFolder, client: "MlflowClient") -> None:
    from foundations.errors import InputError
    from labs.kit.tracking import Tracker

    try:
        run.open()  # nobody resumes it meanwhile
    except InputError:
        return
    try:
        record = run.record
        if record["ended"] is None:
            tracker = Tracker(client, record["experiment"], record["id"], record["name"])
            tracker.points(read_points(run.path / "journal.jsonl"))
            tracker.tags({"ended": "stale"})
            tracker.end("KILLED")
            run.update(ended="stale")
            print(f"note: {record['name']} lost its process; to go on: python -m labs resume {run.path.name[:8]}")
    finally:
        run.close()
