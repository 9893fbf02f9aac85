"""What the lab `explain_text` reads and looks at, and that its trials tell deciding words from others."""

import numpy as np
import pytest

import explain
from foundations.errors import InputError
from labs.drawings.explain_text import surest
from labs.explain_text import (
    DECIDING,
    Config,
    Reader,
    count_words,
    divide,
    made_up,
    main,
    origin,
    signed_means,
    turning,
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


def test_removing_the_named_words_turns_verdicts_that_random_words_leave(found):
    turned = turning(READER.box, found, 0)
    assert not turned["named"][:, 0].any()
    assert turned["named"][:, DECIDING].mean() >= 0.5
    assert turned["random"][:, DECIDING].mean() < 0.3


def test_the_true_reasons_of_word_counts_are_found():
    data = made_up()
    training, test = divide(data, 0)
    reader = count_words(data, training)
    text = data.sentences[int(test[0])]
    each = reader.explain(text, 500, 0)
    true = reader.true(each)
    assert true.shape == (len(each.features),)
    best = int(np.abs(true).argmax())
    assert best in each.order(1)[:2]
    assert np.sign(true[best]) == np.sign(each.weights[1][best])


def test_words_are_ranked_by_their_mean_weight_where_they_are_in_enough_sentences():
    texts = ["a dull film", "the dull plot", "dull and moving", "a moving cast", "so moving"]
    means = signed_means([READER.explain(text, 100, 0) for text in texts])
    assert list(means) == ["moving", "dull"]
    assert means["dull"] < 0 < means["moving"]


def test_the_surest_answers_come_first_and_mistakes_apart(found):
    truths = np.array([1, 0, 0, 1])
    right, wrong = (surest(found, truths, right=each) for each in (True, False))
    assert wrong == [1]
    assert sorted(right) == [0, 2, 3]
    assert right.index(0) < right.index(3)


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


def test_a_network_of_a_run_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="there are no runs"):
        origin("last")
