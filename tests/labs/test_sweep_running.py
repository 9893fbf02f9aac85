"""Whole sweeps, with workers that are processes: what they find, how they end, and how they go on."""

import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import yaml

from labs.kit.folder import RunFolder, all_runs, find
from labs.kit.lab import load
from labs.kit.sweeps import command, figures, workers

TOY = str(Path(__file__).parent / "sweep_lab.py")
RATES = "learning_rate=log(1e-3,1)"


@pytest.fixture
def sweep(place, processes, monkeypatch):
    """`python -m labs sweep TOY WORDS` in this process, its workers forked from one that has imported what is slow.

    Its figures are left out: they take longer than the trials.
    """
    monkeypatch.setattr(workers, "context", lambda: processes)
    monkeypatch.setattr(workers, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(figures, "all_of", lambda *_: [])
    return lambda *words: labs_sweep(TOY, *words)


def labs_sweep(*words: str) -> int:
    from labs.__main__ import main

    return main(["sweep", *words])


@pytest.fixture(scope="module")
def swept(tmp_path_factory, empty_store, processes):
    """A sweep of four trials on two workers: its folder, its own run, its trials' runs, and what it said."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "mlruns" / "runs").mkdir(parents=True)
    shutil.copy(empty_store, folder / "mlruns" / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch, (folder / "said.txt").open("w") as said:
        patch.chdir(folder)
        patch.setattr(sys, "stdout", said)
        patch.setattr(workers, "context", lambda: processes)
        words = ["--space", RATES, "way=[plain,momentum]", "--metric", "distance", "--trials", "4", "--workers", "2"]
        assert labs_sweep(TOY, *words, "--study", "four", "--", "--preset", "smoke", "--tag", "course=dl") == 0
        parent = find("sweep-four")
        children = [run for run in all_runs() if run.record["parent"] == parent.path.name]
        yield folder, parent, children
    os.environ.pop("MLFLOW_TRACKING_URI", None)


def parent_of(study: str) -> RunFolder:
    (parent,) = [run for run in all_runs() if run.record["lab"] == "sweep" and run.record["config"]["study"] == study]
    return parent


def trials_of(parent: RunFolder) -> list[dict]:
    table = json.loads((parent.path / "tables" / "trials.json").read_text())
    return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]


@pytest.mark.slow
def test_a_sweep_has_a_finished_child_run_for_each_trial(swept):
    _, parent, children = swept
    assert parent.state() == "finished"
    assert sorted(run.record["name"] for run in children) == [f"four-{number}" for number in range(1, 5)]
    assert {run.state() for run in children} == {"finished"}


@pytest.mark.slow
def test_the_trials_have_the_settings_of_the_lab_and_those_that_were_chosen(swept):
    _, _, children = swept
    assert {run.record["config"]["steps"] for run in children} == {3}
    assert {run.record["environment"]["threads"] for run in children} == {"1"}
    assert len({run.record["config"]["learning_rate"] for run in children}) == 4


@pytest.mark.slow
def test_the_best_trial_is_the_one_with_the_least_metric(swept):
    _, parent, children = swept
    least = min(run.record["summary"]["distance"] for run in children)
    assert parent.record["summary"]["distance"] == pytest.approx(least)
    assert float(trials_of(parent)[0]["distance"]) == pytest.approx(least, rel=1e-4)


@pytest.mark.slow
def test_the_best_settings_are_a_file_that_the_lab_takes(swept):
    from labs.kit.config import parse

    _, parent, children = swept
    best = min(children, key=lambda run: run.record["summary"]["distance"])
    file = parent.path / "files" / "best.yaml"
    config = parse(load(TOY).config_type, ["--config", str(file)], program="lab", about="")
    assert config.learning_rate == best.record["config"]["learning_rate"]
    assert (config.way, config.preset, config.threads) == (best.record["config"]["way"], "smoke", 0)
    assert "tag" not in yaml.safe_load(file.read_text())


@pytest.mark.slow
def test_the_sweep_shows_its_figures_and_its_page(swept):
    _, parent, _ = swept
    names = {file.stem for file in (parent.path / "figures").glob("*.png")}
    assert names == {"history", "importance", "parallel_coordinates", "slices"}
    page = (parent.path / "report.html").read_text()
    assert "Sweep of sweep_lab: learning_rate, way for the least distance" in page


@pytest.mark.slow
def test_each_trial_is_a_line_on_the_console(swept):
    folder, _, _ = swept
    lines = [line for line in (folder / "said.txt").read_text().splitlines() if line.startswith("trial ")]
    assert len(lines) == 4
    assert all("of 4: learning_rate 0." in line and "-> distance" in line and "(best" in line for line in lines)


@pytest.mark.slow
def test_parent_and_trials_stand_together_in_the_labs_experiment(swept):
    from labs.kit import tracking

    _, parent, children = swept
    client = tracking.open_store()
    experiment = client.get_experiment_by_name("sweep_lab").experiment_id
    runs = client.search_runs([experiment])
    tags = [run.data.tags.get("mlflow.parentRunId") for run in runs]
    assert sorted(tags, key=str) == sorted([None, *[parent.path.name] * len(children)], key=str)


@pytest.mark.slow
def test_who_joins_a_sweep_needs_its_name_alone_and_shares_its_trials(swept, monkeypatch, processes, capsys):
    monkeypatch.setattr(workers, "context", lambda: processes)
    _, first, _ = swept
    assert labs_sweep("--study", "four", "--trials", "5") == 0
    second = find("last") if find("last").record["lab"] == "sweep" else find(find("last").record["parent"])
    assert second.path != first.path
    added = [run for run in all_runs() if run.record["parent"] == second.path.name]
    assert sorted(run.record["name"] for run in added) == ["four-5"]
    assert len(trials_of(second)) == 5
    assert "5 trials, 4 of them ended before" in capsys.readouterr().out


@pytest.mark.slow
def test_a_killed_worker_costs_no_trial(sweep, place):
    """Its trial goes on from the last checkpoint, on a new worker."""
    words = ["--space", RATES, "--metric", "distance", "--trials", "3", "--study", "kill", "--sampler", "random"]
    assert sweep(*words, "--", "--kill-at", "4", "--checkpoint-seconds", "0.000001") == 0
    assert (place / "killed").exists()
    parent = parent_of("kill")
    assert [trial["ended"] for trial in trials_of(parent)] == ["finished"] * 3
    resumed = [run for run in all_runs() if run.record.get("resumed")]
    assert [run.record["parent"] for run in resumed] == [parent.path.name]
    rate = resumed[0].record["config"]["learning_rate"]
    assert resumed[0].record["summary"]["distance"] == pytest.approx((1 - rate) ** 10)


@pytest.mark.slow
def test_an_unknown_metric_ends_the_sweep_after_the_first_trial(sweep, capsys):
    assert sweep("--space", RATES, "--metric", "distanse", "--trials", "9", "--", "--steps", "2") == 2
    assert "did you mean 'distance'?" in capsys.readouterr().err
    assert sum(run.record["lab"] == "sweep_lab" for run in all_runs()) == 1


@pytest.mark.slow
def test_ctrl_c_stops_a_sweep_and_its_name_is_enough_to_go_on_with_every_trial(sweep, place, capfd):
    def interrupt() -> None:
        while "-> distance" not in told():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    said: list[str] = []

    def told() -> str:
        said.append("".join(capfd.readouterr()))
        return "".join(said)

    words = ["--space", RATES, "--metric", "distance", "--trials", "3", "--study", "stop", "--sampler", "random"]
    thread = threading.Thread(target=interrupt)
    thread.start()
    status = sweep(*words, "--", "--pause", "0.1", "--steps", "20")
    thread.join()
    assert status == 130
    assert "to go on: python -m labs resume" in told()
    parent = parent_of("stop")
    assert parent.state() == "killed"
    assert labs_sweep("--study", "stop") == 0
    assert parent.state() == "finished"
    assert [trial["ended"] for trial in trials_of(parent)] == ["finished"] * 3
    assert sum(run.record["lab"] == "sweep_lab" for run in all_runs()) == 3


@pytest.mark.slow
def test_a_killed_sweep_leaves_no_worker_and_is_resumed_without_losing_a_trial(start, labs_command, sweep, wait_until):
    words = ["--space", RATES, "--metric", "distance", "--trials", "3", "--study", "dead", "--sampler", "random"]
    flags = ["--", "--pause", "0.1", "--steps", "20"]
    process = start("sweep", TOY, *words, *flags, labs=True)
    said = Path("said.txt")
    wait_until(lambda: said.exists() and "-> distance" in said.read_text())
    workers_before = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    wait_until(lambda: not any(_works(child) for child in workers_before))
    finished = {run.path.name for run in all_runs() if run.record["ended"] == "finished"}
    parent = parent_of("dead")
    assert labs_command("resume", parent.path.name) == 0
    assert [trial["ended"] for trial in trials_of(parent)] == ["finished"] * 3
    assert set() < finished < {run.path.name for run in all_runs() if run.record["ended"] == "finished"}
    assert sum(run.record["lab"] == "sweep_lab" for run in all_runs()) == 3


def _works(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "resource_tracker" not in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "lab: must be given"),
        (["mnist_clasifier"], "did you mean 'mnist_classifier'?"),
        ([TOY], "--space="),
        ([TOY, "--space", RATES], "--metric="),
        ([TOY, "--space", "learning_rat=log(1e-3,1)", "--metric", "distance"], "did you mean 'learning_rate'?"),
        ([TOY, "--space", "steps=log(1,9)", "--metric", "distance"], "does not fit the setting"),
        ([TOY, "--space", RATES, "--metric", "distance", "--sampler", "tpee"], "--sampler"),
        ([TOY, "--space", RATES, "--metric", "distance", "--trials", "0"], "--trials=0: must be at least 1"),
        ([TOY, "--space", RATES, "--metric", "distance", "--workers", "0"], "--workers=0: must be at least 1"),
        ([TOY, "--space", RATES, "--metric", "distance", "--preset", "smoke"], "the lab's own come behind --"),
        ([TOY, "--space", RATES, "--metric", "distance", "--", "--step", "3"], "--step"),
        ([TOY, "--space", RATES, "--metric", "distance", "--", "--seeds", "0-3"], "left out in a sweep"),
        ([TOY, "--space", RATES, "--metric", "distance", "--study", "a/b"], "--study='a/b'"),
        (["--study", "none"], "--study none: is not there"),
        ([TOY, "--space", RATES, "--metric", "distance", "--store", "postgressql://db/x"], "did you mean 'postgresql'"),
        ([TOY, "--space", RATES, "--metric", "d", "--sampler", "cmaes"], "at least two settings with ranges"),
        ([TOY, "--space", RATES, "dropout=(0,1)", "--metric", "d", "--sampler", "grid", "--trials", "2"], "at least 4"),
    ],
)
def test_bad_words_are_refused_in_one_line_and_leave_nothing(place, capsys, words, said):
    assert labs_sweep(*words) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
    assert all_runs() == []
    assert not (place / "mlruns" / "sweeps").exists()


def test_a_store_that_does_not_answer_ends_with_one_line_and_leaves_nothing(place, capsys):
    store = "postgresql://me:secret@127.0.0.1:1/x"
    assert labs_sweep(TOY, "--space", RATES, "--metric", "distance", "--store", store) == 1
    printed = capsys.readouterr().err
    assert "does not answer" in printed
    assert "secret" not in printed
    assert printed.count("\n") == 1
    assert all_runs() == []


def test_the_password_of_the_store_is_in_no_record(place):
    chosen = command._parse([TOY, "--space", RATES, "--metric", "d", "--store", "postgresql://me:secret@db/x"])
    assert command._kept_store(chosen.store) == "postgresql://me@db/x"
    words = ["--store", "postgresql://me:secret@db/x", "--store=postgresql://me:secret@db/x", "--space", RATES]
    assert "secret" not in str(command._without_password(words))


@pytest.mark.parametrize(("metric", "direction"), [("distance", "min"), ("test/accuracy", "max")])
def test_which_end_of_the_metric_is_better_goes_by_its_name_unless_it_is_said(place, metric, direction):
    chosen = command._parse([TOY, "--space", RATES, "--metric", metric])
    assert command._config(chosen, None)[1].direction == direction
    chosen = command._parse([TOY, "--space", RATES, "--metric", metric, "--direction", "max"])
    assert command._config(chosen, None)[1].direction == "max"


def test_a_study_of_another_lab_is_refused(place, capsys, monkeypatch):
    from labs.kit.sweeps import study

    monkeypatch.setattr(study, "facts", lambda store, name: {"lab": "gan_mnist", "target": "labs.gan_mnist"})
    assert labs_sweep(TOY, "--space", RATES, "--metric", "distance", "--study", "mine") == 2
    assert "--study mine: is of the lab gan_mnist, not of sweep_lab" in capsys.readouterr().err
