"""Every link inside the project's texts leads somewhere: to a file that is there, and to a heading that it has."""

import re
from pathlib import Path

import pages
import pytest
from markdown.extensions.toc import slugify

ROOT = Path(__file__).parents[2]
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|(?:src|href)=\"([^\"]+)\"")
MADE = {name for name, _ in pages.reference_pages()}


def _prose(text: str) -> str:
    """The text without its code, where brackets mean something else."""
    text = re.sub(r"^( *)(```+).*?^\1\2", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]+`", "``", text)


def _links(file: Path) -> list[str]:
    found = [first or second for first, second in LINK.findall(_prose(file.read_text(encoding="utf-8")))]
    return sorted({link for link in found if not re.match(r"[a-z]+:", link)})


def _anchors(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _prose(file.read_text(encoding="utf-8")), re.MULTILINE)
    return {slugify(re.sub(r"[`*]|\{.*\}", "", heading), "-") for heading in headings}


def problem(file: Path, link: str) -> str | None:
    """What is wrong with a link of `file`; None if nothing is."""
    path, _, anchor = link.partition("#")
    target = (file.parent / path).resolve() if path else file
    if target.is_relative_to(ROOT / "docs") and target.relative_to(ROOT / "docs").as_posix() in MADE:
        return None  # the build holds its anchors
    if not target.exists():
        return f"{path} is not there"
    if line := re.fullmatch(r"L(\d+)", anchor):
        return None if int(line[1]) <= len(target.read_text().splitlines()) else f"{path} has no line {line[1]}"
    if anchor and target.suffix == ".md" and anchor not in _anchors(target):
        return f"{path or file.name} has no heading #{anchor}"
    return None


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(file):
    assert [f"{link}: {said}" for link in _links(file) if (said := problem(file, link))] == []


@pytest.mark.parametrize(
    "link", ["nowhere.md", "#no-such-heading", "../CONTRIBUTING.md#no-such", "../README.md#L99999"]
)
def test_a_dead_link_is_noticed(link):
    assert problem(ROOT / "docs" / "start.md", link)


def test_a_copy_of_a_linked_file_is_found_where_links_point_to():
    assert pages.outside("scale", "../../tests/conftest.py") == "tests/conftest.py"
    assert pages.outside("", "../nowhere.py") is None
    assert pages.outside("notes", "../start.md") is None


def test_the_pictures_of_the_pages_are_small():
    pictures = [file for folder in ("images", "notes/images") for file in (ROOT / "docs" / folder).glob("*.*")]
    assert [file.name for file in pictures if file.stat().st_size > 150_000] == []
    assert sum(file.stat().st_size for file in (ROOT / "docs" / "images").iterdir()) <= 6_000_000
