"""Every command that the project's texts print exists, and takes the flags that it is printed with."""

import os
import re
import shlex
from contextlib import suppress
from pathlib import Path

import pytest

from foundations.errors import InputError
from labs.__main__ import COMMANDS, main
from labs.kit.config import parse
from labs.kit.lab import discover, load

ROOT = Path(__file__).parents[2]
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^( *)```(?:sh|bash|console)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
ANY_BLOCK = re.compile(r"^( *)(```+).*?^\1\2", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:[A-Z_]+=\S+ )?(?:python|make|torchrun) [^`\n]+)`")
MODULES = {"venv", "pip", "pytest", "labs.my_lab"}
"""Modules of others, the reader's own among them: what follows is theirs."""
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
LABS = [entry.name for entry in discover()]
EXAMPLE = "mnist_classifier"
"""Stands for NAME and LAB."""


def _commands(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    lines = [line for _, block in BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    return [line.strip() for line in lines] + INLINE.findall(ANY_BLOCK.sub("", text))


PRINTED = sorted({command for file in TEXTS for command in _commands(file)})


def words_of(command: str) -> list[str]:
    """The command's words, without comment, assignments in front, prompt, and where python lies."""
    words = shlex.split(command.removeprefix("$ "), comments=True)
    while words and re.match(r"[A-Z_]+=", words[0]):
        del words[0]
    if words and words[0].startswith(".venv"):
        words[0] = Path(words[0]).name
    return [word.replace("NAME", EXAMPLE) if word in ("NAME", "labs.NAME") else word for word in words]


def check(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Raises: AssertionError or InputError where the command cannot be called so."""
    if not words:
        return
    if words[0] == "make":
        assert {word for word in words[1:] if "=" not in word} <= TARGETS
    elif words[0] == "torchrun":
        check(["python", *words[words.index("-m") :]], capsys)
    elif words[0] == "python" and words[1:2] == ["-m"]:
        _check_module(words[2], words[3:], capsys)
    elif words[0] == "python" and words[1].endswith(".py") and "/" in words[1]:
        text = (ROOT / words[1]).read_text() + (ROOT / "benchmarks" / "pairs.py").read_text()
        assert [word for word in words[2:] if word.startswith("--") and f'"{word}"' not in text] == []


def _check_module(name: str, rest: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    if name == "labs" and rest:
        _check_command(rest[0], rest[1:], capsys)
    elif name.startswith("labs.") and name not in MODULES:
        lab = load(name)
        if "--help" not in rest and "..." not in rest:
            parse(lab.config_type, rest, program=lab.program, about="")
    else:
        assert name in {"labs", *MODULES}


def _check_command(name: str, rest: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    if name in LABS:
        _check_module(f"labs.{name}", rest, capsys)
        return
    assert name in COMMANDS
    own, _, labs_flags = " ".join(rest).partition(" -- ")
    flags = re.findall(r"(?<!\S)--[\w-]+", own)
    with suppress(SystemExit):
        main([name, "--help"])
    known = capsys.readouterr().out
    assert [flag for flag in flags if not re.search(rf"{flag}\b(?!-)", known)] == []
    if labs_flags and name == "sweep":
        _check_module(f"labs.{rest[0]}", labs_flags.split(), capsys)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty directory with the settings file that the README speaks of."""
    monkeypatch.chdir(tmp_path)
    Path("my.yaml").write_text("seed: 3\n")
    monkeypatch.setitem(os.environ, "COLUMNS", "200")


@pytest.mark.parametrize("command", PRINTED)
@pytest.mark.usefixtures("elsewhere")
def test_the_command_exists_and_takes_its_flags(command, capsys):
    check(words_of(command), capsys)


@pytest.mark.parametrize(
    "command",
    [
        "make cake",
        "python -m labs.mnist_classifer",
        "python -m labs.mnist_classifier --modell mlp",
        "python -m labs.mnist_classifier --model bigger",
        "python -m labs nap",
        "python -m labs runs --soon",
        "python benchmarks/pears.py",
        "torchrun --nproc-per-node 2 -m labs.char_lm --no-such-flag 3",
    ],
)
def test_a_command_that_does_not_exist_is_noticed(command, capsys):
    with pytest.raises((AssertionError, InputError, OSError)):
        check(words_of(command), capsys)


def test_commands_are_found():
    assert len(PRINTED) > 60
    assert any(command.startswith("torchrun") for command in PRINTED)
