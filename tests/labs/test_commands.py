"""`python -m labs`: what it lists, and which words it refuses, each in one line."""

import pytest

from labs.kit.folder import all_runs, home


def test_without_words_it_lists_labs_and_commands(labs_command, capsys):
    assert labs_command() == 0
    said = capsys.readouterr().out
    assert all(command in said for command in ("runs", "resume", "replay", "ui", "data"))


def test_no_runs_are_said_to_be_none_and_nothing_is_made(labs_command, capsys, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert labs_command("runs") == 0
    assert "no runs in" in capsys.readouterr().out
    assert not home().exists()


def test_runs_are_listed_with_how_they_ended(run_toy, labs_command, capsys):
    run_toy(steps=20, run_name="good")
    run_toy(steps=20, run_name="bad", nan_metric_at=10)
    capsys.readouterr()
    assert labs_command("runs") == 0
    bad, good = capsys.readouterr().out.splitlines()[-2:]
    assert ("bad" in bad, "diverged" in bad, "loss/bowl is nan at step 10" in bad) == (True, True, True)
    assert ("good" in good, "finished" in good, "distance" in good) == (True, True, True)


def test_runs_can_be_counted_and_chosen(run_toy, labs_command, capsys):
    for name in ("one", "two"):
        run_toy(steps=5, run_name=name)
    capsys.readouterr()
    labs_command("runs", "--count", "1")
    assert "one" not in capsys.readouterr().out
    labs_command("runs", "--lab", "another")
    assert "two" not in capsys.readouterr().out


def test_one_damaged_record_hides_no_other_run(run_toy, labs_command, capsys):
    run_toy(steps=5, run_name="good")
    (home() / "runs" / "damaged").mkdir()
    (home() / "runs" / "damaged" / "record.json").write_text('{"name": ')
    assert labs_command("runs") == 0
    assert "good" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rums"], "did you mean 'runs'?"),
        (["runs", "--count", "0"], "--count 0: must be at least 1"),
        (["runs", "--count", "many"], "--count"),
        (["runs", "--colour"], "--colour"),
        (["resume"], "run"),
        (["resume", "last"], "there are no runs in"),
        (["resume", "a", "b"], "b"),
        (["replay", "ffff"], "there are no runs in"),
        (["ui", "--port", "0"], "--port 0: must be between 1 and 65535"),
        (["ui", "--port", "99999"], "--port 99999: must be between 1 and 65535"),
        (["ui", "--port", "www"], "--port"),
    ],
)
def test_a_bad_word_is_refused_in_one_line_with_status_2(place, labs_command, capsys, words, said):
    assert labs_command(*words) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert all_runs() == []


@pytest.mark.parametrize("reference", ["ffff", "no-such-name"])
def test_an_unknown_run_is_refused_where_there_are_others(run_toy, labs_command, capsys, reference):
    run_toy(steps=5)
    capsys.readouterr()
    assert labs_command("resume", reference) == 2
    assert f"error: run '{reference}': is no run here" in capsys.readouterr().err
