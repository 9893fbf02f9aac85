"""`labs data`: what it lists, verifies and refuses."""

import hashlib
import subprocess
import sys

import pytest

from foundations.errors import InputError
from labs.kit.data import DATA_SETS, DataFile, DataSet
from labs.kit.data.command import main

CONTENT = b"some text"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The user's folder with the only file of the only data set."""
    file = DataFile("plays/hamlet.txt", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), ())
    monkeypatch.setattr("labs.kit.data.command.DATA_SETS", {"plays": DataSet("plays", "text", "", "", "", (file,))})
    monkeypatch.setitem(DATA_SETS, "plays", DataSet("plays", "text", "", "", "", (file,)))
    monkeypatch.setenv("LABS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LABS_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "plays").mkdir()
    (tmp_path / "plays/hamlet.txt").write_bytes(CONTENT)
    return tmp_path


def test_every_registered_data_set_is_listed(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("LABS_CACHE_DIR", str(tmp_path))
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in DATA_SETS)


def test_the_list_tells_what_is_here_and_what_is_not(capsys, folder):
    main(["list"])
    assert "ready" in capsys.readouterr().out
    (folder / "plays/hamlet.txt").unlink()
    main(["list"])
    assert "absent" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["plays", "all"])
def test_verify_exits_with_0_where_all_is_whole(capsys, folder, name):
    assert main(["verify", name]) == 0
    assert "ok" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["plays", "all"])
def test_verify_names_the_damaged_file_and_exits_with_1(capsys, folder, name):
    path = folder / "plays/hamlet.txt"
    path.write_bytes(b"same text")
    assert main(["verify", name]) == 1
    message = capsys.readouterr().err
    assert str(path) in message
    assert hashlib.sha256(CONTENT).hexdigest() in message


def test_an_absent_file_is_no_damage(capsys, folder):
    (folder / "plays/hamlet.txt").unlink()
    assert main(["verify", "plays"]) == 0
    assert "absent" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["fetch"], ["fetch", "minst"], ["remove", "mnist"], ["list", "--fast"]])
def test_bad_arguments_are_refused_in_one_line(arguments):
    with pytest.raises(InputError) as caught:
        main(arguments)
    assert "\n" not in str(caught.value)


def test_the_command_is_loaded_without_heavy_packages():
    heavy = "{'torch', 'numpy', 'sklearn', 'pooch', 'PIL', 'rich'}"
    code = f"import sys, labs.kit.data.command; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
