"""Where tables are printed: a terminal of any width, or a file or pipe, where no line need be cut."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 240


def open_console() -> "Console":
    """The standard output for rich's tables: as wide as the terminal, or with room for the longest line."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, markup=False, highlight=False)
