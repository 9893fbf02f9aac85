"""Where a benchmark keeps what it measured: results/NAME.json, with the date, the machine and the versions."""

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def keep(name: str, packages: Sequence[str], **measured: Any) -> None:
    """Write what was `measured`, and the versions of the `packages` that it depends on."""
    machine = {
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    versions = {package: version(package) for package in packages}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    content = {"date": now, "machine": machine, "versions": versions, **measured}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
