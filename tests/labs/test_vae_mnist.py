"""What the VAE's lab trains, what it notices, and how it ends."""

import json
from dataclasses import replace

import pytest
import torch

from foundations.errors import InputError
from foundations.inspection import count_parameters
from foundations.streams import Streams
from labs.drawings.vae_mnist import pairs_of
from labs.kit.data import load_images
from labs.kit.lab import load as load_lab
from labs.kit.launch import execute
from labs.vae_mnist import Config, build, load, see


class Unwatched:
    """A run of which nobody asks anything but streams, device and the embedded digits."""

    streams, device = Streams(0), torch.device("cpu")

    def __init__(self, **changes):
        self.images = replace(load_images("digits"), **changes)

    def load_images(self, spec):
        return self.images


def learner_of(**settings):
    config, run = Config(**settings), Unwatched()
    images = load(config, run)
    return build(images, see(images, config, run), config, run)


def test_the_full_preset_trains_the_network_of_burda_and_others():
    vae = learner_of(**{**Config.presets["full"], "epochs": 1}).vae
    sizes = [(784, 200), (200, 200), (200, 100), (50, 200), (200, 200), (200, 784)]
    assert count_parameters(vae) == sum((into + 1) * out for into, out in sizes)


@pytest.mark.parametrize(("objective", "latents"), [("elbo", 1), ("importance_weighted", 50)])
def test_each_objective_draws_as_many_latents_as_published(objective, latents):
    assert learner_of(objective=objective).samples == latents


def test_the_vae_is_told_the_labels_where_it_is_conditional_alone():
    assert learner_of(conditional=True).vae.classes == 10
    assert learner_of().vae.classes == 0


def test_test_images_are_binarized_once_and_keep_their_labels():
    config, run = Config(conditional=True), Unwatched()
    first, second = (see(run.images, config, run) for _ in range(2))
    assert torch.equal(first.x, second.x)
    assert set(first.x.unique().tolist()) == {0, 1}
    assert torch.equal(first.labels, run.images.test_labels[first.order])


def test_paths_of_a_conditional_vae_join_images_of_one_class():
    labels = torch.tensor([3, 1, 3, 2, 1, 0])
    assert pairs_of(labels, same=True) == [(1, 4), (0, 2)]
    assert pairs_of(labels, same=False) == [(0, 1), (2, 3), (4, 5)]


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(InputError, match="batch_size=2000: must be between 1 and 1438"):
        learner_of(batch_size=2_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "noted"),
    [
        ({"beta": 1000.0}, "posterior collapse: 0 of 10 latent units"),
        ({"conditional": True, "likelihood": "gaussian"}, "the judge reads the digit that was asked for in only"),
    ],
)
def test_what_went_wrong_is_said(settings, noted, place):
    lab = load_lab("labs.vae_mnist")
    small = {"data": "digits", "hidden": (32,), "epochs": 1, "looks": 1, "estimate_latents": 5, "estimate_images": 20}
    assert execute(lab, lab.config_type(**small, **settings)) == 0
    (folder,) = (place / "mlruns" / "runs").iterdir()
    record = json.loads((folder / "record.json").read_text())
    assert record["ended"] == "finished"
    assert any(note.startswith(noted) for note in record["notes"])
