"""Images from a folder of the user's own: IDX files, or pictures in one sub-folder a class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foundations.errors import InputError
from labs.kit.data.content import read_content
from labs.kit.data.idx import FILE_NAMES, parse_idx_images
from labs.kit.data.splits import Split, split_by_class

SUFFIXES = (".png", ".jpg", ".jpeg")
GREY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("RGB", "RGBA", "P", "CMYK", "YCbCr")
ALLOWED = (
    f"a folder with IDX files ({', '.join(FILE_NAMES)}, plain or .gz) "
    "or with PNG or JPEG images in one sub-folder a class"
)


def load_folder(folder: Path) -> Split:
    """Training and test images from `folder`.

    IDX files lie in the folder itself, in raw/ or in MNIST/raw/. Pictures lie in one sub-folder a class, whose names
    in sorted order are the classes; below train/ and test/ where both are there, else every fifth is for testing.
    All pictures have one size; grey ones stay grey unless some are in colour.
    Raises: InputError naming the file or folder that does not fit.
    """
    for place in (folder, folder / "raw", folder / "MNIST" / "raw"):
        if any(_idx_path(place, name).is_file() for name in FILE_NAMES):
            return _load_idx(place)
    if (folder / "train").is_dir() and (folder / "test").is_dir():
        return _load_divided(folder / "train", folder / "test")
    return _load_undivided(folder)


def _idx_path(folder: Path, name: str) -> Path:
    packed = folder / f"{name}.gz"
    return packed if packed.is_file() and not (folder / name).is_file() else folder / name


def _load_idx(folder: Path) -> Split:
    paths = {name: _idx_path(folder, name) for name in FILE_NAMES}
    for path in paths.values():
        if not path.is_file():
            raise InputError(f"{path}: missing, plain and as .gz; the four files of a set lie together in one folder")
    contents = {name: read_content(path) for name, path in paths.items()}
    return parse_idx_images(contents, {name: str(path) for name, path in paths.items()})


def _load_divided(train: Path, test: Path) -> Split:
    classes = _class_names(train)
    strangers = sorted(set(_class_names(test)) - set(classes))
    if strangers:
        raise InputError(f"{test / strangers[0]}: a class that has no sub-folder in {train}")
    (train_paths, train_labels), (test_paths, test_labels) = _list(train, classes), _list(test, _class_names(test))
    images = _read_pictures([*train_paths, *test_paths])
    names_to_labels = np.searchsorted(classes, _class_names(test))
    generator = np.random.default_rng(0)  # the first images of each half, which labs look at, are then of all classes
    count = len(train_paths)
    shuffled, order = generator.permutation(count), generator.permutation(len(test_paths))
    test_labels = names_to_labels[test_labels][order]
    return Split(images[:count][shuffled], train_labels[shuffled], images[count:][order], test_labels, tuple(classes))


def _load_undivided(folder: Path) -> Split:
    classes = _class_names(folder)
    paths, labels = _list(folder, classes)
    for name, count in zip(classes, np.bincount(labels), strict=True):
        if count < 2:
            raise InputError(f"{folder / name}: one image; two or more are needed, to train on some and test on others")
    return split_by_class(_read_pictures(paths), labels, tuple(classes))


def _class_names(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not names:
        raise InputError(f"{folder}: neither IDX files nor sub-folders here; must be {ALLOWED}")
    return names


def _list(folder: Path, classes: Sequence[str]) -> tuple[list[Path], NDArray[np.int64]]:
    """Every picture of every class, in sorted order, and its label: the place of its class in `classes`."""
    paths: list[Path] = []
    counts = []
    for name in classes:
        found = sorted(path for path in (folder / name).iterdir() if _is_picture(path))
        if not found:
            raise InputError(f"{folder / name}: no PNG or JPEG image in this sub-folder; a class needs some")
        paths += found
        counts.append(len(found))
    return paths, np.repeat(np.arange(len(classes)), counts)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _read_pictures(paths: Sequence[Path]) -> NDArray[np.uint8]:
    """All pictures as (n, channels, height, width); 1 channel where all are grey, else 3."""
    pictures = [_read_picture(path) for path in paths]
    height, width, _ = pictures[0].shape
    for path, picture in zip(paths, pictures, strict=True):
        if picture.shape[:2] != (height, width):
            size = f"{picture.shape[1]}x{picture.shape[0]} pixels"
            raise InputError(f"{path}: {size}, but {paths[0]} has {width}x{height}; all images must have one size")
    channels = max(picture.shape[2] for picture in pictures)
    same = [np.broadcast_to(picture, (height, width, channels)) for picture in pictures]
    return np.ascontiguousarray(np.stack(same).transpose(0, 3, 1, 2))


def _read_picture(path: Path) -> NDArray[np.uint8]:
    """One picture as (height, width, channels)."""
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG", "JPEG")) as picture:
            if picture.mode not in (*GREY_MODES, *COLOUR_MODES):
                raise InputError(f"{path}: pixels of kind {picture.mode}; must be 8-bit grey or colour")
            pixels = np.asarray(picture.convert("L" if picture.mode in GREY_MODES else "RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a readable PNG or JPEG image ({error}); replace or remove it") from error
    return pixels.reshape(*pixels.shape[:2], -1)
