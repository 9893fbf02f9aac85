"""`python -m labs data`: list, fetch and verify the registered data sets."""

import sys

from foundations.errors import InputError
from labs.kit.data.content import DamageError, read_bytes, unpack_verified
from labs.kit.data.registry import DATA_SETS, DataFile, DataSet, find_data_set
from labs.kit.data.store import locate, read_file
from labs.kit.parser import Parser


def main(argv: list[str]) -> int:
    """Run the command and return its exit status: 1 where `verify` finds a damaged file, else 0.

    Raises: InputError for bad arguments, and for files that cannot be fetched.
    """
    arguments = _parser().parse_args(argv)
    if arguments.action in (None, "list"):
        return _list()
    names = list(DATA_SETS) if arguments.name == "all" else [find_data_set(arguments.name).name]
    act = _fetch if arguments.action == "fetch" else _verify
    return max([act(DATA_SETS[name]) for name in names])


def _parser() -> Parser:
    parser = Parser(prog="python -m labs data", description="List, fetch and verify the registered data sets.")
    actions = parser.add_subparsers(dest="action", title="actions", metavar="list | fetch NAME | verify NAME")
    actions.add_parser("list", help="every data set, its licence, and where it is now (default)")
    for action, does in (("fetch", "download what is missing or damaged"), ("verify", "check every file's hash")):
        action_parser = actions.add_parser(action, help=does)
        action_parser.add_argument("name", metavar="NAME", help=f"all, or one of {', '.join(DATA_SETS)}")
    return parser


def _list() -> int:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("name", "status", "MB", "licence", "what it is, and where"):
        table.add_column(title, no_wrap=title in ("name", "status"), overflow="fold")
    for data_set in DATA_SETS.values():
        status, where = _status(data_set)
        megabytes = f"{sum(file.size for file in data_set.files) / 1e6:.1f}"
        table.add_row(data_set.name, status, megabytes, data_set.licence, f"{data_set.summary}\n{where}".strip())
    Console().print(table)
    print("fetch NAME downloads what is absent; verify NAME checks every hash")
    return 0


def _status(data_set: DataSet) -> tuple[str, str]:
    """Whether the files of `data_set` are there (without reading them), and where."""
    if not data_set.files:
        return "ready", "embedded"
    places = [locate(file) for file in data_set.files]
    found = [place for place in places if place]
    if not found:
        return "absent", ""
    status = "ready" if len(found) == len(places) else f"{len(found)} of {len(places)}"
    return status, ", ".join(dict.fromkeys(f"{place.source}: {place.path.parent}" for place in found))


def _fetch(data_set: DataSet) -> int:
    for file in data_set.files:
        _, source = read_file(file)
        place = locate(file)
        print(
            f"{data_set.name}: {place.path if place else file.path}: {'fetched' if source == 'download' else 'there'}"
        )
    if not data_set.files:
        print(f"{data_set.name}: embedded, nothing to fetch")
    return 0


def _verify(data_set: DataSet) -> int:
    faults = [_is_damaged(data_set, file) for file in data_set.files]
    if not data_set.files:
        print(f"{data_set.name}: embedded, nothing to verify")
    return 1 if any(faults) else 0


def _is_damaged(data_set: DataSet, file: DataFile) -> bool:
    """Print whether the file is whole; True where it is damaged. A file that is not here is no fault."""
    place = locate(file)
    if place is None:
        print(f"{data_set.name}: {file.path}: absent")
        return False
    try:
        unpack_verified(read_bytes(place.path), file)
    except (DamageError, InputError) as damage:
        print(f"{data_set.name}: {place.path}: DAMAGED: {damage}", file=sys.stderr)
        return True
    print(f"{data_set.name}: {place.path}: ok ({file.sha256[:12]}...)")
    return False
