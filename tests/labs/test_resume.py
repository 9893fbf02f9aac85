"""A run that was killed and resumed is, to the bit, the run that never stopped; and it lost no acknowledged point."""

import os
import random
import signal
from pathlib import Path

import pytest
import torch

from foundations.errors import InputError
from labs.kit import checkpoint
from labs.kit.folder import RunFolder, all_runs, find
from labs.kit.journal import read_points

TOY = Path(__file__).parent / "toy_lab.py"
SETTINGS = {"steps": 1500, "warm_up": 200, "pause": 0.002, "seed": 5}
FLAGS = [word for name, value in SETTINGS.items() for word in (f"--{name.replace('_', '-')}", str(value))]
OF_THE_MACHINE = ("speed/", "system/")


def acknowledged(run: RunFolder) -> bytes:
    """The whole lines of the journal."""
    content = (run.path / "journal.jsonl").read_bytes() if (run.path / "journal.jsonl").exists() else b""
    return content[: content.rfind(b"\n") + 1]


def values(run: RunFolder) -> dict:
    points = read_points(run.path / "journal.jsonl")
    return {(p.name, p.step): p.value for p in points if not p.name.startswith(OF_THE_MACHINE)}


def stored_values(store, run: RunFolder) -> dict:
    names = {point.name for point in read_points(run.path / "journal.jsonl")}
    history = [metric for name in names for metric in store.get_metric_history(run.path.name, name)]
    assert len(history) == len({(m.key, m.step) for m in history}), "a point is stored twice"
    return {(m.key, m.step): m.value for m in history}


def assert_same_run(one: RunFolder, other: RunFolder) -> None:
    for key in ("digest", "values_seen", "summary", "step", "ended"):
        assert one.record[key] == other.record[key], key
    for phase in ("training", "warm_up"):
        left, right = (checkpoint.load(run.path / f"checkpoint-{phase}.pt") for run in (one, other))
        assert left["learner"].keys() == right["learner"].keys()
        assert all(
            torch.equal(torch.as_tensor(left["learner"][k]), torch.as_tensor(v)) for k, v in right["learner"].items()
        )
        assert left["recorder"]["digest"] == right["recorder"]["digest"]
        for kind in ("smallest", "largest", "last"):
            assert [point[:3] for point in left["recorder"][kind]] == [point[:3] for point in right["recorder"][kind]]
    first, second = values(one), values(other)
    assert {pair: second[pair] for pair in first.keys() & second.keys()} == {
        pair: first[pair] for pair in first.keys() & second.keys()
    }


def assert_all_is_stored(store, run: RunFolder) -> None:
    in_store = stored_values(store, run)
    points = read_points(run.path / "journal.jsonl")
    assert {(p.name, p.step): p.value for p in points} == in_store


@pytest.fixture
def whole(run_toy):
    """The run that nobody interrupts."""

    def make(**settings):
        assert run_toy(**{**SETTINGS, "pause": 0.0, **settings}) == 0
        return all_runs()[0]

    return make


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_twenty_kills_at_random_moments_change_nothing_and_lose_nothing(start, whole, store):
    reference = whole()
    moments, kills, finished = random.Random(0), 0, 0
    run, before = None, b""
    while kills < 20 or run is not None:
        done = run is not None and run.record["ended"] == "finished"  # killed after its end, before all was uploaded
        words = ["runs"] if done else ["resume", run.path.name] if run else FLAGS
        process = start(*words, labs=run is not None)
        process.join(moments.uniform(0.3, 2.5) if kills < 20 else 120)
        if process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
        else:
            assert process.exitcode == 0
        begun = [each for each in all_runs() if each.path != reference.path and not each.record["uploaded"]]
        if process.exitcode == 0:
            finished += 1
            assert_same_run(run or all_runs()[0], reference)
            assert_all_is_stored(store, run or all_runs()[0])
            run, before = None, b""
        elif begun:
            run = begun[0]
            assert acknowledged(run).startswith(before)
            before = acknowledged(run)
    assert finished >= 2
    runs = store.search_runs([e.experiment_id for e in store.search_experiments()])
    assert {each.info.status for each in runs} == {"FINISHED"}


@pytest.fixture
def stop_once(start, wait_until):
    """Start the run, and end it with a signal once it has a checkpoint of that phase; gives it."""

    def stop(phase, number):
        process = start(*FLAGS)
        wait_until(lambda: all_runs() and (all_runs()[0].path / f"checkpoint-{phase}.pt").exists())
        os.kill(process.pid, number)
        process.join(60)
        return find("last")

    return stop


def test_a_killed_run_goes_on_behind_its_checkpoint_and_equals_the_whole(stop_once, whole, labs_command, store):
    run = stop_once("training", signal.SIGKILL)
    lines = acknowledged(run)
    assert labs_command("resume", run.path.name[:8]) == 0
    assert (run.record["resumed"], run.state()) == (1, "finished")
    assert acknowledged(run).startswith(lines)
    assert_all_is_stored(store, run)
    assert_same_run(run, whole())


@pytest.mark.parametrize("phase", ["warm_up", "training"])
def test_a_run_stopped_by_a_signal_equals_the_whole_when_resumed(stop_once, whole, labs_command, phase):
    run = stop_once(phase, signal.SIGTERM)
    assert run.state() == "killed"
    assert labs_command("resume", "last") == 0
    assert_same_run(run, whole())


def test_a_crashed_run_equals_the_whole_when_its_lab_is_mended(run_toy, whole, labs_command, place):
    reference = whole(steps=100)
    with pytest.raises(RuntimeError):
        run_toy(**{**SETTINGS, "pause": 0.0, "steps": 100, "crash_at": 60, "checkpoint_seconds": 1e-6})
    (place / "mended").touch()
    assert labs_command("resume", "last") == 0
    assert_same_run(find("last"), reference)


def test_a_run_without_a_checkpoint_begins_again_when_resumed(run_toy, whole, labs_command, place):
    reference = whole(steps=100)
    with pytest.raises(RuntimeError):
        run_toy(**{**SETTINGS, "pause": 0.0, "steps": 100, "crash_at": 60, "checkpoint_seconds": 1000.0})
    (find("last").path / "checkpoint-warm_up.pt").unlink()
    (place / "mended").touch()
    assert labs_command("resume", "last") == 0
    assert_same_run(find("last"), reference)


def test_a_resumed_run_keeps_the_command_that_began_it(start, wait_until, labs_command, store):
    process = start("--steps", "100000", "--pause", "0.001", "--tag", "course=dl2")
    wait_until(lambda: all_runs() and (all_runs()[0].path / "checkpoint-training.pt").exists())
    os.kill(process.pid, signal.SIGINT)
    process.join(60)
    command = store.get_run(find("last").path.name).data.tags["command"]
    resumed = start("resume", "last", labs=True)
    wait_until(lambda: all_runs()[0].record.get("resumed") == 1)
    os.kill(resumed.pid, signal.SIGINT)
    resumed.join(60)
    assert "--steps 100000 --pause 0.001 --tag course=dl2" in command
    assert store.get_run(find("last").path.name).data.tags["command"] == command
    assert find("last").record["command"] == command


def test_pictures_are_stored_once_though_their_steps_pass_twice(run_toy, labs_command, place, store):
    with pytest.raises(RuntimeError):
        run_toy(steps=100, crash_at=60, checkpoint_seconds=1000.0)
    (place / "mended").touch()
    assert labs_command("resume", "last") == 0
    files = [file.path for file in store.list_artifacts(find("last").path.name, "images")]
    assert len([file for file in files if file.endswith(".png")]) == 2


def test_a_finished_run_cannot_be_resumed(run_toy, labs_command, capsys):
    run_toy(steps=5)
    assert labs_command("resume", "last") == 2
    assert "is finished; start a new one, or replay it" in capsys.readouterr().err


def test_a_running_run_cannot_be_resumed(start, wait_until, labs_command, capsys):
    start("--steps", "100000", "--pause", "0.001")
    wait_until(all_runs)
    assert labs_command("resume", "last") == 2
    assert "is still running; stop it first" in capsys.readouterr().err


def test_a_damaged_checkpoint_is_named_and_the_run_can_begin_again(run_toy, labs_command, place, capsys):
    with pytest.raises(RuntimeError):
        run_toy(steps=60, crash_at=40, checkpoint_seconds=1e-6)
    (place / "mended").touch()
    file = find("last").path / "checkpoint-training.pt"
    file.write_bytes(file.read_bytes()[:500])
    assert labs_command("resume", "last") == 1
    assert f"{file} is damaged" in capsys.readouterr().err
    file.unlink()
    assert labs_command("resume", "last") == 0


def test_a_phase_may_be_followed_once(place):
    from labs.kit.lab import load
    from labs.kit.run import Run

    lab = load(str(TOY))
    run = Run(lab, lab.config_type())
    run._facts["phases"].append("training")
    with pytest.raises(InputError, match="name='training': must be one word, another for each phase"):
        next(run.follow(None, steps=3))
