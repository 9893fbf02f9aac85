"""The embedded digits, and how they stand in for MNIST where it is not to be had."""

import pytest

from labs.kit.data import load_images


def test_digits_asked_for_by_name_come_without_notice():
    assert load_images("digits").notice is None


def test_embedded_digits_are_laid_out_as_mnist():
    data = load_images("digits")
    assert data.train_images.shape[1:] == (1, 28, 28)
    assert len(data.train_images) + len(data.test_images) == 1797
    assert data.class_names == tuple("0123456789")
    assert data.train_images.max() == 255
    assert not data.train_images[..., :3, :].any()
    assert not data.train_images[..., :, 25:].any()


def test_embedded_digits_have_the_stroke_weight_of_mnist():
    mean = load_images("digits").train_images.float().mean().item()
    assert mean == pytest.approx(33.3, abs=1.0)


def test_embedded_digits_are_the_same_on_every_machine():
    assert load_images("digits").fingerprint == "a16e50bf08237b98"


def test_without_mnist_the_embedded_digits_stand_in_and_say_so(monkeypatch, tmp_path):
    monkeypatch.delenv("LABS_DATA_DIR", raising=False)
    monkeypatch.setenv("LABS_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("LABS_OFFLINE", "1")
    data = load_images("mnist")
    assert (data.name, data.source) == ("digits", "embedded")
    assert data.notice is not None
    assert data.notice.startswith("NOT MNIST")
    assert "LABS_DATA_DIR" in data.notice
    assert data.fingerprint == load_images("digits").fingerprint
