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
    Case,
    Config,
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
def test_a_planted_defect_changes_the_image_there_and_only_there(kind):
    random = np.random.default_rng(0)
    for _ in range(20):
        image, truth = plant(kind, RING, random)
        change = (image - RING)[0].numpy()
        assert image.shape == RING.shape
        assert 0 <= image.min() <= image.max() <= 1
        assert 12 <= truth.sum() <= 80
        np.testing.assert_array_equal(np.abs(change) > 0.3, truth)
        assert (change[truth] < 0).all() if kind == "gap" else (change[truth] > 0).all()


def test_the_same_seed_plants_the_same():
    first, second = (plant("stroke", RING, np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(first[0], second[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_coder_that_knows_the_image_has_its_defect_found(kind):
    image, truth = plant(kind, RING, np.random.default_rng(1))
    case = explain_alarm(image, truth, ALARM, CELLS, Config(samples=300))
    found = localisation([case], CELLS)
    for way in (MENDED, ERRORS):
        areas, hits = found[way]
        assert areas[0] > 0.9
        assert hits[0] == 1
    assert found[CHANCE][0][0] == 0.5
    assert case.r2[MENDED] > 0.99


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


def test_blame_on_the_planted_cells_alone_is_a_perfect_score():
    truth = np.zeros((28, 28), np.bool_)
    truth[0:4, 4:8] = True
    blame = np.zeros(49)
    blame[1] = 1.0
    case = Case(RING, RING, truth, 1.0, {AWAY: blame, MENDED: -blame, ERRORS: np.arange(49.0)}, {})
    found = localisation([case], CELLS)
    assert (found[AWAY][0][0], found[AWAY][1][0]) == (1.0, 1.0)
    assert (found[MENDED][0][0], found[MENDED][1][0]) == (0.0, 0.0)
    assert found[CHANCE][1][0] == pytest.approx(1 / 49)
