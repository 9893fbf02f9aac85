"""Labelled images in a training and a test part, as arrays."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

TEST_SHARE = 0.2


class Split(NamedTuple):
    """Images uint8 (n, channels, height, width); labels int64 (n,), which index `class_names`."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    class_names: tuple[str, ...]


def split_by_class(images: NDArray[np.uint8], labels: NDArray[np.int64], class_names: tuple[str, ...]) -> Split:
    """A fifth of every class (at least one image) for testing, the rest for training, both shuffled.

    The same input gives the same split always, whatever the seed of a run, so that test figures compare between runs.
    Every class needs two images or more.
    """
    order = np.random.default_rng(0).permutation(len(labels))
    is_test = np.zeros(len(labels), dtype=bool)
    for label in range(len(class_names)):
        members = order[labels[order] == label]
        is_test[members[: max(1, round(TEST_SHARE * len(members)))]] = True
    train, test = order[~is_test[order]], order[is_test[order]]
    return Split(images[train], labels[train], images[test], labels[test], class_names)
