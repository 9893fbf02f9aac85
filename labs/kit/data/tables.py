"""Tables by name or from a CSV file: the one call that labs on tables make for their data."""

import csv
import hashlib
import io
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from foundations.errors import InputError
from labs.kit.data.content import DamageError, read_bytes, unpack
from labs.kit.data.registry import DATA_SETS, DataSet
from labs.kit.data.store import read_data_set


@dataclass(frozen=True, eq=False)
class TableData:
    """A table, whole and in memory: one row a sample, one named column a feature or target; missing values are NaN.

    `fingerprint` depends on the file's content alone, wherever it lay. `source` says where it came from:
    LABS_DATA_DIR, cache, download, or the file. `notice`, where it is not None, must be shown to the user.
    """

    name: str
    frame: pd.DataFrame
    fingerprint: str
    source: str
    licence: str
    notice: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many rows there are."""
        return {"rows": len(self.frame)}


def load_table(spec: str | Path) -> TableData:
    """The table that `spec` names: a registered data set ("housing"), or else a CSV file (plain or .gz).

    The file's first line names its columns; an empty field is a missing value.
    Raises: InputError for an unknown name, and for a file that cannot be read, is no CSV, or has no header or rows;
        MissingDataError where a registered table can be neither found nor downloaded.
    """
    if isinstance(spec, str) and spec in DATA_SETS and DATA_SETS[spec].kind == "table":
        return _load_registered(DATA_SETS[spec])
    file = Path(spec).expanduser()
    if not str(spec).strip() or not file.is_file():
        raise InputError(_unknown(str(spec)))
    try:
        content = unpack(read_bytes(file))
    except DamageError as damage:
        raise InputError(f"{file}: {damage}; copy it again") from damage
    name = file.name.removesuffix(".gz").removesuffix(".csv")
    return TableData(name, _parse(content, str(file)), _fingerprint(content), str(file), "the file's own")


def _load_registered(data_set: DataSet) -> TableData:
    contents, source = read_data_set(data_set)
    ((path, content),) = contents.items()
    return TableData(data_set.name, _parse(content, path), _fingerprint(content), source, data_set.licence)


def _parse(content: bytes, origin: str) -> pd.DataFrame:
    """The table in the CSV text `content`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{origin}: not a text in UTF-8 ({error}); save it as CSV in UTF-8") from error
    _check_header(text, origin)
    try:
        frame = pd.read_csv(io.StringIO(text), low_memory=False)
    except ValueError as error:  # ParserError is one
        raise InputError(f"{origin}: not a readable CSV file ({' '.join(str(error).split())})") from error
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes fields too many for the rows' names
        raise InputError(f"{origin}: rows have more fields than the header's {frame.shape[1]} names; must be as many")
    if frame.empty:
        raise InputError(f"{origin}: no rows below the header; must be at least one")
    return frame


def _check_header(text: str, origin: str) -> None:
    """Pandas would make a header of any first line, and rename what occurs twice."""
    if "\0" in text:
        raise InputError(f"{origin}: not a readable CSV file (it holds zero bytes)")
    names = [name.strip() for name in next(csv.reader(io.StringIO(text)), [])]
    if not any(names):
        raise InputError(f"{origin}: empty first line; must name the columns, separated by commas")
    if any(_is_number(name) for name in names):
        raise InputError(f"{origin}: first line {','.join(names)[:60]!r}: must name the columns, not hold numbers")
    twice = sorted({name for name in names if not name or names.count(name) > 1})
    if twice:
        raise InputError(f"{origin}: column {twice[0]!r}: must have a name, and one that no other column has")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _fingerprint(content: bytes) -> str:
    """16 hexadecimal digits of a SHA-256 over the file's uncompressed bytes."""
    return hashlib.sha256(content).hexdigest()[:16]


def _unknown(spec: str) -> str:
    names = sorted(name for name, data_set in DATA_SETS.items() if data_set.kind == "table")
    near = get_close_matches(spec.lower(), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    if Path(spec).expanduser().is_dir() and spec.strip():
        hint = "; it is a folder: give the file in it"
    allowed = f"{' or '.join(names)}, or the path of a CSV file whose first line names the columns"
    return f"data={spec!r}: must be {allowed}{hint}"
