"""Texts and labelled sentences by name and from files, what stands in, and how faults are named."""

import gzip
import hashlib
import os
from pathlib import Path

import pytest

from foundations.errors import InputError
from labs.kit.data import DATA_SETS, DataFile, DataSet, MissingDataError, load_sentences, load_text

PLAY = "First Citizen:\nSpeak, speak.\n"


@pytest.fixture
def text(tmp_path) -> Path:
    path = tmp_path / "play.txt"
    path.write_text(PLAY)
    return path


@pytest.fixture
def reviews(tmp_path) -> Path:
    folder = tmp_path / "reviews"
    folder.mkdir()
    (folder / "good.txt").write_text("a joy\n\nit works\n")
    (folder / "bad.txt").write_text("a bore\n")
    (folder / "notes.md").write_text("no class\n")
    return folder


@pytest.fixture
def nowhere(tmp_path, monkeypatch) -> None:
    """No registered file is on this machine, and none can be downloaded."""
    monkeypatch.delenv("LABS_DATA_DIR", raising=False)
    monkeypatch.setenv("LABS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LABS_OFFLINE", "1")


def test_a_text_file_is_read_whole_and_named_after_itself(text):
    data = load_text(str(text))
    assert (data.text, data.name, data.source, data.notice) == (PLAY, "play", str(text), None)
    assert data.counts == {"characters": len(PLAY)}


def test_the_fingerprint_of_a_text_tells_characters_not_place_packing_or_ends_of_lines(text, tmp_path):
    packed = tmp_path / "other.txt.gz"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + PLAY.replace("\n", "\r\n").encode()))
    assert load_text(packed).text == PLAY
    assert load_text(packed).fingerprint == load_text(text).fingerprint
    text.write_text(PLAY.replace("speak", "spoke"))
    assert load_text(packed).fingerprint != load_text(text).fingerprint


def test_without_shakespeare_the_help_topics_of_python_stand_in_and_say_so(nowhere):
    data = load_text("shakespeare")
    assert (data.name, data.source) == ("topics", "embedded")
    assert data.notice is not None
    assert data.notice.startswith("NOT SHAKESPEARE")
    assert "set LABS_DATA_DIR" in data.notice
    assert len(data.text) > 300_000
    assert "assert" in data.text
    assert load_text("topics").notice is None
    assert load_text("topics").fingerprint == data.fingerprint


def _register(monkeypatch, folder, kind, *names):
    """A data set `made` of these files in the user's data folder."""
    monkeypatch.setenv("LABS_DATA_DIR", str(folder))
    contents = {name: (folder / name).read_bytes() for name in names}
    files = [DataFile(name, hashlib.sha256(each).hexdigest(), len(each), ()) for name, each in contents.items()]
    monkeypatch.setitem(DATA_SETS, "made", DataSet("made", kind, "", "free", "", tuple(files)))


def test_one_entry_in_the_registry_makes_a_text_loadable_by_name(text, monkeypatch):
    _register(monkeypatch, text.parent, "text", text.name)
    data = load_text("made")
    assert (data.text, data.name, data.source, data.licence) == (PLAY, "made", "LABS_DATA_DIR", "free")


def test_one_entry_in_the_registry_makes_sentences_loadable_by_name(reviews, monkeypatch):
    _register(monkeypatch, reviews, "sentences", "good.txt", "bad.txt")
    data, wanted = load_sentences("made"), load_sentences(reviews)
    assert (data.sentences, data.class_names) == (wanted.sentences, wanted.class_names)


@pytest.mark.skipif("LABS_DATA_DIR" not in os.environ, reason="needs a folder with the real text")
def test_shakespeare_is_karpathys_text():
    data = load_text("shakespeare")
    assert len(data.text) == 1_115_394
    assert len(set(data.text)) == 65
    assert data.text.startswith("First Citizen:\nBefore we proceed any further, hear me speak.")


@pytest.mark.parametrize("spec", ["hamlet", "no/such/file.txt", "", "mnist", "sentiment"])
def test_what_is_neither_a_registered_text_nor_a_file_is_refused_with_what_is_allowed(spec):
    with pytest.raises(InputError, match=r"data='.*': must be shakespeare or topics, or the path of a text file"):
        load_text(spec)


def test_the_nearest_name_of_a_text_is_offered():
    with pytest.raises(InputError, match="did you mean 'shakespeare'"):
        load_text("shakespere")


def test_a_folder_is_no_text(tmp_path):
    with pytest.raises(InputError, match="it is a folder: give the file in it"):
        load_text(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"caf\xe9", "not a text in UTF-8"),
        (b"a\x00b", "zero bytes"),
        (gzip.compress(PLAY.encode(), mtime=0)[:-9], "truncated or broken gzip"),
    ],
    ids=["no bytes", "blank lines", "not UTF-8", "a zero byte", "half a gzip"],
)
def test_a_faulty_text_is_refused_in_one_line_that_names_it(text, content, message):
    text.write_bytes(content)
    with pytest.raises(InputError, match=message) as refused:
        load_text(text)
    assert str(refused.value).startswith(str(text))
    assert "\n" not in str(refused.value)


def test_a_folder_of_text_files_gives_one_class_a_file_and_one_sentence_a_line(reviews):
    data = load_sentences(str(reviews))
    assert data.class_names == ("bad", "good")
    assert data.sentences == ["a bore", "a joy", "it works"]
    assert data.labels.tolist() == [0, 1, 1]
    assert (data.name, data.source, data.counts) == ("reviews", str(reviews), {"sentences": 3})


def test_the_fingerprint_of_sentences_tells_their_labels_and_class_names(reviews):
    before = load_sentences(reviews).fingerprint
    (reviews / "bad.txt").write_text("a bore\na joy\n")
    (reviews / "good.txt").write_text("it works\n")
    moved = load_sentences(reviews).fingerprint
    (reviews / "good.txt").rename(reviews / "great.txt")
    assert len({before, moved, load_sentences(reviews).fingerprint}) == 3


def test_sentiment_that_is_nowhere_is_missing_not_replaced(nowhere):
    with pytest.raises(MissingDataError, match=r"rt-polarity\.\w+: not in LABS_DATA_DIR .*set LABS_DATA_DIR to a fold"):
        load_sentences("sentiment")


@pytest.mark.skipif("LABS_DATA_DIR" not in os.environ, reason="needs a folder with the real sentences")
def test_sentiment_has_as_many_sentences_for_as_against():
    data = load_sentences("sentiment")
    assert data.class_names == ("negative", "positive")
    assert data.labels.bincount().tolist() == [5331, 5331]
    assert data.sentences[0].startswith("simplistic , silly and tedious")


@pytest.mark.parametrize("spec", ["sentimental", "no/such/folder", "", "shakespeare"])
def test_what_is_neither_registered_sentences_nor_a_folder_is_refused_with_what_is_allowed(spec):
    with pytest.raises(InputError, match=r"data='.*': must be sentiment, or a folder with one text file"):
        load_sentences(spec)


def test_a_file_is_no_folder_of_classes(text):
    with pytest.raises(InputError, match="it is a file: give the folder around it"):
        load_sentences(text)


def test_one_class_is_refused(reviews):
    (reviews / "bad.txt").unlink()
    with pytest.raises(InputError, match=r"1 text files .*two classes at least"):
        load_sentences(reviews)


def test_two_files_of_one_class_are_refused(reviews):
    (reviews / "bad.txt.gz").write_bytes(gzip.compress(b"another bore\n"))
    with pytest.raises(InputError, match=r"bad\.txt\.gz: a second file of the class 'bad'"):
        load_sentences(reviews)


def test_a_class_without_a_sentence_is_refused_by_its_file(reviews):
    (reviews / "bad.txt").write_text("\n \n")
    with pytest.raises(InputError, match=r"bad\.txt: empty"):
        load_sentences(reviews)
