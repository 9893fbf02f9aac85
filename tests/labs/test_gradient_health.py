"""What the lab of gradients through depth shows, on the digits that every machine has."""

import pytest
from unwatched import Unwatched

from labs.gradient_health import Bench, Case, Config, until_overflow


def bench(**settings):
    return Bench(Config(data="digits", width=32, batch_size=32, **settings), Unwatched())


def test_fifty_sigmoids_leave_the_first_layer_next_to_nothing_of_the_gradient():
    here = bench()
    assert here.measure(here.build(Case("sigmoid", "Glorot"), 50)).first_to_last < 1e-20


def test_he_weights_and_residual_connections_bring_the_gradient_to_the_first_of_fifty_layers():
    here = bench()
    for case in (Case("relu", "He"), Case("relu", "normal", "residual")):
        health = here.measure(here.build(case, 50))
        assert 1e-2 < health.first_to_last < 1e3
        assert health.gradients[0] > 1e-3


def test_every_kind_of_network_begins_as_its_case_says():
    here = bench()
    for case in (Case("relu", "normal"), Case("tanh", "orthogonal"), Case("relu", "He")):
        spread = here.build(case, 3).body[2][0].weight.std().item()
        wanted = {"normal": 0.01, "orthogonal": 5 / 3 / 32**0.5, "He": (2 / 32) ** 0.5}[case.start]
        assert spread == pytest.approx(wanted, rel=0.1)


def test_the_exploding_network_overflows_without_clipping_and_not_with_it():
    here = bench(explosive_std=0.1)
    assert len(until_overflow(here.learner(Case("relu", "normal", "residual", 0.1)), 20)) < 20
    assert len(until_overflow(here.learner(Case("relu", "normal", "residual", 0.1, clip_norm=1.0)), 20)) == 20
