"""Alarms blamed on segments: planted defects are found, and mending what is blamed ends the alarm."""

import numpy as np
import pytest
import torch

from explain.alarms import WAYS, Alarm, segments_to_calm
from explain.defects import plant_defects
from explain.segments import grid

RING = torch.zeros(1, 28, 28)
RING[0, 6:22, 6:22] = 1
RING[0, 10:18, 10:18] = 0
ALARM = Alarm(
    score=lambda batch: (batch - RING).square().mean(dim=(1, 2, 3)),
    mend=lambda batch: RING.expand(len(batch), -1, -1, -1),
    threshold=0.001,
    segments=grid(28, 28, 7),
)
"""An autoencoder that knows one image by heart."""


def blamed(kind, seed):
    ((image, truth),) = plant_defects(kind, RING[None].numpy(), 1, np.random.default_rng(seed))
    return ALARM.blame(torch.from_numpy(image), truth, samples=300, seed=0)


@pytest.mark.parametrize("kind", ["blob", "stroke", "gap"])
def test_a_coder_that_knows_the_image_has_its_defect_found(kind):
    case = blamed(kind, 1)
    found = ALARM.localise([case])
    for way in ("mended", "errors"):
        assert found[way][0].roc_auc > 0.9
        assert found[way][0].hit == 1
    assert found["chance"] == [found["mended"][0].by_chance]
    assert case.reasons["mended"].r2_of() > 0.99


def test_taking_ink_away_cannot_blame_ink_that_is_missing():
    case = blamed("gap", 1)
    blank = [cell for cell in range(49) if not (case.image[0].numpy()[cell == ALARM.segments] > 0).any()]
    np.testing.assert_allclose(case.blame["away"][blank], 0, atol=0.02 * np.abs(case.blame["away"]).max())


def test_mending_the_blamed_cells_first_ends_the_alarm_sooner():
    falls = ALARM.falls([blamed("blob", 0)])
    for way in WAYS:
        assert falls[way].shape == (1, 50)
        assert falls[way][0, 6] < falls["chance"][0, 6]
    assert falls["errors"][0, -1] == pytest.approx(0, abs=1e-6)
    assert segments_to_calm(falls["errors"]) <= 6 < segments_to_calm(falls["chance"])


def test_an_alarm_that_nothing_ends_counts_as_one_more_than_all():
    assert segments_to_calm(np.array([[3.0, 2.0, 1.5]])) == 3
    assert segments_to_calm(np.array([[3.0, 0.5, 1.5], [0.9, 0.5, 0.1]])) == 0.5
