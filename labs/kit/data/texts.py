"""Texts and labelled sentences by name or from files: the one call that labs on language make for their data."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from foundations.errors import InputError
from labs.kit.data.content import decode_text, fingerprint, read_content
from labs.kit.data.data import Data
from labs.kit.data.registry import TOPICS, DataSet, registered, unknown
from labs.kit.data.store import EMBEDDED, MissingDataError, read_data_set

CLASS_OF_SUFFIX = {".neg": "negative", ".pos": "positive"}
SUFFIXES = (".txt", ".txt.gz")


@dataclass(frozen=True, eq=False, kw_only=True)
class TextData(Data):
    """A text, whole and in memory; its lines end with one newline character."""

    text: str

    @property
    def counts(self) -> dict[str, int]:
        """How many characters there are."""
        return {"characters": len(self.text)}


@dataclass(frozen=True, eq=False, kw_only=True)
class SentenceData(Data):
    """Labelled sentences, whole and in memory, class by class in the order of their files.

    Labels: int64 (n,), indices into `class_names`. The fingerprint depends on sentences, labels and class names.
    """

    sentences: list[str]
    labels: Tensor
    class_names: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many sentences there are."""
        return {"sentences": len(self.sentences)}


def load_text(spec: str | Path) -> TextData:
    """The text that `spec` names: a registered one ("shakespeare", "topics"), or else a file in UTF-8 (plain or .gz).

    Where it can be neither found nor downloaded, the help topics that come with Python stand in, with a `notice`.
    Raises: InputError for an unknown name, and for a file that cannot be read, is no text in UTF-8, or is empty.
    """
    if data_set := registered(spec, "text"):
        return _load_registered_text(data_set)
    file = Path(spec).expanduser()
    if not str(spec).strip() or not file.is_file():
        raise unknown(spec, "text", "the path of a text file in UTF-8 (plain or .gz)")
    return _text_data(_bare(file), _read_text(file), str(file), "the file's own")


def load_sentences(spec: str | Path) -> SentenceData:
    """The labelled sentences that `spec` names: registered ones ("sentiment"), or else a folder of text files (.txt).

    Each file is a class, in the sorted order of their names; every line with something on it is a sentence.
    Raises: InputError for an unknown name, a folder with fewer than two classes, and files that are no text in UTF-8 or
        hold no sentence; MissingDataError where registered ones can be neither found nor downloaded.
    """
    if data_set := registered(spec, "sentences"):
        return _load_registered_sentences(data_set)
    folder = Path(spec).expanduser()
    if not str(spec).strip() or not folder.is_dir():
        raise unknown(spec, "sentences", f"a folder with one text file ({SUFFIXES[0]}) a class")
    files = sorted(path for path in folder.iterdir() if _is_text_file(path))
    if len(files) < 2:
        raise InputError(f"{folder}: {len(files)} text files (.txt); must be one for each of two classes at least")
    classes: dict[str, list[str]] = {}
    for file in files:
        if _bare(file) in classes:
            raise InputError(f"{file}: a second file of the class {_bare(file)!r}; keep one, plain or packed")
        classes[_bare(file)] = _sentences(_read_text(file))
    return _sentence_data(folder.resolve().name, classes, str(folder), "the folder's own")


def _load_registered_text(data_set: DataSet) -> TextData:
    if data_set is TOPICS:
        return _topics()
    try:
        contents, source = read_data_set(data_set)
    except MissingDataError as missing:
        return _topics(f"NOT {data_set.name.upper()}: the data are {TOPICS.summary}, because {missing}")
    ((path, content),) = contents.items()
    return _text_data(data_set.name, _decode(content, path), source, data_set.licence)


def _topics(notice: str | None = None) -> TextData:
    """Half a million characters of English prose and code, on every machine; they differ between Python's versions."""
    from pydoc_data.topics import topics

    text = "\n\n".join(topics[name].strip() for name in sorted(topics)) + "\n"
    return _text_data(TOPICS.name, text, EMBEDDED, TOPICS.licence, notice)


def _load_registered_sentences(data_set: DataSet) -> SentenceData:
    contents, source = read_data_set(data_set)
    by_class = {_class_of(Path(path)): (path, content) for path, content in contents.items()}
    classes = {name: _sentences(_decode(content, path)) for name, (path, content) in sorted(by_class.items())}
    return _sentence_data(data_set.name, classes, source, data_set.licence)


def _class_of(path: Path) -> str:
    return CLASS_OF_SUFFIX.get(path.suffix) or _bare(path)


def _text_data(name: str, text: str, source: str, licence: str, notice: str | None = None) -> TextData:
    found = fingerprint(text.encode())
    return TextData(name=name, text=text, fingerprint=found, source=source, licence=licence, notice=notice)


def _sentence_data(name: str, classes: Mapping[str, list[str]], source: str, licence: str) -> SentenceData:
    sentences = [sentence for members in classes.values() for sentence in members]
    labels = torch.tensor([label for label, members in enumerate(classes.values()) for _ in members])
    labelled = "\n".join(f"{label}\t{text}" for label, text in zip(labels.tolist(), sentences, strict=True))
    found = fingerprint(("\t".join(classes) + "\n" + labelled).encode())
    return SentenceData(
        name=name, sentences=sentences, labels=labels, class_names=tuple(classes),
        fingerprint=found, source=source, licence=licence,
    )  # fmt: skip


def _sentences(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _read_text(file: Path) -> str:
    return _decode(read_content(file), str(file))


def _decode(content: bytes, origin: str) -> str:
    """The text with lines that end with one newline character. Raises: InputError where it is none, or blank."""
    text = decode_text(content, origin)
    if not text.strip():
        raise InputError(f"{origin}: empty; must hold some text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_text_file(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith(".") and path.is_file()


def _bare(file: Path) -> str:
    """The file's name without .txt and .gz."""
    return file.name.removesuffix(".gz").removesuffix(".txt")
