"""What a comparison found: as a row of a table on the console, and as the page docs/verification.md."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from foundations.errors import InputError
from labs.verification.twin import Count, Difference, Twin

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn")
ABOUT = """# Verification

The blocks of `foundations` beside independent references. Made by

    python -m labs verify --markdown docs/verification.md

which computes everything anew and ends with status 1 where something differs by more than its bound. All is in
float64. A difference is the largest over all entries, absolute, and relative to the reference's largest entry where
that exceeds 1; "gradient" is the largest over the gradients of the input and of all weights. What is drawn at random
is compared with its expectation, from a fixed seed.
"""


@dataclass(frozen=True)
class Found:
    """One comparison: its cells under `titles`, whether it passed, and what is wrong if not."""

    name: str
    titles: tuple[str, ...]
    cells: tuple[str, ...]
    ok: bool
    problem: str = ""


def verify(twin: Twin) -> Found:
    """Compare a block with its reference; a comparison that breaks has failed, and the others go on."""
    problem = ""
    try:
        found = twin.compare()
    except Exception as error:  # whatever a block may raise: the table says it, and the rest is compared
        found, problem = Difference(float("nan")), f"{type(error).__name__}: {error}".partition("\n")[0]
    ok = all(each <= twin.bound for each in (found.value, found.gradient) if each is not None)
    if not (ok or problem):
        problem = f"differs from {twin.reference} by {_figure(found.value)}, gradient {_figure(found.gradient)}"
    titles = ("block", "area", "reference", "value", "gradient", "bound", "ok")
    figures = (_figure(found.value), _figure(found.gradient), f"{twin.bound:.0e}")
    return Found(twin.block, titles, (twin.block, twin.area, twin.reference, *figures, _yes(ok)), ok, problem)


def count(entry: Count) -> Found:
    """Compare a network's number of weights with the published one, to the digits that were published."""
    own = entry.own()
    ok = round(own / entry.unit) == round(entry.published / entry.unit)
    titles = ("network", "weights", "published", "source", "ok")
    published = f"{entry.published:,}" if entry.unit == 1 else f"about {entry.published:,}"
    problem = "" if ok else f"has {own:,} weights, published {published}"
    return Found(entry.block, titles, (entry.block, f"{own:,}", published, entry.reference, _yes(ok)), ok, problem)


def write(file: Path, *tables: Sequence[Found]) -> None:
    """Write the page. Raises: InputError where the file cannot be written."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    parts = [ABOUT, f"Last made with Python {platform.python_version()}, {versions}.\n"]
    parts += [_markdown(table) for table in tables if table]
    try:
        file.write_text("\n".join(parts), encoding="utf-8")
    except OSError as error:
        raise InputError(f"--markdown {file}: cannot be written ({error.strerror})") from None


def _markdown(table: Sequence[Found]) -> str:
    rows = [table[0].titles, tuple("---" for _ in table[0].titles), *(found.cells for found in table)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _figure(number: float | None) -> str:
    return "" if number is None else "0" if number == 0 else f"{number:.1e}"


def _yes(ok: bool) -> str:
    return "yes" if ok else "NO"
