"""The labs on explanation, asked about the model of a run that was."""

import pytest

from labs.kit.folder import all_runs
from labs.kit.lab import load
from labs.kit.launch import execute

SMALL = {
    "explain_tabular": {"epochs": 3, "samples": 500, "explained": 10, "repetitions": 2, "planted": 1},
    "explain_anomaly": {"steps": 20, "training_images": 1_000, "planted": 2, "alarms": 2, "samples": 100},
}


@pytest.fixture
def start(place, monkeypatch):
    monkeypatch.delenv("LABS_DATA_DIR", raising=False)
    monkeypatch.setenv("LABS_OFFLINE", "1")

    def run(name: str, **settings: object) -> int:
        lab = load(f"labs.{name}")
        given = {"data": "digits"} if name == "explain_anomaly" else {}
        return execute(lab, lab.config_type(**SMALL[name], **given, **settings))

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "figure"), [("explain_tabular", "test/cross-entropy"), ("explain_anomaly", "alarm/roc_auc")]
)
def test_the_model_of_a_finished_run_is_asked_instead_of_a_new_one(start, name, figure):
    assert start(name) == 0
    assert start(name, run="last", seed=5) == 0
    again, first = all_runs()
    assert again.record["summary"][figure] == pytest.approx(first.record["summary"][figure], rel=1e-5)
    assert again.record["step"] == 0
    assert any(first.record["name"] in note for note in again.record["notes"])


@pytest.mark.slow
def test_a_run_with_another_defect_is_refused_with_what_to_add(start, capsys):
    assert start("explain_anomaly") == 0
    assert start("explain_anomaly", run="last", defect="7") == 2
    assert "must be a run with --defect 7, or add --defect 4 as it had" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_of_another_lab_is_refused(start, run_toy, capsys):
    assert run_toy(steps=2) == 0
    assert start("explain_tabular", run="last") == 2
    assert "must be a run of explain_tabular, not of toy" in capsys.readouterr().err
