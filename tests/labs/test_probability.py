"""What the lab of probability says."""

import pytest

from labs.probability import against_scipy, fit_both_ways


def test_every_quantity_agrees_with_scipy():
    differences = against_scipy()
    assert len(differences) == 18
    assert max(differences.values()) <= 1e-12


def test_one_divergence_covers_both_humps_and_the_other_chooses_the_larger():
    covering, choosing = fit_both_ways(40)[0]
    # D(p || q) is smallest at the mean and the variance of p, those of a mixture: in closed form.
    mean = 0.6 * -2 + 0.4 * 2
    variance = 0.6 * (0.7**2 + (-2 - mean) ** 2) + 0.4 * (0.9**2 + (2 - mean) ** 2)
    assert covering["mean"] == pytest.approx(mean, abs=0.11)
    assert covering["sigma"] == pytest.approx(variance**0.5, abs=0.05)
    assert choosing["mean"] == pytest.approx(-2, abs=0.11)
    assert choosing["sigma"] == pytest.approx(0.7, abs=0.1)
