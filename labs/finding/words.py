"""Words as a search sees them: names taken apart, one spelling for all, endings cut off."""

import re
import unicodedata
from functools import cache

_NOTHING = """
a against all an and are as at be been but by can do does for from has have how if in into is it its no not of off on or
our so than that the their them then there these they this those to was were what when where which while who whose why
will with without trick technique
"""
STOP = frozenset(_NOTHING.split())
"""Words that say nothing of the matter: neither kept nor searched for."""
AMERICAN = {
    "artefact": "artifact",
    "catalogue": "catalog",
    "defence": "defense",
    "fibre": "fiber",
    "grey": "gray",
    "programme": "program",
}
ENDINGS = {"ational": "ate", "ation": "ate", "ating": "ate", "ated": "ate", "ional": "ion", "ing": "", "ed": ""}
"""What is cut off, and what takes its place; where that is nothing, three letters stay, one of them a vowel."""
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*|\d+[a-z]?")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z][a-z0-9]*|[A-Z0-9]+[a-z0-9]*|\d+[a-z]?")
_NUMBERED = re.compile(r"([a-z]{3,}?)(\d+d?)")
_IZE = re.compile(r"(.{3,}iz)(?:e|ed|er|ing|ation)")


def terms(text: str) -> list[str]:
    """The words of `text` in their order, as they are compared; behind them the names in CamelCase as wholes."""
    found: list[str] = []
    wholes: list[str] = []
    for word in spelled(text):
        parts, whole = _taken_apart(word)
        found += parts
        wholes += whole
    return found + wholes


def spelled(text: str) -> list[str]:
    """The words of `text` as they stand there, without accents and underscores."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _WORD.findall(text.replace("_", " "))


@cache
def _taken_apart(word: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The parts of a word, and the whole of one in CamelCase: (gradient, health), (gradienthealth,)."""
    whole = (whole_of(word),) if len(_PART.findall(word)) > 1 else ()
    return tuple(stem(part) for part in pieces(word)), whole


def pieces(word: str) -> list[str]:
    """The parts of a name in small letters, without those that say nothing."""
    parts = [piece for part in _PART.findall(word) for piece in _number_off(part.lower())]
    return [part for part in parts if part not in STOP]


def whole_of(word: str) -> str:
    """A name as one word, without a number at its end: LeNet5 as lenet."""
    return stem(_number_off(word.lower())[0])


def _number_off(word: str) -> tuple[str, ...]:
    """A resnet18 is a resnet with an 18, a conv2d a conv; seq2seq, a2c and l1 stay whole."""
    match = _NUMBERED.fullmatch(word)
    return tuple(part for part in match.groups() if not part.endswith("d")) if match else (word,)


@cache
def stem(word: str) -> str:
    """A lower-case word in American spelling, without plural, -ing, -ed, -ation: all forms of it become one."""
    word = _american(_singular(word))
    if match := _IZE.fullmatch(word):
        return match[1]
    for ending, instead in ENDINGS.items():
        rest = word.removesuffix(ending)
        if rest != word and (instead or (len(rest) >= 3 and re.search("[aeiouy]", rest))):
            return _bare(rest + instead)
    return _bare(word)


def _bare(word: str) -> str:
    """Without a last -ate or -e, and with one of two equal last consonants."""
    if len(word) > 6 and word.endswith("ate"):
        return word[:-3]
    if len(word) > 3 and word.endswith("e"):
        return word[:-1]
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "aeious":
        return word[:-1]
    return word


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "as")):
        return word[:-1]
    return word


def _american(word: str) -> str:
    if word in AMERICAN:
        return AMERICAN[word]
    word = re.sub("(?<=..)tre(d?)$", lambda match: "tered" if match[1] else "ter", word)
    word = re.sub("(?<=...)our(?=$|e|i|a|h|l)", "or", word)
    return re.sub("(?<=...)is(?=(e|ed|er|ing|ation)$)", "iz", word)
