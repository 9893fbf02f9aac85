"""Docstrings as the reference shows them: the project's labels stand out, and brackets of equations are no links."""

import re
from typing import Any

from griffe import Extension, Object

LABEL = re.compile(r"^(Shapes|Raises|Source|Sources|Yields|Units)(?: and \w+)?:", re.MULTILINE)
BRACKET = re.compile(r"(`[^`\n]*`)|([\[\]])")


class Labels(Extension):
    """`Shapes:`, `Raises:`, `Source:` begin a line of their own, in bold."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Called by griffe for each object that was loaded."""
        if obj.docstring is not None:
            obj.docstring.value = shown(obj.docstring.value)


def shown(text: str) -> str:
    """The docstring as Markdown."""
    lines = [line if line.startswith("    ") else without_links(line) for line in text.splitlines()]
    return LABEL.sub(lambda match: f"\n**{match[0]}**", "\n".join(lines))


def without_links(line: str) -> str:
    """The line with brackets escaped, except in code."""
    return BRACKET.sub(lambda match: match[1] or f"\\{match[2]}", line)
