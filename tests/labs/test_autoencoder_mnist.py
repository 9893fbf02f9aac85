"""What the lab takes, and what its autoencoder is worth beside principal components."""

import json
from dataclasses import replace

import pytest
import torch

from foundations.errors import InputError
from foundations.streams import Streams
from labs.autoencoder_mnist import Config, load
from labs.kit.data import load_images
from labs.kit.lab import load as load_lab
from labs.kit.launch import execute


class Unwatched:
    """A run of which nobody asks anything but streams, device and the embedded digits."""

    streams, device = Streams(0), torch.device("cpu")

    def __init__(self, **changes):
        self.images = replace(load_images("digits"), **changes)

    def load_images(self, spec):
        return self.images


def test_images_are_shuffled_with_their_labels_and_no_more_than_asked_for():
    run = Unwatched()
    part = load(Config(training_images=300, test_images=100), run)
    pairs = zip(run.images.test_images, run.images.test_labels, strict=True)
    known = {image.numpy().tobytes(): int(label) for image, label in pairs}
    assert (len(part.train_labels), len(part.test_labels)) == (300, 100)
    taken = zip(part.test_images, part.test_labels, strict=True)
    assert all(known[image.numpy().tobytes()] == int(label) for image, label in taken)


def test_more_neighbours_than_images_are_refused():
    with pytest.raises(InputError, match="neighbours=51: must be at most 50"):
        load(Config(neighbours=51, gallery=50), Unwatched())


@pytest.mark.slow
def test_the_lab_beats_principal_components_on_the_embedded_digits(place):
    lab = load_lab("labs.autoencoder_mnist")
    settings = {"data": "digits", "model": "dense", "code_size": 8, "steps": 400, "batch_size": 64, "mapped": 100}
    assert execute(lab, lab.config_type(**settings)) == 0
    (folder,) = (place / "mlruns" / "runs").iterdir()
    summary = json.loads((folder / "record.json").read_text())["summary"]
    assert summary["reconstruction_error"] < summary["reconstruction_error_pca"]
