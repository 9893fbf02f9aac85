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

    def subset(self, count: int, generator: torch.Generator) -> "ImageData":
        """The same data with at most `count` training images, drawn at random, so shuffled; all test images stay.

        At random, since the first images of a folder may all be of one class. The fingerprint is still that of the
        whole data. Raises: InputError for a count below 1.
        """
        require(count >= 1, "count", count, "at least 1 training image")
        chosen = torch.randperm(len(self.train_labels), generator=generator)[:count]
        return replace(self, train_images=self.train_images[chosen], train_labels=self.train_labels[chosen])


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
