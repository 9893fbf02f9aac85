"""Bad input, as a user gives it: one line says what it was and how to mend it, and nothing is left behind.

Status 2: the user can mend it. Status 1: the machine refused.
"""

import gzip
import json
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from as_user import assert_one_line, contents, python

from labs.kit.data.idx import FILE_NAMES

GAN = ("-m", "labs.gan_mnist", "--preset", "smoke")


@pytest.fixture
def typed(tmp_path, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Call `python -m labs WORDS` in this process, in `tmp_path`; gives its status, output and error output."""
    from labs.__main__ import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)  # a lab sets its own

    def call(*words: str) -> tuple[int, str, str]:
        try:
            status = main(list(words))
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return call


# Flags ---------------------------------------------------------------------------------------------------------------

FLAGS = {
    "unknown-flag-with-a-near-one": ("--stepz 3", ["--stepz", "did you mean --steps?"]),
    "unknown-flag": ("--colour red", ["Unrecognized options: --colour"]),
    "stray-word": ("hello", ["Unrecognized options: hello"]),
    "flag-without-value": ("--steps", ["--steps: must be followed by a value"]),
    "unknown-choice": ("--model dcgann", ["--model='dcgann'", "dcgan, dense", "did you mean 'dcgan'?"]),
    "unknown-preset": ("--preset fast", ["--preset", "'fast'", "'smoke', 'quick', 'full'"]),
    "text-for-an-integer": ("--steps many", ["--steps='many': must be a whole number"]),
    "fraction-for-an-integer": ("--steps 2.5", ["--steps='2.5': must be a whole number"]),
    "text-for-a-number": ("--learning-rate fast", ["--learning-rate='fast': must be a number"]),
    "zero-steps": ("--steps 0", ["steps=0: must be greater than or equal to 1"]),
    "negative-rate": ("--learning-rate -1", ["learning_rate=-1.0: must be greater than 0"]),
    "rate-not-a-number": ("--learning-rate nan", ["learning_rate=nan: must be a finite number"]),
    "infinite-rate": ("--learning-rate inf", ["learning_rate=inf: must be a finite number"]),
    "share-above-one": ("--label-smoothing 1.5", ["label_smoothing=1.5: must be less than 1"]),
    "memory-without-end": ("--ema-decay 1", ["ema_decay=1.0: must be less than 1"]),
    "negative-seed": ("--seed -1", ["seed=-1: must be greater than or equal to 0"]),
    "negative-threads": ("--threads -1", ["threads=-1"]),
    "batch-of-one": ("--batch-size 1", ["batch_size=1: must be greater than or equal to 2"]),
    "too-few-samples-to-judge": ("--final-samples 10", ["final_samples=10: must be greater than or equal to 320"]),
    "no-time-between-checkpoints": ("--checkpoint-seconds 0", ["checkpoint_seconds=0.0: must be greater than 0"]),
    "unknown-device": ("--device gpu", ["--device='gpu'", "auto, cpu, cuda, mps"]),
    "tag-without-equals-sign": ("--tag course", ["tag='course': must be key=value"]),
    "no-settings-file": ("--config absent.yaml", ["--config absent.yaml: cannot be read", "give the path"]),
    "folder-for-settings": ("--config .", ["--config .: cannot be read (Is a directory)"]),
}


@pytest.mark.parametrize(("words", "said"), FLAGS.values(), ids=FLAGS.keys())
def test_a_bad_flag_is_refused_and_leaves_nothing(typed, tmp_path, words, said):
    status, output, error = typed("gan_mnist", *words.split())
    assert_one_line(error, *said)
    assert (status, output, contents(tmp_path)) == (2, "", {})


SETTINGS: dict[str, tuple[bytes, list[str]]] = {
    "not-yaml": (b"steps: [1", ["is not valid YAML"]),
    "binary": (bytes(range(128, 200)), ["is not valid YAML"]),
    "a-list": (b"- steps\n", ["must hold settings as 'name: value' lines"]),
    "nothing": (b"", ["must hold settings as 'name: value' lines"]),
    "unknown-setting": (b"stepz: 3\n", ["stepz", "did you mean 'steps'?"]),
    "wrong-type": (b"steps: many\n", ["steps='many': must be a valid integer"]),
    "unknown-preset": (b"preset: fast\n", ["preset='fast'", "'smoke', 'quick' or 'full'"]),
    "impossible-value": (b"seed: -3\n", ["seed=-3: must be greater than or equal to 0"]),
}


@pytest.mark.parametrize(("text", "said"), SETTINGS.values(), ids=SETTINGS.keys())
def test_a_bad_settings_file_is_refused_by_its_name(typed, tmp_path, text, said):
    (tmp_path / "mine.yaml").write_bytes(text)
    status, output, error = typed("gan_mnist", "--config", "mine.yaml")
    assert_one_line(error, "mine.yaml", *said)
    assert (status, output, contents(tmp_path)) == (2, "", {"mine.yaml": text})


# Data ----------------------------------------------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def idx_files(count: int = 400, tests: int = 400, side: int = 28) -> dict[str, bytes]:
    """The four files of a set of black images, by name."""
    parts = [(count, FILE_NAMES[:2]), (tests, FILE_NAMES[2:])]
    return {
        name: idx(array)
        for size, names in parts
        for name, array in zip(
            names, (np.zeros((size, side, side), np.uint8), np.arange(size, dtype=np.uint8) % 10), strict=True
        )
    }


def changed(name: str, change: Callable[[bytes], bytes], suffix: str = "") -> dict[str, bytes]:
    files = idx_files()
    files[name + suffix] = change(files.pop(name))
    return files


PICTURES, LABELS = FILE_NAMES[:2]
DATA: dict[str, tuple[dict[str, bytes], list[str]]] = {
    "empty-folder": ({}, ["mine: neither IDX files nor sub-folders here; must be a folder with"]),
    "truncated": (changed(PICTURES, lambda file: file[:-9]), [PICTURES, "truncated", "copy it again"]),
    "corrupt-gz": (
        changed(PICTURES, lambda file: gzip.compress(file)[:200], ".gz"),
        [f"{PICTURES}.gz", "truncated or broken gzip", "copy it again"],
    ),
    "wrong-magic": (
        changed(PICTURES, lambda file: b"\0\0\r\3" + file[4:]),
        [PICTURES, "must begin with 00000803", "'00000d03'"],
    ),
    "labels-of-another-set": (
        changed(LABELS, lambda _: idx(np.zeros(7, np.uint8))),
        [LABELS, "7 labels for 400 images"],
    ),
    "large-images": (idx_files(side=32), ["data='mine': must be of grey images, 28x28; these are grey, 32x32"]),
    "few-training-images": (idx_files(count=100), ["data='mine': must be of 320 training images at least"]),
    "few-test-images": (idx_files(tests=100), ["data='mine': must be of 320 test images at least"]),
    "one-of-four-files": ({PICTURES: idx_files()[PICTURES]}, [LABELS, "missing"]),
}


@pytest.fixture
def refused(place, start) -> Callable[..., None]:
    """Call `python -m labs WORDS` in a process; it must end with status 2, one line, and `mlruns` as it was."""

    def call(*words: str, said: list[str]) -> None:
        before = contents(place / "mlruns")
        process = start(*words, labs=True)
        process.join(60)
        assert_one_line((place / "said.txt").read_text(), *said)
        assert process.exitcode == 2
        assert contents(place / "mlruns") == before

    return call


@pytest.mark.parametrize(("files", "said"), DATA.values(), ids=DATA.keys())
def test_a_bad_data_folder_is_refused_before_the_run_exists(place, refused, files, said):
    (place / "mine").mkdir()
    for name, file in files.items():
        (place / "mine" / name).write_bytes(file)
    refused("gan_mnist", "--preset", "smoke", "--data", "mine", said=said)


USES = {
    "unknown-data": ("gan_mnist --data minst", ["data='minst': must be digits or mnist", "did you mean 'mnist'?"]),
    "no-such-folder": ("gan_mnist --data no/such", ["data='no/such': must be digits or mnist, or a folder"]),
    "a-file-for-a-folder": ("gan_mnist --data said.txt", ["data='said.txt'", "it is a file: give the folder"]),
    "batch-larger-than-the-data": ("gan_mnist --data digits --batch-size 9999", ["batch_size=9999", "1438"]),
    "batch-larger-than-the-judges-data": ("judge_mnist --preset smoke --batch-size 9999", ["batch_size=9999", "1,438"]),
    "no-mps": ("gan_mnist --device mps", ["device='mps': torch finds none", "use auto or one of: "]),
}


@pytest.mark.parametrize(("words", "said"), USES.values(), ids=USES.keys())
def test_what_does_not_suit_the_lab_is_refused_before_the_run_exists(refused, words, said):
    if "mps" in words:
        import torch

        if torch.backends.mps.is_available():
            pytest.skip("there is one here")
    refused(*words.split(), said=said)


def test_cuda_where_there_is_none_is_refused(tmp_path):
    ended = python(*GAN, "--device", "cuda", folder=tmp_path, CUDA_VISIBLE_DEVICES="")
    assert_one_line(ended.stderr, "device='cuda': torch finds none on this machine", "cpu")
    assert (ended.returncode, contents(tmp_path)) == (2, {})


def test_a_data_folder_of_the_environment_that_is_not_there_is_refused(tmp_path):
    ended = python(*GAN, folder=tmp_path, LABS_DATA_DIR="no/such")
    assert_one_line(ended.stderr, "LABS_DATA_DIR='no/such': must be an existing folder")
    assert (ended.returncode, contents(tmp_path)) == (2, {})


def test_a_damaged_file_of_a_known_set_is_refused_with_the_hash_that_it_should_have(tmp_path):
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    (tmp_path / "data" / "mnist" / PICTURES).write_bytes(idx_files()[PICTURES])
    before = contents(tmp_path)
    ended = python(*GAN, folder=tmp_path, LABS_DATA_DIR="data")
    expected = "expected ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    assert_one_line(ended.stderr, PICTURES, "damaged file", expected, "put a good copy in its place")
    assert (ended.returncode, contents(tmp_path)) == (2, before)


def test_missing_weights_of_the_judge_are_named_before_the_run_exists(tmp_path):
    script = (
        "import sys, pathlib, generative.judge as judge; judge._WEIGHTS = pathlib.Path('gone.safetensors'); "
        "from labs.__main__ import main; sys.exit(main(['gan_mnist', '--preset', 'smoke', '--data', 'digits']))"
    )
    ended = python("-c", script, folder=tmp_path)
    assert_one_line(ended.stderr, "judge weights gone.safetensors: cannot be read", "install the package anew")
    assert (ended.returncode, contents(tmp_path)) == (2, {})


# Commands ------------------------------------------------------------------------------------------------------------


def keep_record(folder: Path, name: str, **changes: object) -> None:
    """Write the record of a run of the GAN lab, as far as commands read it before they start anything."""
    record = {
        "id": name,
        "name": f"run-{name}",
        "lab": "gan_mnist",
        "target": "labs.gan_mnist",
        "started": "2026-01-01T00:00:00.000+00:00",
        "config": {"preset": "smoke", "seed": 0},
        "environment": {"device": "cpu", "threads": "1"},
        "host": socket.gethostname(),
        "ended": "killed",
        "error": None,
        "notes": [],
        "summary": {},
    }
    path = folder / "mlruns" / "runs" / name / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({**record, **changes}))


@pytest.fixture
def history(tmp_path) -> Path:
    """A working directory with runs of all kinds."""
    keep_record(tmp_path, "abcd1111")
    keep_record(tmp_path, "abcd2222", ended="finished")
    keep_record(tmp_path, "eeee1111", target="labs.gone")
    keep_record(tmp_path, "eeee2222", target=str(tmp_path / "gone.py"))
    keep_record(tmp_path, "eeee3333", config={"preset": "smoke", "colour": "red"})
    keep_record(tmp_path, "cccc1111")
    (tmp_path / "mlruns" / "runs" / "cccc1111" / "record.json").write_text('{"name": ')
    return tmp_path


COMMANDS = {
    "unknown-command": ("rums", 2, ["command='rums'", "did you mean 'runs'?"]),
    "words-behind-the-list": ("list runs", 2, ["runs: is one word too many"]),
    "no-run-named": ("resume", 2, ["run", "see: python -m labs resume --help"]),
    "unknown-run": ("resume ffff", 2, ["run 'ffff': is no run here", "`python -m labs runs` lists them"]),
    "unknown-run-to-replay": ("replay nobody", 2, ["run 'nobody': is no run here"]),
    "several-runs": ("resume abcd", 2, ["run 'abcd': fits several runs: give more of the id"]),
    "finished-run": ("resume abcd2222", 2, ["run 'run-abcd2222': is finished", "replay"]),
    "unfinished-run-to-replay": ("replay abcd1111", 2, ["run 'run-abcd1111': is killed; only a finished run"]),
    "lab-gone": ("resume eeee1111", 2, ["lab 'labs.gone': cannot be found"]),
    "lab-file-gone": ("resume eeee2222", 2, ["gone.py': cannot be found"]),
    "setting-gone": ("resume eeee3333", 2, ["record of run-eeee3333: colour='red': unknown setting"]),
    "damaged-record": ("resume cccc", 1, ["cccc1111/record.json cannot be read", "remove the folder"]),
    "port-zero": ("ui --port 0", 2, ["--port 0: must be between 1 and 65535"]),
    "port-too-large": ("ui --port 99999", 2, ["--port 99999: must be between 1 and 65535"]),
    "port-in-words": ("ui --port www", 2, ["--port", "'www'"]),
    "count-zero": ("runs --count 0", 2, ["--count 0: must be at least 1"]),
    "unknown-data-set": ("data fetch minst", 2, ["data set='minst'", "did you mean 'mnist'?"]),
    "unknown-data-action": ("data fech mnist", 2, ["'fech'", "'list', 'fetch', 'verify'"]),
}


@pytest.mark.parametrize(("words", "status", "said"), COMMANDS.values(), ids=COMMANDS.keys())
def test_a_bad_command_is_refused_and_changes_nothing(typed, history, words, status, said):
    before = contents(history)
    ended, output, error = typed(*words.split())
    assert_one_line(error, *said)
    assert (ended, output, contents(history)) == (status, "", before)


def test_without_any_runs_last_is_refused(typed, tmp_path):
    status, _, error = typed("replay", "last")
    assert_one_line(error, "run 'last': there are no runs in", "start one: python -m labs.gan_mnist")
    assert (status, contents(tmp_path)) == (2, {})


def test_a_port_that_is_taken_is_refused_and_another_proposed(refused):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused("ui", "--no-browser", "--port", str(port), said=[f"--port {port}: is taken", f"--port {port + 1}"])
