"""`python -m labs find WORDS`: from a word of the notes to the code, the labs and the tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from foundations.errors import require
from labs.kit.console import open_console
from labs.kit.ends import say_error
from labs.kit.parser import Parser

if TYPE_CHECKING:
    from rich.console import Console

    from labs.finding.index import Entry, Index, Kind
    from labs.finding.ranking import Hit

WIDE = 120
"""Columns of a terminal that has room for what each thing is for."""
TITLES: "dict[Kind, str]" = {"code": "code", "labs": "labs and commands", "tests": "tests"}


def main(arguments: Sequence[str]) -> int:
    """Run the command; the exit status is 1 where nothing is found, else 0.

    Raises: InputError for no words, a count below 1, and a page that cannot be written.
    """
    chosen = _parser().parse_args(arguments)
    text = " ".join(chosen.words).strip()
    require(chosen.count >= 1, "--count", chosen.count, "at least 1")
    require(bool(text or chosen.markdown), "WORDS", text, 'words of the notes, as in: find "vanishing gradient"')
    from labs.finding.index import read

    index = read()
    if chosen.markdown:
        from labs.finding import pages

        print(f"written: {', '.join(str(file) for file in pages.write(chosen.markdown, index))}")
    return _answer(text, index, chosen.count) if text else 0


def _parser() -> Parser:
    about = "From a word of the notes to the code, the labs and the tests that deal with it."
    parser = Parser(prog="python -m labs find", description=about)
    parser.add_argument("words", metavar="WORDS", nargs="*", help='what is looked for, as "vanishing gradient" or KL')
    parser.add_argument("--count", type=int, default=5, help="at most so many of each kind (default 5)")
    page = "write the map of the notes to this file, and beside it where course notes often go wrong (errata.md)"
    parser.add_argument("--markdown", metavar="FILE", type=Path, help=page)
    return parser


def _answer(text: str, index: "Index", count: int) -> int:
    """Print what is found."""
    from labs.finding.question import ask
    from labs.finding.ranking import search

    question = ask(text, index)
    found = search(index, question)
    if not any(found.values()):
        say_error(f"nothing found for {text!r}{_meant(text, question.unknown)}")
        return 1
    console = open_console()
    for kind, title in TITLES.items():
        if found[kind]:
            _print_group(title, found[kind][:count], console)
    if question.unknown:
        console.print(f"found nowhere: {', '.join(question.unknown)}{_meant(text, question.unknown)}")
    if not index.has_tests:
        console.print("the tests are not part of the installed package: they lie beside its sources")
    if index.root != Path.cwd():
        console.print(f"files are below {index.root}")
    return 0


def _meant(text: str, unknown: Mapping[str, Sequence[str]]) -> str:
    """What may have been meant: the text with each unknown word replaced by the nearest, a single one by others too."""
    if not unknown or not all(unknown.values()):
        return ""
    rows = list(zip(*unknown.values(), strict=False))[: 3 if len(unknown) == 1 else 1]
    meant = []
    for row in rows:
        said = text
        for word, near in zip(unknown, row, strict=True):
            said = said.replace(word, near)
        meant.append(repr(said))
    return f"; did you mean {' or '.join(meant)}?"


def _print_group(title: str, hits: "Sequence[Hit]", console: "Console") -> None:
    """One line a hit; a narrow terminal has no room for what it is for."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, show_header=False)
    cells = [_cells(hit.entry)[: 3 if console.width >= WIDE else 2] for hit in hits]
    for place in range(len(cells[0])):
        table.add_column(no_wrap=True, overflow="ellipsis", style="cyan" if place == 1 else None)
    for row in cells:
        table.add_row(*row)
    console.print(table)


def _cells(entry: "Entry") -> tuple[str, ...]:
    """What it is, where, and in a line what for."""
    place = f"{entry.file}:{entry.line}"
    if entry.kind == "tests":
        return entry.summary, place
    return f"python -m {entry.name}" if entry.kind == "labs" else entry.name, place, entry.summary
