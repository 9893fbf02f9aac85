"""Say what a built site would fetch from elsewhere: `python docs/tools/offline.py build/site`; status 1 if anything.

Links that a reader may follow are no fetch; scripts, styles, pictures and fonts are.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

OUTSIDE = re.compile(r"(https?:)?//", re.IGNORECASE)
STYLE = re.compile(r"(?:@import\s*|url\()\s*['\"]?((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)


class _Fetches(HTMLParser):
    """Collects what a browser loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called for each tag."""
        for name, value in attrs:
            loads = name in ("src", "srcset", "poster", "data") or (tag == "link" and name == "href")
            if loads and value and OUTSIDE.match(value):
                self.found.append(value)


def fetched(site: Path) -> list[str]:
    """What the pages and styles of the site load from elsewhere, each with the file that does."""
    found = []
    for file in sorted(site.rglob("*.html")):
        parser = _Fetches()
        parser.feed(file.read_text(encoding="utf-8"))
        found += [f"{file.relative_to(site)}: {address}" for address in parser.found]
    for file in sorted(site.rglob("*.css")):
        found += [f"{file.relative_to(site)}: {address}" for address in STYLE.findall(file.read_text(encoding="utf-8"))]
    return found


if __name__ == "__main__":
    outside = fetched(Path(sys.argv[1]))
    print("\n".join(outside) or "the site fetches nothing from elsewhere")
    sys.exit(1 if outside else 0)
