"""What the comparison rests on, and what it warns of."""

from typing import get_args

import pytest
import torch
from unwatched import Unwatched

from foundations.errors import InputError
from generative.gan.models import Model
from generative.judge import FEATURES
from generative.metrics import SAMPLES_PER_FEATURE, Assessment
from labs.drawings.generative_compare import MARKERS
from labs.generative_compare import FEWEST, GANS, REAL, Config, Entry, Made, load, report


def entry(made=True, copying=6.0, **changes):
    figures = {
        "inception_score": 9.0,
        "frechet_distance": 5.0,
        "precision": 0.8,
        "recall": 0.6,
        "smallest_class_share": 0.08,
        "count": 10_000,
        "real_count": 10_000,
    }
    costs = Made(torch.zeros(0), 1_000, 2_000, 12.0, 0.5) if made else None
    return Entry(torch.zeros(36, 1, 28, 28), Assessment(**figures | changes), copying, costs)


def test_the_fewest_images_that_the_lab_takes_are_those_that_the_judge_can_compare():
    assert FEWEST == SAMPLES_PER_FEATURE * FEATURES


def test_every_adversarial_network_of_the_package_takes_part_and_has_its_steps():
    assert set(GANS) == set(get_args(Model))
    assert all(getattr(Config(), f"{model}_steps") >= 1 for model in GANS)


def test_every_model_has_a_mark_of_its_own():
    assert len(set(MARKERS)) >= 5 + len(GANS)


def test_images_of_another_size_are_refused():
    with pytest.raises(InputError, match="grey images, 28x28"):
        load(Config(), Unwatched(test_images=torch.zeros(400, 1, 32, 32, dtype=torch.uint8)))


def test_fewer_images_than_the_judge_needs_are_refused():
    with pytest.raises(InputError, match="of 320 test images at least"):
        load(Config(), Unwatched(test_images=torch.zeros(300, 1, 28, 28, dtype=torch.uint8)))


def test_too_few_samples_to_rank_by_are_said():
    run = Unwatched()
    assert len(load(Config(training_images=400), run).train_labels) == 400
    assert any("too few samples" in note for note in run.notes)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"smallest_class_share": 0.01}, "VAE: mode collapse"),
        ({"recall": 0.1}, "VAE: narrow"),
        ({"precision": 0.1}, "VAE: hardly a digit"),
        ({"copying": 2.0}, "VAE: copying"),
    ],
)
def test_what_went_wrong_is_said(found, said):
    run = Unwatched()
    report({REAL: entry(made=False), "VAE": entry(**found)}, run)
    assert [said in note for note in run.notes] == [True]


def test_a_good_model_is_without_alarms_and_its_seconds_stay_out_of_what_is_replayed():
    run = Unwatched()
    report({REAL: entry(made=False), "VAE": entry()}, run)
    assert run.notes == []
    assert run.values["vae/precision"] == 0.8
    assert [name for name, value in run.values.items() if value == 12.5] == ["speed/vae_seconds"]
    assert [row["weights to draw"] for row in run.tables["comparison"]] == ["", "1,000"]
