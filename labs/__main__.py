"""`python -m labs`: the list of labs, and the commands around them."""

import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module

from foundations.errors import InputError, require_choice
from labs.kit.ends import drop_output, machine_fault, open_output, say_error

COMMANDS = {
    "runs": ("labs.kit.listing:runs", "recent runs and how they ended"),
    "resume": ("labs.kit.commands:resume", "go on with a run that was stopped: resume RUN|last"),
    "replay": ("labs.kit.commands:replay", "run a run again from its record and compare every metric: replay RUN|last"),
    "sweep": (
        "labs.kit.sweeps.command:main",
        "hyper-parameter search over many runs of a lab: sweep LAB --space NAME=RANGE ... --metric NAME",
    ),
    "compare": (
        "labs.kit.comparing.command:main",
        "runs beside each other, with honest statistics: compare RUNS... | --lab LAB --group SETTING",
    ),
    "best": ("labs.kit.best:main", "the best finished run of a lab, by its registered model: best LAB"),
    "find": ("labs.finding.command:main", "from a word of the notes to code, labs and tests: find WORDS"),
    "ui": ("labs.kit.dashboard:main", "the MLflow dashboard: ui [--port 5000] [--no-browser]"),
    "data": ("labs.kit.data.command:main", "list, fetch and verify the data sets: data [list|fetch|verify] [NAME|all]"),
    "explain": (
        "labs.explaining.command:main",
        "why a finished run's model says what it says: explain RUN|last --input CASE",
    ),
    "verify": (
        "labs.verification.command:main",
        "hold every block against its reference: verify [NAME ...] [--markdown FILE]",
    ),
}
"""Each command: the module and function that carry it out, imported when it is called; and what it does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, or list the labs; gives the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    open_output()
    try:
        status = _command(words[0])(words[1:]) if words else _list([])
        print(end="", flush=True)  # a reader that has gone is found here, not after the end
        return status
    except InputError as error:
        say_error(str(error))
        return 2
    except BrokenPipeError:
        return drop_output()
    except Exception as error:
        if (fault := machine_fault(error)) is None:
            raise
        say_error(fault)
        return 1
    except KeyboardInterrupt:
        return 130


def _list(words: list[str]) -> int:
    from labs.kit.lab import discover

    if words:
        raise InputError(f"{words[0]}: is one word too many; python -m labs COMMAND --help explains a command")
    entries = discover()
    width = max(len(name) for name in [*COMMANDS, *(entry.name for entry in entries)])
    print("Labs (python -m labs.NAME --help):\n")
    for topic in sorted({entry.topic for entry in entries}):
        print(f"  {topic}")
        for entry in entries:
            if entry.topic == topic:
                _print_entry(entry.name, width, entry.summary)
    print("\nCommands (python -m labs COMMAND):\n")
    for name, (_, summary) in COMMANDS.items():
        _print_entry(name, width, summary)
    return 0


def _print_entry(name: str, width: int, summary: str) -> None:
    """A name and its summary, the latter wrapped beside the former."""
    columns = shutil.get_terminal_size(fallback=(200, 24)).columns
    first, others = f"    {name:<{width}}  ", " " * (width + 6)
    print(textwrap.fill(summary, columns, initial_indent=first, subsequent_indent=others))


def _command(name: str) -> Callable[[list[str]], int]:
    """The function behind a word of the command line: a command, or a lab by its name."""
    from labs.kit.lab import discover

    if name in ("-h", "--help", "list"):
        return _list
    labs = [entry.name for entry in discover()]
    require_choice("command", name, [*COMMANDS, *labs])
    if name in labs:
        return partial(_run_lab, name)
    module, _, function = COMMANDS[name][0].partition(":")
    command: Callable[[list[str]], int] = getattr(import_module(module), function)
    return command


def _run_lab(name: str, rest: list[str]) -> int:
    import runpy

    sys.argv = [f"labs.{name}", *rest]
    runpy.run_module(f"labs.{name}", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
