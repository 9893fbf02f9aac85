"""Scores of generative models explained: odd strokes, verdicts, numbers of a code."""

import numpy as np
import pytest
import torch
from torch import nn

from explain.blackbox import BlackBox
from explain.generative import explain_score
from explain.images import explain_image
from explain.segments import grid
from foundations.errors import InputError
from generative.autoencoders import conv_autoencoder
from generative.codes import PrincipalComponents, anomaly_scores, reconstruct

CELLS = grid(16, 16, 4)


def bars(count=200):
    """Images of one upright bar in the left half, at any column and of any height."""
    random = np.random.default_rng(0)
    images = np.zeros((count, 1, 16, 16), np.float32)
    for image in images:
        column, top = random.integers(0, 7), random.integers(0, 8)
        image[0, top:, column : column + 2] = 1
    return torch.from_numpy(images)


def explained(score, image, **changes):
    settings = {"layout": "CHW", "segments": CELLS, "fill": 0, "samples": 300, "seed": 0}
    return explain_score(score, image, **{**settings, **changes})


@pytest.fixture(scope="module")
def coder():
    return PrincipalComponents(bars(), 20)


@pytest.mark.parametrize("mend", [False, True])
def test_a_planted_blob_is_what_raises_an_anomaly_score(coder, mend):
    image = bars(1)[0].clone()
    image[0, 4:8, 12:] = 1  # cell 7, where no training image has any ink
    fill = reconstruct(coder, image[None])[0].numpy() if mend else 0
    found = explained(lambda batch: anomaly_scores(coder, batch), image, fill=fill, names=["anomaly score"])
    assert found.order()[0] == 7
    assert found.weights_of()[7] > 2 * np.abs(np.delete(found.weights_of(), 7)).max()
    assert found.names == {0: "anomaly score"}
    assert found.predictions[0] == pytest.approx(float(anomaly_scores(coder, image[None])), rel=1e-5)


def test_a_discriminators_verdict_is_explained_in_evaluation_mode():
    torch.manual_seed(0)
    judge = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Dropout(0.5), nn.Linear(392, 1))
    image = torch.rand(1, 16, 16)
    found = explained(judge, image)
    assert all(layer.training for layer in judge.modules())
    with torch.no_grad():
        wanted = float(judge.eval()(image[None]))
    assert found.predictions[0] == pytest.approx(wanted, rel=1e-5)


def test_one_number_of_a_code_has_weights_where_it_looks():
    looks = torch.zeros(2, 1, 16, 16)
    looks[1, 0, 8:12, 4:8] = 1  # the second number sees cell 9 alone
    image = torch.ones(1, 16, 16)
    found = explained(lambda batch: (batch * looks[:, 0]).sum(dim=(-2, -1)), image, labels=[1], samples=2000)
    np.testing.assert_allclose(found.weights_of(1)[9], 16, rtol=0.01)
    np.testing.assert_allclose(np.delete(found.weights_of(1), 9), 0, atol=0.1)
    assert found.labels == (1,)


def test_scores_are_explained_as_values_of_images_are():
    weights = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(0))
    image = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(1))

    def score(batch):
        return (batch * weights).sum(dim=(1, 2, 3)).tanh()

    box = BlackBox(score, outputs="values")
    wanted = explain_image(box, image, layout="CHW", segments=CELLS, fill=0, samples=300, seed=0)
    np.testing.assert_allclose(explained(score, image).weights_of(), wanted.weights_of(), rtol=0, atol=1e-6)


def test_a_score_that_depends_on_its_neighbours_in_the_batch_is_refused():
    autoencoder = conv_autoencoder((1, 16, 16), 4, torch.Generator().manual_seed(0))
    image = bars(1)[0]

    def in_training_mode(batch):
        return (autoencoder(batch) - batch).square().mean(dim=(1, 2, 3))

    with pytest.raises(InputError, match=r"model\.eval\(\)"):
        explained(in_training_mode, image)
    autoencoder.eval()
    assert explained(in_training_mode, image).predictions[0] > 0


def test_a_score_that_is_not_finite_is_refused():
    with pytest.raises(InputError, match="finite"):
        explained(lambda batch: batch.sum(dim=(1, 2, 3)).log(), bars(1)[0])
