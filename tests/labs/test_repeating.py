"""Labs run once for each of several seeds."""

import statistics
from pathlib import Path

import pytest

from foundations.errors import InputError
from labs.kit.folder import all_runs
from labs.kit.lab import load
from labs.kit.launch import execute
from labs.kit.repeating import numbers, repeated


@pytest.fixture
def repeat(run_toy):
    def run(seeds: str, **settings: object) -> int:
        lab = load(str(Path(__file__).parent / "toy_lab.py"))
        return execute(*repeated(lab, lab.config_type(seeds=seeds, **settings)))

    return run


@pytest.mark.parametrize(
    ("text", "found"), [("3", (3,)), ("0-3", (0, 1, 2, 3)), ("0,5,2", (0, 5, 2)), ("0-1,7", (0, 1, 7))]
)
def test_seeds_are_named_by_ranges_and_lists(text, found):
    assert numbers(text) == found


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,1", "-1", "0-99999", "0..3"])
def test_seeds_that_cannot_be_are_refused(text):
    with pytest.raises(InputError, match="seeds="):
        numbers(text)


def test_each_seed_is_a_run_below_one_that_tells_mean_and_deviation(repeat):
    assert repeat("1,4", steps=3) == 0
    parent, *children = sorted(all_runs(), key=lambda run: run.record["started"])
    assert [child.record["config"]["seed"] for child in children] == [1, 4]
    assert {child.record["parent"] for child in children} == {parent.path.name}
    assert parent.record["parent"] is None
    found = [child.record["summary"]["distance"] for child in children]
    assert found[0] != found[1]
    summary = parent.record["summary"]
    assert summary["distance"] == pytest.approx(statistics.mean(found))
    assert summary["deviation/distance"] == pytest.approx(statistics.stdev(found))


def test_the_parent_draws_the_curves_of_its_children_and_says_what_was_typed(repeat):
    assert repeat("0-1", steps=3) == 0
    parent = next(run for run in all_runs() if run.record["parent"] is None)
    figures = {file.stem for file in (parent.path / "figures").glob("*.png")}
    assert figures == {"learning_loss_bowl", "learning_size_theta"}
    assert parent.record["command"] == f"python {Path(__file__).parent / 'toy_lab.py'}"


def test_figures_that_are_the_same_for_all_seeds_have_no_deviation(repeat):
    assert repeat("0-1", steps=1, learning_rate=1e-300) == 0
    parent = next(run for run in all_runs() if run.record["parent"] is None)
    assert list(parent.record["summary"]) == ["distance"]


def test_the_store_shows_the_children_below_their_parent(repeat, store):
    assert repeat("0-1", steps=2) == 0
    experiment = store.get_experiment_by_name("toy_lab")
    parents = [run.data.tags.get("mlflow.parentRunId") for run in store.search_runs([experiment.experiment_id])]
    (parent,) = {each for each in parents if each}
    assert parents.count(parent) == 2
    assert parents.count(None) == 1


def test_a_repetition_equals_the_run_of_that_seed(repeat, run_toy):
    assert repeat("2", steps=4) == 0
    assert run_toy(seed=2, steps=4) == 0
    alone, within, _ = all_runs()
    assert alone.record["digest"] == within.record["digest"]


def test_resuming_goes_on_with_what_is_missing(repeat, labs_command, place):
    with pytest.raises(RuntimeError, match="as asked"):
        repeat("0-1", steps=5, crash_at=3)
    (place / "mended").touch()
    parent = next(run for run in all_runs() if run.record["parent"] is None)
    assert labs_command("resume", parent.path.name) == 0
    children = [run for run in all_runs() if run.record["parent"] == parent.path.name]
    assert sorted(run.record["config"]["seed"] for run in children) == [0, 1]
    assert {run.state() for run in [parent, *children]} == {"finished"}


def test_what_is_finished_is_not_run_again(repeat, labs_command, place):
    assert repeat("0-1", steps=3) == 0
    parent = next(run for run in all_runs() if run.record["parent"] is None)
    parent.update(ended="killed")
    assert labs_command("resume", parent.path.name) == 0
    assert len(all_runs()) == 3


def test_a_seed_that_diverges_ends_the_repetition_with_what_to_do(repeat, capsys):
    assert repeat("0-1", steps=5, nan_metric_at=2) == 2
    said = capsys.readouterr().err
    assert "diverged" in said
    assert "error: seed 0: its run did not finish" in said


def test_every_run_says_what_to_type_for_it(repeat):
    assert repeat("3", steps=4, learning_rate=0.1) == 0
    child, parent = all_runs()
    assert child.record["command"].endswith("toy_lab.py --seed 3 --steps 4 --learning-rate 0.1")
    assert parent.record["command"].startswith("python ")
