"""What the comparison of regularisers rests on: a seed decides the same for all methods."""

import pytest
import torch
from unwatched import Unwatched

from foundations.errors import InputError
from labs.regularization import Config, Method, Result, Trials, gain, methods

SMALL = {"data": "digits", "images": 100, "batch_size": 20, "channels": 4, "units": 16, "epochs": 2}


def trials(**settings):
    return Trials(Config(**{**SMALL, **settings}), Unwatched())


def test_all_methods_of_a_seed_begin_with_the_same_weights_and_images():
    here = trials()
    learners = [
        here.learner(method, 0, shown=False) for method in (Method(), Method(dropout=0.5), Method(augments=True))
    ]
    for learner in learners[1:]:
        assert torch.equal(learner.inputs, learners[0].inputs)
        pairs = zip(learner.network.parameters(), learners[0].network.parameters(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)


def test_seeds_learn_from_different_images():
    here = trials()
    first, second = (here.learner(Method(), seed, shown=False).inputs for seed in (0, 1))
    assert not torch.equal(first, second)


def test_early_stopping_pays_for_its_validation_images():
    learner = trials().learner(Method(stops_early=True), 0, shown=False)
    assert len(learner.inputs) == 80


def test_proximal_steps_make_exact_zeros_and_the_penalty_none():
    here = trials(l1_proximal=1.0)
    compared = methods(here.config)
    zeros = {name: here.result(here.train(name, compared[name], 1)).zeros for name in ("l1_penalty", "l1_proximal")}
    assert zeros["l1_penalty"] == 0
    assert zeros["l1_proximal"] > 0.05


def test_a_gain_is_told_in_points_and_in_pooled_standard_deviations():
    with_it, without = ([Result(1.0, test, 0.0, 0.0) for test in each] for each in ((0.96, 0.98), (0.90, 0.92)))
    points, deviations = gain(with_it, without)
    assert points == pytest.approx(6)
    assert deviations == pytest.approx(6 / 2**0.5)


@pytest.mark.parametrize("settings", [{"images": 5_000}, {"batch_size": 90}, {"held_out": 0.001}])
def test_settings_that_do_not_fit_the_data_are_refused_before_anything_is_trained(settings):
    with pytest.raises(InputError, match=f"{next(iter(settings))}="):
        trials(**settings)
