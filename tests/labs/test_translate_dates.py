"""What the lab's dates are, that test days are unseen, and what it refuses."""

import pytest
import torch

from foundations.errors import InputError
from foundations.streams import Streams
from labs.translate_dates import FORMS, PLACES, Answer, Config, make_corpus, plan, right, write

SMALL = {"training_pairs": 500, "test_dates": 200}


def corpus(seed: int = 0, **settings: int):
    return make_corpus(Config(**{**SMALL, **settings}), Streams(seed))


def test_no_test_day_is_trained_in_any_form():
    pairs = corpus(test_dates=40_000)
    assert not {date.iso for date in pairs.training} & {date.iso for date in pairs.test}


def test_no_test_day_comes_twice():
    assert len({date.iso for date in corpus().test}) == 200


def test_a_form_says_one_day_only():
    # A day of each number in every month of two years: as 03.04. is never April the third and March the fourth.
    days = torch.arange(731)
    read: dict[str, str] = {}
    for form in range(len(FORMS)):
        for date in write(days, torch.full((731,), form)):
            assert read.setdefault(date.text, date.iso) == date.iso
    assert not any("/" in text for text in read)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("English", "Friday, March 4, 2005"),
        ("German", "04.03.2005"),
        ("Spanish", "viernes, 4 de marzo de 2005"),
        ("Greek", "Παρασκευή 4 Μαρτίου 2005"),
        ("Hungarian", "2005. március 4., péntek"),
    ],
)
def test_dates_are_written_as_the_language_does(language, text):
    day, count = torch.tensor([38_413]).expand(len(FORMS)), len(FORMS)
    written = write(day, torch.arange(count))
    assert {date.iso for date in written} == {"2005-03-04"}
    assert (language, text) in {(date.language, date.text) for date in written}


def test_every_language_is_trained_and_tested():
    pairs = corpus()
    for dates in (pairs.training, pairs.test):
        assert {date.language for date in dates} == set(PLACES)


def test_the_corpus_depends_on_the_seed_alone():
    first, again, other = corpus(), corpus(), corpus(seed=1)
    assert (first.training, first.test) == (again.training, again.test)
    assert first.test != other.test


def test_sources_and_targets_read_back_as_they_were_written():
    pairs = corpus()
    source, target = pairs.sources(pairs.test[:1])[0], pairs.targets(pairs.test[:1])[0]
    assert "".join(pairs.source_signs.decode(source)) == pairs.test[0].text
    assert "".join(pairs.target_signs.decode(target)) == pairs.test[0].iso


def test_few_pairs_know_every_sign():
    pairs = corpus(training_pairs=2, test_dates=5_000)
    assert pairs.sources(pairs.test).shape == (5_000, pairs.places)


def test_only_whole_answers_count():
    dates = corpus().test[:2]
    answers = [Answer(dates[0].iso, 0.0), Answer(dates[1].iso[:-1], 0.0)]
    assert right(answers, dates) == 50


def test_more_test_dates_than_days_are_refused():
    with pytest.raises(InputError, match="test_dates"):
        corpus(test_dates=73_049)


def test_a_batch_beyond_the_pairs_is_refused():
    with pytest.raises(InputError, match="batch_size"):
        plan(Config(training_pairs=10))
