"""`python -m labs compare`, as typed: what it prints, keeps and refuses."""

import json
import subprocess
import sys

import pytest
from planted_runs import plant

from labs.kit.folder import all_runs

GOOD, POOR = (10.0, 11.0, 12.0, 13.0, 14.0), (0.0, 1.0, 2.0, 3.0, 4.0)


@pytest.fixture
def planted(place):
    """Two ways, each with its scores, one a seed; the curves end where the scores are."""

    def build(ours=GOOD, others=POOR, **record):
        return [
            plant(
                place, way=way, seed=seed, summary={"score": score}, curves={"loss": [(1, 20.0), (9, score)]}, **record
            )
            for way, scores in (("good", ours), ("poor", others))
            for seed, score in enumerate(scores)
        ]

    return build


@pytest.fixture
def compared(planted, labs_command, capsys):
    """Compare the two ways as a lab's runs; gives what was printed, and the comparison's own run."""
    planted()
    assert labs_command("compare", "--lab", "toy_lab") == 0
    return capsys.readouterr().out, next(run for run in all_runs() if run.record["lab"] == "comparison")


def test_a_comparison_is_a_run_with_a_page_that_says_what_was_found(compared):
    said, run = compared
    assert "score: good is better than poor (higher is better)" in said
    assert run.state() == "finished"
    page = (run.path / "report.html").read_text()
    assert "1.00 (0.62 to 1.00)" not in page  # it is told of the others, seen from them
    assert "0.00 (0.00 to 0.38)" in page
    assert "http" not in page.replace("http://www.w3.org", "").replace("https://www.w3.org", "")


def test_a_comparison_keeps_its_figures_tables_and_what_was_compared(compared):
    _, run = compared
    assert run.record["summary"] == {"score/good": 12.0, "score/poor": 2.0}
    figures = sorted(file.stem for file in (run.path / "figures").glob("*"))
    assert figures == ["compared_by_score", "compared_by_score_how_sure", "learning_loss"]
    table = json.loads((run.path / "tables" / "runs_compared.json").read_text())
    assert len(table["data"]) == 10
    assert len(run.record["config"]["runs"]) == 10


def test_a_comparison_lies_in_the_experiment_of_its_lab(compared, store):
    _, run = compared
    assert store.get_experiment(run.record["experiment"]).name == "toy_lab"


def test_the_record_says_what_was_typed(compared, store):
    _, run = compared
    assert run.record["command"] == "python -m labs compare --lab toy_lab"
    assert store.get_run(run.path.name).data.tags["command"] == run.record["command"]


def test_a_comparison_can_be_replayed(compared, labs_command, capsys):
    _, run = compared
    assert labs_command("replay", run.path.name) == 0
    assert "identical" in capsys.readouterr().out


def test_a_stopped_comparison_can_be_resumed(compared, labs_command):
    _, run = compared
    run.update(ended="killed", summary={})
    assert labs_command("resume", run.path.name) == 0
    assert run.record["summary"] == {"score/good": 12.0, "score/poor": 2.0}


def test_the_help_loads_nothing_heavy():
    code = "import sys; from labs.__main__ import main\ntry: main(['compare', '--help'])\nexcept SystemExit: pass\n"
    code += "print('LOADED', *{'torch', 'numpy', 'mlflow', 'matplotlib', 'scipy'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "--direction" in said
    assert said.endswith("LOADED\n")


def test_too_few_seeds_are_said_in_console_table_and_page_and_nothing_is_ranked(planted, labs_command, capsys):
    ids = planted(GOOD[:2], POOR[:2])
    assert labs_command("compare", *ids) == 0
    said = capsys.readouterr().out
    run = all_runs()[0]
    table = (run.path / "tables" / "compared_by_score.json").read_text()
    assert "NO RANKING" in said
    assert "NO RANKING" in (run.path / "report.html").read_text()
    assert "no ranking" in table
    assert not [word for word in ("better", "worse", "probability") if word in said + table]
    assert not (run.path / "figures" / "compared_by_score_how_sure.png").exists()


def test_runs_of_several_labs_are_compared_in_an_experiment_of_its_own(planted, labs_command, store, capsys):
    planted(lab="one")
    planted(lab="two")
    assert labs_command("compare", *(f"run-{number}" for number in range(20)), "--group", "lab") == 0
    run = all_runs()[0]
    assert store.get_experiment(run.record["experiment"]).name == "comparisons"
    assert "score: one is not told apart from two" in capsys.readouterr().out


def test_more_groups_than_a_picture_has_room_for_are_named(place, labs_command, capsys):
    for width in range(10):
        for seed in range(2):
            plant(place, width=width, seed=seed, summary={"score": float(seed)})
    assert labs_command("compare", "--lab", "toy_lab") == 0
    assert "the first 8 groups of the first table, not width=8, width=9" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give either runs or --lab NAME"),
        (["run-0", "--lab", "toy_lab"], "give either runs or --lab NAME"),
        (["run-0"], "compare: 1 finished run; give two or more"),
        (["run-0", "none"], "run 'none': is no run here"),
        (["--lab", "toy_lap"], "did you mean 'toy_lab'"),
        (["--lab", "toy_lab", "--group", "wya"], "did you mean 'way'"),
        (["--lab", "toy_lab", "--metric", "scor"], "did you mean score"),
        (["--lab", "toy_lab", "--direction", "up"], "--direction"),
    ],
)
def test_a_bad_word_is_refused_in_one_line_and_nothing_is_written(planted, labs_command, capsys, words, said):
    planted()
    assert labs_command("compare", *words) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
    assert len(all_runs()) == 10
