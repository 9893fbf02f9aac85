"""What a lab is to the kit: a module with a docstring, a `Config` and a `main`."""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from foundations.errors import InputError
from labs.kit.config import Config

if TYPE_CHECKING:
    from labs.kit.run import Run

NOT_LABS = {"__init__", "__main__"}


@dataclass(frozen=True)
class Lab:
    """One lab: `target` is its module's name, or the path of a file outside the package."""

    target: str
    summary: str
    config_type: type[Config]
    main: Callable[[Any, "Run"], None]
    file: Path
    command: str = ""
    """What Python is given to start it, where that is neither its module nor its file."""

    @property
    def name(self) -> str:
        """What its experiment is called."""
        return self.file.stem

    @property
    def started_by(self) -> str:
        """What Python is given to start it: `-m labs.NAME`, or the path of a file."""
        return self.command or (self.target if self.target.endswith(".py") else f"-m {self.target}")

    @property
    def program(self) -> str:
        """How it is started."""
        return f"python {self.file.name}" if self.target.endswith(".py") else f"python -m {self.target}"


def lab_of(main: Callable[[Any, "Run"], None]) -> Lab:
    """The lab whose `main` this is. Raises: InputError if its module has no `Config`."""
    return _lab_of_module(sys.modules[main.__module__])


def load(target: str) -> Lab:
    """The lab of that module name or file. Raises: InputError if it is gone."""
    try:
        return _lab_of_module(_import_file(Path(target)) if target.endswith(".py") else importlib.import_module(target))
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise InputError(f"lab {target!r}: cannot be found ({error})") from None


def _import_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _lab_of_module(module: ModuleType) -> Lab:
    file = Path(str(module.__file__)).resolve()
    spec = module.__spec__
    target = spec.name if spec and "." in spec.name else str(file)
    config_type = getattr(module, "Config", None)
    if not (isinstance(config_type, type) and issubclass(config_type, Config)):
        raise InputError(f"lab {target}: must define a frozen dataclass Config that derives from labs.kit.Config")
    return Lab(target, first_line(module.__doc__), config_type, module.main, file)


@dataclass(frozen=True)
class Entry:
    """A lab as `python -m labs` lists it."""

    name: str
    summary: str
    topic: str


def discover() -> list[Entry]:
    """Every lab of the package, read without importing any."""
    files = sorted(Path(__file__).parent.parent.glob("*.py"))
    return [_entry(file) for file in files if file.stem not in NOT_LABS]


def _entry(file: Path) -> Entry:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    topic = next(
        (
            node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "topic"
            and isinstance(node.value, ast.Constant)
        ),
        "",
    )
    return Entry(file.stem, first_line(ast.get_docstring(tree)), str(topic))


def first_line(text: str | None) -> str:
    """The first line of a docstring, without its full stop."""
    return (text or "").strip().partition("\n")[0].removesuffix(".")
