import pytest
import torch
from unwatched import Unwatched

from foundations.errors import InputError
from foundations.optimizers.variants import VARIANTS
from foundations.surfaces import SURFACES, Race
from labs.drawings.optimizers import Film
from labs.optimizers import racers
from labs.optimizers_on_digits import Config, Digits


def test_all_optimizers_race_but_adamw_which_without_decay_is_adam():
    assert set(VARIANTS) - set(racers()) == {"AdamW"}


def test_frames_of_the_film_are_pictures_that_differ():
    race = Race({"Adam": VARIANTS["Adam"]}, {surface: {"Adam": [0.1]} for surface in SURFACES})
    film = Film(race)
    first = film.frame(0)
    for _ in zip(range(5), race.learn(), strict=False):
        pass
    second = film.frame(5)
    film.close()
    assert first.shape == second.shape
    assert first.shape[:2] == (1, 3)
    assert 0 <= first.min() < first.max() <= 1
    assert not torch.equal(first, second)


def test_all_optimizers_start_from_the_same_weights_and_see_the_same_batches():
    digits = Digits(Config(data="digits", hidden=8), Unwatched())
    learners = [digits.learner(name, 0.01, digits.run.streams) for name in VARIANTS]
    for learner in learners[1:]:
        for left, right in zip(learner.network.parameters(), learners[0].network.parameters(), strict=True):
            assert torch.equal(left, right)
    assert len({next(learner.learn())["loss/training"].item() for learner in learners}) == 1


def test_the_rate_for_the_digits_is_one_that_learns():
    digits = Digits(Config(data="digits", hidden=16, tuning_steps=20, batch_size=32), Unwatched())
    assert 1e-3 <= digits.tune("Adam") <= 1e-1


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(InputError, match=r"^batch_size=5000"):
        Digits(Config(data="digits", batch_size=5_000), Unwatched())


def test_too_few_images_to_hold_some_out_are_refused():
    with pytest.raises(InputError, match=r"^training_images=9: must be at least 10"):
        Digits(Config(data="digits", training_images=9, batch_size=1), Unwatched())
