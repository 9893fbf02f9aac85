"""Folders of the user's own: IDX files and pictures by class, and how faults in them are named."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from foundations.errors import InputError
from labs.kit.data import load_images
from labs.kit.data.splits import split_by_class


def write_idx(folder: Path, *, packed: bool = False, train: int = 6, test: int = 4) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in (("train", train), ("t10k", test)):
        pixels = bytes(range(count * 4))
        files = {
            f"{name}-images-idx3-ubyte": bytes((0, 0, 8, 3)) + struct.pack(">3I", count, 2, 2) + pixels,
            f"{name}-labels-idx1-ubyte": bytes((0, 0, 8, 1)) + struct.pack(">I", count) + bytes([0, 1] * (count // 2)),
        }
        for file_name, content in files.items():
            path = folder / (f"{file_name}.gz" if packed else file_name)
            path.write_bytes(gzip.compress(content) if packed else content)


def write_picture(path: Path, mode: str = "L", size: tuple[int, int] = (4, 3), level: int = 7) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, level if len(mode) == 1 else (level, level + 1, level + 2)).save(path)


def write_classes(folder: Path, *names: str, count: int = 5, mode: str = "L") -> None:
    for name in names:
        for number in range(count):
            write_picture(folder / name / f"{number}.png", mode, level=10 * number + len(name))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("place", ["", "raw", "MNIST/raw"])
def test_idx_files_are_found_plain_and_packed_in_every_layout(tmp_path, packed, place):
    write_idx(tmp_path / place, packed=packed)
    data = load_images(tmp_path)
    assert data.train_images.shape == (6, 1, 2, 2)
    assert data.train_images.dtype == torch.uint8
    assert data.train_labels.tolist() == [0, 1] * 3
    assert data.source == str(tmp_path)
    assert data.notice is None


def test_the_fingerprint_tells_content_not_place_nor_packing(tmp_path):
    write_idx(tmp_path / "one")
    write_idx(tmp_path / "two", packed=True)
    assert load_images(tmp_path / "one").fingerprint == load_images(str(tmp_path / "two")).fingerprint


def test_the_fingerprint_changes_with_a_single_pixel(tmp_path):
    write_idx(tmp_path)
    before = load_images(tmp_path).fingerprint
    path = tmp_path / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert load_images(tmp_path).fingerprint != before


def test_a_missing_idx_file_is_named(tmp_path):
    write_idx(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match="t10k-labels-idx1-ubyte: missing"):
        load_images(tmp_path)


def test_a_gzip_file_cut_short_is_named(tmp_path):
    write_idx(tmp_path, packed=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz: truncated or broken gzip"):
        load_images(tmp_path)


def test_an_idx_file_cut_short_is_named_with_both_sizes(tmp_path):
    write_idx(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="train-images-idx3-ubyte: truncated: 39 bytes, but 40"):
        load_images(tmp_path)


def test_sub_folders_in_sorted_order_are_the_classes(tmp_path):
    write_classes(tmp_path, "zebra", "ant", "cat")
    data = load_images(tmp_path)
    assert data.class_names == ("ant", "cat", "zebra")
    assert data.train_images.shape == (12, 1, 3, 4)
    assert data.test_labels.sort().values.tolist() == [0, 1, 2]


def test_a_label_belongs_to_the_picture_that_lies_in_its_sub_folder(tmp_path):
    for level, name in enumerate("abcde"):
        for number in range(4):
            write_picture(tmp_path / name / f"{number}.png", level=level)
    data = load_images(tmp_path)
    assert torch.equal(data.train_images[:, 0, 0, 0].long(), data.train_labels)
    assert torch.equal(data.test_images[:, 0, 0, 0].long(), data.test_labels)


def test_a_folder_is_split_the_same_way_every_time(tmp_path):
    write_classes(tmp_path, "a", "b", count=20)
    first, second = load_images(tmp_path), load_images(tmp_path)
    assert torch.equal(first.train_images, second.train_images)
    assert first.fingerprint == second.fingerprint


def test_a_split_takes_a_fifth_of_every_class_and_loses_nothing():
    labels = np.repeat(np.arange(3), (10, 50, 2))
    images = np.arange(62, dtype=np.uint8).reshape(-1, 1, 1, 1)
    split = split_by_class(images, labels, ("a", "b", "c"))
    assert np.bincount(split.test_labels).tolist() == [2, 10, 1]
    both = np.concatenate([split.train_images, split.test_images]).ravel()
    assert sorted(both) == list(range(62))
    assert np.array_equal(labels[split.train_images.ravel()], split.train_labels)


def test_training_images_are_shuffled_across_classes(tmp_path):
    write_classes(tmp_path, "a", "b", count=20)
    labels = load_images(tmp_path).train_labels
    assert not torch.equal(labels, labels.sort().values)


def test_train_and_test_sub_folders_are_kept_apart(tmp_path):
    write_classes(tmp_path / "train", "a", "b", count=3)
    write_classes(tmp_path / "test", "b", count=2)
    data = load_images(tmp_path)
    assert data.class_names == ("a", "b")
    assert sorted(data.train_labels.tolist()) == [0, 0, 0, 1, 1, 1]
    assert data.test_labels.tolist() == [1, 1]


def test_divided_pictures_are_shuffled_together_with_their_labels(tmp_path):
    for part in ("train", "test"):
        for level, name in enumerate("abcdef"):
            for number in range(4):
                write_picture(tmp_path / part / name / f"{number}.png", level=level)
    data = load_images(tmp_path)
    assert torch.equal(data.train_images[:, 0, 0, 0].long(), data.train_labels)
    assert torch.equal(data.test_images[:, 0, 0, 0].long(), data.test_labels)
    for labels in (data.train_labels, data.test_labels):  # the first ones are not all of one class
        assert not torch.equal(labels, labels.sort().values)


def test_a_class_only_in_test_is_refused(tmp_path):
    write_classes(tmp_path / "train", "a", "b")
    write_classes(tmp_path / "test", "c")
    with pytest.raises(InputError, match=r"test/c: a class that has no sub-folder"):
        load_images(tmp_path)


def test_colour_is_kept_and_grey_among_colour_becomes_colour(tmp_path):
    write_classes(tmp_path, "a", count=3, mode="RGB")
    write_classes(tmp_path, "b", count=3)
    data = load_images(tmp_path)
    assert data.train_images.shape == (4, 3, 3, 4)
    grey = data.train_images[data.train_labels == 1]
    assert torch.equal(grey[:, 0], grey[:, 2])


def test_jpeg_is_read_and_other_files_are_passed_over(tmp_path):
    write_classes(tmp_path, "a")
    write_picture(tmp_path / "a" / "photo.JPG")
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    (tmp_path / "a" / ".hidden.png").write_bytes(b"no picture")
    assert len(load_images(tmp_path).train_images) + len(load_images(tmp_path).test_images) == 6


def test_a_picture_of_another_size_is_named(tmp_path):
    write_classes(tmp_path, "a")
    write_picture(tmp_path / "a" / "odd.png", size=(5, 3))
    with pytest.raises(InputError, match=r"odd\.png: 5x3 pixels, but .*0\.png has 4x3"):
        load_images(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_a_broken_picture_is_named(tmp_path, content):
    write_classes(tmp_path, "a")
    (tmp_path / "a" / "broken.png").write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.png: not a readable PNG or JPEG"):
        load_images(tmp_path)


def test_a_picture_cut_short_is_named(tmp_path):
    write_classes(tmp_path, "a")
    noise = np.random.default_rng(0).integers(0, 256, (3, 4), np.uint8)
    path = tmp_path / "a" / "short.png"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-25])
    with pytest.raises(InputError, match=r"short\.png: not a readable"):
        load_images(tmp_path)


def test_16_bit_pictures_are_refused(tmp_path):
    write_classes(tmp_path, "a")
    Image.new("I;16", (4, 3)).save(tmp_path / "a" / "deep.png")
    with pytest.raises(InputError, match=r"deep\.png: pixels of kind I;16; must be 8-bit"):
        load_images(tmp_path)


def test_a_class_without_pictures_is_named(tmp_path):
    write_classes(tmp_path, "a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: no PNG or JPEG"):
        load_images(tmp_path)


def test_a_class_with_one_picture_cannot_be_split(tmp_path):
    write_classes(tmp_path, "a")
    write_classes(tmp_path, "single", count=1)
    with pytest.raises(InputError, match="single: one image; two or more"):
        load_images(tmp_path)


def test_an_empty_folder_is_refused_with_what_is_allowed(tmp_path):
    with pytest.raises(InputError, match=r"neither IDX files nor sub-folders.*train-images-idx3-ubyte.*PNG or JPEG"):
        load_images(tmp_path)


@pytest.mark.parametrize("spec", ["no/such/folder", "", " ", "housing"])
def test_what_is_neither_images_nor_a_folder_is_refused(spec):
    with pytest.raises(InputError, match="must be digits or mnist, or a folder"):
        load_images(spec)


def test_a_mistyped_name_gets_the_nearest(tmp_path):
    with pytest.raises(InputError, match=r"data='minst': .*did you mean 'mnist'\?"):
        load_images("minst")


def test_messages_are_one_line(tmp_path):
    with pytest.raises(InputError) as caught:
        load_images(tmp_path)
    assert "\n" not in str(caught.value)
