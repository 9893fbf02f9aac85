"""Planted defects are where they are said to be; blame is located; what cannot be is refused."""

import numpy as np
import pytest

from explain.defects import Localisation, localisation, plant_defect, plant_defects
from explain.segments import grid
from foundations.errors import InputError

RING = np.zeros((28, 28))
RING[6:22, 6:22] = 1
RING[10:18, 10:18] = 0


@pytest.mark.parametrize("kind", ["blob", "stroke", "gap"])
def test_a_planted_defect_changes_the_image_there_and_only_there(kind):
    random = np.random.default_rng(0)
    for _ in range(20):
        image, truth = plant_defect(kind, RING, random)
        change = image - RING
        assert image.shape == RING.shape
        assert 0 <= image.min() <= image.max() <= 1
        assert 12 <= truth.sum() <= 80
        np.testing.assert_array_equal(np.abs(change) > 0.3, truth)
        assert (change[truth] < 0).all() if kind == "gap" else (change[truth] > 0).all()


def test_the_same_seed_plants_the_same():
    first, second = (plant_defect("stroke", RING, np.random.default_rng(3))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("kind", "image", "message"),
    [
        ("gap", np.zeros((28, 28)), "image='without ink'"),
        ("blob", np.ones((28, 28)), "has no place where a blob of 12 pixels is seen"),
        ("hole", RING, "kind='hole'"),
        ("blob", RING[:8, :8], r"image shape=\(8, 8\)"),
    ],
)
def test_a_defect_that_nobody_would_see_is_refused(kind, image, message):
    with pytest.raises(InputError, match=message):
        plant_defect(kind, image, np.random.default_rng(0))


def test_blame_on_the_planted_segments_alone_is_a_perfect_score():
    cells, truth = grid(28, 28, 7), np.zeros((28, 28), np.bool_)
    truth[0:4, 4:8] = True
    blame = np.zeros(49)
    blame[1] = 1.0
    assert localisation(blame, truth, cells) == (1, 1, pytest.approx(1 / 49))
    assert localisation(-blame, truth, cells)[:2] == (0, 0)


def test_segments_of_one_pixel_are_planted_by_that_one():
    cells, truth = grid(28, 28, 28), np.zeros((28, 28), np.bool_)
    truth[3:6, 3:7] = True
    assert localisation(truth.ravel().astype(float), truth, cells) == (1, 1, pytest.approx(12 / 784))


def test_where_nothing_is_planted_nothing_can_be_found():
    with pytest.raises(InputError, match="planted segments=0: must be some of the 49"):
        localisation(np.zeros(49), np.zeros((28, 28), np.bool_), grid(28, 28, 7))


def test_each_image_gets_one_defect_and_is_drawn_once_while_there_are_enough():
    images = np.zeros((5, 1, 28, 28), np.float32)
    images[:, 0, 0, 0] = np.linspace(0.1, 0.2, 5)  # a mark in a corner that no defect reaches
    spoilt = plant_defects("blob", images, 5, np.random.default_rng(0))
    assert sorted(image[0, 0, 0] for image, _ in spoilt) == images[:, 0, 0, 0].tolist()
    for image, truth in spoilt:
        assert image.shape == (1, 28, 28)
        assert (image[0][truth] > 0.3).all()
    assert len(plant_defects("blob", images[:1], 3, np.random.default_rng(0))) == 3


def test_blame_at_random_hits_as_often_as_segments_are_planted():
    assert Localisation(0.9, 1.0, 0.25).by_chance == (0.5, 0.25, 0.25)
