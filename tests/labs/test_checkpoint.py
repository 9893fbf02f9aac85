"""Checkpoints: whole or not there, never spoiled, readable without running anyone's code."""

import os
import signal
import subprocess
import sys

import pytest
import torch

from labs.kit import checkpoint
from labs.kit.ends import Diverged, MachineError

GOOD = {"learner": {"weights": torch.arange(5.0), "rates": [0.1, 0.2]}, "step": 3}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoint-training.pt"


def test_a_state_comes_back_to_the_bit(path):
    state = {"double": torch.rand(3, dtype=torch.float64), "bytes": torch.Generator().get_state(), "nothing": None}
    checkpoint.save(path, {**state, "text": "a", "deep": [{"a": (1, 2.5)}]})
    found = checkpoint.load(path)
    assert torch.equal(found["double"], state["double"])
    assert torch.equal(found["bytes"], state["bytes"])
    assert (found["nothing"], found["text"], found["deep"]) == (None, "a", [{"a": (1, 2.5)}])


def test_only_the_checkpoint_lies_there_afterwards(path):
    checkpoint.save(path, GOOD)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_crash_before_the_rename_keeps_the_old_checkpoint(path):
    checkpoint.save(path, GOOD)
    script = (
        "import os, signal, torch; from pathlib import Path; from labs.kit import checkpoint\n"
        "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"checkpoint.save(Path({str(path)!r}), {{'learner': torch.zeros(1000), 'step': 9}})"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert checkpoint.load(path)["step"] == 3


def test_what_a_crash_left_does_not_hinder_the_next_checkpoint(path):
    path.with_suffix(".writing").write_bytes(b"half a checkpoint")
    checkpoint.save(path, GOOD)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_full_disk_keeps_the_old_checkpoint_and_is_said_in_a_line(path):
    checkpoint.save(path, GOOD)
    script = (
        "import resource, torch; from pathlib import Path\n"
        "from labs.kit import checkpoint; from labs.kit.ends import machine_fault\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try:\n"
        f"    checkpoint.save(Path({str(path)!r}), {{'learner': torch.zeros(100_000), 'step': 9}})\n"
        "except Exception as error:\n"
        "    print(machine_fault(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.count("\n") == 1
    assert "None" not in done.stdout
    assert checkpoint.load(path)["step"] == 3
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_file_is_on_the_disk_before_it_takes_the_name(path, monkeypatch):
    order = []
    sync, replace = os.fsync, type(path).replace
    monkeypatch.setattr(os, "fsync", lambda file: order.append("sync") or sync(file))
    monkeypatch.setattr(type(path), "replace", lambda *each: order.append("rename") or replace(*each))
    checkpoint.save(path, GOOD)
    assert order[:2] == ["sync", "rename"]


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64])
def test_a_nan_is_refused_by_its_name_and_the_old_checkpoint_stays(path, kind):
    checkpoint.save(path, GOOD)
    spoiled = torch.tensor([1.0, float("nan")], dtype=kind)
    with pytest.raises(Diverged, match=r"learner\.layers\.1\.weight holds NaN"):
        checkpoint.save(path, {"learner": {"layers": [{}, {"weight": spoiled}]}, "step": 9})
    assert checkpoint.load(path)["step"] == 3


def test_infinity_is_no_reason_to_refuse(path):
    checkpoint.save(path, {"mask": torch.tensor([float("-inf")])})
    assert checkpoint.load(path)["mask"].tolist() == [float("-inf")]


def test_code_in_a_checkpoint_is_not_run(path):
    class Harm:
        def __reduce__(self):
            return (os.mkdir, (str(path.parent / "harm"),))

    torch.save({"learner": Harm()}, path)
    with pytest.raises(MachineError, match="is damaged"):
        checkpoint.load(path)
    assert not (path.parent / "harm").exists()


@pytest.mark.parametrize("keep", [0, 10, 600])
def test_a_damaged_checkpoint_is_named_with_what_to_do(path, keep):
    checkpoint.save(path, GOOD)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(MachineError, match=r"checkpoint-training.pt is damaged .*: remove it") as caught:
        checkpoint.load(path)
    assert "\n" not in str(caught.value)
