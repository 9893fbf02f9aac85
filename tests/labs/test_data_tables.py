"""Tables by name and from CSV files, and how faults in them are named."""

import gzip
import hashlib
from pathlib import Path

import pytest

from foundations.errors import InputError
from labs.kit.data import DATA_SETS, DataFile, DataSet, MissingDataError, load_table

CSV = "rooms,kind\n3,inland\n,coast\n"


@pytest.fixture
def csv(tmp_path) -> Path:
    path = tmp_path / "homes.csv"
    path.write_text(CSV)
    return path


@pytest.fixture
def registered(tmp_path, monkeypatch) -> Path:
    """A registered table of this content, in the user's data folder; nothing can be downloaded."""
    digest = hashlib.sha256(CSV.encode()).hexdigest()
    folder = tmp_path / "data"
    folder.mkdir()
    file = DataFile("homes/homes.csv", digest, len(CSV), ())
    monkeypatch.setitem(DATA_SETS, "homes", DataSet("homes", "table", "two homes", "free", "nobody", (file,)))
    monkeypatch.setenv("LABS_DATA_DIR", str(folder))
    monkeypatch.setenv("LABS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LABS_OFFLINE", "1")
    return folder


def test_a_csv_file_becomes_a_frame_with_gaps_as_missing_values(csv):
    data = load_table(csv)
    assert data.frame.columns.tolist() == ["rooms", "kind"]
    assert data.frame["rooms"].isna().tolist() == [False, True]
    assert data.frame["kind"].tolist() == ["inland", "coast"]


def test_a_csv_file_is_named_after_itself_and_says_where_it_lay(csv):
    data = load_table(str(csv))
    assert (data.name, data.source, data.notice) == ("homes", str(csv), None)


def test_the_fingerprint_tells_content_not_place_nor_packing(csv, tmp_path):
    packed = tmp_path / "elsewhere.csv.gz"
    packed.write_bytes(gzip.compress(CSV.encode()))
    assert load_table(packed).fingerprint == load_table(csv).fingerprint
    assert load_table(packed).name == "elsewhere"
    csv.write_text(CSV.replace("3", "4"))
    assert load_table(packed).fingerprint != load_table(csv).fingerprint


def test_a_registered_table_is_read_from_the_users_folder(registered):
    (registered / "homes").mkdir()
    (registered / "homes" / "homes.csv").write_text(CSV)
    data = load_table("homes")
    assert len(data.frame) == 2
    assert (data.source, data.licence) == ("LABS_DATA_DIR", "free")


def test_a_registered_table_that_is_nowhere_is_missing_not_replaced(registered):
    with pytest.raises(
        MissingDataError, match=r"homes/homes\.csv: not in LABS_DATA_DIR .*set LABS_DATA_DIR to a folder"
    ):
        load_table("homes")


@pytest.mark.parametrize("spec", ["housin", "no/such/file.csv", "", "mnist"])
def test_what_is_neither_registered_nor_a_file_is_refused_with_what_is_allowed(spec):
    with pytest.raises(InputError, match=r"data='.*': must be housing, or the path of a CSV file"):
        load_table(spec)


def test_the_nearest_name_is_offered():
    with pytest.raises(InputError, match="did you mean 'housing'"):
        load_table("hosing")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="it is a folder: give the file in it"):
        load_table(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty first line"),
        (b"\n1,2\n", "empty first line"),
        (b"rooms,kind\n", "no rows below the header"),
        (b"3.5,inland\n4,coast\n", "must name the columns, not hold numbers"),
        (b"rooms,rooms\n1,2\n", "column 'rooms': must have a name, and one that no other column has"),
        (b"rooms,\n1,2\n", "column ''"),
        (b"rooms,kind\n1,a\n1,a,b\n", "not a readable CSV file .*line 3"),
        (b"rooms,kind\n1,a,b\n", "more fields than the header's 2 names"),
        (b'rooms,kind\n"1,a\n', "not a readable CSV file"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "not a text in UTF-8"),
        (b"rooms\n\x00\x00\n", "zero bytes"),
        (gzip.compress(CSV.encode(), mtime=0)[:-9], "truncated or broken gzip"),
    ],
)
def test_a_faulty_file_is_refused_in_one_line_that_names_it(csv, content, message):
    csv.write_bytes(content)
    with pytest.raises(InputError, match=message) as refused:
        load_table(csv)
    assert str(refused.value).startswith(str(csv))
    assert "\n" not in str(refused.value)


def test_a_byte_order_mark_is_no_part_of_the_first_name(csv):
    csv.write_text(CSV, encoding="utf-8-sig")
    assert load_table(csv).frame.columns[0] == "rooms"
