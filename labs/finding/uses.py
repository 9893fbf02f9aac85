"""What labs and tests have to do with code: they name it, or what is built from it, or lie in the file of its tests."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from labs.finding.index import Entry

HOME = 0.4
"""What it counts that a lab has the name of a symbol's module, or a test a file that is its or names it."""
FURTHER = 0.5
"""What a use through one more symbol counts beside a use by name."""
STEPS = 2
"""So many symbols may lie between a lab and what it uses."""
COMMON = 8
"""What more modules than these use is everywhere: it is followed no further."""

Weights = dict[Entry, float]


def in_tests(tests: Sequence[Entry], files: Mapping[str, str], wanted: Weights) -> list[float]:
    """How much each test has to do with the `wanted` symbols; `files` are the sources of the files of tests."""
    homes, found = dict.fromkeys(files, 0.0), [0.0] * len(tests)
    for symbol, weight in wanted.items():
        naming = {file for file, source in files.items() if _names(source, symbol)}
        for file in files:
            share = (file in naming) / (1 + math.log(len(naming) or 1))
            homes[file] += weight * max(share, _home(file, symbol))
        _add(found, tests, [place for place, test in enumerate(tests) if test.file in naming], symbol, weight)
    return [test.weight * (name + HOME * homes[test.file]) for test, name in zip(tests, found, strict=True)]


def in_labs(labs: Sequence[Entry], wanted: Weights, code: Sequence[Entry]) -> list[float]:
    """How much each lab has to do with the `wanted` symbols of the libraries, also through what is built from them."""
    library = [each for each in code if not each.module.startswith("labs.")]
    latest = {symbol: weight for symbol, weight in wanted.items() if symbol in library}
    reached = dict(latest)
    for _ in range(STEPS):
        latest = {user: weight for user, weight in _built_from(latest, library).items() if user not in reached}
        reached |= latest
    found = [
        HOME * sum(weight for symbol, weight in wanted.items() if lab.short in symbol.module.split(".")) for lab in labs
    ]
    for symbol, weight in reached.items():
        _add(found, labs, range(len(labs)), symbol, weight)
    return found


def _add(found: list[float], entries: Sequence[Entry], places: Iterable[int], symbol: Entry, weight: float) -> None:
    """Add the weight to what is found of each entry at `places` that names the symbol; less, where many do."""
    naming = [place for place in places if _names(entries[place].source, symbol)]
    for place in naming:
        found[place] += weight / (1 + math.log(len(naming)))


def _names(source: str, symbol: Entry) -> bool:
    """Whether a class or function is named; if like a word of prose, then in code: behind a dot, called, in a list."""
    name = symbol.short
    if symbol.depth != 1 or name not in source:
        return False
    in_code = rf"(?<=\.){name}\b|\b{name}(?=[]()[,])"
    return bool(re.search(in_code if re.fullmatch("[A-Z]?[a-z]+", name) else rf"\b{name}\b", source))


def _built_from(wanted: Weights, code: Sequence[Entry]) -> Weights:
    """What uses the `wanted` symbols beside them, and what other modules offer that use them."""
    found: Weights = {}
    often = Counter(each.short for each in code)
    for symbol, weight in wanted.items():
        users = {each.module for each in code if each.depth == 0 and _names(each.source, symbol)}
        for each in code if len(users) <= COMMON else ():
            beside = each.module == symbol.module
            if each.module in users and _tells(each, often) and (not beside or _names(each.source, symbol)):
                found[each] = max(found.get(each, 0.0), FURTHER * weight / (1 + math.log(len(users))))
    return found


def _tells(symbol: Entry, often: Mapping[str, int]) -> bool:
    """Whether a class or function has a name that is no other's, and no plain word."""
    return symbol.depth == 1 and often[symbol.short] == 1 and (not symbol.short.islower() or "_" in symbol.short)


def _home(file: str, symbol: Entry) -> float:
    """1 for the file of the tests of the symbol's module, tests/PACKAGE/test_MODULE.py; 1/2 for its package's."""
    package, *path = symbol.module.split(".")
    if not path or not file.startswith(f"tests/{package}/test_"):
        return 0.0
    about = file.rpartition("/test_")[2].removesuffix(".py")
    return 1.0 if about in ("_".join(path), path[-1]) else 0.5 * (about == path[0])
