"""`python -m labs`: the list of labs, and the commands around them."""

import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence

from foundations.errors import InputError, require_choice
from labs.kit.ends import drop_output, machine_fault, open_output, say_error

COMMANDS = {
    "runs": "recent runs and how they ended",
    "resume": "go on with a run that was stopped: resume RUN|last",
    "replay": "run a run again from its record and compare every metric: replay RUN|last",
    "sweep": "hyper-parameter search over many runs of a lab: sweep LAB --space NAME=RANGE ... --metric NAME",
    "compare": "runs beside each other, with honest statistics: compare RUNS... | --lab LAB --group SETTING",
    "best": "the best finished run of a lab, by its registered model: best LAB",
    "find": "from a word of the notes to code, labs and tests: find WORDS",
    "ui": "the MLflow dashboard: ui [--port 5000] [--no-browser]",
    "data": "list, fetch and verify the data sets: data [list|fetch|verify] [NAME|all]",
    "explain": "why a finished run's model says what it says: explain RUN|last --input CASE",
    "verify": "hold every block against its reference: verify [NAME ...] [--markdown FILE]",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, or list the labs; gives the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    open_output()
    try:
        status = _list() if not words or words[0] in ("-h", "--help", "list") else _command(words[0])(words[1:])
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


def _list() -> int:
    from labs.kit.lab import discover

    entries = discover()
    width = max(len(name) for name in [*COMMANDS, *(entry.name for entry in entries)])
    print("Labs (python -m labs.NAME --help):\n")
    for topic in sorted({entry.topic for entry in entries}):
        print(f"  {topic}")
        for entry in entries:
            if entry.topic == topic:
                _print_entry(entry.name, width, entry.summary)
    print("\nCommands (python -m labs COMMAND):\n")
    for name, summary in COMMANDS.items():
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

    labs = [entry.name for entry in discover()]
    require_choice("command", name, [*COMMANDS, *labs])
    if name in labs:
        return lambda rest: _run_lab(name, rest)
    if name == "data":
        from labs.kit.data import command

        return command.main
    if name == "ui":
        from labs.kit import dashboard

        return dashboard.main
    if name == "explain":
        from labs.explaining import command as explaining

        return explaining.main
    if name == "verify":
        from labs.verification import command as verification

        return verification.main
    if name == "sweep":
        from labs.kit.sweeps import command as sweeping

        return sweeping.main
    if name == "compare":
        from labs.kit.comparing import command as comparing

        return comparing.main
    if name == "find":
        from labs.finding import command as finding

        return finding.main
    from labs.kit import commands

    return {"runs": commands.runs, "resume": commands.resume, "replay": commands.replay, "best": commands.best}[name]


def _run_lab(name: str, rest: list[str]) -> int:
    import runpy

    sys.argv = [f"labs.{name}", *rest]
    runpy.run_module(f"labs.{name}", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
