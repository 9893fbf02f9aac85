"""What the lab that explains alarms does beside training: planted defects, how they are located, mending."""

import numpy as np
import pytest
import torch

import explain
from labs.explain_anomaly import (
    AWAY,
    CHANCE,
    ERRORS,
    KINDS,
    MENDED,
    WAYS,
    Alarm,
    Config,
    believe,
    explain_alarm,
    localisation,
    mend_in_order,
    plant,
)

CELLS = explain.grid(28, 28, 7)
RING = torch.zeros(1, 28, 28)
RING[0, 6:22, 6:22] = 1
RING[0, 10:18, 10:18] = 0
ALARM = Alarm(
    score=lambda batch: (batch - RING).square().mean(dim=(1, 2, 3)),
    mend=lambda batch: RING.expand(len(batch), -1, -1, -1),
    threshold=0.001,
)
"""An autoencoder that knows one image by heart."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_coder_that_knows_the_image_has_its_defect_found(kind):
    image, truth = plant(kind, RING, np.random.default_rng(1))
    case = explain_alarm(image, truth, ALARM, CELLS, Config(samples=300))
    found = localisation([case], CELLS)
    for way in (MENDED, ERRORS):
        assert found[way][0].roc_auc > 0.9
        assert found[way][0].hit == 1
    assert found[CHANCE][0].roc_auc == 0.5
    assert found[CHANCE][0].hit == found[MENDED][0].share
    assert case.reasons[MENDED].r2_of() > 0.99


def test_taking_ink_away_cannot_blame_ink_that_is_missing():
    image, truth = plant("gap", RING, np.random.default_rng(1))
    case = explain_alarm(image, truth, ALARM, CELLS, Config(samples=300))
    blank = [cell for cell in range(49) if not (image[0].numpy()[cell == CELLS] > 0).any()]
    np.testing.assert_allclose(case.blame[AWAY][blank], 0, atol=0.02 * np.abs(case.blame[AWAY]).max())


def test_mending_the_blamed_cells_first_ends_the_alarm_sooner():
    image, truth = plant("blob", RING, np.random.default_rng(0))
    falls = mend_in_order([explain_alarm(image, truth, ALARM, CELLS, Config(samples=300))], ALARM, CELLS, Config())
    for way in WAYS:
        assert falls[way].shape == (1, 50)
        assert falls[way][0, 6] < falls[CHANCE][0, 6]
    assert falls[ERRORS][0, -1] == pytest.approx(0, abs=1e-6)


def test_images_that_raise_no_alarm_are_not_passed_off_as_alarms():
    class Run:
        notes, tables = [], {}
        note, table = notes.append, tables.__setitem__

    image, truth = plant("blob", RING, np.random.default_rng(0))
    config = Config(samples=300)
    case = explain_alarm(image, truth, ALARM, CELLS, config)
    believe([case], ALARM, CELLS, config, Run())
    assert [row["doubts"] for row in Run.tables["trust"]] == ["none"]
    assert Run.notes == []
    believe([case], ALARM._replace(threshold=1.0), CELLS, config, Run())
    assert "1 of the 1 images shown score below the threshold" in Run.notes[0]
