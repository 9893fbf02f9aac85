"""`python -m labs`: what it lists, and which words it refuses, each in one line."""

import shutil

import pytest
from planted_runs import plant

from labs.kit.folder import all_runs, home
from labs.kit.listing import lab_shown


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


# Runs that belong to others -------------------------------------------------------------------------------------------


@pytest.fixture
def family(place):
    """A run with three below it, one of them pruned, and one that stands alone."""
    parent = plant(place, lab="kit.repeating", target="labs.toy_lab")
    for seed in range(3):
        plant(place, seed=seed, parent=parent, ended="finished" if seed else "pruned")
    plant(place, lab="toy_lab")


def test_runs_below_another_are_counted_and_not_listed(family, labs_command, capsys):
    capsys.readouterr()
    assert labs_command("runs") == 0
    header, alone, parent = capsys.readouterr().out.splitlines()
    assert "below" in header
    assert "run-4" in alone
    assert "runs" not in alone
    assert "run-0" in parent
    assert "3 runs, 1 pruned" in parent


def test_what_repeats_a_lab_says_which(family, labs_command, capsys):
    capsys.readouterr()
    labs_command("runs")
    assert "seeds of toy_lab" in capsys.readouterr().out
    labs_command("runs", "--lab", "toy_lab")
    assert {"run-0", "run-4"} <= set(capsys.readouterr().out.split())


def test_the_runs_of_a_run_are_listed_with_their_states(family, labs_command, capsys):
    assert labs_command("runs", "--of", "run-0") == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert sum("pruned" in line for line in lines) == 1
    assert "below" not in header


def test_a_run_that_none_belongs_to_has_none_below(family, labs_command, capsys):
    assert labs_command("runs", "--of", "run-4") == 0
    assert capsys.readouterr().out == "no runs below run-4\n"


def test_a_child_whose_parent_is_gone_is_listed(family, labs_command, capsys):
    shutil.rmtree(next(run.path for run in all_runs() if run.record["name"] == "run-0"))
    capsys.readouterr()
    labs_command("runs")
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_older_runs_are_said_to_be_there(place, labs_command, capsys):
    for _ in range(3):
        plant(place)
    labs_command("runs", "--count", "1")
    assert "and 2 older: --count 3 shows all" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "config", "shown"),
    [
        ("labs.kit.repeating", {"target": "labs.gan_mnist"}, "seeds of gan_mnist"),
        ("labs.kit.sweeps.search", {"target": "/home/me/my_lab.py"}, "sweep of my_lab"),
        ("labs.kit.comparing.comparison", {"lab": "cartpole"}, "comparison of cartpole"),
        ("labs.kit.comparing.comparison", {"lab": ""}, "comparison of labs"),
        ("labs.gan_mnist", {}, "gan_mnist"),
    ],
)
def test_the_lab_shown_of_a_run_is_the_one_it_is_about(target, config, shown):
    assert lab_shown({"target": target, "config": config, "lab": "gan_mnist"}) == shown
