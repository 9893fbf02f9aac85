"""What a process of the tests does: it is a lab, or a `labs` command, in a working directory."""

import os
import runpy
import sys
from pathlib import Path


def live(folder: str, script: str | None, words: list[str], store: str | None) -> None:
    """Be `python SCRIPT WORDS`, or `python -m labs WORDS`, in `folder`; output is added to `said.txt` there."""
    os.chdir(folder)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    if store:
        os.environ["MLFLOW_TRACKING_URI"] = store
    said = os.open(Path("said.txt"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(said, 1)
    os.dup2(said, 2)
    if script:
        sys.argv = [script, *words]
        runpy.run_path(script, run_name="__main__")
        return
    from labs.__main__ import main

    sys.exit(main(words))
