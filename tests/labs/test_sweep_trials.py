"""One trial of a sweep: how each end of its run is told to the study, and which metric is taken."""

from pathlib import Path

import optuna
import pytest

from foundations.errors import InputError
from labs.kit.ends import Interrupted, Interrupts, Pruned
from labs.kit.folder import all_runs
from labs.kit.lab import load
from labs.kit.launch import execute
from labs.kit.sweeps import metrics, places, results, study
from labs.kit.sweeps.objective import Objective, Reports, perform
from labs.kit.sweeps.space import parse

TOY = Path(__file__).parent / "sweep_lab.py"
LAB = load(str(TOY))
SPACE = parse(["learning_rate=log(1e-3,1)"], LAB.config_type)


@pytest.fixture
def trial_of(place):
    """Run one trial at that learning rate with those settings; gives its row."""

    def run(learning_rate: float = 0.5, metric: str = "distance", pruner: str = "none", **settings: object):
        sampler = study.sampler_of("random", seed=0, space=SPACE)
        shared = optuna.create_study(sampler=sampler, pruner=study.pruner_of(pruner))
        shared.add_trial(
            optuna.create_trial(
                state=optuna.trial.TrialState.WAITING,
                user_attrs={places.PLACE: 0},
                system_attrs={"fixed_params": {"learning_rate": learning_rate}},
            )
        )
        objective = Objective(str(TOY), settings, SPACE.texts, metric, "parent", str(place), "sweep")
        perform(shared, places.claim(shared, "parent"), objective, Interrupts())
        run.study = shared
        return results.rows(shared, SPACE)[0]

    return run


def test_a_finished_trial_has_the_figure_of_its_run(trial_of):
    row = trial_of(0.5, steps=3)
    assert (row.ended, row.value) == ("finished", pytest.approx(0.5**3))
    record = all_runs()[0].record
    assert (record["parent"], record["name"]) == ("parent", "sweep-1")
    assert record["id"] == row.run


@pytest.mark.parametrize("metric", ["distance", "summary/distance", "error/test"])
def test_the_metric_is_a_summary_figure_or_the_last_value_of_the_journal(trial_of, metric):
    assert trial_of(0.5, metric=metric, steps=3).value == pytest.approx(0.5**3)


def test_a_trial_that_diverges_is_not_the_best(trial_of):
    row = trial_of(0.5, diverges_above=0.1)
    assert row.ended == "diverged"
    assert "loss is nan at step 1" in row.error
    assert results.best([row], "min") is None


def test_a_trial_whose_settings_the_lab_refuses_says_why(trial_of):
    row = trial_of(0.5, refuses_above=0.1)
    assert (row.ended, row.error) == ("refused", "learning_rate=0.5: must be at most 0.1")


def test_a_trial_whose_lab_breaks_says_how_and_names_its_run(trial_of):
    row = trial_of(0.5, breaks_above=0.1)
    assert (row.ended, row.error) == ("failed", "RuntimeError: the lab broke, as asked")
    assert row.run == all_runs()[0].path.name


def test_an_unknown_metric_stops_the_study_with_the_near_name(trial_of):
    assert trial_of(metric="distanse", steps=2).ended == "failed"
    said = trial_of.study.user_attrs[places.STOPPED]
    assert "did you mean 'distance'?" in said
    assert "error/test" in said


def test_an_unknown_metric_is_refused_at_once_where_earlier_runs_know_better(run_toy):
    config = LAB.config_type(steps=2)
    assert execute(LAB, config) == 0
    metrics.check_earlier("error/test", LAB, config)
    with pytest.raises(InputError, match="did you mean 'distance'"):
        metrics.check_earlier("distances", LAB, config)


def test_earlier_runs_in_another_mode_forbid_no_metric(run_toy):
    assert execute(LAB, LAB.config_type(steps=2)) == 0
    metrics.check_earlier("distances", LAB, LAB.config_type(steps=2, way="momentum"))


def test_an_interrupted_trial_is_given_back_and_resumed(trial_of, place):
    """The second attempt goes on with the run of the first, and finds what an uninterrupted one finds."""
    whole = trial_of(0.5, steps=4).value

    class Once(Interrupts):
        def raise_pending(self) -> None:
            if Path("mlruns/runs").exists() and any(Path("mlruns/runs").glob("*/checkpoint-*")) and not self.pending:
                self.pending = 2
                raise Interrupted(2)

    shared = optuna.create_study(sampler=study.sampler_of("random", seed=0, space=SPACE))
    places.ensure(shared, 1)
    settings = {"steps": 4, "checkpoint_seconds": 1e-9}
    objective = Objective(str(TOY), settings, SPACE.texts, "distance", "parent", str(place), "another")
    with pytest.raises(Interrupted):
        perform(shared, places.claim(shared, "parent"), objective, Once())
    assert [row.ended for row in results.rows(shared, SPACE)] == ["waiting"]
    places.ensure(shared, 1)
    perform(shared, places.claim(shared, "parent"), objective, Interrupts())
    (row,) = results.rows(shared, SPACE)
    assert row.value == pytest.approx((1 - row.settings["learning_rate"]) ** 4)
    assert whole == pytest.approx(0.5**4)
    assert [run.record.get("resumed") for run in all_runs() if run.path.name == row.run] == [1]


def test_a_trial_behind_the_others_is_pruned():
    shared = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=1))
    first = shared.ask()
    for step in range(1, 6):
        first.report(1.0, step)
    shared.tell(first, 1.0)
    watch = Reports(shared.ask(), "error")
    watch(50, {"another": 9.0})
    with pytest.raises(Pruned, match="error 2 at step 100 is behind the other trials"):
        watch(100, {"error": 2.0})


def test_of_many_values_few_are_told():
    shared = optuna.create_study()
    watch = Reports(shared.ask(), "loss")
    for step in range(1, 3001):
        watch(step, {"loss": 1.0})
    told = list(shared.trials[0].intermediate_values)
    assert told[:99] == list(range(1, 100))
    assert told[-2:] == [2900, 3000]
    assert len(told) == 99 + 90 + 21
