"""Models of finished runs: where the store keeps them, and how they enter its registry."""

import threading
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from foundations.errors import InputError
from labs.kit import models, registry, tracking
from labs.kit.ends import MachineError
from labs.kit.folder import all_runs
from labs.kit.lab import load
from labs.kit.launch import execute
from labs.kit.loading import Loading

KEEPING = str(Path(__file__).parent / "keeping_lab.py")


@pytest.fixture
def keep(run_toy):
    """Run the lab that keeps models; gives the run."""
    lab = load(KEEPING)

    def run(**settings):
        assert execute(lab, lab.config_type(**settings)) == 0
        return all_runs()[0]

    return run


@pytest.fixture
def refuse(monkeypatch):
    """Make some methods of the store refuse, until `refuse()` is called without any."""
    refused = set()

    def wrap(name):
        method = getattr(mlflow.MlflowClient, name)

        def call(*values, **named):
            if name in refused:
                raise MlflowException("no route to the store")
            return method(*values, **named)

        monkeypatch.setattr(mlflow.MlflowClient, name, call)

    def refuse(*names):
        refused.clear()
        refused.update(names)

    for name in ("create_logged_model", "log_model_artifacts", "create_model_version"):
        wrap(name)
    return refuse


def versions(store, name="keeping_lab"):
    return {version.run_id: version for version in store.search_model_versions(f"name = '{name}'")}


def best(store, name="keeping_lab"):
    return store.get_model_version_by_alias(name, "best").run_id


# Where they are kept --------------------------------------------------------------------------------------------------


def test_a_model_lies_in_the_experiment_of_its_run_and_not_in_the_default_one(keep, store):
    run = keep()
    (found,) = store.search_logged_models([run.record["experiment"]])
    assert (found.name, found.source_run_id, found.status) == ("part0", run.path.name, "READY")
    assert store.search_logged_models(["0"]) == []


def test_the_page_of_a_run_shows_its_models(keep, store):
    run = keep(models=2)
    assert len(store.get_run(run.path.name).outputs.model_outputs) == 2


def test_a_model_that_the_store_has_is_not_kept_twice(keep):
    assert list(keep().path.glob("models/*")) == []


def test_of_two_models_of_one_name_the_later_counts(keep, store):
    import torch

    run = keep()
    tracker = tracking.Tracker(store, run.record["experiment"], run.path.name, "again")
    again = torch.nn.Linear(1, 1)
    tracker.model("part0", again, torch.zeros(1, 1), torch.zeros(1, 1))
    module, shape = tracking.stored_model(run.path.name, "part0")
    assert module.bias.item() == again.bias.item()
    assert shape == (-1, 1)


def test_the_model_of_a_run_is_not_taken_for_that_of_another(keep):
    keep(score=0.1, run_name="one")
    keep(score=0.9, run_name="two")
    assert models.load_model("one").module.bias.item() == pytest.approx(0.1)


def test_a_model_that_is_nowhere_is_the_machines_fault(keep):
    run = keep()
    with pytest.raises(MachineError, match="'part9' of run "):
        tracking.stored_model(run.path.name, "part9")


# What a lab takes of another run --------------------------------------------------------------------------------------


class Taking(Loading):
    """The part of a run that loads, with what it recorded; `before`: the record of the run that it repeats."""

    device = "cpu"

    def __init__(self, before=None):
        self._origin, self._facts, self.notes = SimpleNamespace(before=before or {}), {}, []

    def note(self, text):
        self.notes.append(text)


def test_a_run_of_another_lab_is_refused_with_how_to_get_one(keep):
    keep(run_name="one")
    with pytest.raises(
        InputError, match=r"run='one': must be a run of cartpole, not of keeping_lab; .*labs\.cartpole`"
    ):
        models.load_model("one", lab="cartpole")


def test_a_run_with_other_settings_is_refused_with_what_to_add(keep):
    keep(run_name="one", samples=5)
    assert models.load_model("one", lab="keeping_lab", same={"samples": 5}).config["samples"] == 5
    with pytest.raises(InputError, match="must be a run with --samples 7, or add --samples 5 as it had"):
        models.load_model("one", same={"samples": 7})


def test_a_repeated_run_takes_the_model_that_was_the_last_one_then(keep):
    keep(run_name="one")
    first = Taking()
    assert first.load_model("last", lab="keeping_lab", samples=100).run.record["name"] == "one"
    assert first.notes == ["the model is that of run one of keeping_lab"]
    keep(run_name="two")
    assert Taking(first._facts).load_model("last", lab="keeping_lab").run.record["name"] == "one"
    assert Taking().load_model("last", lab="keeping_lab").run.record["name"] == "two"


# How they are registered ----------------------------------------------------------------------------------------------


def test_the_model_of_a_finished_run_is_a_version_of_its_lab(keep, store):
    run = keep(score=0.25)
    version = versions(store)[run.path.name]
    assert run.record["registered"] == {"keeping_lab": str(version.version)}
    assert version.tags == {"score": "0.25", "preset": "quick", "comparable": "samples 100"}
    assert mlflow.pytorch.load_model("models:/keeping_lab/latest").bias.item() == 0.25


def test_several_models_of_a_run_are_registered_each_by_its_name(keep, store):
    keep(models=2)
    names = {model.name: model.aliases for model in store.search_registered_models()}
    assert {name: set(aliases) for name, aliases in names.items()} == {
        "keeping_lab.part0": {"best"},
        "keeping_lab.part1": {"best"},
    }


def test_the_alias_moves_to_a_better_run_and_not_to_a_worse_one(keep, store):
    first, better = keep(score=0.5), keep(score=0.7)
    assert best(store) == better.path.name != first.path.name
    keep(score=0.6)
    assert best(store) == better.path.name
    keep(score=0.9, preset="smoke")
    assert best(store) == better.path.name


def test_the_alias_follows_to_other_terms_and_comes_back_to_the_best_there(keep, store):
    old = keep(score=0.7)
    other = keep(score=0.1, samples=5)
    assert best(store) == other.path.name
    keep(score=0.6)
    assert best(store) == old.path.name


def test_a_run_without_the_main_figure_is_registered_but_is_no_candidate(keep, store, capsys):
    run = keep(judged=False)
    assert "note: the lab's main figure 'score' is none of the run's" in capsys.readouterr().out
    assert run.path.name in versions(store)
    with pytest.raises(MlflowException):
        best(store)


def test_a_run_that_did_not_finish_registers_nothing(run_toy, store, monkeypatch):
    lab = load(KEEPING)
    from labs.kit.run import Run

    def broken(*_):
        raise RuntimeError("broken at its end")

    monkeypatch.setattr(Run, "summary", broken)
    with pytest.raises(RuntimeError):
        execute(lab, lab.config_type())
    assert "registered" not in all_runs()[0].record
    assert store.search_registered_models() == []


def test_a_lab_without_models_registers_nothing(run_toy, store):
    run_toy(steps=5)
    assert store.search_registered_models() == []


def test_a_run_enters_the_registry_once(keep, store):
    run = keep()
    run.update(registered=None)  # killed between the version and its note in the record
    registry.enter(store, run)
    assert len(versions(store)) == 1
    assert run.record["registered"] == {"keeping_lab": "1"}


def test_runs_that_enter_at_the_same_time_leave_the_alias_with_the_best(keep, store):
    runs = [keep(score=score) for score in (0.5, 0.9, 0.7)]
    store.delete_registered_model("keeping_lab")
    for run in runs:
        run.update(registered=None)
    threads = [threading.Thread(target=registry.enter, args=(store, run)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(versions(store)) == 3
    assert best(store) == runs[1].path.name


# A store that is away -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "refused",
    ["create_logged_model", "log_model_artifacts", "create_model_version"],
)
def test_a_store_that_refuses_fails_no_run_and_gets_model_and_version_later(
    keep, refuse, labs_command, store, capsys, refused
):
    refuse(refused)
    run = keep(score=0.25)
    assert (run.state(), run.record["uploaded"]) == ("finished", False)
    assert "the next start uploads the rest" in capsys.readouterr().out
    refuse()
    assert labs_command("runs") == 0
    assert run.record["uploaded"]
    assert run.record["registered"] == {"keeping_lab": "1"}
    assert mlflow.pytorch.load_model("models:/keeping_lab@best").bias.item() == 0.25
    assert list(run.path.glob("models/*")) == []
