"""A random part of the training images: labels stay with their images, and the stream alone decides."""

import pytest
import torch

from foundations.errors import InputError
from labs.kit.data import load_images


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def test_every_image_of_a_subset_keeps_its_label_and_comes_once(digits):
    labels = {
        image.numpy().tobytes(): int(label)
        for image, label in zip(digits.train_images, digits.train_labels, strict=True)
    }
    part = digits.subset(200, draw())
    chosen = [image.numpy().tobytes() for image in part.train_images]
    assert len(set(chosen)) == 200
    assert [labels[image] for image in chosen] == part.train_labels.tolist()


def test_a_subset_keeps_the_test_images_and_what_names_the_data(digits):
    part = digits.subset(10, draw())
    assert part.test_images is digits.test_images
    assert (part.fingerprint, part.class_names) == (digits.fingerprint, digits.class_names)


def test_another_stream_chooses_other_images_and_the_same_stream_the_same(digits):
    one, again, other = (digits.subset(50, draw(seed)).train_images for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_more_than_there_are_gives_all_of_them_shuffled(digits):
    whole = digits.subset(10**9, draw())
    assert len(whole.train_labels) == len(digits.train_labels)
    assert torch.equal(whole.train_labels.bincount(), digits.train_labels.bincount())
    assert not torch.equal(whole.train_labels, digits.train_labels)


def test_a_subset_of_nothing_is_refused(digits):
    with pytest.raises(InputError, match="count=0: must be at least 1"):
        digits.subset(0, draw())
