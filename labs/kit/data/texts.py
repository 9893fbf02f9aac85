"""Texts and labelled sentences by name or from files: the one call that labs on language make for their data."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import torch
from torch import Tensor

from foundations.errors import InputError
from labs.kit.data.content import DamageError, read_bytes, unpack
from labs.kit.data.registry import SENTIMENT, SHAKESPEARE, TOPICS
from labs.kit.data.store import MissingDataError, read_data_set

EMBEDDED = "embedded"
TEXTS = (SHAKESPEARE.name, TOPICS.name)
SENTENCES = (SENTIMENT.name,)
CLASS_OF_SUFFIX = {".neg": "negative", ".pos": "positive"}
SUFFIXES = (".txt", ".txt.gz")


@dataclass(frozen=True, eq=False)
class TextData:
    """A text, whole and in memory; its lines end with one newline character.

    `fingerprint` depends on the characters alone, wherever they lay. `source` says where they came from: LABS_DATA_DIR,
    cache, download, embedded, or the file. `notice`, where it is not None, must be shown to the user: this is not the
    text that was asked for.
    """

    name: str
    text: str
    fingerprint: str
    source: str
    licence: str
    notice: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many characters there are."""
        return {"characters": len(self.text)}


@dataclass(frozen=True, eq=False)
class SentenceData:
    """Labelled sentences, whole and in memory, class by class in the order of their files.

    Labels: int64 (n,), indices into `class_names`. The other fields are as in `TextData`; the fingerprint depends on
    sentences, labels and names of the classes.
    """

    name: str
    sentences: list[str]
    labels: Tensor
    class_names: tuple[str, ...]
    fingerprint: str
    source: str
    licence: str
    notice: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many sentences there are."""
        return {"sentences": len(self.sentences)}


def load_text(spec: str | Path) -> TextData:
    """The text that `spec` names: "shakespeare", "topics" (Python's own help), or else a file in UTF-8 (plain or .gz).

    Where Shakespeare can be neither found nor downloaded, Python's help topics stand in, with a `notice`.
    Raises: InputError for an unknown name, and for a file that cannot be read, is no text in UTF-8, or is empty.
    """
    if spec == SHAKESPEARE.name:
        return _load_shakespeare()
    if spec == TOPICS.name:
        return _topics()
    file = Path(spec).expanduser()
    if not str(spec).strip() or not file.is_file():
        raise InputError(_unknown(str(spec), TEXTS, "the path of a text file in UTF-8 (plain or .gz)"))
    return _text_data(_bare(file), _read_text(file), str(file), "the file's own")


def load_sentences(spec: str | Path) -> SentenceData:
    """The labelled sentences that `spec` names: "sentiment", or else a folder with one text file (.txt) a class.

    The files' names in sorted order are the classes; every line with something on it is a sentence.
    Raises: InputError for an unknown name, a folder with fewer than two classes, and files that are no text in UTF-8 or
        hold no sentence; MissingDataError where "sentiment" can be neither found nor downloaded.
    """
    if spec == SENTIMENT.name:
        return _load_sentiment()
    folder = Path(spec).expanduser()
    if not str(spec).strip() or not folder.is_dir():
        raise InputError(_unknown(str(spec), SENTENCES, f"a folder with one text file ({SUFFIXES[0]}) a class"))
    files = sorted(path for path in folder.iterdir() if _is_text_file(path))
    if len(files) < 2:
        raise InputError(f"{folder}: {len(files)} text files (.txt); must be one for each of two classes at least")
    classes = {_bare(file): _sentences(_read_text(file)) for file in files}
    return _sentence_data(folder.resolve().name, classes, str(folder), "the folder's own")


def _load_shakespeare() -> TextData:
    try:
        contents, source = read_data_set(SHAKESPEARE)
    except MissingDataError as missing:
        return _topics(f"NOT SHAKESPEARE: the data are {TOPICS.summary}, because {missing}")
    ((path, content),) = contents.items()
    return _text_data(SHAKESPEARE.name, _decode(content, path), source, SHAKESPEARE.licence)


def _topics(notice: str | None = None) -> TextData:
    """Half a million characters of English prose and code, on every machine; they differ between Python's versions."""
    from pydoc_data.topics import topics

    text = "\n\n".join(topics[name].strip() for name in sorted(topics)) + "\n"
    return _text_data(TOPICS.name, text, EMBEDDED, TOPICS.licence, notice)


def _load_sentiment() -> SentenceData:
    contents, source = read_data_set(SENTIMENT)
    by_class = {CLASS_OF_SUFFIX[Path(path).suffix]: (path, content) for path, content in contents.items()}
    classes = {name: _sentences(_decode(content, path)) for name, (path, content) in sorted(by_class.items())}
    return _sentence_data(SENTIMENT.name, classes, source, SENTIMENT.licence)


def _text_data(name: str, text: str, source: str, licence: str, notice: str | None = None) -> TextData:
    return TextData(name, text, _fingerprint(text), source, licence, notice)


def _sentence_data(name: str, classes: Mapping[str, list[str]], source: str, licence: str) -> SentenceData:
    sentences = [sentence for members in classes.values() for sentence in members]
    labels = torch.tensor([label for label, members in enumerate(classes.values()) for _ in members])
    labelled = "\n".join(f"{label}\t{text}" for label, text in zip(labels.tolist(), sentences, strict=True))
    fingerprint = _fingerprint("\t".join(classes) + "\n" + labelled)
    return SentenceData(name, sentences, labels, tuple(classes), fingerprint, source, licence)


def _fingerprint(text: str) -> str:
    """16 hexadecimal digits of a SHA-256 over the text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sentences(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _read_text(file: Path) -> str:
    try:
        content = unpack(read_bytes(file))
    except DamageError as damage:
        raise InputError(f"{file}: {damage}; copy it again") from damage
    return _decode(content, str(file))


def _decode(content: bytes, origin: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{origin}: not a text in UTF-8 ({error}); save it as UTF-8") from error
    if "\0" in text:
        raise InputError(f"{origin}: not a text (it holds zero bytes)")
    if not text.strip():
        raise InputError(f"{origin}: empty; must hold some text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_text_file(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith(".") and path.is_file()


def _bare(file: Path) -> str:
    """The file's name without .txt and .gz."""
    return file.name.removesuffix(".gz").removesuffix(".txt")


def _unknown(spec: str, names: tuple[str, ...], else_allowed: str) -> str:
    near = get_close_matches(spec.lower(), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    if spec.strip() and Path(spec).expanduser().is_dir():
        hint = "; it is a folder: give the file in it"
    elif spec.strip() and Path(spec).expanduser().is_file():
        hint = "; it is a file: give the folder around it"
    return f"data={spec!r}: must be {' or '.join(names)}, or {else_allowed}{hint}"
