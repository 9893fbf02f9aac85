"""Labelled images by name or from a folder, as whole tensors: the one call that image labs make for their data."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from foundations.errors import require
from labs.kit.data.data import Data
from labs.kit.data.digits import load_digits
from labs.kit.data.folders import ALLOWED, load_folder
from labs.kit.data.idx import FILE_NAMES, parse_idx_images
from labs.kit.data.registry import DIGITS, DataSet, registered, unknown
from labs.kit.data.splits import Split
from labs.kit.data.store import EMBEDDED, MissingDataError, read_data_set


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageData(Data):
    """Labelled images, whole and in memory.

    Images: uint8 (n, channels, height, width), 0..255. Labels: int64 (n,), indices into `class_names`.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    class_names: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many images are in each part."""
        return {"train": len(self.train_labels), "test": len(self.test_labels)}

    @property
    def are_digits(self) -> bool:
        """Whether the classes are the ten digits by name, which the judge of made digits can read."""
        return self.class_names == tuple("0123456789")

    def require_grey(self, spec: str, side: int = 28) -> None:
        """Raise InputError, naming the data `spec` as the user gave it, unless all images are grey, `side` x `side`."""
        for images in (self.train_images, self.test_images):
            channels, height, width = images.shape[1:]
            kind = "grey" if channels == 1 else "coloured"
            fits = (channels, height, width) == (1, side, side)
            require(fits, "data", spec, f"of grey images, {side}x{side}; these are {kind}, {width}x{height}")

    def subset(self, count: int, generator: torch.Generator, *, test_count: int | None = None) -> "ImageData":
        """The same data with at most `count` training images, drawn at random, so shuffled.

        With `test_count` at most so many test images are drawn likewise, after them; else all stay in their order.
        At random, since the first images of a folder may all be of one class. The fingerprint is still that of the
        whole data. Raises: InputError for a count below 1.
        """
        require(count >= 1, "count", count, "at least 1 training image")
        chosen = torch.randperm(len(self.train_labels), generator=generator)[:count]
        part = replace(self, train_images=self.train_images[chosen], train_labels=self.train_labels[chosen])
        if test_count is None:
            return part
        require(test_count >= 1, "test_count", test_count, "at least 1 test image")
        held = torch.randperm(len(self.test_labels), generator=generator)[:test_count]
        return replace(part, test_images=self.test_images[held], test_labels=self.test_labels[held])

    def of_classes(self, classes: range, count: int | None = None, test_count: int | None = None) -> "ImageData":
        """The images of some neighbouring classes alone, in their order, their labels counted from 0.

        At most the first `count` training and `test_count` test images. Raises: InputError for classes that are not
        there.
        """
        known, asked = range(len(self.class_names)), list(classes)
        inside = len(asked) >= 1 and asked == list(known)[classes.start : classes.stop]
        require(inside, "classes", asked, f"one or more neighbours among {list(known)}")

        def part(images: Tensor, labels: Tensor, most: int | None) -> tuple[Tensor, Tensor]:
            chosen = ((labels >= classes.start) & (labels < classes.stop)).nonzero()[:most, 0]
            return images[chosen], labels[chosen] - classes.start

        train_images, train_labels = part(self.train_images, self.train_labels, count)
        test_images, test_labels = part(self.test_images, self.test_labels, test_count)
        return replace(
            self,
            train_images=train_images,
            train_labels=train_labels,
            test_images=test_images,
            test_labels=test_labels,
            class_names=self.class_names[classes.start : classes.stop],
        )

    def to(self, device: torch.device) -> "ImageData":
        """The same data, all tensors on `device`."""
        parts = ("train_images", "train_labels", "test_images", "test_labels")
        return replace(self, **{name: getattr(self, name).to(device) for name in parts})


def load_images(spec: str | Path) -> ImageData:
    """The images that `spec` names: a registered data set ("mnist", "digits"), or else a folder.

    Where MNIST can be neither found nor downloaded, the embedded digits stand in, with a `notice`.
    Raises: InputError for an unknown name, a folder without images, and files that are damaged or do not fit.
    """
    if data_set := registered(spec, "images"):
        return _load_registered(data_set)
    folder = Path(spec).expanduser()
    if not str(spec).strip() or not folder.is_dir():
        raise unknown(spec, "images", ALLOWED)
    return _image_data(folder.resolve().name, load_folder(folder), str(folder), "the folder's own")


def _load_registered(data_set: DataSet) -> ImageData:
    if data_set is DIGITS:
        return _image_data(DIGITS.name, load_digits(), EMBEDDED, DIGITS.licence)
    try:
        contents, source = read_data_set(data_set)
    except MissingDataError as missing:
        notice = f"NOT {data_set.name.upper()}: the data are {DIGITS.summary}, because {missing}"
        return _image_data(DIGITS.name, load_digits(), EMBEDDED, DIGITS.licence, notice)
    by_name = {Path(path).name: content for path, content in contents.items()}
    split = parse_idx_images(by_name, {name: name for name in FILE_NAMES})
    return _image_data(data_set.name, split, source, data_set.licence)


def _image_data(name: str, split: Split, source: str, licence: str, notice: str | None = None) -> ImageData:
    return ImageData(
        name=name,
        train_images=torch.from_numpy(split.train_images),
        train_labels=torch.from_numpy(split.train_labels),
        test_images=torch.from_numpy(split.test_images),
        test_labels=torch.from_numpy(split.test_labels),
        class_names=split.class_names,
        fingerprint=_fingerprint(split),
        source=source,
        licence=licence,
        notice=notice,
    )


def _fingerprint(split: Split) -> str:
    """16 hexadecimal digits of a SHA-256 over the shapes, images, labels and names of the classes."""
    digest = hashlib.sha256("\n".join(split.class_names).encode())
    for array in split[:4]:
        digest.update(str(array.shape).encode())
        digest.update(array.tobytes() if array.dtype.itemsize == 1 else array.astype("<i8").tobytes())
    return digest.hexdigest()[:16]
