"""`python -m labs verify`: hold every block against its reference, and say how far apart they are."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labs.kit.console import open_console
from labs.kit.parser import Parser

if TYPE_CHECKING:
    from labs.verification.report import Found


def main(arguments: Sequence[str]) -> int:
    """Run the command; the exit status is 1 where something differs by more than its bound, else 0.

    Raises: InputError for an unknown name, and for a file that cannot be written.
    """
    chosen = _parser().parse_args(arguments)
    import torch

    from labs.verification import catalogue, report

    torch.set_num_threads(1)  # more only stand in each other's way: all is small here
    twins, counts = catalogue.twins(), catalogue.counts()
    catalogue.require_known(chosen.names, [*twins, *counts])
    compared = [report.verify(twin) for twin in catalogue.choose(chosen.names, twins)]
    counted = [report.count(entry) for entry in catalogue.choose(chosen.names, counts)]
    for table in (compared, counted):
        if table:
            _print_table(table)
    found = [*compared, *counted]
    failed = [each for each in found if not each.ok]
    print(f"{len(found) - len(failed)} of {len(found)} agree with their reference")
    for each in failed:
        print(f"FAILED {each.name}: {each.problem}", file=sys.stderr)
    if chosen.markdown:
        report.write(chosen.markdown, compared, counted)
    return 1 if failed else 0


def _parser() -> Parser:
    about = "Hold each block against an independent reference, in value and in gradient."
    parser = Parser(prog="python -m labs verify", description=about)
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these blocks or areas, as Conv2d or convolution")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write the tables to this file as well")
    return parser


def _print_table(found: Sequence["Found"]) -> None:
    """In colours on a terminal, as plain columns elsewhere."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in found[0].titles:
        figure = title in ("value", "gradient", "bound", "weights", "published")
        table.add_column(title, justify="right" if figure else "left", no_wrap=figure)
    for each in found:
        table.add_row(*each.cells, style=None if each.ok else "bold red")
    open_console().print(table)
