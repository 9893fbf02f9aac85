"""The labs as a user calls them: in a process of their own, in a folder of their own, read as they print."""

import os
import subprocess
import sys
from pathlib import Path

import labs

ROOT = Path(labs.__file__).parent.parent


def environment(**changes: str) -> dict[str, str]:
    """This process's environment, without what would lead a test to the user's data, store or network."""
    names = ("LABS_DATA_DIR", "LABS_CACHE_DIR", "MLFLOW_TRACKING_URI", "MLFLOW_LOGGING_LEVEL", "COLUMNS")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**clean, "PYTHONPATH": path, "LABS_OFFLINE": "1", "OMP_NUM_THREADS": "1", **changes}


def python(*words: str, folder: Path, before: tuple[str, ...] = (), **changes: str) -> subprocess.CompletedProcess[str]:
    """Call `python WORDS` in `folder`, as a user would."""
    command = [*before, sys.executable, *words]
    return subprocess.run(
        command, cwd=folder, env=environment(**changes), capture_output=True, text=True, timeout=120, check=False
    )


def assert_one_line(printed: str, *said: str) -> None:
    """`printed` is one error line that says all of `said`."""
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
    for part in said:
        assert part in printed


def contents(folder: Path) -> dict[str, bytes]:
    """All files of `folder`, by path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
