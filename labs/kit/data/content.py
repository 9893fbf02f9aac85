"""What a file holds, apart from how it is compressed: unpack it, tell it by its hash, read it as text."""

import gzip
import hashlib
import zlib
from pathlib import Path

from foundations.errors import InputError
from labs.kit.data.registry import DataFile

GZIP_MAGIC = b"\x1f\x8b"


class DamageError(ValueError):
    """The bytes are not the file that they should be; the message says how they differ."""


def unpack(packed: bytes) -> bytes:
    """The content of `packed`, which may be gzip or plain; told apart by its first two bytes.

    Raises: DamageError for a gzip stream that is cut short or broken.
    """
    if not packed.startswith(GZIP_MAGIC):
        return packed
    try:
        return gzip.decompress(packed)
    except (EOFError, OSError, zlib.error) as error:
        raise DamageError(f"truncated or broken gzip: {error}") from error


def unpack_verified(packed: bytes, file: DataFile) -> bytes:
    """The content of `packed`, known to be exactly that of `file`.

    Raises: DamageError naming the actual and the expected SHA-256 otherwise.
    """
    try:
        content = unpack(packed)
    except DamageError as damage:
        raise DamageError(f"{damage}, expected content of SHA-256 {file.sha256}") from damage
    actual = hashlib.sha256(content).hexdigest()
    if actual != file.sha256:
        raise DamageError(f"SHA-256 of its content is {actual} ({len(content):,} bytes), expected {file.sha256}")
    return content


def read_bytes(path: Path) -> bytes:
    """The bytes of the file at `path`, as they are.

    Raises: InputError where it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file and its permissions") from error


def read_content(path: Path) -> bytes:
    """The content of the user's own file at `path`, which may be gzip or plain.

    Raises: InputError where it cannot be read, or is a broken gzip stream.
    """
    try:
        return unpack(read_bytes(path))
    except DamageError as damage:
        raise InputError(f"{path}: {damage}; copy it again") from damage


def decode_text(content: bytes, origin: str) -> str:
    """The text in `content`; `origin` says in messages where it lay.

    Raises: InputError where it is no text in UTF-8 (a byte order mark is left out), or holds zero bytes.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{origin}: not a text in UTF-8 ({error}); save it as UTF-8") from error
    if "\0" in text:
        raise InputError(f"{origin}: not a text (it holds zero bytes)")
    return text


def fingerprint(content: bytes) -> str:
    """16 hexadecimal digits of the SHA-256 of `content`."""
    return hashlib.sha256(content).hexdigest()[:16]
