"""What the lab `explain_text` reads and looks at, and that its trials tell deciding words from others."""

import numpy as np
import pytest
import torch

import explain
from foundations.errors import InputError
from labs.drawings.explain_text import draw_strongest
from labs.explain_text import (
    Config,
    Reader,
    divide,
    look_at_sentences,
    made_up,
    main,
)

PRAISE, BLAME = ("moving", "bright", "clever"), ("dull", "clumsy", "tired")


def opinion(texts):
    """The verdict of whichever kind of word is there more often."""
    scores = np.array(
        [sum(word in PRAISE for word in t.split()) - sum(word in BLAME for word in t.split()) for t in texts]
    )
    positive = 1 / (1 + np.exp(-2 * (scores - 0.1)))
    return np.stack([1 - positive, positive], axis=1)


READER = Reader("opinion", explain.BlackBox(opinion, names=("negative", "positive")))
TEXTS = [
    "the long film has a moving plot and a bright cast that people by the sea like",
    "the long film has a dull plot and a moving cast that is bright by the sea",
    "for all its quiet music the drama is clumsy and its plot is tired from start to end",
    "a french comedy about two brothers , with clever music and a long look at the sea",
]


@pytest.fixture(scope="module")
def found():
    return [READER.explain(text, 300, 0) for text in TEXTS]


def test_made_up_sentences_are_always_the_same_and_of_both_kinds():
    data = made_up()
    assert data.sentences == made_up().sentences
    assert data.labels.bincount().tolist() == [300, 300]
    assert not any(word in sentence.split() for sentence in data.sentences[:300] for word in PRAISE)


def test_the_tested_tenth_is_apart_and_is_that_of_the_lab_sentiment():
    from labs.sentiment import Config as SentimentConfig
    from labs.sentiment import divide as sentiment_divide

    class Run:
        device = "cpu"

    data = made_up()
    training, test = divide(data, 3)
    assert set(training.tolist()) | set(test.tolist()) == set(range(600))
    np.testing.assert_array_equal(test, sentiment_divide(data, 0, SentimentConfig(seed=3), Run()).test)


def test_sentences_are_shown_with_their_doubts(found):
    class Run:
        notes, tables, files, figures = [], {}, {}, {}
        note, table, file, figure = notes.append, tables.__setitem__, files.__setitem__, figures.__setitem__

    truths = np.array([1, 0, 0, 1])
    look_at_sentences(READER, found, truths, ("negative", "positive"), Config(samples=300, repetitions=2), Run())
    assert [row["case"] for row in Run.tables["trust"]] == ["right 1", "right 2", "right 3", "mistake 1"]
    assert "worst_mistakes.html" in Run.files
    (axes,) = Run.figures["words_in_colour"].axes
    assert any("but it is negative" in text.get_text() for text in axes.texts)


def test_sentences_that_are_nowhere_are_missing_in_one_line(tmp_path, monkeypatch):
    from labs.kit.data import load_sentences

    class Run:
        pass

    monkeypatch.setenv("LABS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LABS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LABS_OFFLINE", "1")
    run = Run()
    run.load_sentences = load_sentences
    with pytest.raises(InputError, match=r"sentiment/rt-polarity.*: not in LABS_DATA_DIR"):
        main(Config(), run)


def test_too_few_sentences_are_refused():
    import dataclasses

    data = made_up()
    few = dataclasses.replace(data, sentences=data.sentences[290:310], labels=data.labels[290:310])
    with pytest.raises(InputError, match="at least 20 sentences a class, not 10"):
        divide(few, 0)


def test_too_many_classes_are_refused():
    import dataclasses

    data = made_up()
    many = dataclasses.replace(data, class_names=tuple("abcdefghijkl"), labels=data.labels * 0 + torch.arange(600) % 12)
    with pytest.raises(InputError, match="of at most 10 classes"):
        divide(many, 0)


def test_words_are_ranked_on_the_side_that_they_speak_for():
    figure = draw_strongest({"moving": 0.3, "film": 0.1, "dull": -0.2}, ("negative", "positive"))
    against, in_favour = ([label.get_text() for label in axes.get_yticklabels()] for axes in figure.axes)
    assert (against, in_favour) == (["dull"], ["moving", "film"])
