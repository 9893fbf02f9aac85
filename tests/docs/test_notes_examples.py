"""The chapters of the notes: their examples print what they say, their links and pictures exist."""

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

NOTES = Path(__file__).parents[2] / "docs" / "notes"
CHAPTERS = sorted(NOTES.glob("[01][0-9]-*.md"))
LARGEST_PICTURE = 100_000
"""Bytes."""
SAID = re.compile(r"^\s*print\(.*\)  # (.*)$", re.MULTILINE)
"""What a line of an example says that it prints; several printed lines stand apart by ` | `."""


def examples() -> list[Any]:
    """Every block of Python, named by its chapter and place in it."""
    found = []
    for chapter in CHAPTERS:
        blocks = re.findall(r"^```python\n(.*?)^```", chapter.read_text(), re.MULTILINE | re.DOTALL)
        for place, block in enumerate(blocks, 1):
            marks = [pytest.mark.slow] if "agents.PPO" in block else []
            found.append(pytest.param(block, id=f"{chapter.stem}-{place}", marks=marks))
    return found


def find(path: str) -> tuple[Any, str]:
    """The object of a dotted path, and the module in which the path looks for it."""
    module, _, rest = path.rpartition(".")
    try:
        home = importlib.import_module(module)
    except ModuleNotFoundError:  # the module is further up: a method
        outer, name = find(module)
        return getattr(outer, rest), name
    return getattr(home, rest), module


chapters = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)


def test_there_are_seventeen_chapters() -> None:
    assert [chapter.name[:2] for chapter in CHAPTERS] == [f"{number:02}" for number in range(1, 18)]


@pytest.mark.parametrize("example", examples())
def test_example_prints_what_it_says(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = [line for comment in SAID.findall(example) for line in comment.split(" | ")]
    exec(compile(example, "example", "exec"), {"__name__": "example"})
    assert said
    assert capsys.readouterr().out.splitlines() == said


@chapters
def test_chapter_has_equations_code_a_lab_a_picture_and_sources(chapter: Path) -> None:
    text = chapter.read_text()
    parts = ("```text", "```python", "python -m labs.", "![", "## Try next", "## Sources")
    assert [part for part in parts if part not in text] == []


@chapters
def test_references_name_what_is_defined_there(chapter: Path) -> None:
    paths = re.findall(r"\]\[([\w.]+)\]", chapter.read_text())
    assert paths
    for path in paths:
        found, module = find(path)
        if inspect.isclass(found) or inspect.isfunction(found):
            assert found.__module__ == module, path


@chapters
def test_pictures_exist_and_are_light(chapter: Path) -> None:
    pictures = [NOTES / name for name in re.findall(r"!\[[^]]+\]\(([^)]+)\)", chapter.read_text())]
    assert [picture.name for picture in pictures if picture.stat().st_size > LARGEST_PICTURE] == []
    assert [picture.name for picture in pictures if Image.open(picture).width > 1000] == []


def test_every_picture_is_shown() -> None:
    text = "".join(chapter.read_text() for chapter in CHAPTERS)
    assert [picture.name for picture in sorted(NOTES.glob("images/*.png")) if picture.name not in text] == []
