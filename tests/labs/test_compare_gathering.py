"""Which runs a comparison takes: finished ones, the children of parents, each experiment and seed once."""

import pytest
from planted_runs import plant

from foundations.errors import InputError
from labs.kit.comparing.gathering import named, of_lab


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda **record: plant(tmp_path, **record)


def ids(gathered):
    return [run.id for run in gathered.runs]


def test_runs_are_taken_by_name_and_by_id(runs):
    first, second = runs(seed=0), runs(seed=1)
    assert ids(named(["run-0", second])) == [first, second]


def test_a_run_named_twice_counts_once(runs):
    first = runs()
    assert ids(named([first, "run-0"])) == [first]


def test_a_parent_stands_for_its_children(runs):
    parent = runs(lab="repeating")
    children = [runs(seed=seed, parent=parent) for seed in range(3)]
    assert ids(named([parent])) == children


def test_a_parent_of_parents_stands_for_all_below(runs):
    top = runs(lab="sweep")
    middle = [runs(lab="repeating", parent=top) for _ in range(2)]
    leaves = [runs(seed=seed, parent=parent) for seed, parent in enumerate(middle)]
    assert ids(named([top])) == leaves


def test_children_that_did_not_finish_are_left_out_and_counted(runs):
    parent = runs(lab="sweep")
    kept = runs(parent=parent, seed=0)
    for seed, ended in enumerate(["pruned", "diverged", "pruned"], start=1):
        runs(parent=parent, seed=seed, ended=ended)
    gathered = named([parent])
    assert ids(gathered) == [kept]
    assert "2 pruned, 1 diverged" in gathered.left_out[0]


def test_a_run_given_by_name_must_be_finished(runs):
    runs(ended="killed")
    with pytest.raises(InputError, match="'run-0': is killed; only finished runs"):
        named(["run-0"])


def test_a_comparison_is_no_run_to_compare(runs):
    runs(lab="comparison")
    with pytest.raises(InputError, match="is a comparison itself"):
        named(["run-0"])


def test_of_the_same_settings_and_seed_the_newest_counts_and_the_others_are_counted(runs):
    _, other, newest = runs(seed=1, width=8), runs(seed=1, width=9), runs(seed=1, width=8)
    gathered = of_lab("toy_lab")
    assert ids(gathered) == [other, newest]
    assert gathered.left_out == ["left out, since a newer run has the same settings and seed: 1"]


def test_a_name_a_tag_and_the_time_between_checkpoints_make_no_other_experiment(runs):
    runs(run_name="a", tag=["x=1"], checkpoint_seconds=1.0)
    runs(run_name="b", tag=[], checkpoint_seconds=2.0)
    assert len(of_lab("toy_lab").runs) == 1


def test_a_labs_runs_are_its_own_children_of_parents_too(runs):
    runs(lab="another")
    parent = runs(lab="repeating")
    own = [runs(seed=0), runs(seed=1, parent=parent)]
    assert ids(of_lab("toy_lab")) == own


def test_a_labs_runs_that_did_not_finish_are_counted(runs):
    runs(seed=0)
    runs(seed=1, ended="failed")
    assert "1 failed" in of_lab("toy_lab").left_out[0]


def test_an_unknown_lab_is_refused_with_a_near_name(runs):
    runs()
    with pytest.raises(InputError, match="did you mean 'mnist_classifier'"):
        of_lab("mnist_clasifier")


def test_a_lab_without_finished_runs_says_how_to_get_some(runs):
    runs(ended="failed")
    with pytest.raises(InputError, match=r"no finished runs in .*python -m labs.toy_lab --seeds 0-4"):
        of_lab("toy_lab")
