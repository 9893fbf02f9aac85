"""A random part of the training images: labels stay with their images, and the stream alone decides."""

from dataclasses import replace

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


def test_test_images_are_drawn_after_the_training_images_and_keep_their_labels(digits):
    labels = {
        image.numpy().tobytes(): int(label) for image, label in zip(digits.test_images, digits.test_labels, strict=True)
    }
    part = digits.subset(50, draw(), test_count=40)
    assert torch.equal(part.train_images, digits.subset(50, draw()).train_images)
    assert [labels[image.numpy().tobytes()] for image in part.test_images] == part.test_labels.tolist()
    assert len({image.numpy().tobytes() for image in part.test_images}) == 40


@pytest.mark.parametrize("counts", [{"count": 0}, {"count": 1, "test_count": 0}])
def test_a_subset_of_nothing_is_refused(digits, counts):
    with pytest.raises(InputError, match="count=0: must be at least 1"):
        digits.subset(**counts, generator=draw())


def test_images_of_another_kind_are_refused_by_the_name_that_the_user_gave(digits):
    digits.require_grey("digits")
    coloured = replace(digits, train_images=torch.zeros(4, 3, 28, 28, dtype=torch.uint8))
    with pytest.raises(InputError, match="data='own': must be of grey images, 28x28; these are coloured, 28x28"):
        coloured.require_grey("own")
    large = replace(digits, test_images=torch.zeros(4, 1, 32, 30, dtype=torch.uint8))
    with pytest.raises(InputError, match="these are grey, 30x32"):
        large.require_grey("own")


def test_digits_are_known_by_the_names_of_their_classes(digits):
    assert digits.are_digits
    assert not replace(digits, class_names=tuple("abcdefghij")).are_digits


def test_of_some_classes_the_labels_and_names_are_counted_from_the_first(digits):
    part = digits.of_classes(range(3, 5), test_count=20)
    chosen = (digits.train_labels == 3) | (digits.train_labels == 4)
    assert part.class_names == ("3", "4")
    assert torch.equal(part.train_images, digits.train_images[chosen])
    assert torch.equal(part.train_labels, digits.train_labels[chosen] - 3)
    assert len(part.test_images) == len(part.test_labels) == 20
    assert set(part.test_labels.tolist()) == {0, 1}


@pytest.mark.parametrize("classes", [range(9, 11), range(0), range(0, 4, 2), range(-2, 1)])
def test_classes_that_are_no_neighbours_in_the_data_are_refused(digits, classes):
    with pytest.raises(InputError, match="must be one or more neighbours among"):
        digits.of_classes(classes)


def test_data_move_to_a_device_whole(digits):
    moved = digits.to(torch.device("meta"))
    parts = (moved.train_images, moved.train_labels, moved.test_images, moved.test_labels)
    assert {part.device.type for part in parts} == {"meta"}
