"""Several labs may begin at once where there is no `mlruns` yet."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labs.kit import tracking
from labs.kit.folder import all_runs

TOY = str(Path(__file__).parent / "toy_lab.py")


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_eight_processes_on_a_missing_home_make_eight_finished_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, TOY, "--steps", "200", "--pause", "0.002"]
    together = [
        subprocess.Popen(
            [*command, "--seed", str(seed)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for seed in range(8)
    ]
    errors = [process.communicate()[1].decode() for process in together]
    assert [process.returncode for process in together] == [0] * 8
    assert errors == [""] * 8
    assert sorted(run.record["config"]["seed"] for run in all_runs()) == [*range(8)]
    client = tracking.open_store()
    (experiment,) = [e for e in client.search_experiments() if e.name == "toy_lab"]
    stored = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in stored] == ["FINISHED"] * 8
    assert all("summary/distance" in run.data.metrics for run in stored)
