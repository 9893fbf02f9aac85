"""Runs whose end the store does not know: their process vanished, or the store was away.

Both are found by whoever looks next (a start, `runs`, `ui`), who uploads what is missing from the run's folder.
"""

from typing import TYPE_CHECKING, Any

from foundations.errors import InputError
from labs.kit.ends import STATUS, MachineError
from labs.kit.folder import RunFolder, all_runs

if TYPE_CHECKING:
    from labs.kit.tracking import Client


def sweep(client: "Client | None" = None) -> list[RunFolder]:
    """Mark every stale run, upload what the store lacks, and give the runs concerned.

    What cannot be written or uploaded now is left for the next sweep. Without `client`, the store is opened where it is
    needed.
    """
    found = [run for run in all_runs() if _is_unsettled(run.record) and not run.alive()]
    for run in found:
        try:
            run.open()  # nobody resumes it meanwhile
        except (InputError, OSError):  # somebody does already, or nothing can be written here
            continue
        try:
            _mark(run)
            _upload(run, client)
        except (MachineError, OSError) as trouble:
            print(f"note: {run.record['name']} is not uploaded yet: {trouble}", flush=True)
        finally:
            run.close()
    return found


def _is_unsettled(record: dict[str, Any]) -> bool:
    return record["ended"] is None or not record.get("uploaded", True)


def _mark(run: RunFolder) -> None:
    from labs.kit import report

    record = run.record
    if record["ended"] is None:
        run.update(ended="stale")
        (run.path / "report.html").write_text(report.page(run.path), encoding="utf-8")
        print(f"note: {record['name']} lost its process; to go on: python -m labs resume {run.path.name[:8]}")


def _upload(run: RunFolder, client: "Client | None") -> None:
    """Bring the store up to the run's folder. Raises: MachineError if it refuses."""
    from labs.kit import report, tracking

    record = run.record
    if record.get("uploaded", True) or record["store"] != tracking.store_name():
        return
    page = run.path / "report.html"
    if not page.exists():
        page.write_text(report.page(run.path), encoding="utf-8")
    client = client or tracking.open_store()
    tracker = tracking.Tracker(client, record["experiment"], record["id"], record["name"])
    tracker.folder(run.path)
    tracker.tags({"ended": record["ended"], "metrics_digest": record.get("digest", "")})
    taken = tracker.points(run.points())
    tracker.end(STATUS[record["ended"]])
    run.update(uploaded=taken)
