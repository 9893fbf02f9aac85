"""Imports point down only: labs, then the three families beside each other, then foundations."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import foundations

ROOT = Path(foundations.__file__).parent.parent
FLOORS = ("foundations", "generative", "agents", "explain", "labs")
MAY_IMPORT = {
    "foundations": {"foundations"},
    "generative": {"generative", "foundations"},
    "agents": {"agents", "foundations"},
    "explain": {"explain", "foundations"},
    "labs": set(FLOORS),
}
FILES = [file for floor in FLOORS for pattern in ("*.py", "*.pyi") for file in sorted((ROOT / floor).rglob(pattern))]


def imports(file: Path) -> Iterator[str]:
    """The full names of all modules that a file imports, wherever in it, by statement or by name."""
    package = file.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (above, node.module) if part)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.args[0].value


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_there_is_something_to_look_at():
    assert len(FILES) > 20


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_file_imports_from_its_own_floor_and_below(file):
    floor = file.relative_to(ROOT).parts[0]
    tops = {module.partition(".")[0] for module in imports(file)}
    assert tops & set(FLOORS) <= MAY_IMPORT[floor]


@pytest.mark.parametrize("file", FILES, ids=name)
def test_only_the_tracking_file_knows_mlflow(file):
    if name(file) != "labs/kit/tracking.py":
        assert "mlflow" not in {module.partition(".")[0] for module in imports(file)}


@pytest.mark.parametrize("file", sorted((ROOT / "labs").glob("*.py")), ids=name)
def test_a_lab_knows_the_kit_and_its_own_drawings_but_no_other_lab(file):
    above = ["labs.verification", "labs.explaining", "labs.finding"] if file.stem == "__main__" else []
    may = ["labs.kit", f"labs.drawings.{file.stem}", *above]
    inside = {module for module in imports(file) if module.startswith("labs.") and module != "labs.drawings"}
    assert not {module for module in inside if not module.startswith(tuple(may))}


@pytest.mark.parametrize("file", sorted((ROOT / "labs" / "kit").rglob("*.py")), ids=name)
def test_the_kit_knows_no_lab_and_no_family(file):
    found = set(imports(file))
    assert not {module for module in found if module.partition(".")[0] in ("generative", "agents", "explain")}
    assert not {module for module in found if module.startswith("labs.") and module.split(".")[1] != "kit"}


def test_the_look_finds_what_hides_in_functions_and_relative_imports(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    file = tmp_path / "agents" / "deep" / "file.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "from ..near import a\nfrom . import b\n"
        "def f():\n    import mlflow.pytorch\n    import importlib; importlib.import_module('labs.kit')\n"
    )
    assert {"agents.near", "agents.deep.b", "mlflow.pytorch", "labs.kit"} <= set(imports(file))
