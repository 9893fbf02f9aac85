"""Where data files are looked for: `LABS_DATA_DIR`, the user's cache, the mirrors, in this order.

Environment:
    LABS_DATA_DIR   a folder of the user's own, only ever read
    LABS_CACHE_DIR  where downloads are kept (default: the user's cache folder of the system)
    LABS_OFFLINE    set to 1, nothing is downloaded
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from foundations.errors import InputError, require
from labs.kit.data.content import DamageError, read_bytes, unpack_verified
from labs.kit.data.fetch import DownloadError, download
from labs.kit.data.registry import DataFile, DataSet

DATA_DIR, CACHE, DOWNLOAD, EMBEDDED = "LABS_DATA_DIR", "cache", "download", "embedded"
"""Where data come from; embedded ones are computed from what an installed library ships."""


class MissingDataError(InputError):
    """A registered file is in no folder and no mirror gave it."""


@dataclass(frozen=True)
class Place:
    """Where a file was found: its path, and `LABS_DATA_DIR` or `cache`."""

    path: Path
    source: str


def cache_folder() -> Path:
    """`LABS_CACHE_DIR`, or the system's cache folder of the user. It need not exist."""
    import platformdirs

    chosen = os.environ.get("LABS_CACHE_DIR")
    folder = Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("labs"))
    require(folder.is_dir() or not folder.exists(), "LABS_CACHE_DIR", str(folder), "a folder; it is a file")
    return folder


def _folders() -> Iterator[tuple[str, Path]]:
    if chosen := os.environ.get(DATA_DIR):
        folder = Path(chosen).expanduser()
        require(folder.is_dir(), DATA_DIR, chosen, "an existing folder; correct the path or unset the variable")
        yield DATA_DIR, folder
    yield CACHE, cache_folder()


def locate(file: DataFile) -> Place | None:
    """The first place on disk that has `file`, plain or as .gz, whatever its content.

    Raises: InputError where `LABS_DATA_DIR` is set to something that is no folder.
    """
    for source, folder in _folders():
        for name in (file.path, *file.other_paths):
            for path in (folder / name, folder / f"{name}.gz"):
                if path.is_file():
                    return Place(path, source)
    return None


def read_file(file: DataFile) -> tuple[bytes, str]:
    """The verified content of `file`, and where it came from: `LABS_DATA_DIR`, `cache` or `download`.

    A damaged file in the cache is replaced from a mirror; the user's own folder is never written to.
    Raises: InputError for a damaged file that is not replaced; MissingDataError where the file is nowhere to be had;
        OSError where a download cannot be kept.
    """
    place = locate(file)
    if place is None:
        return _download_missing(file), DOWNLOAD
    try:
        return unpack_verified(read_bytes(place.path), file), place.source
    except DamageError as damage:
        if place.source == CACHE:
            return _download_again(file, place.path, damage), DOWNLOAD
        fix = "put a good copy in its place, or remove it to have it downloaded"
        raise InputError(f"{place.path}: damaged file ({damage}); {fix}") from damage


def read_data_set(data_set: DataSet) -> tuple[dict[str, bytes], str]:
    """The verified contents of all files of `data_set`, by path, and where they came from.

    Raises: as `read_file`.
    """
    contents, sources = {}, []
    for file in data_set.files:
        contents[file.path], source = read_file(file)
        sources.append(source)
    return contents, " + ".join(dict.fromkeys(sources))


def _download_missing(file: DataFile) -> bytes:
    try:
        return _download_and_keep(file)
    except DownloadError as failure:
        looked = f"{DATA_DIR} ({os.environ.get(DATA_DIR) or 'not set'}) or the cache ({cache_folder()})"
        fix = f"connect to the internet, or set {DATA_DIR} to a folder that holds {file.path}"
        raise MissingDataError(f"{file.path}: not in {looked}, nor downloaded ({failure}); {fix}") from failure


def _download_again(file: DataFile, path: Path, damage: DamageError) -> bytes:
    try:
        return _download_and_keep(file)
    except DownloadError as failure:
        fix = "connect to the internet, or put a good copy in its place"
        raise InputError(f"{path}: damaged file ({damage}), not replaced ({failure}); {fix}") from failure


def _download_and_keep(file: DataFile) -> bytes:
    if os.environ.get("LABS_OFFLINE", "0") not in ("", "0"):
        raise DownloadError("LABS_OFFLINE is set")
    content = download(file)
    _keep(cache_folder() / file.path, content)
    return content


def _keep(target: Path, content: bytes) -> None:
    """Write `content` to `target` in one step: other processes see the whole file or none."""
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(target)
    except OSError as error:
        fix = "free some space, or set LABS_CACHE_DIR to a folder that can be written to"
        raise OSError(
            error.errno, f"cannot keep {len(content):,} bytes ({error.strerror}); {fix}", str(target)
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
