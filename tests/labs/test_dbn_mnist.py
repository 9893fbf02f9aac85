"""What the lab learns from, and how it measures that."""

import json

import pytest
import torch
from unwatched import Unwatched

from foundations.errors import InputError
from labs.dbn_mnist import BATCH, Config, binary, load
from labs.kit.lab import load as load_lab
from labs.kit.launch import execute


def test_a_part_of_the_training_images_keeps_its_labels():
    run = Unwatched()
    part = load(Config(training_images=150), run)
    pairs = zip(run.data.train_images, run.data.train_labels, strict=True)
    known = {image.numpy().tobytes(): int(label) for image, label in pairs}
    assert len(part.train_labels) == 150
    chosen = zip(part.train_images, part.train_labels, strict=True)
    assert all(known[image.numpy().tobytes()] == int(label) for image, label in chosen)


def test_test_images_are_drawn_to_zero_and_one_at_their_brightness_and_always_alike():
    rows = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 3).repeat(4_000, 1, 1, 1)
    drawn = binary(rows, "test", Unwatched())
    assert drawn.shape == (4_000, 3)
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(drawn.mean(0), torch.tensor([0, 0.2, 1]), rtol=0, atol=0.03)
    assert torch.equal(drawn, binary(rows, "test", Unwatched()))


@pytest.mark.parametrize("shape", [(300, 3, 28, 28), (300, 1, 20, 20)])
def test_images_of_another_kind_are_refused(shape):
    run = Unwatched(train_images=torch.zeros(shape, dtype=torch.uint8))
    with pytest.raises(InputError, match="grey images, 28x28"):
        load(Config(), run)


def test_fewer_images_than_an_update_takes_are_refused():
    with pytest.raises(InputError, match=f"training_images=50: must be at least {BATCH}"):
        load(Config(training_images=50), Unwatched())


@pytest.mark.slow
def test_tuned_up_and_down_the_network_has_a_better_bound_and_its_own_published_error_beside_it(place):
    lab = load_lab("labs.dbn_mnist")
    fewer = {"hidden": 40, "top_hidden": 40, "look_temperatures": 10, "fine_steps": 100, "looks": 1, "sweeps": 2}
    small = Config.presets["smoke"] | fewer
    assert execute(lab, lab.config_type(**small, data="digits", fine_tuning="up_down")) == 0
    (folder,) = (place / "mlruns" / "runs").iterdir()
    summary = json.loads((folder / "record.json").read_text())["summary"]
    assert 0 < summary["test/error_percent"] < 100
    assert summary["bound/up_down"] > summary["bound/greedy"] + 5
    assert summary["published/error_percent"] == 1.25
