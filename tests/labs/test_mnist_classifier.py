"""What the lab trains, on which images, and how well it does where there are few."""

import json

import pytest
import torch
from unwatched import Unwatched

from foundations.errors import InputError
from foundations.inspection import count_parameters
from labs.kit.lab import load as load_lab
from labs.kit.launch import execute
from labs.mnist_classifier import FEWEST_STEPS, Config, build, load, plan


@pytest.mark.parametrize(("model", "weights"), [("lenet", 61_706), ("mlp", 235_146)])
def test_the_models_have_the_weights_that_the_settings_promise(model, weights):
    run = Unwatched()
    assert count_parameters(build(model, run.data, run.streams, run)) == weights


def test_a_part_of_the_training_images_keeps_its_labels_and_all_classes():
    run = Unwatched()
    part = load(Config(training_images=200), run)
    known = {image.numpy().tobytes(): int(label) for image, label in zip(*_training(run.data), strict=True)}
    assert len(part.train_labels) == 200
    assert all(known[image.numpy().tobytes()] == int(label) for image, label in zip(*_training(part), strict=True))
    assert len(part.train_labels.unique()) == 10


def _training(images):
    return images.train_images, images.train_labels


def test_few_images_are_seen_more_often_unless_the_epochs_are_given():
    assert plan(Config(), 1_437)[1] == FEWEST_STEPS
    assert plan(Config(epochs=2), 1_437)[1] == 2 * (1_437 // 64)
    assert plan(Config(), 60_000)[1] == 3 * (60_000 // 64)


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(InputError, match="batch_size=500: must be at most 100"):
        plan(Config(batch_size=500), 100)


@pytest.mark.parametrize(("height", "width", "named"), [(28, 20, "square"), (20, 20, "image_side=20")])
def test_images_that_do_not_suit_lenet_are_refused(height, width, named):
    run = Unwatched(train_images=torch.zeros(1_437, 1, height, width, dtype=torch.uint8))
    with pytest.raises(InputError, match=named):
        build("lenet", load(Config(), run), run.streams, run)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lenet", "mlp"])
def test_the_lab_learns_the_embedded_digits(model, place):
    lab = load_lab("labs.mnist_classifier")
    assert execute(lab, lab.config_type(data="digits", model=model)) == 0
    (folder,) = (place / "mlruns" / "runs").iterdir()
    assert json.loads((folder / "record.json").read_text())["summary"]["test/accuracy"] >= 0.95
