"""What the lab learns from, and what its settings allow."""

import json

import pytest
import torch
from unwatched import Unwatched

from foundations.errors import InputError
from labs.anomaly_detection import BY_CODE, BY_ERROR, Config, Trial, _tell, load
from labs.kit.data import load_images
from labs.kit.lab import load as load_lab
from labs.kit.launch import execute


def notes(own, pca, **settings):
    """What a reader is told of these mean areas of the autoencoder's and the principal components' code distance."""
    run, ways = (
        Unwatched(class_names=("0",)),
        [f"{name}, {by}" for name in ("own", "PCA") for by in (BY_CODE, BY_ERROR)],
    )
    areas = dict(zip(ways, (own, 0.5, pca, 0.5), strict=True))
    odd = torch.tensor([True, False])
    trial = Trial({ways[0]: torch.tensor([1.0, 0.0])}, areas, 0.5, odd, {})
    _tell([trial], areas, ways[:3], run.data, Config(**settings), run)
    return run.notes


def test_images_are_shuffled_with_their_labels_and_no_more_than_asked_for():
    run = Unwatched()
    part = load(Config(training_images=300, test_images=100), run)
    pairs = zip(run.data.train_images, run.data.train_labels, strict=True)
    known = {image.numpy().tobytes(): int(label) for image, label in pairs}
    assert (len(part.train_labels), len(part.test_labels)) == (300, 100)
    taken = zip(part.train_images, part.train_labels, strict=True)
    assert all(known[image.numpy().tobytes()] == int(label) for image, label in taken)


def test_images_of_one_class_have_no_other_to_hold_out():
    with pytest.raises(InputError, match="of two classes or more"):
        load(Config(), Unwatched(class_names=("0",)))


def test_sizes_of_which_principal_components_allow_none_are_refused():
    with pytest.raises(InputError, match=r"pca_sizes=\(5000,\): must be sizes of which one is 784 or less"):
        load(Config(pca_sizes=(5000,)), Unwatched())
    load(Config(pca_sizes=(5000, 784)), Unwatched())


def test_too_few_images_are_the_datas_fault():
    images = load_images("digits")
    few = {"train_images": images.train_images[:3], "train_labels": images.train_labels[:3]}
    with pytest.raises(InputError, match=r"data='mine': must be of 128 .batch_size. training images or more"):
        load(Config(data="mine"), Unwatched(**few))


def test_a_class_of_which_too_few_test_images_could_be_shown_is_named():
    labels = load_images("digits").test_labels.clone()
    labels[(labels == 7).nonzero()[3:]] = 8
    with pytest.raises(InputError, match=r"data='mine': must be of 4 test images or more of each class.*'7' has 3"):
        load(Config(data="mine"), Unwatched(test_labels=labels))


def test_better_areas_than_those_of_principal_components_raise_no_alarm():
    assert notes(own=0.9, pca=0.8) == []


def test_areas_no_better_than_those_of_principal_components_raise_an_alarm():
    assert notes(own=0.8, pca=0.8) == [
        f"no better than principal components (PCA, {BY_CODE}): train for longer (--steps)"
    ]


def test_with_a_large_learning_rate_no_longer_training_is_advised():
    assert notes(own=0.8, pca=0.8, learning_rate=1000.0)[0].endswith("lower --learning-rate, now 1000")


@pytest.mark.slow
def test_a_class_that_was_never_shown_is_found(place):
    lab = load_lab("labs.anomaly_detection")
    settings = {"data": "digits", "steps": 150, "batch_size": 64, "pca_sizes": (8, 16), "code_size": 16}
    assert execute(lab, lab.config_type(**settings)) == 0
    (folder,) = (place / "mlruns" / "runs").iterdir()
    summary = json.loads((folder / "record.json").read_text())["summary"]
    assert summary["roc_auc"] > 0.85
    assert summary["false_alarms"] < 0.15
