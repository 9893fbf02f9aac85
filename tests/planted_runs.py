"""Records and journals of runs that never ran, for tests of what reads them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

STARTED = "2026-01-01T00:00:{:06.3f}+00:00"


def plant(
    place: Path,
    *,
    summary: Mapping[str, float] | None = None,
    curves: Mapping[str, Sequence[tuple[int, float]]] | None = None,
    seed: int = 0,
    lab: str = "toy_lab",
    parent: str | None = None,
    ended: str = "finished",
    commit: str = "",
    data: str = "",
    **settings: Any,
) -> str:
    """A run's folder below `place`; gives its id. Those planted later started later."""
    runs = place / "mlruns" / "runs"
    number = len(list(runs.glob("planted*")))
    identity = f"planted{number:025d}"
    config = {"preset": "quick", "seed": seed, "run_name": None, "tag": [], **settings}
    record = {
        "id": identity,
        "name": f"run-{number}",
        "lab": lab,
        "target": f"labs.{lab}",
        "started": STARTED.format(number / 1000),
        "config": config,
        "summary": dict(summary or {}),
        "parent": parent,
        "ended": ended,
        "data": {"digits": {"fingerprint": data}} if data else {},
        "git": {"git_commit": commit, "git_dirty": "false"} if commit else {},
        "environment": {"torch": "2.13.0", "device": "cpu"},
        "notes": [],
        "error": None,
        "uploaded": True,
        "replay_of": None,
    }
    folder = runs / identity
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps(record))
    points = [[name, value, step, 0] for name, each in (curves or {}).items() for step, value in each]
    (folder / "journal.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
    return identity
