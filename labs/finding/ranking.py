"""Which entries answer a question best: BM25 over weighted fields, and the use of the code that was found.

score = sum over the question's words of idf(w) f(w) / (k + f(w)) / sum of idf(w), f(w) = sum over fields of
weight * count / length norm; times the share of the question that is answered, more where it stands word for word.
Source: Robertson & Zaragoza 2009, The Probabilistic Relevance Framework: BM25 and Beyond.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labs.finding.index import Entry, Index, Kind
from labs.finding.question import Question, Word, stands
from labs.finding.uses import in_labs, in_tests

FIELDS: dict[Kind, dict[str, float]] = {
    "code": {"name": 5.0, "summary": 2.5, "text": 1.0, "context": 1.5, "settings": 1.5},
    "labs": {"name": 4.0, "summary": 3.0, "text": 1.5, "body": 0.4},
    "tests": {"name": 4.0, "context": 1.2, "body": 0.8},
}
"""What a word counts in each field."""
PHRASE = {"name": 0.6, "summary": 0.4, "text": 0.2, "context": 0.2, "settings": 0.2, "body": 0.1}
"""What is added, as a share of the score, where the whole question stands in a field word for word."""
EXACT = 0.5
"""The same, where a name is the question and nothing else; twice where it is so to the letter."""
SATURATION = 1.5
"""k: how soon more of the same word says no more."""
LENGTH = 0.5
"""How much a long text is held against its words, from 0 to 1."""
ENOUGH = 0.5
"""The share of the question's weight that an entry must answer by more than the body of its code."""
TAIL = 0.2
"""What answers worse than this share of the best is not shown."""
LEADERS = 5
"""So many of the best symbols are looked for in labs and tests, each weighing less than the one before."""
GOOD_USE = 0.3
"""A use that counts in full, in shares of the best symbol's score: that of a few labs or tests which name it."""
SURE = 0.5
"""The score of a best symbol whose uses count in full."""


@dataclass(frozen=True)
class Hit:
    """An entry, and how well it answers: 1 is good, more where the question stands in it word for word."""

    entry: Entry
    score: float
    enough: bool = True
    """Whether its own words answer enough of the question."""


def search(index: Index, question: Question) -> dict[Kind, list[Hit]]:
    """All that answers the question, the best first, by kind."""
    code = _sorted([hit for hit in matches(index, "code", question) if hit.enough])
    leaders = {hit.entry: hit.score / place for place, hit in enumerate(code[:LEADERS], start=1)}
    top = code[0].score if code else 0.0
    by_labs = in_labs(index.entries["labs"], leaders, index.entries["code"])
    by_tests = in_tests(index.entries["tests"], index.tests, leaders)
    return {
        "code": code,
        "labs": _joined(matches(index, "labs", question), by_labs, top),
        "tests": _joined(matches(index, "tests", question), by_tests, top),
    }


def _sorted(hits: Sequence[Hit]) -> list[Hit]:
    least = TAIL * max((hit.score for hit in hits), default=0.0)
    return sorted((hit for hit in hits if hit.score > least), key=lambda hit: (-hit.score, hit.entry.name))


def _joined(said: Sequence[Hit], used: Sequence[float], top: float) -> list[Hit]:
    """What is found by its own words, by its use of code whose best scored `top`, or by both."""
    most, best = max([1.0, *(hit.score for hit in said)]), max([GOOD_USE * top, *used]) or 1.0
    worth = min(top / SURE, 1.0) / best
    pairs = zip(said, used, strict=True)
    return _sorted([Hit(hit.entry, hit.score / most + worth * use) for hit, use in pairs if hit.enough or use])


def matches(index: Index, kind: Kind, question: Question) -> list[Hit]:
    """How well the words of each entry answer the question."""
    entries, weights = index.entries[kind], FIELDS[kind]
    counts = [[_count(entry, word, weights, index.lengths) for word in question.words] for entry in entries]
    rarity = [_rarity([each[place] for each in counts]) for place in range(len(question.words))]
    if kind == "code":  # what the code never says cannot be asked of it; labs and tests are found through it too
        rarity = [weight * any(each[place] for each in counts) for place, weight in enumerate(rarity)]
    return [_hit(entry, question, count, rarity) for entry, count in zip(entries, counts, strict=True)]


def _count(entry: Entry, word: Word, weights: Mapping[str, float], lengths: Mapping[tuple[Kind, str], float]) -> float:
    """f(w): how often the word stands in the entry's fields, by their weights and lengths."""
    if not word.may_stand_in(entry.vocabulary):
        return 0.0
    total = 0.0
    for field, weight in weights.items():
        words = entry.fields[field]
        total += weight * word.count(words) / (1 - LENGTH + LENGTH * len(words) / lengths[entry.kind, field])
    return total


def _rarity(counts: Sequence[float]) -> float:
    """idf(w) = log(1 + (n - m + 1/2) / (m + 1/2)) for a word that m of n entries have."""
    having = sum(1 for count in counts if count)
    return math.log(1 + (len(counts) - having + 0.5) / (having + 0.5))


def _hit(entry: Entry, question: Question, counts: Sequence[float], rarity: Sequence[float]) -> Hit:
    if not any(counts) or not any(rarity):
        return Hit(entry, 0.0, enough=False)
    score = sum(weight * count / (SATURATION + count) for weight, count in zip(rarity, counts, strict=True))
    answered = sum(weight for weight, count in zip(rarity, counts, strict=True) if count) / sum(rarity)
    spoken = sum(weight for weight, word in zip(rarity, question.words, strict=True) if _spoken(entry, word))
    word_for_word = _word_for_word(entry, question)
    enough = spoken >= ENOUGH * sum(rarity) or word_for_word > 0
    return Hit(entry, score / sum(rarity) * answered * entry.weight * (1 + word_for_word), enough)


def _spoken(entry: Entry, word: Word) -> bool:
    """Whether a word stands elsewhere than in a body of code, where words are used for much."""
    return any(word.count(words) for field, words in entry.fields.items() if field != "body")


def _word_for_word(entry: Entry, question: Question) -> float:
    """What an entry gains by saying the whole question as it was asked, or with one of its words said otherwise."""
    gain = 0.0
    for phrase in question.phrases:
        said = [PHRASE[field] for field, words in entry.fields.items() if stands(phrase, words)]
        exact = EXACT if phrase in (tuple(entry.fields["name"]), tuple(entry.fields["name"][:-1])) else 0.0
        gain = max(gain, max(said, default=0.0) + exact)
    return gain + EXACT * (entry.short.lower().replace("_", "") == question.letters)
