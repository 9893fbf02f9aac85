"""What there is to be found: every symbol, lab, command and test of the tree, read without importing any."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from labs.finding.words import terms

Kind = Literal["code", "labs", "tests"]
Definition = ast.FunctionDef | ast.ClassDef
FLOORS = ("foundations", "generative", "agents", "explain", "labs")
NOT_CODE = ("labs", "drawings", "finding")
"""Folders of labs that hold labs themselves, their pictures, and words to search for (as the tests of these do)."""
NOT_LABS = ("__init__", "__main__")
OFFERED, ORDINARY, MODULE, METHOD = 1.25, 1.0, 0.9, 0.65
"""What symbols count: those that a package offers under its own name, others, whole modules, methods."""
KIT = 0.6
"""What the machinery of the labs counts beside the four libraries."""
REFUSAL = 0.8
"""What a test of bad input or of resuming counts: most blocks have one, and it tells little of the matter."""
USUAL = ("self", "cls", "generator", "stream", "streams", "device")
"""What so many functions take that it tells nothing of them."""
_BLOCK = re.compile(r"^(?=@|def |class |async def )", re.MULTILINE)
_TEST = re.compile(r"(?:async )?def test_(\w+)")
_AFTER = re.compile(r"\n(?=[^\s)\]}#])")
_DOCSTRING = re.compile(r'\A"""(.*?)(?:\n|""")')
_REFUSES = re.compile("refuse|resum|same seed|impossible")


@dataclass(frozen=True, eq=False)
class Entry:
    """One thing that may be found."""

    kind: Kind
    name: str
    """foundations.layers.Dropout, labs.gan_mnist, tests/agents/test_ppo.py::test_it_learns_cartpole."""
    file: str
    """From the root of the tree."""
    line: int
    summary: str
    texts: Mapping[str, str]
    """What is searched, by field: name, summary, text, context, settings, body."""
    weight: float = 1.0
    """How much it counts beside others of its kind."""
    source: str = ""
    """Where names are looked for: the body of a lab or a test, the code of a module, class or function."""

    @cached_property
    def fields(self) -> dict[str, list[str]]:
        """The words of each text as they are compared."""
        return {field: terms(text) for field, text in self.texts.items()}

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """The words of all texts."""
        return frozenset().union(*self.fields.values())

    @cached_property
    def module(self) -> str:
        """The module that it stands in, or is."""
        return self.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def short(self) -> str:
        """The last part of its name."""
        return re.split(r"\.|::", self.name)[-1]

    @cached_property
    def depth(self) -> int:
        """0 for a module, 1 for its classes and functions, 2 for methods."""
        return self.name.count(".") - self.module.count(".")


@dataclass(frozen=True, eq=False)
class Index:
    """All entries of the tree below `root`; an installed package has no tests beside it."""

    root: Path
    entries: Mapping[Kind, tuple[Entry, ...]]
    tests: Mapping[str, str]
    """The files of tests, by their names from the root."""

    @property
    def has_tests(self) -> bool:
        """Whether there are any."""
        return bool(self.tests)

    @cached_property
    def known(self) -> frozenset[str]:
        """Every word that stands anywhere."""
        return frozenset().union(*(entry.vocabulary for kind in self.entries.values() for entry in kind))

    @cached_property
    def lengths(self) -> dict[tuple[Kind, str], float]:
        """How many words a field of entries of a kind has on average, 1 at least."""
        found = {}
        for kind, entries in self.entries.items():
            for field in entries[0].fields if entries else ():
                found[kind, field] = max(sum(len(entry.fields[field]) for entry in entries) / len(entries), 1.0)
        return found


def read(root: Path | None = None) -> Index:
    """Read the tree below `root`: the one that this file belongs to, unless another is named."""
    root = root or Path(__file__).resolve().parents[2]
    own = (root / "pyproject.toml").is_file()  # beside an installed package, a folder of that name is another's
    files = [file for file in sorted((root / "tests").rglob("test_*.py")) if own and not file.match("test_finding*")]
    tests = {file.relative_to(root).as_posix(): file.read_text(encoding="utf-8") for file in files}
    facts = tuple(fact for place, source in tests.items() for fact in _facts(source, place))
    return Index(root, {"code": tuple(_code(root)), "labs": (*_labs(root), *_commands(root)), "tests": facts}, tests)


def _code(root: Path) -> Iterator[Entry]:
    for floor in FLOORS:
        offered = _offered(root / floor / "__init__.pyi")
        for file in sorted((root / floor).rglob("*.py")):
            if floor != "labs" or file.parent.name not in NOT_CODE:
                yield from _symbols(file, root, offered, KIT if floor == "labs" else 1.0)


def _offered(face: Path) -> frozenset[str]:
    """What a package offers under its own name, modules too: where a user looks first."""
    if not face.is_file():
        return frozenset()
    imports = [node for node in ast.parse(face.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
    return frozenset(alias.asname or alias.name for node in imports for alias in node.names)


def _symbols(file: Path, root: Path, offered: frozenset[str], floor: float) -> Iterator[Entry]:
    """A module, its public classes and functions, and their public methods."""
    source, place = file.read_text(encoding="utf-8"), file.relative_to(root).as_posix()
    tree, lines = ast.parse(source), source.splitlines()
    module = place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    yield _symbol(module, place, tree, module.replace(".", " "), MODULE * floor, source)
    for node in _public(tree.body):
        name, context = f"{module}.{node.name}", f"{module} {_first(ast.get_docstring(tree))}"
        weight = OFFERED if offered & {node.name, module.partition(".")[2]} else ORDINARY
        yield _symbol(name, place, node, context, weight * floor, "\n".join(lines[node.lineno : node.end_lineno]))
        for part in _public(node.body) if isinstance(node, ast.ClassDef) else ():
            yield _symbol(f"{name}.{part.name}", place, part, node.name, METHOD * floor)


def _public(nodes: Sequence[ast.stmt]) -> Iterator[Definition]:
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def _symbol(
    name: str, file: str, node: ast.Module | Definition, context: str, weight: float, source: str = ""
) -> Entry:
    said, short = ast.get_docstring(node) or "", name.rpartition(".")[2]
    first, rest = _first(said), said.partition("\n")[2]
    texts = {
        "name": short,
        "summary": first,
        "text": rest,
        "context": f"{context} {_initials(short)}",
        "settings": "" if isinstance(node, ast.Module) else " ".join(_settings(node)),
    }
    return Entry("code", name, file, getattr(node, "lineno", 1), first, texts, weight, source)


def _settings(node: Definition) -> list[str]:
    """The names of what a function takes, or of what an object is made from."""
    if isinstance(node, ast.FunctionDef):
        return [each.arg for each in (*node.args.args, *node.args.kwonlyargs) if each.arg not in USUAL]
    made = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
    fields = [ast.unparse(part.target) for part in node.body if isinstance(part, ast.AnnAssign)]
    return [name for part in made for name in _settings(part)] + fields


def _initials(name: str) -> str:
    """What a name of several words is called in short: mse for mean_squared_error."""
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+", name)
    return "".join(word[0] for word in words).lower() if len(words) > 2 else ""


def _labs(root: Path) -> Iterator[Entry]:
    """Every lab; the pictures that it draws in a file of their own belong to it."""
    for file in sorted((root / "labs").glob("*.py")):
        if file.stem not in NOT_LABS:
            said, _, body = file.read_text(encoding="utf-8").removeprefix('"""').partition('"""')
            drawings = root / "labs" / "drawings" / file.name
            body += drawings.read_text(encoding="utf-8") if drawings.is_file() else ""
            first, rest = _first(said), said.partition("\n")[2]
            texts = {"name": file.stem, "summary": first, "text": rest, "body": body}
            yield Entry("labs", f"labs.{file.stem}", f"labs/{file.name}", 1, first, texts, source=body)


def _commands(root: Path) -> Iterator[Entry]:
    """What `python -m labs` can do beside running labs, as its table of commands says."""
    file = root / "labs" / "__main__.py"
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMMANDS":
            for name, (_, summary) in ast.literal_eval(node.value).items():
                texts = {"name": name, "summary": summary, "text": "", "body": ""}
                yield Entry("labs", f"labs {name}", "labs/__main__.py", node.lineno, summary, texts)


def _facts(source: str, place: str) -> Iterator[Entry]:
    """The tests of one file, decorators included; they are so many that a full parse would take too long."""
    said = match[1] if (match := _DOCSTRING.match(source)) else ""
    context = f"{place.rpartition('/test_')[2].removesuffix('.py')} {said}"
    line, above = 1, ""
    for block in _BLOCK.split(source):
        if match := _TEST.match(block):
            fact, body = match[1].replace("_", " "), above + _AFTER.split(block)[0]
            texts = {"name": fact, "context": context, "body": body}
            weight = REFUSAL if _REFUSES.search(fact) else 1.0
            yield Entry("tests", f"{place}::test_{match[1]}", place, line, fact, texts, weight, body)
        above = above + block if block.startswith("@") else ""
        line += block.count("\n")


def _first(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
