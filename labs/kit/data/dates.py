"""Dates as seven languages write them, each with its ISO 8601 form: "Freitag, 4. März 2005" and 2005-03-04.

They are made, not loaded. Forms with slashes are left out: 03/04/2005 is a day in March in New York and one in April in
London. Dots are kept; in all these languages the day stands before them, except in Hungarian, where the year does.
Source: the forms are those of CLDR, https://cldr.unicode.org, as Babel writes them.
"""

from collections.abc import Sequence
from datetime import date as Date
from datetime import timedelta
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from foundations.errors import require
from foundations.streams import Streams
from foundations.text import Vocabulary, characters, pad

PLACES = {
    "English": ("en_US", "en_GB"), "German": ("de_DE",), "French": ("fr_FR",), "Spanish": ("es_ES",),
    "Finnish": ("fi_FI",), "Hungarian": ("hu_HU",), "Greek": ("el_GR",),
}  # fmt: skip
"""The languages, and the places whose forms are read."""
FORMS = [
    (language, place, form)
    for language, places in PLACES.items()
    for place, form in product(places, ("full", "long", "medium"))
]
"""Language, place, and the name of a form there: full has the weekday, medium is short or in numbers."""
FIRST_DAY, LAST_DAY = Date(1900, 1, 1), Date(2099, 12, 31)
ISO_SIGNS = "0123456789-"
ISO_LENGTH = 11
"""Tokens of an ISO date: ten signs and the end."""


class WrittenDate(NamedTuple):
    """One day in one form."""

    language: str
    text: str
    iso: str


class DatePairs(NamedTuple):
    """Pairs to train on and to test with, and the vocabularies that make numbers of their signs.

    `places` is the length of the longest written date.
    """

    training: list[WrittenDate]
    test: list[WrittenDate]
    source_signs: Vocabulary
    target_signs: Vocabulary
    places: int

    def sources(self, dates: Sequence[WrittenDate]) -> Tensor:
        """The written forms, padded. Shapes: (n, places), int64."""
        return pad([self.source_signs.encode(characters(date.text)) for date in dates], self.places)[0]

    def targets(self, dates: Sequence[WrittenDate]) -> Tensor:
        """The ISO forms, with the end. Shapes: (n, ISO_LENGTH), int64."""
        return pad([self.target_signs.encode(date.iso, end=True) for date in dates])[0]


def write_dates(days: Tensor, forms: Tensor) -> list[WrittenDate]:
    """Days, counted from `FIRST_DAY`, each in one of `FORMS`. Shapes: both (n), whole numbers."""
    from babel.dates import format_date

    dates = []
    for day, number in zip(days.tolist(), forms.tolist(), strict=True):
        when, (language, place, form) = FIRST_DAY + timedelta(day), FORMS[number]
        dates.append(WrittenDate(language, format_date(when, form, locale=place), when.isoformat()))
    return dates


def make_dates(training_pairs: int, test_dates: int, streams: Streams) -> DatePairs:
    """Pairs drawn at random: `test_dates` days in one form each, and `training_pairs` about other days alone.

    The days are divided first, so that no test day is trained on in any form.
    Raises: InputError for fewer than one of either, and for as many test dates as there are days.
    """
    require(training_pairs >= 1, "training_pairs", training_pairs, "at least 1")
    count = (LAST_DAY - FIRST_DAY).days + 1
    between = f"at least 1 and below {count:,}, the number of days"
    require(1 <= test_dates < count, "test_dates", test_dates, between)
    days = torch.randperm(count, generator=streams.torch("split"))
    test_days, training_days = days[:test_dates], days[test_dates:]
    stream = streams.torch("training pairs")
    drawn = training_days[torch.randint(len(training_days), (training_pairs,), generator=stream)]
    training = write_dates(drawn, torch.randint(len(FORMS), (training_pairs,), generator=stream))
    test_forms = torch.randint(len(FORMS), (test_dates,), generator=streams.torch("test forms"))
    test = write_dates(test_days, test_forms)
    places = max(len(date.text) for date in (*training, *test))
    return DatePairs(training, test, _all_signs(), Vocabulary(ISO_SIGNS), places)


def _all_signs() -> Vocabulary:
    """The signs of every form: a year has each month and each day of the week, and all digits."""
    days = torch.arange(366).repeat(len(FORMS))
    return Vocabulary.build(date.text for date in write_dates(days, torch.arange(len(FORMS)).repeat_interleave(366)))
