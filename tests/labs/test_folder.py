"""A run's folder: who has it open, who finds it, and that one damaged folder hides no other."""

import json
import os
import threading
import time

import pytest
from filelock import FileLock

from foundations.errors import InputError
from labs.kit import folder as folder_module
from labs.kit.ends import MachineError
from labs.kit.folder import RunFolder, all_runs, ensure_home, find, home


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def make():
    def build(name, started="2026-01-01T10:00:00", **record):
        folder = RunFolder(home() / "runs" / name)
        folder.path.mkdir(parents=True)
        own = {"name": f"run-{name}", "started": started, "ended": None, "host": folder_module.socket.gethostname()}
        folder.update(**{**own, **record})
        return folder

    return build


def test_a_record_is_changed_without_losing_the_rest(make):
    folder = make("abcd", seed=3)
    folder.update(ended="finished")
    assert (folder.record["seed"], folder.record["ended"]) == (3, "finished")


def test_a_crash_while_writing_keeps_the_old_record(make, monkeypatch):
    folder = make("abcd", seed=3)
    with monkeypatch.context() as crash:
        crash.setattr(type(folder.path), "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            folder.update(seed=4)
    assert folder.record["seed"] == 3


def test_a_run_is_open_once_at_a_time(make, monkeypatch):
    monkeypatch.setattr(folder_module, "LOOKING_SECONDS", 0.05)
    folder = make("abcd")
    folder.open()
    with pytest.raises(InputError, match="is running in another process"):
        RunFolder(folder.path).open()
    folder.close()
    RunFolder(folder.path).open()


def test_someone_who_looks_whether_it_lives_does_not_hinder_its_opening(make):
    folder = make("abcd")
    looks = threading.Event()

    def look():
        with FileLock(folder.path / "lock"):
            looks.set()
            time.sleep(0.2)

    threading.Thread(target=look).start()
    looks.wait()
    folder.open()
    assert folder.alive()
    folder.close()


def test_a_run_is_alive_while_it_is_open(make):
    folder = make("abcd")
    folder.open()
    assert RunFolder(folder.path).state() == "running"
    folder.close()
    assert RunFolder(folder.path).state() == "stale"


def test_a_run_on_another_host_lives_by_its_heartbeat(make):
    folder = make("abcd", host="another-host")
    (folder.path / "heartbeat").touch()
    assert folder.state() == "running"
    old = time.time() - 2 * folder_module.SILENT_SECONDS
    os.utime(folder.path / "heartbeat", (old, old))
    assert folder.state() == "stale"


def test_the_newest_run_is_the_last(make):
    make("aaaa", started="2026-01-01T10:00:00.001+00:00")
    make("bbbb", started="2026-01-01T10:00:00.003+00:00")
    make("cccc", started="2026-01-01T10:00:00.002+00:00")
    assert [run.path.name for run in all_runs()] == ["bbbb", "cccc", "aaaa"]
    assert find("last").path.name == "bbbb"


def test_a_run_is_found_by_id_beginning_and_name(make):
    make("abcdef12")
    make("xyz")
    assert {find(reference).path.name for reference in ("abcdef12", "abcd", "run-abcdef12")} == {"abcdef12"}


@pytest.mark.parametrize(
    ("reference", "problem"), [("abcd", "fits several"), ("abc", "is no run here"), ("", "is no run here")]
)
def test_a_reference_to_no_or_many_runs_is_refused(make, reference, problem):
    make("abcd1")
    make("abcd2")
    with pytest.raises(InputError, match=problem):
        find(reference)


def test_looking_for_a_run_where_there_is_none_says_how_to_start_one():
    with pytest.raises(InputError, match="start one: python -m labs"):
        find("last")
    assert list(home().parent.iterdir()) == []


@pytest.mark.parametrize("content", ["", '{"name": "x"', "\0\0\0\0"])
def test_a_damaged_record_is_named_and_hides_no_other_run(make, content):
    make("abcd")
    damaged = make("ffff")
    (damaged.path / "record.json").write_text(content)
    assert [run.path.name for run in all_runs()] == ["abcd"]
    with pytest.raises(MachineError, match=r"record.json cannot be read"):
        _ = damaged.record


def test_a_home_that_cannot_be_written_is_the_machines_fault(tmp_path):
    (tmp_path / "mlruns").write_text("a file where a folder belongs")
    with pytest.raises(MachineError, match="cannot be written"):
        ensure_home()


def test_making_a_home_leaves_nothing_but_folders():
    assert [path.name for path in ensure_home().iterdir()] == ["runs"]


def test_a_record_is_plain_json(make):
    assert json.loads((make("abcd").path / "record.json").read_text())["name"] == "run-abcd"
