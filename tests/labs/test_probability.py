"""What the lab of probability says."""

import pytest
import torch

from labs.kit.data import load_images
from labs.probability import against_scipy, fit_both_ways, pixels_as_coins


def test_every_quantity_agrees_with_scipy():
    differences = against_scipy()
    assert len(differences) == 18
    assert max(differences.values()) <= 1e-12


def test_one_divergence_covers_both_modes_and_the_other_chooses_the_larger():
    covering, choosing = (fit.row() for fit in fit_both_ways(40)[1])
    # D(p || q) is smallest at the mean and the variance of p, those of a mixture: in closed form.
    mean = 0.6 * -2 + 0.4 * 2
    variance = 0.6 * (0.7**2 + (-2 - mean) ** 2) + 0.4 * (0.9**2 + (2 - mean) ** 2)
    assert covering["mean"] == pytest.approx(mean, abs=0.11)
    assert covering["sigma"] == pytest.approx(variance**0.5, abs=0.05)
    assert choosing["mean"] == pytest.approx(-2, abs=0.11)
    assert choosing["sigma"] == pytest.approx(0.7, abs=0.1)


def test_a_pixel_that_is_never_bright_has_no_entropy_and_none_has_more_than_a_fair_coin():
    pixels = pixels_as_coins(load_images("digits"))
    assert pixels.entropies[pixels.shares == 0].abs().max() == 0
    assert pixels.entropies.max() <= torch.tensor(2.0).log()


def test_images_that_were_not_seen_cost_more_than_the_entropy_but_not_much_more():
    pixels = pixels_as_coins(load_images("digits"))
    assert 1 < pixels.cost / float(pixels.entropies.sum()) < 1.2
