"""The IDX format, in which MNIST and its relatives are published.

An IDX file is big-endian: two zero bytes, the element type (0x08: unsigned byte), the number of axes, the length of
each axis as a 4-byte integer, then the elements in row-major order. Source: Y. LeCun, The MNIST database.
"""

import math
import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from foundations.errors import InputError
from labs.kit.data.splits import Split

UNSIGNED_BYTE = 0x08
FILE_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def parse_idx(content: bytes, name: str, axes: int) -> NDArray[np.uint8]:
    """The array in `content`, uncompressed IDX of unsigned bytes with `axes` axes; `name` is for messages.

    Raises: InputError naming the file and what is wrong with it.
    """
    header = 4 + 4 * axes
    if content[:4] != bytes((0, 0, UNSIGNED_BYTE, axes)):
        expected = f"must begin with 0000{UNSIGNED_BYTE:02x}{axes:02x}, unsigned bytes of {axes} axes"
        raise InputError(f"{name}: not the IDX file it should be: {expected}, but begins with {content[:4].hex()!r}")
    if len(content) < header:
        raise InputError(f"{name}: truncated: {len(content)} bytes, but its header alone has {header}; copy it again")
    shape = struct.unpack(f">{axes}I", content[4:header])
    expected_bytes = header + math.prod(shape)
    if len(content) != expected_bytes:
        fault = "truncated" if len(content) < expected_bytes else "too long"
        sizes = f"{len(content):,} bytes, but {expected_bytes:,} by its header {'x'.join(map(str, shape))}"
        raise InputError(f"{name}: {fault}: {sizes}; copy it again")
    # A copy, because tensors want memory that may be written to.
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()


def parse_idx_images(contents: Mapping[str, bytes], names: Mapping[str, str]) -> Split:
    """Training and test images from the contents of the four files, keyed by `FILE_NAMES`.

    Classes are the distinct training labels in rising order. `names` says how to call each file in messages.
    Raises: InputError naming the file that is malformed or does not fit to the others.
    """
    train_key, train_labels_key, test_key, test_labels_key = FILE_NAMES
    train_images = _parse_pictures(contents[train_key], names[train_key])
    test_images = _parse_pictures(contents[test_key], names[test_key])
    if train_images.shape[1:] != test_images.shape[1:]:
        sizes = "x".join(map(str, test_images.shape[2:])), "x".join(map(str, train_images.shape[2:]))
        raise InputError(f"{names[test_key]}: images of {sizes[0]} pixels, but {sizes[1]} in {names[train_key]}")
    labels = _parse_labels(contents[train_labels_key], names[train_labels_key], len(train_images))
    test_labels = _parse_labels(contents[test_labels_key], names[test_labels_key], len(test_images))
    classes = np.unique(labels)
    strangers = np.setdiff1d(test_labels, classes)
    if strangers.size:
        raise InputError(f"{names[test_labels_key]}: label {strangers[0]} occurs nowhere in {names[train_labels_key]}")
    return Split(
        train_images,
        np.searchsorted(classes, labels),
        test_images,
        np.searchsorted(classes, test_labels),
        tuple(map(str, classes)),
    )


def _parse_pictures(content: bytes, name: str) -> NDArray[np.uint8]:
    pictures = parse_idx(content, name, axes=3)
    if not pictures.size:
        raise InputError(f"{name}: holds no images: its header says {'x'.join(map(str, pictures.shape))}")
    return pictures[:, None]  # (n, 1, height, width)


def _parse_labels(content: bytes, name: str, images: int) -> NDArray[np.uint8]:
    labels = parse_idx(content, name, axes=1)
    if len(labels) != images:
        raise InputError(f"{name}: {len(labels):,} labels for {images:,} images; the files belong to different sets")
    return labels
