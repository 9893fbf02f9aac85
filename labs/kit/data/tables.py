"""Tables by name or from a CSV file: the one call that labs on tables make for their data."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from foundations.errors import InputError
from labs.kit.data.content import decode_text, fingerprint, read_content
from labs.kit.data.data import Data
from labs.kit.data.registry import DataSet, registered, unknown
from labs.kit.data.store import read_data_set


@dataclass(frozen=True, eq=False, kw_only=True)
class TableData(Data):
    """A table, whole and in memory: one row a sample, one named column a feature or target; missing values are NaN."""

    frame: pd.DataFrame

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
    if data_set := registered(spec, "table"):
        return _load_registered(data_set)
    file = Path(spec).expanduser()
    if not str(spec).strip() or not file.is_file():
        raise unknown(spec, "table", "the path of a CSV file whose first line names the columns")
    content = read_content(file)
    name = file.name.removesuffix(".gz").removesuffix(".csv")
    return _table_data(name, content, str(file), str(file), "the file's own")


def _load_registered(data_set: DataSet) -> TableData:
    contents, source = read_data_set(data_set)
    ((path, content),) = contents.items()
    return _table_data(data_set.name, content, path, source, data_set.licence)


def _table_data(name: str, content: bytes, origin: str, source: str, licence: str) -> TableData:
    frame = _parse(content, origin)
    return TableData(name=name, frame=frame, fingerprint=fingerprint(content), source=source, licence=licence)


def _parse(content: bytes, origin: str) -> pd.DataFrame:
    """The table in the CSV text `content`."""
    text = decode_text(content, origin)
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
