"""What the lab `explain_tabular` looks at, and that its trials tell good orders from bad ones."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from unwatched import Unwatched

import explain
from foundations.errors import InputError
from labs.explain_tabular import Config, Task, choose_cases, look_at_cases, train_houses

SLOPES = np.array([5.0, 0.0, 0.0, 2.0])
CONFIG = Config(samples=500, explained=20)


def model_of(function, rows):
    return explain.TableModel(explain.BlackBox(function, outputs="values"), explain.Background(rows))


@pytest.fixture
def task():
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)), columns=list("abcd"))
    truth = rows.to_numpy() @ SLOPES
    truth[7] += 50  # the answer that will be most in error
    return Task(
        model=model_of(lambda frame: frame.to_numpy() @ SLOPES, rows),
        test=rows,
        truth=truth,
        quantity="sum",
        scale=1,
        unit="units",
        short=str,
        words=lambda answer, truth: f"{answer:.1f}, truth {truth:.1f}",
        loss=lambda answer, truth: float(np.abs(answer - truth).mean()),
        loss_name="error (units)",
    )


def test_four_different_cases_are_looked_at_and_the_worst_mistake_is_one(task):
    cases = choose_cases(task)
    assert cases["worst mistake"] == 7
    assert len(set(cases.values())) == 4
    answers = task.model.answer(task.test)
    assert answers[cases["lowest"]] < answers[cases["in the middle"]] < answers[cases["highest"]]


def test_a_case_that_the_line_misses_is_said_to_be_in_doubt(task):
    steep = dataclasses.replace(task, model=model_of(lambda frame: np.sin(40 * frame["a"]), task.test))
    run = Unwatched()
    look_at_cases(steep, CONFIG, run)
    assert all("the line fits badly" in row["doubts"] for row in run.tables["trust"])
    assert "4 of 4 explanations shown are in doubt" in run.notes[-1]
    assert "in doubt" in run.figures["single_cases"].axes[0].get_xlabel()


def test_a_model_that_is_a_line_is_explained_without_doubts(task):
    run = Unwatched()
    look_at_cases(task, Config(samples=2_000, explained=20), run)
    assert {row["doubts"] for row in run.tables["trust"]} == {"none"}


def test_houses_that_are_nowhere_are_missing_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("LABS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LABS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LABS_OFFLINE", "1")
    with pytest.raises(InputError, match=r"housing/housing.csv: not in LABS_DATA_DIR"):
        train_houses(CONFIG, Unwatched())
