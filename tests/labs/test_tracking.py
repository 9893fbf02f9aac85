"""What MLflow is told, and that a store which is away stops nothing and misses nothing."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from labs.kit import tracking
from labs.kit.ends import MachineError
from labs.kit.folder import all_runs
from labs.kit.journal import read_points


def journal(run):
    return {(point.name, point.step): point.value for point in read_points(run.path / "journal.jsonl")}


def stored(client, run):
    names = {name for name, _ in journal(run)}
    history = [metric for name in names for metric in client.get_metric_history(run.path.name, name)]
    return {(metric.key, metric.step): metric.value for metric in history}


@pytest.fixture
def away(monkeypatch):
    """A switch that makes the store refuse everything."""

    class Switch:
        on = False
        loses_runs = False
        asked = 0

    def refusing(method):
        def call(*values, **named):
            if Switch.on:
                Switch.asked += 1
                raise MlflowException("no route to the store")
            return method(*values, **named)

        return call

    for name in ("log_batch", "log_artifact", "log_artifacts", "log_image", "set_terminated", "get_run"):
        monkeypatch.setattr(mlflow.MlflowClient, name, refusing(getattr(mlflow.MlflowClient, name)))
    return Switch


@pytest.fixture
def lose_store(away, monkeypatch):
    """Let the store go away once a run has begun."""
    from labs.kit.run import Run

    begin = Run._begin

    def begin_and_lose(run):
        begin(run)
        away.on = away.loses_runs

    away.loses_runs = True
    monkeypatch.setattr(Run, "_begin", begin_and_lose)
    return away


def test_every_setting_is_a_parameter(run_toy, store):
    run_toy(steps=7, seed=3)
    run = all_runs()[0]
    parameters = store.get_run(run.path.name).data.params
    assert parameters.keys() == run.record["config"].keys()
    assert (parameters["steps"], parameters["seed"]) == ("7", "3")


def test_tags_tell_what_a_run_depends_on(run_toy, store):
    run_toy(steps=5, tag=("course=dl2",))
    tags = store.get_run(all_runs()[0].path.name).data.tags
    expected = {"lab": "toy_lab", "seed": "0", "device": "cpu", "threads": "1", "course": "dl2", "preset": "quick"}
    assert expected.items() <= tags.items()
    assert {"torch", "mlflow", "host", "command", "metrics_digest"} <= tags.keys()


def test_every_point_of_the_journal_is_stored(run_toy, store):
    run_toy(steps=300)
    run = all_runs()[0]
    assert len(journal(run)) > 10
    assert stored(store, run) == journal(run)


def test_points_that_come_twice_are_stored_once(run_toy, store):
    run_toy(steps=50)
    run = all_runs()[0]
    tracker = tracking.Tracker(store, run.record["experiment"], run.path.name, "toy")
    assert tracker.points(read_points(run.path / "journal.jsonl"))
    history = store.get_metric_history(run.path.name, "loss/bowl")
    assert len(history) == len({metric.step for metric in history})


def test_a_store_that_goes_away_does_not_stop_the_training(run_toy, lose_store, capsys):
    assert run_toy(steps=300) == 0
    run = all_runs()[0]
    assert (run.state(), run.record["uploaded"]) == ("finished", False)
    assert (run.path / "report.html").exists()
    said = capsys.readouterr().out
    assert said.count("no route to the store") == 1
    assert "the next start uploads the rest" in said


def test_a_store_that_is_away_is_not_asked_at_every_picture(run_toy, lose_store):
    run_toy(steps=1000)  # twenty pictures
    assert lose_store.asked <= 5


@pytest.mark.parametrize("looker", ["runs", "start"])
def test_what_a_store_missed_is_uploaded_later(run_toy, lose_store, labs_command, store, looker):
    run_toy(steps=300)
    run = all_runs()[0]
    lose_store.on = lose_store.loses_runs = False
    assert (labs_command("runs") if looker == "runs" else run_toy(steps=5)) == 0
    assert run.record["uploaded"]
    assert stored(store, run) == journal(run)
    in_store = store.get_run(run.path.name)
    assert (in_store.info.status, in_store.data.tags["ended"]) == ("FINISHED", "finished")
    files = {file.path for file in store.list_artifacts(run.path.name)}
    assert {"report.html", "films", "tables"} <= files


def test_a_run_killed_after_its_end_gets_its_report_and_its_status_later(run_toy, labs_command, store):
    run_toy(steps=60)
    run = all_runs()[0]
    store.update_run(run.path.name, status="RUNNING")
    run.update(uploaded=False)
    (run.path / "report.html").unlink()
    assert labs_command("resume", "last") == 2
    assert (run.path / "report.html").exists()
    assert store.get_run(run.path.name).info.status == "FINISHED"


def test_a_store_that_is_back_at_the_end_gets_all_at_once(run_toy, monkeypatch, store):
    log_image = mlflow.MlflowClient.log_image
    answers = iter([False])

    def refuse_once(*values, **named):
        if not next(answers, True):
            raise MlflowException("just a moment")
        return log_image(*values, **named)

    monkeypatch.setattr(mlflow.MlflowClient, "log_image", refuse_once)
    assert run_toy(steps=60) == 0
    assert all_runs()[0].record["uploaded"]
    assert "report.html" in {file.path for file in store.list_artifacts(all_runs()[0].path.name)}


def test_a_run_of_another_store_does_not_hinder_a_new_one(run_toy, capsys):
    run_toy(steps=5)
    old = all_runs()[0]
    old.update(ended=None, uploaded=False, store="http://127.0.0.1:1")
    assert run_toy(steps=5) == 0
    assert old.record["ended"] == "stale"


def test_a_run_that_the_store_has_lost_does_not_hinder_a_new_one(run_toy, store):
    run_toy(steps=5)
    old = all_runs()[0]
    store.delete_run(old.path.name)
    old.update(ended=None, uploaded=False)
    assert run_toy(steps=5) == 0
    assert all_runs()[0].state() == "finished"


def test_a_store_that_is_away_from_the_start_is_the_machines_fault(run_toy, monkeypatch, capsys):
    monkeypatch.setattr(tracking, "GIVEN_STORE", "http://127.0.0.1:1")
    assert run_toy(steps=5) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: the tracking store http://127.0.0.1:1 does not answer")
    assert error.count("\n") == 1
    assert all_runs() == []


def test_a_record_does_not_hold_the_stores_password(monkeypatch):
    monkeypatch.setattr(tracking, "GIVEN_STORE", "https://user:secret@host.example:5000/path")
    assert tracking.store_name() == "https://host.example:5000/path"


def test_the_address_of_a_data_base_keeps_its_slashes(monkeypatch):
    monkeypatch.setattr(tracking, "GIVEN_STORE", "sqlite:////tmp/runs/mlflow.db")
    assert tracking.store_name() == "sqlite:////tmp/runs/mlflow.db"


def test_a_store_whose_driver_is_missing_is_told_how_to_get_it(place, monkeypatch):
    monkeypatch.setattr(tracking, "GIVEN_STORE", "postgresql+nodriver://me:secret@127.0.0.1:1/runs")

    def missing(*_):
        raise ModuleNotFoundError("No module named 'nodriver'")

    monkeypatch.setattr(tracking, "_connect", missing)
    with pytest.raises(MachineError, match="needs a driver") as told:
        tracking.open_store()
    assert "postgresql+psycopg2://" in str(told.value)
    assert "secret" not in str(told.value)


def test_an_experiment_says_what_its_lab_is(store):
    tags = store.get_experiment(tracking.experiment_id(store, "mnist_classifier")).tags
    assert tags["mlflow.note.content"].startswith("Classify handwritten digits")
    assert "mlflow.note.content" not in store.get_experiment(tracking.experiment_id(store, "mine")).tags


def test_links_open_the_training_view():
    assert tracking.training_view("3") == "#/experiments/3/runs?workflowType=machine_learning"
    assert tracking.training_view("3", "ab").startswith("#/experiments/3/runs/ab/model-metrics?workflowType=machine")


def test_a_process_that_a_run_starts_does_not_inherit_the_store(place):
    tracking.open_store()
    assert "MLFLOW_TRACKING_URI" not in os.environ


# A server -------------------------------------------------------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def server(tmp_path, wait_until):
    """Start and stop an MLflow server."""

    class Server:
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        process = None

        def start(self):
            folder = tmp_path / "server"
            folder.mkdir(exist_ok=True)
            places = [
                "--backend-store-uri",
                f"sqlite:///{folder}/mlflow.db",
                "--artifacts-destination",
                f"{folder}/files",
            ]
            where = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
            switches = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *places, *where],
                env={**os.environ, **switches},
                cwd=folder,
                stdout=(folder / "log.txt").open("ab"),
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            wait_until(self.answers, 120)

        def answers(self):
            with suppress(OSError), urllib.request.urlopen(f"{self.address}/health", timeout=2):
                return True

        def stop(self):
            if self.process:
                with suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    server = Server()
    yield server
    server.stop()


@pytest.mark.slow
def test_a_server_that_dies_in_the_middle_gets_the_rest_when_it_is_back(place, server, start, wait_until):
    server.start()
    client = mlflow.MlflowClient(server.address)
    process = start("--steps", "60", store=server.address)
    process.join(60)
    assert process.exitcode == 0
    whole = all_runs()[0]
    assert client.get_run(whole.path.name).info.status == "FINISHED"
    assert stored(client, whole) == journal(whole)
    assert "report.html" in {file.path for file in client.list_artifacts(whole.path.name)}

    process = start("--steps", "1500", "--pause", "0.005", store=server.address)
    wait_until(lambda: all_runs()[0].path != whole.path and len(journal(all_runs()[0])) > 20)
    server.stop()
    process.join(120)
    cut = all_runs()[0]
    assert process.exitcode == 0
    assert (cut.state(), cut.record["step"], cut.record["uploaded"]) == ("finished", 1500, False)

    server.start()
    process = start("runs", labs=True, store=server.address)
    process.join(60)
    assert process.exitcode == 0
    assert cut.record["uploaded"]
    assert client.get_run(cut.path.name).info.status == "FINISHED"
    assert stored(client, cut) == journal(cut)
    assert "report.html" in {file.path for file in client.list_artifacts(cut.path.name)}
