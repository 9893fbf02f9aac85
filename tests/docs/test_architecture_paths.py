"""Each function that the page of the architecture names stands in the file that it names."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py):([\w.]+)`", TEXT)))


def _names(body: list[ast.stmt], before: str = "") -> set[str]:
    found = set()
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found |= {before + node.name} | _names(node.body, f"{before}{node.name}.")
    return found


def test_the_page_names_functions():
    assert len(NAMED) > 50


@pytest.mark.parametrize(("file", "function"), NAMED)
def test_the_named_function_exists(file, function):
    assert function in _names(ast.parse((ROOT / file).read_text(encoding="utf-8")).body)


def test_a_missing_function_would_be_noticed():
    assert "GAN.unlearn" not in _names(ast.parse((ROOT / "generative/gan/learner.py").read_text()).body)
