"""What the tests of the lab kit share: an empty place to work in, and labs that run there, here or in a process."""

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.pop("MLFLOW_TRACKING_URI", None)  # a user's store is no place for tests
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
TOY = Path(__file__).parent / "toy_lab.py"


@pytest.fixture(autouse=True)
def no_store_left_behind() -> Iterator[None]:
    """MLflow sets the variable when it is pointed at a store: the next test must not take it for the user's wish."""
    yield
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """An MLflow data base with its schema and nothing in it: made once, since that takes seconds."""
    from labs.kit import tracking

    folder = tmp_path_factory.mktemp("store")
    before = Path.cwd()
    os.chdir(folder)
    try:
        tracking.open_store()
    finally:
        os.chdir(before)
    return folder / "mlruns" / "mlflow.db"


@pytest.fixture
def place(tmp_path, monkeypatch, empty_store) -> Path:
    """An empty working directory whose `mlruns` is ready."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlruns" / "runs").mkdir(parents=True)
    shutil.copy(empty_store, tmp_path / "mlruns" / "mlflow.db")
    return tmp_path


@pytest.fixture
def run_toy(place) -> Iterator[Callable[..., int]]:
    """Run the toy lab in this process with some settings; gives its exit status."""
    import torch

    from labs.kit.lab import load
    from labs.kit.launch import execute

    deterministic = torch.get_deterministic_debug_mode()

    def run(**settings: object) -> int:
        lab = load(str(TOY))
        return execute(lab, lab.config_type(**{"run_name": "toy", **settings}))

    yield run
    torch.set_deterministic_debug_mode(deterministic)


@pytest.fixture
def labs_command(place) -> Callable[..., int]:
    """Call `python -m labs ...` in this process; gives its exit status."""
    from labs.__main__ import main

    return lambda *words: main(list(words))


@pytest.fixture
def store(place) -> Any:
    """A client of the place's MLflow store."""
    from labs.kit import tracking

    return tracking.open_store()


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """Wait until a condition holds; fails after a minute."""

    def wait(holds: Callable[[], object], seconds: float = 60.0) -> None:
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, "waited in vain"
            time.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def processes() -> Any:
    """A source of processes that start fast: each is forked from one that has imported what is slow to import."""
    context = multiprocessing.get_context("forkserver")
    slow = [
        "torch",
        "mlflow.pytorch",
        "mlflow.store.tracking.sqlalchemy_store",
        "matplotlib.pyplot",
        "sqlalchemy.dialects.sqlite",
        "mlflow.system_metrics.system_metrics_monitor",
    ]
    context.set_forkserver_preload(slow)
    return context


@pytest.fixture
def start(place, processes, monkeypatch) -> Iterator[Callable[..., Any]]:
    """Start `toy_lab.py FLAGS` or `python -m labs WORDS` as a process of its own; what it says is in `said.txt`."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))  # the process inherits it, and finds `live` there
    from lab_process import live

    started = []

    def begin(*words: str, labs: bool = False, store: str | None = None) -> Any:
        process = processes.Process(target=live, args=(str(place), None if labs else str(TOY), list(words), store))
        process.start()
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.join()
