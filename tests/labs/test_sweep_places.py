"""The trials of a sweep are exactly as many as asked for, whoever dies, whoever joins."""

import os
import threading
from pathlib import Path
from types import SimpleNamespace

import optuna
import psutil
import pytest

from foundations.errors import InputError
from labs.kit.ends import MachineError
from labs.kit.lab import load
from labs.kit.sweeps import places, results, study
from labs.kit.sweeps.space import parse
from labs.kit.sweeps.watching import Watching

LAB = load(str(Path(__file__).parent / "sweep_lab.py"))
SPACE = parse(["learning_rate=log(1e-4,1e-1)"], LAB.config_type)
ABOUT = {
    "lab": "sweep_lab",
    "space": list(SPACE.texts),
    "metric": "loss",
    "direction": "min",
    "sampler": "random",
    "settings": {"steps": 3},
}


@pytest.fixture
def opened(tmp_path):
    def begin(store: str = str(tmp_path / "sweep.log"), **about: object) -> optuna.Study:
        sampler, pruner = study.sampler_of("random", seed=0, space=SPACE), study.pruner_of("none")
        told = {**ABOUT, **about}
        return study.open_study(store, "sweep", direction="minimize", sampler=sampler, pruner=pruner, lab=told)

    return begin


def finish(shared: optuna.Study) -> int:
    """Claim and finish all that waits; gives how many."""
    count = 0
    while trial := places.claim(shared, "here"):
        shared.tell(trial, SPACE.suggest(trial)["learning_rate"])
        count += 1
    return count


def ends(shared: optuna.Study) -> list[str]:
    return [row.ended for row in results.rows(shared, SPACE)]


def test_no_more_trials_are_claimed_than_asked_for(opened):
    shared = opened()
    places.ensure(shared, 7)
    assert finish(shared) == 7
    assert finish(shared) == 0


def test_workers_that_claim_at_once_share_the_trials_exactly(opened):
    places.ensure(opened(), 12)
    counts: list[int] = []
    workers = [threading.Thread(target=lambda: counts.append(finish(opened()))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(counts) == 12
    assert ends(opened()) == ["finished"] * 12


def test_two_that_fill_the_places_at_once_make_no_trial_too_many(opened):
    shared = opened()
    for _ in range(2):
        for place in range(3):
            waiting = optuna.create_trial(state=optuna.trial.TrialState.WAITING, user_attrs={"place": place})
            shared.add_trial(waiting)
    assert finish(shared) == 3
    assert ends(shared) == ["finished"] * 3


def test_who_joins_with_more_trials_adds_the_difference(opened):
    shared = opened()
    places.ensure(shared, 3)
    finish(shared)
    places.ensure(shared, 5)
    assert finish(shared) == 2
    places.ensure(shared, 2)
    assert finish(shared) == 0


def test_a_trial_whose_process_is_gone_is_tried_again_with_the_same_settings(opened):
    shared = opened()
    places.ensure(shared, 2)
    trial = places.claim(shared, "here")
    chosen = SPACE.suggest(trial)
    trial.set_user_attr(places.OWNER, {**trial.user_attrs[places.OWNER], "began": 0.0})
    assert places.reap(shared, {}) == [0]
    places.ensure(shared, 2)
    again = {}
    while next_trial := places.claim(shared, "here"):
        again[next_trial.user_attrs[places.PLACE]] = SPACE.suggest(next_trial)
        shared.tell(next_trial, 1.0)
    assert again[0] == chosen
    assert ends(shared) == ["finished", "finished"]


def test_a_worker_that_has_just_ended_is_known_to_be_gone(opened):
    shared = opened()
    places.ensure(shared, 1)
    places.claim(shared, "here")
    assert places.reap(shared, {}) == []
    assert places.reap(shared, {}, pids={os.getpid(): -9}) == [0]


def test_a_trial_that_kills_its_worker_again_and_again_is_given_up(opened):
    shared = opened()
    places.ensure(shared, 1)
    for _ in range(places.MOST_TRIES):
        assert places.claim(shared, "here")
        places.reap(shared, {}, pids={os.getpid(): -9})
        places.ensure(shared, 1)
    assert places.claim(shared, "here") is None
    assert ends(shared) == ["lost"]


def test_an_interrupted_trial_is_tried_again_however_often(opened):
    shared = opened()
    places.ensure(shared, 1)
    for _ in range(places.MOST_TRIES + 2):
        trial = places.claim(shared, "here")
        places.end(shared, trial.number, "interrupted")
        assert ends(shared) == ["waiting"]
        places.ensure(shared, 1)
    assert finish(shared) == 1


def test_a_trial_of_another_host_is_lost_when_its_sweep_is_silent(opened):
    shared = opened()
    places.ensure(shared, 1)
    trial = places.claim(shared, "there")
    trial.set_user_attr(places.OWNER, {**trial.user_attrs[places.OWNER], "host": "another"})
    assert places.reap(shared, {"there": 10.0}) == []
    assert places.reap(shared, {"there": 1000.0}) == [0]


def test_a_result_that_comes_after_its_trial_was_given_up_changes_nothing(opened):
    shared = opened()
    places.ensure(shared, 1)
    trial = places.claim(shared, "here")
    places.end(shared, trial.number, "lost")
    shared.tell(trial, 3.0, skip_if_finished=True)
    assert ends(shared) == ["waiting"]


def test_a_stopped_study_gives_no_trial_until_it_is_started_again(opened):
    shared = opened()
    places.ensure(shared, 2)
    places.end(shared, places.claim(shared, "here").number, "failed", "broken")
    shared.set_user_attr(places.STOPPED, "broken")
    assert places.claim(shared, "here") is None
    places.start_again(shared)
    assert finish(shared) == 2


def hopeless(shared: optuna.Study) -> None:
    config = SimpleNamespace(study="sweep", metric="loss", direction="min", sampler="random")
    run = SimpleNamespace(step=0, log=lambda values: None, folder=SimpleNamespace(path=Path("here")))
    Watching(shared, SPACE, config, run).look({})


@pytest.mark.parametrize("ended", ["refused", "failed"])
def test_a_sweep_whose_first_trials_all_fail_before_they_train_is_ended(opened, ended):
    shared = opened()
    places.ensure(shared, 9)
    for _ in range(3):
        places.end(shared, places.claim(shared, "here").number, ended, "rate=3: must be at most 2")
    with pytest.raises(InputError, match="the first 3 trials failed: rate=3: must be at most 2"):
        hopeless(shared)
    assert places.claim(shared, "here") is None


@pytest.mark.parametrize("ended", ["refused", "failed"])
def test_a_sweep_of_which_some_trial_trained_goes_on(opened, ended):
    shared = opened()
    places.ensure(shared, 9)
    places.end(shared, places.claim(shared, "here").number, "diverged")
    for _ in range(3):
        places.end(shared, places.claim(shared, "here").number, ended, "rate=3: must be at most 2")
    hopeless(shared)
    assert places.claim(shared, "here")


def test_the_owner_of_a_trial_is_this_process(opened):
    shared = opened()
    places.ensure(shared, 1)
    owner = places.claim(shared, "here").user_attrs[places.OWNER]
    assert owner["pid"] == os.getpid()
    assert owner["began"] == pytest.approx(psutil.Process().create_time())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lab": "gan_mnist"}, "with the lab sweep_lab, not gan_mnist"),
        ({"metric": "error/test"}, "with the metric loss, not error/test"),
        ({"direction": "max"}, "with the direction min, not max"),
        ({"space": ["steps=int(1,3)"]}, "with the space learning_rate=log(0.0001,0.1), not steps=int(1,3)"),
        ({"sampler": "grid"}, "with the sampler random, not grid"),
        ({"settings": {"steps": 4}}, "with the settings steps=3, not steps=4"),
    ],
)
def test_a_study_about_something_else_is_refused(opened, change, said):
    opened()
    with pytest.raises(InputError, match="study='sweep': is there already") as refused:
        opened(**change)
    assert said in str(refused.value)


def test_a_data_base_keeps_a_study_as_a_file_does(opened, tmp_path):
    store = f"sqlite:///{tmp_path / 'study.db'}"
    places.ensure(opened(store), 2)
    places.end(opened(store), places.claim(opened(store), "here").number, "interrupted")
    places.ensure(opened(store), 2)
    assert finish(opened(store)) == 2
    assert study.facts(store, "sweep")["metric"] == "loss"
    assert study.facts(store, "another") is None


def test_half_a_line_at_the_end_of_the_journal_is_taken_away(opened, tmp_path):
    places.ensure(opened(), 2)
    with (tmp_path / "sweep.log").open("a") as journal:
        journal.write('{"op_code": 5, "wor')
    shared = opened()
    assert finish(shared) == 2
    assert ends(opened()) == ["finished"] * 2


def test_a_file_that_is_no_journal_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello\nworld\n")
    with pytest.raises(InputError, match="is no journal of a study"):
        study.facts(str(tmp_path / "notes.txt"), "sweep")


def test_a_data_base_that_does_not_answer_is_said_in_one_line_without_its_password():
    with pytest.raises(MachineError) as away:
        study.open_storage("postgresql://me:secret@127.0.0.1:1/sweeps")
    assert "the study's store postgresql://me@127.0.0.1:1/sweeps does not answer" in str(away.value)
    assert "secret" not in str(away.value)
    assert "\n" not in str(away.value)


def test_the_password_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv(study.PASSWORD, "secret")
    assert study.address("postgresql://me@db:5432/x", "s") == "postgresql://me:secret@db:5432/x"
    assert study.without_password("postgresql://me:secret@db:5432/x") == "postgresql://me@db:5432/x"


def test_an_unknown_kind_of_data_base_is_refused():
    with pytest.raises(InputError, match="did you mean 'postgresql'"):
        study.address("postgressql://db/x", "s")
