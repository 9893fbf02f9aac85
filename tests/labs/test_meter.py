"""Metrics on their way from the learner to the record."""

import pytest
import torch

from labs.kit.journal import Journal, read_points
from labs.kit.meter import Meter
from labs.kit.recorder import Recorder


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal.jsonl"


@pytest.fixture
def recorder(journal):
    return Recorder(Journal(journal), lambda points: True)


def names(journal):
    return [point.name for point in read_points(journal)]


def test_metrics_of_a_phase_carry_its_name(recorder, journal):
    meter = Meter(recorder, at_once=True)
    meter.prefix = "adam/"
    meter.take(1, {"loss": torch.tensor(2.0)})
    meter.log(1, {"accuracy": 0.5})
    assert names(journal) == ["adam/loss", "adam/accuracy"]


def test_metrics_on_a_device_wait_to_be_read_together(recorder, journal):
    meter = Meter(recorder, at_once=False)
    meter._settle_at = float("inf")
    for step in range(1, 4):
        meter.take(step, {"loss": torch.tensor(1.0 / step)})
    assert recorder.values_seen == 0
    meter.settle()
    assert recorder.values_seen == 3


def test_what_the_lab_logs_comes_after_what_waited(recorder, journal):
    meter = Meter(recorder, at_once=False)
    meter._settle_at = float("inf")
    meter.take(1, {"loss": torch.tensor(1.0)})
    meter.log(1, {"accuracy": 0.5})
    assert names(journal) == ["loss", "accuracy"]


def test_figures_of_the_machine_are_recorded_but_need_not_repeat(recorder, journal):
    meter = Meter(recorder, at_once=True)
    before = recorder.digest
    meter.log(1, {"summary/speed/seconds": 3.0})
    assert recorder.digest == before
    meter.log(1, {"summary/accuracy": 0.9})
    assert recorder.digest != before
    assert names(journal) == ["summary/speed/seconds", "summary/accuracy"]
