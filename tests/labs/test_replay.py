"""A replay says whether every metric came out identical, and if not, where the first difference is."""

import json
import os

import pytest

from labs.kit.folder import all_runs


@pytest.fixture
def original(run_toy):
    assert run_toy(steps=120, learning_rate=0.05) == 0
    return all_runs()[0]


def test_the_same_lab_comes_out_identical(original, labs_command, capsys):
    assert labs_command("replay", "last") == 0
    said = capsys.readouterr().out
    assert f"identical: all {original.record['values_seen']} metric values of toy came out the same, to the bit" in said
    assert original.record["values_seen"] == 2 * 120 + 2 + 1  # two a step, the median twice, the summary


def test_a_replay_is_a_run_of_its_own_that_says_what_it_repeats(original, labs_command, store):
    labs_command("replay", "last")
    again = all_runs()[0]
    assert again.path != original.path
    assert again.record["replay_of"] == original.path.name
    assert again.record["config"] == {**original.record["config"], "device": "cpu", "threads": 1}
    assert store.get_run(again.path.name).data.tags["replay_of"] == original.path.name


def test_a_difference_is_named_with_its_first_step_and_both_values(original, labs_command, capsys):
    record = original.record
    config = {**record["config"], "learning_rate": 0.0500001}
    (original.path / "record.json").write_text(json.dumps({**record, "config": config}))
    assert labs_command("replay", "last") == 1
    said = capsys.readouterr().out
    assert "different:" in said
    assert "first at step 1: loss/bowl was 0.9" in said


def test_a_difference_is_named_by_the_first_recorded_step_that_has_it(original, labs_command, capsys):
    lines = [json.loads(line) for line in (original.path / "journal.jsonl").read_text().splitlines()]
    lines = [[name, value + (name == "eval/median" and step == 120), step, at] for name, value, step, at in lines]
    (original.path / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    original.update(digest="another")
    assert labs_command("replay", "last") == 1
    said = capsys.readouterr().out
    assert "different: 1 of" in said
    assert "first at step 120: eval/median was" in said


def test_a_difference_between_the_recorded_points_is_told_too(original, labs_command, capsys):
    original.update(digest="another")
    assert labs_command("replay", "last") == 1
    assert "only values between the recorded points differ" in capsys.readouterr().out


def test_what_changed_around_a_difference_is_named(original, labs_command, capsys):
    environment = {**original.record["environment"], "torch": "1.0"}
    original.update(digest="another", environment=environment)
    labs_command("replay", "last")
    assert "torch was 1.0, is" in capsys.readouterr().out


def test_a_resumed_run_is_replayed_as_if_it_had_never_stopped(run_toy, labs_command, place, capsys):
    with pytest.raises(RuntimeError):
        run_toy(steps=120, warm_up=30, crash_at=60, checkpoint_seconds=1e-6)
    (place / "mended").touch()
    labs_command("resume", "last")
    assert labs_command("replay", "last") == 0
    assert "identical" in capsys.readouterr().out


def test_only_a_finished_run_can_be_replayed(run_toy, labs_command, capsys):
    run_toy(steps=20, nan_metric_at=10)
    assert labs_command("replay", "last") == 2
    assert "is diverged; only a finished run can be replayed" in capsys.readouterr().err


def test_a_lab_that_is_gone_is_named(original, labs_command, capsys):
    original.update(target=os.path.join("gone", "lab.py"))
    assert labs_command("replay", "last") == 2
    assert "lab 'gone/lab.py': cannot be found" in capsys.readouterr().err


def test_a_setting_that_the_lab_no_longer_has_is_named(original, labs_command, capsys):
    original.update(config={**original.record["config"], "colour": "red"})
    assert labs_command("replay", "last") == 2
    assert "record of toy: colour='red': unknown setting" in capsys.readouterr().err
