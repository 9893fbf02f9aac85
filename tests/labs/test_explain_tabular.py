"""What the lab `explain_tabular` looks at, and that its trials tell good orders from bad ones."""

import numpy as np
import pandas as pd
import pytest

import explain
from foundations.errors import InputError
from labs.explain_tabular import Config, Task, choose_cases, hiding_curves, shuffled, train_houses

SLOPES = np.array([5.0, 0.0, 0.0, 2.0])
CONFIG = Config(samples=500, explained=20)


@pytest.fixture
def task():
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)), columns=list("abcd"))
    truth = rows.to_numpy() @ SLOPES
    truth[7] += 50  # the answer that will be most in error
    return Task(
        box=explain.BlackBox(lambda frame: frame.to_numpy() @ SLOPES, outputs="values"),
        background=explain.Background(rows),
        test=rows,
        truth=truth,
        quantity="sum",
        scale=1,
        unit="units",
        words=str,
        loss=lambda answer, truth: float(np.abs(answer - truth).mean()),
        loss_name="error (units)",
    )


class FakeRun:
    def __init__(self):
        from foundations.streams import Streams

        self.streams = Streams(0)


def test_four_different_cases_are_looked_at_and_the_worst_mistake_is_one(task):
    cases = choose_cases(task)
    assert cases["worst mistake"] == 7
    assert len(set(cases.values())) == 4
    answers = task.answer(task.test)
    assert answers[cases["lowest"]] < answers[cases["in the middle"]] < answers[cases["highest"]]


def test_hiding_goes_from_the_cases_answer_to_a_typical_one_and_beats_random_orders(task):
    curves, used = hiding_curves(task, task.explain(task.test, CONFIG), task.test, CONFIG)
    assert 0 < used < 60
    for name, curve in curves.items():
        ends = (1, 0) if name.startswith("deletion") else (0, 1)
        np.testing.assert_allclose(curve[[0, -1]], ends, atol=1e-12)
    areas = {name: explain.area_under(curve) for name, curve in curves.items()}
    assert areas["deletion, explanation"] < areas["deletion, random"] - 0.1
    assert areas["insertion, explanation"] > areas["insertion, random"] + 0.1


def test_shuffling_costs_what_the_model_uses_and_nothing_else(task):
    rises = shuffled(task, FakeRun())
    assert rises["a"] > rises["d"] > 0
    assert rises["b"] == rises["c"] == pytest.approx(0, abs=1e-12)


def test_houses_that_are_nowhere_are_missing_in_one_line(tmp_path, monkeypatch):
    from labs.kit.data import load_table

    monkeypatch.setenv("LABS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LABS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LABS_OFFLINE", "1")
    run = FakeRun()
    run.load_table = load_table
    with pytest.raises(InputError, match=r"housing/housing.csv: not in LABS_DATA_DIR"):
        train_houses(CONFIG, run)
