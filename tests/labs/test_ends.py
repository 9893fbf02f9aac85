"""How runs end, and what the shell, the user, the folder and the store hear of it."""

import os
import signal

import pytest

from labs.kit import checkpoint
from labs.kit.ends import Interrupted, Interrupts
from labs.kit.folder import all_runs
from labs.kit.journal import read_points


def stored(store):
    """The newest run as MLflow has it."""
    (run,) = store.search_runs([e.experiment_id for e in store.search_experiments()], max_results=1)
    return run


def artifacts(store):
    return {file.path for file in store.list_artifacts(stored(store).info.run_id)}


def said(place):
    return (place / "said.txt").read_text()


@pytest.fixture
def begin(start, wait_until):
    """Start a long run, and give its process once it has trained a little."""

    def go(*words):
        process = start("--steps", "1000000", "--pause", "0.005", *words)
        wait_until(lambda: any(len(read_points(run.path / "journal.jsonl")) > 8 for run in all_runs()))
        return process

    return go


def test_a_finished_run_is_finished_everywhere(run_toy, store, capsys):
    assert run_toy(steps=60) == 0
    run = all_runs()[0]
    assert (run.state(), run.record["step"], run.record["uploaded"]) == ("finished", 60, True)
    assert stored(store).info.status == "FINISHED"
    assert stored(store).data.tags["ended"] == "finished"
    assert {"report.html", "config.yaml", "films", "tables", "images"} <= artifacts(store)
    assert "finished toy after" in capsys.readouterr().out


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_lets_the_step_finish_and_keeps_it(begin, place, store, number, name):
    process = begin()
    os.kill(process.pid, number)
    process.join(60)
    run = all_runs()[0]
    assert process.exitcode == 128 + number
    assert run.state() == "killed"
    assert checkpoint.load(run.path / "checkpoint-training.pt")["step"] == run.record["step"]
    assert stored(store).info.status == "KILLED"
    assert stored(store).data.tags["ended"] == "killed"
    assert "report.html" in artifacts(store)
    at = f"{run.record['step']:,}"
    last = (
        f"stopped by {name} at step {at}; checkpoint at step {at}; to go on: python -m labs resume {run.path.name[:8]}"
    )
    assert said(place).splitlines()[-1] == last
    assert "Traceback" not in said(place)


def test_a_signal_during_an_evaluation_lets_it_finish(begin, place, wait_until):
    process = begin("--evaluation-pause", "1.5")
    wait_until((place / "evaluating").exists)
    os.kill(process.pid, signal.SIGINT)
    process.join(60)
    run = all_runs()[0]
    assert process.exitcode == 130
    assert [point.step for point in run.points() if point.name == "eval/median"] == [100]
    assert checkpoint.load(run.path / "checkpoint-training.pt")["step"] == run.record["step"] == 100


def test_a_second_signal_ends_the_run_at_once(begin, place, wait_until):
    process = begin("--evaluation-pause", "1000")
    wait_until((place / "evaluating").exists)
    for times in (1, 2):
        os.kill(process.pid, signal.SIGINT)
        wait_until(lambda times=times: said(place).count("Ctrl-C") >= times)
    process.join(20)
    assert process.exitcode == 130
    assert all_runs()[0].state() == "killed"
    assert "Traceback" not in said(place)


def test_a_crash_is_failed_and_keeps_the_traceback(run_toy, store, capsys):
    with pytest.raises(RuntimeError, match="the lab broke, as asked"):
        run_toy(steps=60, crash_at=30, checkpoint_seconds=1e-6)
    run = all_runs()[0]
    assert run.state() == "failed"
    assert run.record["error"] == "the lab broke, as asked"
    assert stored(store).info.status == "FAILED"
    assert "traceback.txt" in artifacts(store)
    assert "RuntimeError: the lab broke, as asked" in (run.path / "traceback.txt").read_text()
    assert "checkpoint of step 29; to go on: python -m labs resume" in capsys.readouterr().err


def test_a_lab_that_exits_is_failed_and_keeps_its_status(run_toy, store):
    with pytest.raises(SystemExit) as caught:
        run_toy(steps=60, exit_at=30)
    assert caught.value.code == 7
    assert stored(store).info.status == "FAILED"


@pytest.mark.parametrize(
    ("where", "said"),
    [("nan_metric_at", "loss/bowl is nan at step 30"), ("nan_weight_at", "learner.hidden holds NaN at step 30")],
)
def test_a_nan_stops_the_run_and_the_last_good_checkpoint_stays(run_toy, store, capsys, where, said):
    assert run_toy(steps=60, checkpoint_seconds=1e-6, **{where: 30}) == 1
    run = all_runs()[0]
    state = checkpoint.load(run.path / "checkpoint-training.pt")
    assert (run.state(), state["step"]) == ("diverged", 29)
    assert state["learner"]["theta"].isfinite().all()
    assert stored(store).info.status == "FAILED"
    assert stored(store).data.tags["ended"] == "diverged"
    error = capsys.readouterr().err
    assert f"error: diverged: {said}" in error
    assert "the last good checkpoint, of step 29" in error


def test_a_nan_before_any_checkpoint_says_that_there_is_none(run_toy, capsys):
    assert run_toy(steps=60, checkpoint_seconds=1000.0, nan_metric_at=3) == 1
    assert "there is no checkpoint before it" in capsys.readouterr().err


def test_an_early_stop_is_finished(run_toy, store):
    assert run_toy(steps=1000, stop_below=0.5) == 0
    assert all_runs()[0].record["step"] < 100
    assert stored(store).info.status == "FINISHED"


@pytest.mark.parametrize("looker", ["runs", "start"])
def test_a_run_that_lost_its_process_is_found_and_marked(begin, run_toy, labs_command, store, capsys, looker):
    process = begin()
    process.kill()
    process.join()
    run = all_runs()[0]
    assert stored(store).info.status == "RUNNING"
    assert run.state() == "stale"
    assert (labs_command("runs") if looker == "runs" else run_toy(steps=5)) == 0
    assert f"to go on: python -m labs resume {run.path.name[:8]}" in capsys.readouterr().out
    in_store = store.get_run(run.path.name)
    assert in_store.info.status == "KILLED"
    assert in_store.data.tags["ended"] == "stale"
    assert run.record["ended"] == "stale"


def test_a_run_that_lives_is_not_marked(begin, labs_command, store):
    begin()
    assert labs_command("runs") == 0
    assert all_runs()[0].state() == "running"
    assert stored(store).info.status == "RUNNING"


def test_bad_input_before_the_first_step_leaves_nothing_behind(run_toy, place, capsys):
    assert run_toy(steps=0) == 2
    assert capsys.readouterr().err.startswith("error: steps=0: must be at least 1")
    assert all_runs() == []


def test_a_signal_waits_while_deferred_and_strikes_otherwise():
    interrupts = Interrupts()
    with interrupts.handled():
        with interrupts.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            assert interrupts.pending == signal.SIGTERM
            with pytest.raises(Interrupted):
                os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGINT)


def test_signals_are_given_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interrupts().handled():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
