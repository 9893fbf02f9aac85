"""Which run is the best: the figure that a lab names, which runs may be compared, and `python -m labs best`."""

from pathlib import Path

import pytest
from planted_runs import plant

from foundations.errors import InputError
from labs.kit.judging import Candidate, MainFigure, basis, best_of, direction_of, main_figure
from labs.kit.lab import discover, load
from labs.kit.launch import execute

KEEPING = str(Path(__file__).parent / "keeping_lab.py")


def candidate(run, value, basis="same", preset="quick", started="1"):
    return Candidate(run, value, basis, preset, started)


@pytest.fixture
def keep(run_toy):
    """Run the lab that keeps models."""
    lab = load(KEEPING)

    def run(score, **settings):
        assert execute(lab, lab.config_type(score=score, run_name=f"scored-{score}", **settings)) == 0

    return run


# What a lab names -----------------------------------------------------------------------------------------------------


def test_a_lab_names_its_main_figure_beside_its_topic():
    assert main_figure(KEEPING) == MainFigure("score", "max", ("samples",))
    assert main_figure("labs.mnist_classifier") == MainFigure("test/accuracy", "max")


def test_a_lab_may_name_none(tmp_path):
    (tmp_path / "plain.py").write_text("topic = 'x'\n")
    assert main_figure(str(tmp_path / "plain.py")) is None
    assert main_figure("labs.no_such_lab") is None
    assert main_figure(str(tmp_path / "gone.py")) is None


@pytest.mark.parametrize("line", ["('a', 'up')", "('a',)", "'a'", "('a', 'max', 3)", "(name, 'max')"])
def test_a_line_that_cannot_be_understood_is_refused(tmp_path, line):
    (tmp_path / "odd.py").write_text(f"best = {line}\n")
    with pytest.raises(InputError, match='must be \\(figure, "max" or "min", settings'):
        main_figure(str(tmp_path / "odd.py"))


@pytest.mark.parametrize("name", [entry.name for entry in discover()])
def test_the_settings_that_must_agree_are_settings_of_the_lab(name):
    figure = main_figure(f"labs.{name}")
    assert figure is None or set(figure.alike) <= load(f"labs.{name}").config_type.__dataclass_fields__.keys()


@pytest.mark.parametrize(
    ("metric", "wanted"),
    [
        ("test/accuracy", "max"),
        ("error/test", "min"),
        ("eval/return", "max"),
        ("final/frechet_distance", "min"),
        ("nats/elbo", "min"),
    ],
)
def test_errors_losses_and_distances_are_to_be_small(metric, wanted):
    assert direction_of(metric, None) == wanted


@pytest.mark.parametrize("metric", ["loss_of_weight", "summary/loss_of_weight"])
def test_what_a_lab_says_of_its_main_figure_counts_more_than_the_name(tmp_path, metric):
    (tmp_path / "diet.py").write_text("best = ('loss_of_weight', 'max')\n")
    assert direction_of(metric, str(tmp_path / "diet.py")) == "max"
    assert direction_of("other/loss", str(tmp_path / "diet.py")) == "min"


# Which is the best ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("direction", "winner"), [("max", "b"), ("min", "c")])
def test_the_best_is_at_the_end_that_the_figure_says(direction, winner):
    candidates = [candidate("a", 2.0), candidate("b", 3.0), candidate("c", -1.0)]
    assert best_of(candidates, direction).run == winner


def test_of_equals_the_earliest_stays_the_best():
    assert best_of([candidate("late", 1.0, started="2"), candidate("early", 1.0, started="1")], "max").run == "early"


def test_runs_on_other_terms_than_the_newest_are_no_rivals():
    other = candidate("other", 9.0, basis="other data")
    assert best_of([other, candidate("old", 2.0), candidate("new", 1.0, started="2")], "max").run == "old"


def test_a_smoke_run_is_best_only_where_there_is_nothing_else():
    smoke = candidate("smoke", 9.0, preset="smoke", started="2")
    assert best_of([smoke, candidate("quick", 1.0)], "max").run == "quick"
    assert best_of([smoke], "max").run == "smoke"


def test_nothing_has_no_best():
    assert best_of([], "max") is None


def test_what_figures_rest_on_is_the_content_of_the_data_and_the_settings_named():
    record = {"data": {"mnist": {"fingerprint": "ab12"}}, "config": {"samples": 10, "steps": 3}}
    same = {"data": {"folder": {"fingerprint": "ab12"}}, "config": {"samples": 10, "steps": 4}}
    assert basis(record, ("samples",)) == basis(same, ("samples",)) == "data ab12, samples 10"
    assert basis({**record, "config": {"samples": 11}}, ("samples",)) != basis(record, ("samples",))


# The command ----------------------------------------------------------------------------------------------------------


def test_best_tells_the_run_its_figure_its_settings_and_how_to_load_it(keep, labs_command, capsys, store):
    for score in (0.5, 0.7, 0.6):
        keep(score)
    keep(0.9, samples=7, preset="smoke")
    capsys.readouterr()
    assert labs_command("best", "keeping_lab") == 0
    said = capsys.readouterr().out
    assert said.startswith("score 0.7: the highest of 3 runs of keeping_lab with samples 100\n(1 not counted")
    assert "scored-0.7" in said
    assert "samples=100" in said
    assert 'mlflow.pytorch.load_model("models:/keeping_lab@best")' in said


def test_what_best_prints_as_code_loads_the_model(keep, labs_command, capsys, place):
    keep(0.25)
    capsys.readouterr()
    labs_command("best", "keeping_lab")
    lines = capsys.readouterr().out.split("  model     ")[1].splitlines()
    code = [line.strip() for line in lines]
    scope = {}
    exec("\n".join([*code[:-1], f"model = {code[-1]}"]), scope)
    assert scope["model"].bias.item() == 0.25


def test_another_figure_and_another_end_of_it_can_be_asked_for(place, labs_command, capsys):
    for score in (0.5, 0.7):
        plant(place, lab="mnist_classifier", summary={"test/accuracy": 0.9, "error": score})
    assert labs_command("best", "mnist_classifier", "--metric", "summary/error", "--direction", "min") == 0
    assert capsys.readouterr().out.startswith("error 0.5: the lowest of 2 runs")


def test_who_is_chosen_by_test_data_is_said_to_be_flattered(place, labs_command, capsys):
    for score in (0.5, 0.7):
        plant(place, lab="mnist_classifier", summary={"test/accuracy": score})
    labs_command("best", "mnist_classifier")
    assert "so this figure flatters" in capsys.readouterr().out


def test_children_are_candidates_and_their_parent_is_none(place, labs_command, capsys):
    parent = plant(place, lab="kit.repeating", summary={"test/accuracy": 0.99})
    for score in (0.5, 0.7):
        plant(place, lab="mnist_classifier", summary={"test/accuracy": score}, parent=parent)
    labs_command("best", "mnist_classifier")
    assert capsys.readouterr().out.startswith("test/accuracy 0.7: the highest of 2 runs")


def test_best_works_from_the_run_folders_where_the_store_is_away(keep, labs_command, capsys, monkeypatch):
    from labs.kit import registry
    from labs.kit.ends import MachineError

    keep(0.5)

    def away(*_):
        raise MachineError("the store does not answer")

    monkeypatch.setattr(registry, "held", away)
    capsys.readouterr()
    assert labs_command("best", "keeping_lab") == 0
    said = capsys.readouterr().out
    assert "note: told from the run folders alone: the store does not answer" in said
    assert 'load_model("models:/keeping_lab/1")' in said


def test_a_lab_without_a_finished_run_is_told_how_to_get_one(place, labs_command, capsys):
    assert labs_command("best", "mnist_classifier", "--preset", "full") == 0
    said = capsys.readouterr().out
    assert (
        said
        == "no finished full run of mnist_classifier here; to get one: python -m labs.mnist_classifier --preset full\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["best"], "the following arguments are required: lab"),
        (["best", "mnist_clasifier"], "did you mean 'mnist_classifier'?"),
        (["best", "mnist_classifier", "--metric", "test/acuracy"], "did you mean 'test/accuracy'?"),
        (["best", "mnist_classifier", "--direction", "up"], "--direction"),
        (["best", "toy_lab"], "toy_lab names no main figure; choose one, and a --direction: distance"),
        (["best", "toy_lab", "--metric", "distance"], "say whether more (max) or less (min) of 'distance' is better"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_one_line(place, labs_command, capsys, words, said):
    plant(place, lab="mnist_classifier", summary={"test/accuracy": 0.5})
    plant(place, lab="toy_lab", summary={"distance": 0.5})
    assert labs_command(*words) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1
