"""What the lab takes, and what its autoencoder is worth beside principal components."""

import json
from dataclasses import replace

import pytest
import torch
from unwatched import Unwatched

from foundations.errors import InputError
from labs.autoencoder_mnist import Config, _tell_reconstruction, load
from labs.drawings.autoencoder_mnist import draw_reconstructions
from labs.kit.data import load_images
from labs.kit.lab import load as load_lab
from labs.kit.launch import execute


class Dimmed:
    """A coder that gives images back at a `share` of their brightness; the codes are a row of noise."""

    def __init__(self, share, *, dead=0):
        self.share, self.dead = share, dead

    def encode(self, images):
        codes = torch.randn(len(images), 28, generator=torch.Generator().manual_seed(0))
        codes[:, : self.dead] = 0.5
        self._images = images
        return codes

    def decode(self, codes):
        return self.share * self._images


def tell(own, pca, **settings):
    """The run that was told of these two coders."""
    run = Unwatched()
    _tell_reconstruction({"autoencoder": own, "PCA": pca}, run.data, Config(**settings), run)
    return run


def test_images_are_shuffled_with_their_labels_and_no_more_than_asked_for():
    run = Unwatched()
    part = load(Config(training_images=300, test_images=100), run)
    pairs = zip(run.data.test_images, run.data.test_labels, strict=True)
    known = {image.numpy().tobytes(): int(label) for image, label in pairs}
    assert (len(part.train_labels), len(part.test_labels)) == (300, 100)
    taken = zip(part.test_images, part.test_labels, strict=True)
    assert all(known[image.numpy().tobytes()] == int(label) for image, label in taken)


def test_more_neighbours_than_images_are_refused():
    with pytest.raises(InputError, match="neighbours=51: must be at most 50"):
        load(Config(neighbours=51, gallery=50), Unwatched())


@pytest.mark.parametrize(("training", "test"), [(3, 100), (1000, 9)])
def test_too_few_images_are_the_datas_fault(training, test):
    images = load_images("digits")
    few = {"train_images": images.train_images[:training], "test_images": images.test_images[:test]}
    wanted = f"data='mine': must be of 128 training images or more, .*; it has {training} and {test}"
    with pytest.raises(InputError, match=wanted):
        load(Config(data="mine"), Unwatched(**few))


def test_a_better_reconstruction_than_that_of_principal_components_raises_no_alarm():
    run = tell(Dimmed(0.9), Dimmed(0.8))
    assert run.notes == []
    assert run.values["dead_units"] == 0


def test_units_that_are_the_same_for_all_images_are_counted_and_raise_an_alarm():
    run = tell(Dimmed(0.9, dead=3), Dimmed(0.8))
    assert run.notes == ["3 of the code's 28 numbers are nearly the same for all images"]
    assert run.values["dead_units"] == 3


def test_an_autoencoder_no_better_than_principal_components_raises_an_alarm():
    assert tell(Dimmed(0.8), Dimmed(0.8)).notes == [
        "the autoencoder reconstructs no better than PCA: train for longer (--steps)"
    ]


def test_with_a_large_learning_rate_no_longer_training_is_advised():
    (note,) = tell(Dimmed(0.5), Dimmed(0.8), learning_rate=1000.0).notes
    assert note.endswith("lower --learning-rate, now 1000")


def test_the_summary_tells_how_sparse_the_code_is():
    sparse, full = Dimmed(1.0), Dimmed(1.0)
    sparse.encode = lambda images: torch.eye(28)[torch.arange(len(images)) % 28]
    sparse.decode = full.decode = lambda codes: torch.zeros(len(codes), 1, 28, 28)
    full.encode = lambda images: torch.ones(len(images), 28)
    assert tell(sparse, full).values["hoyer_sparsity"] == pytest.approx(1)
    assert tell(full, full).values["hoyer_sparsity"] == pytest.approx(0, abs=1e-5)


def test_a_class_without_test_images_is_not_drawn_as_another():
    images = load_images("digits")
    kept = images.test_labels != 4
    part = replace(images, test_images=images.test_images[kept], test_labels=images.test_labels[kept])
    figure = draw_reconstructions({"PCA": Dimmed(0.9)}, part, Config(), Unwatched())
    assert figure.axes[0].images[0].get_array().shape[1] == 9 * (28 + 2) + 2


@pytest.mark.slow
def test_the_lab_beats_principal_components_on_the_embedded_digits(place):
    lab = load_lab("labs.autoencoder_mnist")
    settings = {"data": "digits", "model": "dense", "code_size": 8, "steps": 400, "batch_size": 64, "mapped": 100}
    assert execute(lab, lab.config_type(**settings)) == 0
    (folder,) = (place / "mlruns" / "runs").iterdir()
    summary = json.loads((folder / "record.json").read_text())["summary"]
    assert summary["reconstruction_error"] < summary["reconstruction_error_pca"]
