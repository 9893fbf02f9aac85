"""Models and texts whose reasons are known: they are the same on every machine, and the reasons are the true ones."""

import numpy as np
import pytest

from explain.blackbox import BlackBox
from explain.planted import WordCounts
from explain.planted_texts import OPINIONS, plant_reviews
from explain.text import explain_text


def test_planted_reviews_are_always_the_same_and_say_their_class():
    reviews = plant_reviews()
    assert reviews == plant_reviews()
    assert {name: len(each) for name, each in reviews.items()} == {"negative": 300, "positive": 300}
    for name, sentences in reviews.items():
        (other,) = set(OPINIONS) - {name}
        assert all(set(OPINIONS[name]) & set(sentence.split()) for sentence in sentences)
        assert not any(set(OPINIONS[other]) & set(sentence.split()) for sentence in sentences)


@pytest.fixture(scope="module")
def counts():
    reviews = plant_reviews()
    texts = [sentence for each in reviews.values() for sentence in each]
    return WordCounts(texts, np.repeat([0, 1], 300))


def explained(counts, text):
    return explain_text(BlackBox(counts), text, samples=500, seed=0)


def test_reasons_of_word_counts_sum_to_the_log_odds_less_the_intercept(counts):
    text = "the film has a Moving plot and zebras"
    found = explained(counts, text)
    reasons, odds = counts.reasons(found), np.log(counts([text])[0])
    assert reasons.shape == (len(found.features),)
    assert reasons.sum() == pytest.approx(odds[1] - odds[0] - counts.classifier.intercept_[0])
    assert reasons[found.features.index("zebras")] == 0
    assert reasons.argmax() == found.features.index("Moving")


def test_the_true_reasons_of_word_counts_are_found(counts):
    found = explained(counts, plant_reviews()["negative"][0])
    reasons = counts.reasons(found)
    best = int(np.abs(reasons).argmax())
    assert best in found.order(1)[:2]
    assert np.sign(reasons[best]) == np.sign(found.weights[1][best])
