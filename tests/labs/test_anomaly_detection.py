"""What the lab learns from, and what its settings allow."""

import json
from dataclasses import replace

import pytest
import torch

from foundations.errors import InputError
from foundations.streams import Streams
from labs.anomaly_detection import Config, load
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
    pairs = zip(run.images.train_images, run.images.train_labels, strict=True)
    known = {image.numpy().tobytes(): int(label) for image, label in pairs}
    assert (len(part.train_labels), len(part.test_labels)) == (300, 100)
    taken = zip(part.train_images, part.train_labels, strict=True)
    assert all(known[image.numpy().tobytes()] == int(label) for image, label in taken)


def test_images_of_one_class_have_no_other_to_hold_out():
    with pytest.raises(InputError, match="of two classes or more"):
        load(Config(), Unwatched(class_names=("0",)))


@pytest.mark.slow
def test_a_class_that_was_never_shown_is_found(place):
    lab = load_lab("labs.anomaly_detection")
    settings = {"data": "digits", "steps": 150, "batch_size": 64, "pca_sizes": (8, 16), "code_size": 16}
    assert execute(lab, lab.config_type(**settings)) == 0
    (folder,) = (place / "mlruns" / "runs").iterdir()
    summary = json.loads((folder / "record.json").read_text())["summary"]
    assert summary["roc_auc"] > 0.85
    assert summary["false_alarms"] < 0.15
