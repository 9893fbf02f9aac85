"""The pages that are made from the tree: the map of the notes, and where course notes often go wrong."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from foundations.errors import InputError, require
from labs.finding.concepts import CHAPTERS
from labs.finding.errata import ERRATA, Erratum
from labs.finding.index import Entry, Index, Kind
from labs.finding.question import ask
from labs.finding.ranking import Hit, search

EACH = 2
"""So many symbols, labs and tests for a term."""
WORTH = 0.6
"""The second one is shown if it answers at least so well, in shares of the first."""
ERRATA_PAGE = "errata.md"
MAP = """# Map of the notes

From the words of course notes on deep learning to the code that does it, the labs that show it and the tests that hold
it: the best two of each. Nobody keeps this list: it is what `python -m labs find TERM` finds, and made anew by

    python -m labs find --markdown docs/map.md

Any other word can be asked for in the same way, as in `python -m labs find "vanishing gradient"`.
"""
WRONG = """# Where course notes often go wrong

Formulas that are often printed wrong or loosely. Each is right in the code named, and a test fails should it ever go
wrong there. Made by `python -m labs find --markdown docs/map.md`, which also fetches the code's own words.
"""


def write(file: Path, index: Index) -> list[Path]:
    """Write the map to `file` and the errata beside it; gives both.

    Raises: InputError where there are no tests to point to, and where a file cannot be written.
    """
    require(index.has_tests, "--markdown", str(file), "called where the project's sources and tests are")
    require(file.parent.is_dir(), "--markdown", str(file), "a file in a folder that is there")
    rows = {term: found(term, index) for terms in CHAPTERS.values() for term in terms}
    pages = {file: notes_map(rows), file.with_name(ERRATA_PAGE): errata(index)}
    for place, text in pages.items():
        try:
            place.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(f"--markdown {place}: cannot be written ({error.strerror})") from None
    return list(pages)


def found(term: str, index: Index) -> dict[Kind, list[Entry]]:
    """What the map shows of a term."""
    return {kind: [hit.entry for hit in _best(hits)] for kind, hits in search(index, ask(term, index)).items()}


def _best(hits: Sequence[Hit]) -> list[Hit]:
    """The best, and the next if it is worth it; a module beside its own class or function says nothing more."""
    first = hits[:1]
    others = [hit for hit in hits[1:] if hit.entry.name != first[0].entry.module]
    return [*first, *(hit for hit in others[: EACH - 1] if hit.score >= WORTH * first[0].score)]


def notes_map(rows: Mapping[str, Mapping[Kind, Sequence[Entry]]]) -> str:
    """The map, chapter by chapter, of what was `found` of each term."""
    parts = [MAP]
    for chapter, terms in CHAPTERS.items():
        lines = [f"| {term} | {_cells(rows[term])} |" for term in terms]
        parts.append("\n".join([f"## {chapter}\n", "| term | code | labs | tests |", "|---|---|---|---|", *lines, ""]))
    return "\n".join(parts)


def _cells(entries: Mapping[Kind, Sequence[Entry]]) -> str:
    return " | ".join("<br>".join(_link(entry) for entry in entries[kind]) or "–" for kind in ("code", "labs", "tests"))


def _link(entry: Entry) -> str:
    """What it is called, leading to its place in the reference, or else to its file."""
    if entry.kind == "tests":
        return f"[{entry.summary}](../{entry.file})"
    called = entry.name.removeprefix("labs.") if entry.kind == "labs" else entry.name
    referred = entry.summary and not entry.file.rpartition("/")[2].startswith("__")  # packages have pages, no headings
    return f"[`{called}`][{entry.name}]" if referred else f"[`{called}`](../{entry.file})"


def errata(index: Index) -> str:
    """The errata, each with the code's own first line."""
    code = {entry.name: entry for entry in index.entries["code"]}
    tests = {entry.name: entry for entry in index.entries["tests"]}
    return "\n".join([WRONG, *(_erratum(each, code[each.symbol], tests[each.test]) for each in ERRATA)])


def _erratum(each: Erratum, symbol: Entry, test: Entry) -> str:
    return (
        f"## {each.about}\n\n"
        f"Often printed: {each.printed}.\n\n"
        f"Right: {each.right}.\n\n"
        f"- Code: {_link(symbol)}: `{symbol.summary}`\n"
        f"- Test: {_link(test)}\n"
    )
