"""Faults of the machine: no room, no right, no store, no reader. One line and status 1, and nothing half-written."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from as_user import assert_one_line, contents, environment, python
from planted_runs import plant

from labs.kit.folder import RunFolder, all_runs
from labs.kit.journal import read_points

TOY = Path(__file__).parent / "toy_lab.py"
GAN = ("-m", "labs.gan_mnist", "--preset", "smoke")
COMMAND = ("-m", "labs")
STORES_FLAG = "MLFLOW_TRACKING_URI"


def test_a_damaged_checkpoint_is_named_and_the_run_is_not_left_running(run_toy, labs_command, store, capsys):
    run_toy(steps=20)
    (run,) = all_runs()
    checkpoint = run.path / "checkpoint-training.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    run.update(ended="killed")
    capsys.readouterr()
    assert labs_command("resume", "last") == 1
    assert_one_line(capsys.readouterr().err, "checkpoint-training.pt is damaged", "remove it")
    assert (run.state(), store.get_run(run.path.name).info.status) == ("failed", "FAILED")


def test_a_file_where_the_runs_belong_is_named(tmp_path):
    (tmp_path / "mlruns").write_text("mine")
    ended = python(str(TOY), folder=tmp_path)
    assert_one_line(ended.stderr, "mlruns cannot be written", "or work in another directory")
    assert (ended.returncode, contents(tmp_path)) == (1, {"mlruns": b"mine"})


def mounted(options: str, then: str = "true") -> tuple[str, ...]:
    """What to put before a command so that it sees a file system of its own at `mlruns`, gone when it ends."""
    script = f'mount -t tmpfs -o {options} none mlruns && {then} && exec "$@"'
    return ("unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh")


@pytest.fixture
def mounting(place) -> Path:
    """The place, where tests may mount."""
    try:
        tried = subprocess.run([*mounted("size=64k"), "true"], cwd=place, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no `unshare` here")
    if tried.returncode:
        pytest.skip("nothing may be mounted here")
    return place


def test_runs_folder_that_is_read_only_is_named(mounting):
    ended = python(str(TOY), folder=mounting, before=mounted("ro"))
    assert_one_line(ended.stderr, "mlruns cannot be written (Read-only file system)", "work in another directory")
    assert (ended.returncode, ended.stdout) == (1, "")


def test_runs_that_may_only_be_read_are_listed_as_they_are(mounting):
    run = RunFolder(mounting / "mlruns" / "runs" / plant(mounting))
    run.update(ended=None, host=socket.gethostname(), uploaded=False)
    reading = ("unshare", "--map-root-user", "--mount", "sh", "-c")
    script = 'mount --bind mlruns mlruns && mount -o remount,bind,ro mlruns && exec "$@"'
    listed = python(*COMMAND, "runs", folder=mounting, before=(*reading, script, "sh"))
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "stale" in listed.stdout


def test_a_disk_that_is_full_from_the_start_is_named(mounting):
    ended = python(str(TOY), folder=mounting, before=mounted("size=32k"))
    assert_one_line(ended.stderr, "mlruns cannot be written (No space left on device)", "free it")
    assert (ended.returncode, ended.stdout) == (1, "")


def test_a_checkpoint_for_which_there_is_no_room_says_so_and_leaves_no_part(mounting):
    script = (
        "import pathlib, torch; from labs.kit import checkpoint, ends\n"
        "try: checkpoint.save(pathlib.Path('mlruns/large.pt'), {'weights': torch.ones(100_000)})\n"
        "except (ends.MachineError, OSError) as error: print(ends.machine_fault(error))\n"
        "print(list(pathlib.Path('mlruns').iterdir()))"
    )
    said, left = python("-c", script, folder=mounting, before=mounted("size=64k")).stdout.splitlines()
    assert "No space left on device" in said
    assert left == "[]"


@pytest.mark.slow
def test_a_disk_that_fills_while_training_ends_the_run_in_words(mounting):
    (mounting / "mlruns" / "mlflow.db").rename(mounting / "kept.db")
    once_it_trains = "for _ in $(seq 300); do [ -s mlruns/runs/*/checkpoint-training.pt ] && break; sleep 0.2; done"
    fill = f"cp kept.db mlruns/mlflow.db && {{ ({once_it_trains}; cat /dev/zero > mlruns/filler) > log 2>&1 & }}"
    words = ("--steps", "100000", "--pause", "0.01")
    ended = python(str(TOY), *words, folder=mounting, before=mounted("size=16m", fill))
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "No space left on device" in ended.stderr.splitlines()[-1]
    assert "to go on: python -m labs resume" in ended.stderr


STORES = {
    "closed-port": ("http://127.0.0.1:9", 1, ["http://127.0.0.1:9 does not answer", f"unset {STORES_FLAG}"]),
    "no-store": ("nonsense://x", 2, [f"{STORES_FLAG}='nonsense://x': must be http://", "sqlite:///", "or unset"]),
    "a-folder": ("mlruns", 2, [f"{STORES_FLAG}='mlruns': must be http://"]),
}


@pytest.mark.parametrize(("address", "status", "said"), STORES.values(), ids=STORES.keys())
def test_a_store_that_does_not_answer_is_named_and_no_run_begins(place, start, address, status, said):
    process = start(store=address)
    process.join(60)
    assert_one_line((place / "said.txt").read_text(), *said)
    assert process.exitcode == status
    assert list((place / "mlruns" / "runs").iterdir()) == []


# Output --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("words", [COMMAND, (*COMMAND, "data"), (*GAN, "--help")], ids=["list", "data", "help"])
def test_a_reader_that_leaves_early_hears_no_complaint(tmp_path, words, unbuffered):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        ended = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=environment(PYTHONUNBUFFERED=unbuffered),
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.stderr == ""
    assert ended.returncode in (1, 141)  # rich, which prints the tables, says 1


@pytest.mark.skipif(os.name != "posix", reason="closes descriptors as a POSIX shell does")
@pytest.mark.parametrize("words", [COMMAND, (*GAN, "--help")], ids=["list", "help"])
def test_a_closed_output_does_no_harm(tmp_path, words):
    ended = python(*words, folder=tmp_path, before=("sh", "-c", 'exec "$@" >&-', "sh"))
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_list_fits_a_narrow_terminal(tmp_path):
    ended = python(*COMMAND, folder=tmp_path, COLUMNS="40")
    assert max(len(line) for line in ended.stdout.splitlines()) <= 40


def test_an_error_is_one_line_on_a_narrow_terminal(tmp_path):
    ended = python(*GAN, "--stepz", "3", folder=tmp_path, COLUMNS="40")
    assert_one_line(ended.stderr, "did you mean --steps?")


def test_letters_that_the_output_cannot_take_become_question_marks(tmp_path):
    ended = python(*COMMAND, folder=tmp_path, PYTHONIOENCODING="ascii")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "?" in ended.stdout


@pytest.mark.parametrize("encoding", ["ascii", "UTF-8"])
def test_an_error_is_one_line_whatever_the_output_is_encoded_in(tmp_path, encoding):
    ended = python(*GAN, "--stepz", "3", folder=tmp_path, PYTHONIOENCODING=encoding)
    assert_one_line(ended.stderr, "error: Unrecognized options: --stepz, 3; did you mean --steps?")


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_an_interrupt_while_imports_are_under_way_leaves_nothing(tmp_path):
    script = (
        "import os, signal, sys\n"
        "class Trap:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch':\n"
        f"            os.kill(os.getpid(), {int(signal.SIGINT)})\n"
        "sys.meta_path.insert(0, Trap())\n"
        "from labs.__main__ import main\n"
        "sys.exit(main(['gan_mnist', '--preset', 'smoke']))"
    )
    ended = python("-c", script, folder=tmp_path)
    assert ended.returncode == 130
    assert ended.stderr == "stopped by Ctrl-C before the run began: nothing was written\n"
    assert contents(tmp_path) == {}


@pytest.mark.slow
def test_a_reader_that_leaves_a_run_lets_it_end_in_words(place):
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as output, os.fdopen(reading) as early:
        command = [sys.executable, str(TOY), "--steps", "100000", "--pause", "0.01", "--run-name", "left"]
        process = subprocess.Popen(
            command, cwd=place, env=environment(), stdout=output, stderr=subprocess.PIPE, text=True
        )
        output.close()
        assert "started left" in early.readline()
        early.close()
        said = process.communicate(timeout=60)[1]
    (run,) = all_runs()
    assert (process.returncode, run.state()) == (1, "failed")
    assert said.splitlines()[-1] == "error: nobody reads the output any more: the pipe that it went to is closed"
    assert "Traceback" not in said
    assert read_points(run.path / "journal.jsonl")
