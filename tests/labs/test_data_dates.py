"""What the written dates are, that test days are unseen, and what is refused."""

import pytest
import torch

from foundations.errors import InputError
from foundations.streams import Streams
from labs.kit.data.dates import FORMS, PLACES, DatePairs, make_dates, write_dates


def pairs(seed: int = 0, training_pairs: int = 500, test_dates: int = 200) -> DatePairs:
    return make_dates(training_pairs, test_dates, Streams(seed))


def test_no_test_day_is_trained_in_any_form():
    made = pairs(test_dates=40_000)
    assert not {date.iso for date in made.training} & {date.iso for date in made.test}


def test_no_test_day_comes_twice():
    assert len({date.iso for date in pairs().test}) == 200


def test_a_form_says_one_day_only():
    # A day of each number in every month of two years: as 03.04. is never April the third and March the fourth.
    days = torch.arange(731)
    read: dict[str, str] = {}
    for form in range(len(FORMS)):
        for date in write_dates(days, torch.full((731,), form)):
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
    written = write_dates(day, torch.arange(count))
    assert {date.iso for date in written} == {"2005-03-04"}
    assert (language, text) in {(date.language, date.text) for date in written}


def test_every_language_is_trained_and_tested():
    made = pairs()
    for dates in (made.training, made.test):
        assert {date.language for date in dates} == set(PLACES)


def test_the_dates_depend_on_the_seed_alone():
    first, again, other = pairs(), pairs(), pairs(seed=1)
    assert (first.training, first.test) == (again.training, again.test)
    assert first.test != other.test


def test_sources_and_targets_read_back_as_they_were_written():
    made = pairs()
    source, target = made.sources(made.test[:1])[0], made.targets(made.test[:1])[0]
    assert "".join(made.source_signs.decode(source)) == made.test[0].text
    assert "".join(made.target_signs.decode(target)) == made.test[0].iso


def test_few_pairs_know_every_sign():
    made = pairs(training_pairs=2, test_dates=5_000)
    assert made.sources(made.test).shape == (5_000, made.places)


@pytest.mark.parametrize(
    ("training_pairs", "test_dates", "name"),
    [(500, 73_049, "test_dates"), (500, 0, "test_dates"), (0, 5, "training_pairs")],
)
def test_impossible_numbers_of_dates_are_refused_by_name(training_pairs, test_dates, name):
    with pytest.raises(InputError, match=f"^{name}="):
        pairs(training_pairs=training_pairs, test_dates=test_dates)
