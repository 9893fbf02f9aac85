"""An MLflow server with PostgreSQL and a folder of artifacts, as `docs/scale/server.md` sets it up."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pytest
from as_user import python

from labs.kit.folder import RunFolder
from labs.kit.journal import read_points

KEEPING = Path(__file__).parent / "keeping_lab.py"
NOBODY = "nobody"
"""PostgreSQL refuses to run as root: it then runs as this user."""
SWITCHES = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
needs_postgresql = pytest.mark.skipif(
    not (shutil.which("postgres") and shutil.which("initdb")), reason="needs the programs `postgres` and `initdb`"
)
pytestmark = [pytest.mark.slow, needs_postgresql]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def as_nobody() -> list[str]:
    """What to put before a command that may not run as root."""
    if os.getuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("needs `setpriv`, to run PostgreSQL as root")
    return ["setpriv", f"--reuid={NOBODY}", "--regid=nogroup", "--clear-groups"]


def stop(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    process.wait(30)


@pytest.fixture(scope="module")
def data_base() -> Iterator[str]:
    """The address of an empty data base, in a PostgreSQL of its own."""
    psycopg2 = pytest.importorskip("psycopg2")
    before, port = as_nobody(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="labs-postgresql-"))  # not pytest's own: only its user may enter that
    (folder / "password").write_text("secret")
    if before:
        shutil.chown(folder, NOBODY)
        shutil.chown(folder / "password", NOBODY)
    made = ["--username=labs", f"--pwfile={folder}/password", "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8"]
    subprocess.run([*before, "initdb", "-D", f"{folder}/data", *made], check=True, capture_output=True, cwd=folder)
    places = ["-D", f"{folder}/data", "-k", str(folder), "-h", "127.0.0.1", "-p", str(port), "-F"]
    with (folder / "log.txt").open("wb") as log:
        server = subprocess.Popen(
            [*before, "postgres", *places], cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        address = f"labs:secret@127.0.0.1:{port}"
        until = time.monotonic() + 60
        while True:
            try:
                connection = psycopg2.connect(f"postgresql://{address}/postgres")
                break
            except psycopg2.OperationalError:
                assert time.monotonic() < until, (folder / "log.txt").read_text()
                time.sleep(0.1)
        connection.autocommit = True
        connection.cursor().execute("CREATE DATABASE mlflow")
        connection.close()
        yield f"postgresql+psycopg2://{address}/mlflow"
    finally:
        stop(server, signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def server(data_base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """An MLflow server on it."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    places = ["--backend-store-uri", data_base, "--artifacts-destination", f"{folder}/artifacts"]
    where = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *places, *where],
            env={**os.environ, **SWITCHES},
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    address, until = f"http://127.0.0.1:{port}", time.monotonic() + 180
    try:
        while True:
            with suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=2):
                break
            given_up = process.poll() is not None or time.monotonic() > until
            assert not given_up, (folder / "log.txt").read_text()
            time.sleep(0.2)
        yield SimpleNamespace(address=address, artifacts=folder / "artifacts")
    finally:
        stop(process, signal.SIGKILL)


@pytest.fixture(scope="module")
def run(server: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that kept a model, in a directory that knows the server's address alone."""
    place = tmp_path_factory.mktemp("work")
    ended = python(str(KEEPING), "--score", "0.75", folder=place, MLFLOW_TRACKING_URI=server.address)
    assert ended.returncode == 0, ended.stderr
    (folder,) = (place / "mlruns" / "runs").iterdir()
    return RunFolder(folder)


@pytest.fixture
def client(server: SimpleNamespace) -> Iterator[mlflow.MlflowClient]:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(server.address)
    yield mlflow.MlflowClient(server.address)
    mlflow.set_tracking_uri(before)
    os.environ.pop("MLFLOW_TRACKING_URI", None)


def test_the_server_has_the_run_its_settings_and_its_figures(run, client):
    found = client.get_run(run.path.name)
    assert (found.info.status, found.data.params["score"]) == ("FINISHED", "0.75")
    points = {(point.name, point.value) for point in read_points(run.path / "journal.jsonl")}
    assert {(name, value) for name, value in found.data.metrics.items() if not name.startswith("system/")} == points


def test_the_files_lie_with_the_server_and_the_working_directory_has_no_data_base(run, client, server):
    assert {"config.yaml", "report.html", "weights"} <= {file.path for file in client.list_artifacts(run.path.name)}
    assert list(server.artifacts.rglob("report.html"))
    assert sorted(path.name for path in run.path.parents[1].glob("mlflow.db")) == []


def test_the_registered_model_is_loaded_by_its_alias_from_the_server(run, client):
    assert client.get_model_version_by_alias("keeping_lab", "best").run_id == run.path.name
    module = mlflow.pytorch.load_model("models:/keeping_lab@best")
    assert module.bias.item() == 0.75


def test_a_machine_without_runs_is_told_the_best_of_the_server(run, server, client, tmp_path):
    client.copy_model_version("models:/keeping_lab@best", "mnist_classifier")
    client.set_registered_model_alias("mnist_classifier", "best", "1")
    words = ("-m", "labs", "best", "mnist_classifier")
    ended = python(*words, folder=tmp_path, MLFLOW_TRACKING_URI=server.address)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "no finished run of mnist_classifier here" in ended.stdout
    assert "models:/mnist_classifier@best is of a run that is not here: score 0.75" in ended.stdout


def test_the_dashboard_of_a_server_is_a_link_to_it(run, server):
    place = run.path.parents[2]
    ended = python("-m", "labs", "ui", "--no-browser", folder=place, MLFLOW_TRACKING_URI=server.address)
    experiment = f"{server.address}/#/experiments/{run.record['experiment']}/runs?workflowType=machine_learning"
    assert ended.stdout.startswith(f"dashboard: {experiment}")
