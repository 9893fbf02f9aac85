"""What the lab that explains alarms says of the images that it shows."""

import numpy as np
import torch

import explain
from labs.explain_anomaly import Config, believe

RING = torch.zeros(1, 28, 28)
RING[0, 6:22, 6:22] = 1
RING[0, 10:18, 10:18] = 0


def ring_alarm(threshold):
    """An autoencoder that knows one image by heart."""
    return explain.Alarm(
        score=lambda batch: (batch - RING).square().mean(dim=(1, 2, 3)),
        mend=lambda batch: RING.expand(len(batch), -1, -1, -1),
        threshold=threshold,
        segments=explain.grid(28, 28, 7),
    )


def test_images_that_raise_no_alarm_are_not_passed_off_as_alarms():
    class Run:
        notes, tables, figures = [], {}, {}
        note, table, figure = notes.append, tables.__setitem__, figures.__setitem__

    ((image, _),) = explain.plant_defects("blob", RING[None].numpy(), 1, np.random.default_rng(0))
    case = ring_alarm(0.001).blame(torch.from_numpy(image), samples=300, seed=0)
    config = Config(samples=300)
    believe([case], ring_alarm(0.001), config, Run())
    assert [row["doubts"] for row in Run.tables["trust"]] == ["none"]
    assert Run.notes == []
    believe([case], ring_alarm(1.0), config, Run())
    assert "1 of the 1 images shown score below the threshold" in Run.notes[0]
