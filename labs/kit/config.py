"""A lab's settings: defaults, then a preset, then a YAML file, then flags; checked once, whatever their source.

A lab's `Config` is a frozen dataclass. Its defaults are the preset `quick`; `presets` says how the others differ.
"""

import dataclasses
import io
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

from annotated_types import Ge, Gt, Interval

from foundations.errors import InputError, require_choice
from labs.kit.parser import Parser

if TYPE_CHECKING:
    from pydantic import ValidationError

Count = Annotated[int, Ge(1)]
"""An integer of at least 1."""
Rate = Annotated[float, Gt(0)]
"""A finite number above 0."""
Share = Annotated[float, Interval(ge=0, le=1)]
"""A number between 0 and 1."""
Presets = Mapping[str, Mapping[str, Any]]
"""What a preset changes: preset name -> field name -> value."""
PLAIN_WORDS = {
    r"Error parsing (\S+): invalid literal for int\(\) with base 10: ('.*')": r"\1=\2: must be a whole number",
    r"Error parsing (\S+): could not convert string to float: ('.*')": r"\1=\2: must be a number",
    r"Error parsing (\S+): no type matching \{None\}\|INT could be instantiated from \[('.*?')\].*": (
        r"\1=\2: must be a whole number"
    ),
    r"Error parsing (\S+): no type matching \{None\}\|FLOAT could be instantiated from \[('.*?')\].*": (
        r"\1=\2: must be a number"
    ),
    r"Missing value for argument '(.*)'\. Expected \d+ values\.": r"\1: must be followed by a value",
}
"""How tyro puts a problem -> how the labs put it; what is not here stays as it is."""


@dataclass(frozen=True)
class Config:
    """The settings that every lab has; a lab's own `Config` adds its own."""

    preset: Literal["smoke", "quick", "full"] = "quick"
    """smoke: seconds, to see that it runs. quick: minutes. full: as good as the paper."""
    config: Path | None = None
    """YAML file of any of these settings; flags override it."""
    seed: Annotated[int, Ge(0)] = 0
    """Seed of every random stream of the run."""
    seeds: str | None = None
    """Run once for each of these seeds instead, as in 0-4 or 0,3,7: runs of their own, and one that sums them up."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute; auto takes an accelerator where there is one."""
    threads: Annotated[int, Ge(0)] = 0
    """Torch threads on the CPU; 0 chooses: as many as the lab can use and the machine has."""
    run_name: str | None = None
    """Name of the run in the dashboard; made up when not given."""
    tag: tuple[str, ...] = ()
    """Tags of the run, as key=value."""
    checkpoint_seconds: Rate = 60.0
    """Seconds between checkpoints."""

    presets: ClassVar[Presets] = {}
    useful_threads: ClassVar[int] = 1
    """More torch threads than this do not help the lab."""
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "allow_inf_nan": False}

    @property
    def experiment(self) -> str | None:
        """Name of the experiment that the run belongs to; None takes the lab's own name."""
        return None


AnyConfig = TypeVar("AnyConfig", bound=Config)


def parse(config_type: type[AnyConfig], arguments: Sequence[str], *, program: str, about: str) -> AnyConfig:
    """The settings that the command line asks for; `--help` prints them and exits.

    Raises: InputError for an unknown flag, an impossible value or an unreadable file, naming it.
    """
    import tyro

    base = _base(config_type, arguments, program)
    said, utf8 = io.StringIO(), io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    columns = os.environ.get("COLUMNS")
    wants_help = {"-h", "--help"} & set(arguments)
    if not wants_help:
        os.environ["COLUMNS"] = "100000"  # an error is then one line, whatever the width of the terminal
    try:
        # What tyro draws around an error depends on the standard output's encoding: `_one_line` knows it in UTF-8.
        with redirect_stderr(said), nullcontext() if wants_help else redirect_stdout(utf8):
            config = tyro.cli(config_type, args=list(arguments), default=base, prog=program, description=about)
    except SystemExit as end:
        if not end.code:
            utf8.seek(0)
            print(utf8.read(), end="", flush=True)  # a reader that has gone, as after `| head`, is found here
            raise
        raise InputError(f"{_one_line(said.getvalue())} (see: {program} --help)") from None
    finally:
        if columns is None:
            os.environ.pop("COLUMNS", None)
        else:
            os.environ["COLUMNS"] = columns
    return check(config_type, {**dataclasses.asdict(config), "config": None})


def check(config_type: type[AnyConfig], values: Mapping[str, Any], *, source: str = "") -> AnyConfig:
    """A `config_type` of `values`, each converted to its field's type and held against its bounds.

    Raises: InputError naming the first setting that is unknown or impossible.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        config = TypeAdapter(config_type).validate_python(dict(values))
    except ValidationError as error:
        raise InputError(source + _first_problem(error)) from None
    for tag in config.tag:
        if not re.fullmatch(r"[\w./ -]+=.*", tag):
            raise InputError(f"{source}tag={tag!r}: must be key=value, for example --tag course=dl2")
    return config


def to_record(config: Config) -> dict[str, Any]:
    """The settings as plain values that JSON and YAML can hold; `check` reads them back."""
    values = {name: value for name, value in dataclasses.asdict(config).items() if name != "config"}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def to_arguments(config: Config) -> list[str]:
    """The flags that give `config`: its preset, and what differs from that."""
    base = type(config)(**config.presets.get(config.preset, {}), preset=config.preset)
    words = [] if config.preset == "quick" else ["--preset", config.preset]
    for name, value in to_record(config).items():
        if value == to_record(base)[name]:
            continue
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", *(map(str, value) if isinstance(value, list) else [str(value)])]
    return words


def _base(config_type: type[AnyConfig], arguments: Sequence[str], program: str) -> AnyConfig:
    """Defaults, preset and YAML file together: what the flags then override."""
    early = Parser(prog=program, add_help=False, allow_abbrev=False)
    early.add_argument("--preset", choices=("smoke", "quick", "full"))
    early.add_argument("--config")
    chosen, _ = early.parse_known_args(list(arguments))
    from_file = _read_yaml(Path(chosen.config), config_type) if chosen.config else {}
    preset = chosen.preset or from_file.get("preset", "quick")
    values = {**config_type.presets.get(str(preset), {}), **from_file, "preset": preset}
    if from_file:  # checked here already, so that the message can name the file
        return check(config_type, values, source=f"{chosen.config}: ")
    return config_type(**values)


def _read_yaml(path: Path, config_type: type[Config]) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise InputError(f"--config {path}: cannot be read ({error.strerror}); give the path of a YAML file") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
        raise InputError(f"--config {path}: is not valid YAML ({problem})") from None
    if not isinstance(values, dict):
        raise InputError(f"--config {path}: must hold settings as 'name: value' lines")
    names = [field.name for field in dataclasses.fields(config_type)]
    values = {str(name).replace("-", "_"): value for name, value in values.items()}
    for name in values:
        require_choice(f"{path}: setting", name, names)
    values.pop("config", None)
    return values


def _first_problem(error: "ValidationError") -> str:
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"] if part != "function-after")
    message = first["msg"].replace("Input should", "must").replace("Unexpected keyword argument", "unknown setting")
    return f"{name}={first['input']!r}: {message}"


def _one_line(box: str) -> str:
    """What tyro prints in a box, as one line: the problem and the nearest flag."""
    lines = [line.strip("│ ") for line in box.splitlines() if line.startswith("│")]
    rule = next((index for index, line in enumerate(lines) if line.startswith("─")), len(lines))
    problem = " ".join(lines[:rule])
    for index, line in enumerate(lines):
        if line.startswith("Perhaps you meant") and index + 1 < len(lines):
            return f"{problem}; did you mean {lines[index + 1].split()[0]}?"
    return _in_plain_words(problem or " ".join(box.split()))


def _in_plain_words(problem: str) -> str:
    """What tyro says of a flag's value, as the labs say it: the flag, its value, what is allowed."""
    if match := re.fullmatch(r"invalid choice '(.*)' for argument '(.*)'. Expected one of \((.*)\)\.", problem):
        value, flag, choices = match.groups()
        try:
            require_choice(flag, value, re.findall(r"'([^']*)'", choices))
        except InputError as error:
            return str(error)
    for pattern, words in PLAIN_WORDS.items():
        if match := re.fullmatch(pattern, problem):
            return match.expand(words)
    return problem
