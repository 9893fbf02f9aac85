"""What is asked: words, each with other ways of saying it, and those that are found nowhere in the tree."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from labs.finding.index import Index
from labs.finding.synonyms import Phrase, groups_of
from labs.finding.words import STOP, pieces, spelled, stem, whole_of

OTHERWISE = 0.8
"""What another way of saying it counts beside the way that was asked for."""
APART = 0.4
"""What the words of a phrase count where they do not stand together."""


@dataclass(frozen=True)
class Word:
    """A word of a question, or a phrase that is like one: `ways` are what it may be found as, the asked one first."""

    ways: tuple[Phrase, ...]

    def count(self, words: list[str]) -> float:
        """How often it stands in `words`; other ways of saying it count less."""
        often = [_often(way, words) for way in self.ways]
        return max(often[0], OTHERWISE * max(often[1:], default=0.0))

    def may_stand_in(self, vocabulary: frozenset[str]) -> bool:
        """Whether it can stand in a text of these words."""
        return any(vocabulary.issuperset(way) for way in self.ways)


@dataclass(frozen=True)
class Question:
    """What is searched for; `unknown` holds the words that are left out, each with near ones that are found."""

    words: tuple[Word, ...]
    unknown: dict[str, list[str]]
    letters: str
    """All that was asked, in small letters and without gaps."""

    @property
    def phrases(self) -> list[Phrase]:
        """The whole question word for word, and with one of its words said otherwise."""
        ways = [word.ways[0] for word in self.words]
        places = range(len(ways))
        said = [ways, *([*ways[:i], way, *ways[i + 1 :]] for i in places for way in self.words[i].ways[1:])]
        return [tuple(word for way in each for word in way) for each in said]


def ask(text: str, index: Index) -> Question:
    """The question in `text`, as far as the tree knows its words."""
    groups = groups_of(index.entries["code"])
    known = index.known.union(word for group in groups for phrase in group for word in phrase)
    asked: list[str] = []
    unknown = {}
    for word in _joined(spelled(text), known):
        found = _as_known(word, known, index)
        if found is None:
            unknown[word] = _near(word, index)
        asked += found or ()
    return Question(tuple(_words(asked, groups, index)), unknown, "".join(spelled(text)).lower())


def _joined(words: Sequence[str], known: frozenset[str]) -> list[str]:
    """The words, two as one where they are known only together: auto encoder."""
    found: list[str] = []
    for word in words:
        alone = {stem(word.lower()), *(stem(each.lower()) for each in found[-1:])}
        if found and not alone <= known and stem((found[-1] + word).lower()) in known:
            found[-1] += word.lower()
        else:
            found.append(word)
    return found


def _as_known(word: str, known: frozenset[str], index: Index) -> list[str] | None:
    """What the tree knows of a word: the name as a whole, its parts, the halves of a compound; None if nothing."""
    parts = pieces(word)
    if len(parts) > 1 and whole_of(word) in known:
        return [word.lower()]
    if all(stem(part) in known for part in parts):  # a word that says nothing has no parts
        return parts
    halves = _halves(word.lower(), index)
    return list(halves[0]) if halves else None


def _halves(word: str, index: Index) -> list[tuple[str, str]]:
    """A compound as two words that stand together somewhere: back propagation of backpropagation."""
    cuts = ((word[:place], word[place:]) for place in range(3, len(word) - 2))
    known = [(left, right) for left, right in cuts if {stem(left), stem(right)} <= index.known]
    return [(left, right) for left, right in known if _together((stem(left), stem(right)), index)]


def _together(phrase: Phrase, index: Index) -> bool:
    having = (entry for kind in index.entries.values() for entry in kind if entry.vocabulary.issuperset(phrase))
    return any(stands(phrase, words) for entry in having for words in entry.fields.values())


def _words(asked: Sequence[str], groups: Sequence[tuple[Phrase, ...]], index: Index) -> list[Word]:
    stems = tuple(stem(word) for word in asked)
    found, place = [], 0
    while place < len(stems):
        own, others = _longest(stems[place:], groups)
        if len(own) == 1:
            others = [*others, *_compounds(asked, place, index)]
        found.append(Word((own, *others)))
        place += len(own)
    return found


def _longest(stems: Phrase, groups: Sequence[tuple[Phrase, ...]]) -> tuple[Phrase, list[Phrase]]:
    """The longest phrase at the beginning of `stems` that may be said otherwise, and how; else the first word."""
    for length in range(len(stems), 0, -1):
        own = stems[:length]
        if others := [phrase for group in groups if own in group for phrase in group if phrase != own]:
            return own, list(dict.fromkeys(others))
    return stems[:1], []


def _compounds(asked: Sequence[str], place: int, index: Index) -> list[Phrase]:
    """A word joined with its neighbour, and a compound in its halves, where the tree has them: drop out, backprop."""
    near = asked[max(place - 1, 0) : place + 2]
    joined = [(stem(left + right),) for left, right in pairwise(near) if stem(left + right) in index.known]
    return joined + [(stem(left), stem(right)) for left, right in _halves(asked[place], index)]


def _often(phrase: Phrase, words: list[str]) -> float:
    """How often a phrase stands in `words`; apart, its words count less."""
    counts = [words.count(word) for word in phrase]
    if len(phrase) == 1 or not all(counts):
        return min(counts)
    return max(stands(phrase, words), APART * min(counts))


def stands(phrase: Phrase, words: list[str]) -> int:
    """How often `phrase` stands in `words`, word for word."""
    starts = (place for place, word in enumerate(words) if word == phrase[0])
    return sum(tuple(words[start : start + len(phrase)]) == phrase for start in starts)


def _near(word: str, index: Index) -> list[str]:
    """Words of names and summaries that are spelled much like `word`, the nearest first."""
    entries = (entry for kind in index.entries.values() for entry in kind)
    written = {each.lower() for entry in entries for each in spelled(f"{entry.texts['name']} {entry.summary}")}
    alike = [each for each in written - STOP if abs(len(each) - len(word)) < 3]
    return difflib.get_close_matches(word.lower(), sorted(alike), n=3, cutoff=0.75)
