"""The IDX parser: what it reads, what it refuses."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from foundations.errors import InputError
from labs.kit.data.idx import FILE_NAMES, parse_idx, parse_idx_images

pictures = arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=5))


def idx(array: NDArray[np.uint8]) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def four_files(train_labels: list[int], test_labels: list[int], side: int = 2) -> dict[str, bytes]:
    images = [np.zeros((len(labels), side, side), np.uint8) for labels in (train_labels, test_labels)]
    labels = [np.array(values, np.uint8) for values in (train_labels, test_labels)]
    return dict(zip(FILE_NAMES, map(idx, (images[0], labels[0], images[1], labels[1])), strict=True))


def parse(files: dict[str, bytes]):
    return parse_idx_images(files, {name: f"folder/{name}" for name in files})


@given(arrays(np.uint8, array_shapes(max_dims=4, max_side=5)))
def test_what_was_written_is_read_back(array):
    np.testing.assert_array_equal(parse_idx(idx(array), "file", axes=array.ndim), array)


@given(pictures, st.data())
def test_every_truncation_is_refused(array, data):
    content = idx(array)
    kept = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(InputError, match="file"):
        parse_idx(content[:kept], "file", axes=3)


@given(pictures, st.binary(min_size=1, max_size=9))
def test_bytes_after_the_end_are_refused(array, extra):
    with pytest.raises(InputError, match="too long"):
        parse_idx(idx(array) + extra, "file", axes=3)


@given(st.binary(max_size=64))
def test_arbitrary_bytes_are_read_or_refused_but_never_crash(content):
    try:
        array = parse_idx(content, "file", axes=1)
    except InputError:
        return
    assert len(content) == 8 + array.size


def test_a_header_that_promises_terabytes_allocates_nothing():
    content = bytes((0, 0, 8, 3)) + struct.pack(">3I", *[2**32 - 1] * 3)
    with pytest.raises(InputError, match="truncated"):
        parse_idx(content, "file", axes=3)


def test_floats_are_refused_with_the_expected_magic_number():
    with pytest.raises(InputError, match="00000803"):
        parse_idx(bytes((0, 0, 0x0D, 3)) + bytes(12), "file", axes=3)


def test_arrays_may_be_written_to():
    assert parse_idx(idx(np.zeros(3, np.uint8)), "file", axes=1).flags.writeable


def test_images_get_a_channel_axis():
    split = parse(four_files([0, 1, 1], [1, 0], side=4))
    assert split.train_images.shape == (3, 1, 4, 4)
    assert split.test_images.shape == (2, 1, 4, 4)


def test_labels_index_the_names_of_the_classes():
    split = parse(four_files([7, 3, 9], [9, 3]))
    assert split.class_names == ("3", "7", "9")
    assert split.train_labels.tolist() == [1, 0, 2]
    assert split.test_labels.tolist() == [2, 0]
    assert split.train_labels.dtype == split.test_labels.dtype == np.int64


def test_a_test_label_that_was_never_trained_on_is_refused_by_file():
    with pytest.raises(InputError, match=r"folder/t10k-labels-idx1-ubyte: label 200 .*train-labels"):
        parse(four_files([0, 1], [1, 200]))


def test_counts_of_images_and_labels_must_match():
    files = four_files([0, 1, 0], [1])
    files["train-labels-idx1-ubyte"] = idx(np.zeros(2, np.uint8))
    with pytest.raises(InputError, match="train-labels-idx1-ubyte: 2 labels for 3 images"):
        parse(files)


def test_training_and_test_images_must_have_one_size():
    files = four_files([0, 1], [1])
    files["t10k-images-idx3-ubyte"] = idx(np.zeros((1, 5, 6), np.uint8))
    with pytest.raises(InputError, match="t10k-images-idx3-ubyte: images of 5x6 pixels, but 2x2"):
        parse(files)


def test_a_set_without_images_is_refused():
    with pytest.raises(InputError, match="holds no images"):
        parse(four_files([], [1]))
