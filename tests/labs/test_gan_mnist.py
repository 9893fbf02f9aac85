"""What the GAN's lab takes over from the packages that it drives."""

import dataclasses
from types import SimpleNamespace
from typing import get_args, get_type_hints

import pytest
import torch

from generative.gan.models import RECIPES, Model, Norm
from generative.gan.objectives import Loss, Slope
from generative.judge import FEATURES
from generative.metrics import SAMPLES_PER_FEATURE, Assessment
from labs.gan_mnist import COMPARED, FEWEST, LENGTHS, Config, _compare_with_history, _ways


def choices(field):
    """What the lab lets choose, besides the model's own."""
    return {*get_args(get_type_hints(Config)[field])} - {"own"}


def test_the_fewest_images_that_the_lab_takes_are_those_that_the_judge_can_compare():
    assert FEWEST == SAMPLES_PER_FEATURE * FEATURES


@pytest.mark.parametrize(("field", "known"), [("model", Model), ("loss", Loss), ("penalty", Slope), ("norm", Norm)])
def test_what_can_be_chosen_is_what_the_package_knows(field, known):
    assert choices(field) == set(get_args(known))


@pytest.mark.parametrize("preset", ["smoke", "quick", "full"])
def test_every_model_has_a_recipe_and_a_length_in_each_preset(preset):
    assert set(LENGTHS[preset]) == set(RECIPES) == choices("model")


def test_what_the_comparison_shows_the_judge_says():
    assert set(COMPARED) <= {field.name for field in dataclasses.fields(Assessment)}


def test_the_likelihood_of_2014_takes_as_many_real_images_as_made_ones_even_of_a_small_data_set():
    images = torch.rand(320, 1, 28, 28, generator=torch.Generator().manual_seed(0)).mul(255).byte()
    figures = {}
    run, digits = (
        SimpleNamespace(summary=figures.update, table=lambda name, rows: None),
        SimpleNamespace(train_images=images, test_images=images),
    )
    _compare_with_history(run, digits, images.flip(0).repeat(3, 1, 1, 1) / 255)
    # The first 160 of the made ones are the 160 real ones that the bandwidth was not chosen by.
    assert figures["parzen_log_likelihood"] == pytest.approx(figures["parzen_log_likelihood_real"], rel=1e-6)


def test_each_way_leads_from_one_latent_to_the_next_to_the_bit(generator):
    ends = torch.randn(6, 5, generator=generator)
    ways = _ways(ends).view(3, 10, 5)
    assert torch.equal(ways[:, 0], ends[::2])
    assert torch.equal(ways[:, -1], ends[1::2])
