"""A Ray cluster to work on: one that runs already, or one of this machine alone that lives as long as it is used."""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foundations.errors import InputError, require
from labs.kit.ends import MachineError

OBJECT_STORE_BYTES = 80 * 2**20
"""Ray's least: settings and figures pass through it, no data."""
LONGEST_FOLDER = 30
"""Letters of a folder in which Ray's sockets, whose paths may have 107, still fit."""
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}
"""What Ray reads when it is imported: no usage statistics are sent, and long logs of nodes that died not printed."""
SECONDS = 5.0
"""How long a cluster may take to answer."""


@contextmanager
def connected(address: str | None, *, workers: int, cpus: float, gpus: float) -> Iterator[Any]:
    """Ray, connected to the cluster at `address`, or to a local one with room for `workers` tasks; then left again.

    A task needs `cpus` and `gpus`. Raises: InputError where Ray is not installed, for an address that is none, and for
    tasks that no node has room for; MachineError where the cluster does not answer.
    """
    ray = import_ray()
    require(math.isfinite(cpus) and cpus > 0, "cpus", cpus, "above 0: the processor cores of a trial")
    require(math.isfinite(gpus) and gpus >= 0, "gpus", gpus, "at least 0: the GPUs of a trial")
    with _folder() as folder:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if address is None:
            options |= {"address": "local", "num_cpus": math.ceil(workers * cpus), "num_gpus": None if gpus else 0}
            options |= {"include_dashboard": False, "_temp_dir": folder, "object_store_memory": OBJECT_STORE_BYTES}
        else:
            options["address"] = checked(address)
        try:
            _start(ray, options)
            _require_room(ray, "CPU", "cpus", cpus)
            _require_room(ray, "GPU", "gpus", gpus)
            yield ray
        finally:
            ray.shutdown()


def import_ray() -> Any:
    """The package, silenced. Raises: InputError where it is not installed."""
    os.environ.update(SETTINGS)
    try:
        import ray
    except ImportError:
        raise InputError(
            "engine='ray': needs Ray, which is not installed; install it: pip install 'deep-learning-labs[ray]'"
        ) from None
    return ray


def checked(address: str) -> str:
    """The address of a cluster, if somebody listens there. Raises: InputError; MachineError."""
    if address == "auto":
        return address
    match = re.fullmatch(r"([\w.-]+|\[[\da-fA-F:]+\]):(\d{1,5})", address)
    if match is None:
        raise InputError(
            f"ray_address={address!r}: must be HOST:PORT, or auto for the cluster that this host is part of"
        )
    try:
        socket.create_connection((match[1].strip("[]"), int(match[2])), timeout=SECONDS).close()
    except (OSError, OverflowError) as error:
        raise MachineError(_no_answer(address, error)) from None
    return address


def _no_answer(address: str, error: BaseException) -> str:
    reason = " ".join(str(error).split())[:160]
    return (
        f"the Ray cluster {address} does not answer ({reason}); start it (ray start --head --port 6379), "
        "correct --ray-address, or leave it out for one of this machine"
    )


def _start(ray: Any, options: dict[str, Any]) -> None:
    try:
        with _own_signals(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            ray.init(**options)
    except (ConnectionError, RuntimeError, TimeoutError, OSError) as error:
        raise MachineError(_no_answer(options["address"], error)) from None


def _require_room(ray: Any, resource: str, name: str, needed: float) -> None:
    """Raise InputError where no node could ever run a task: it would wait for ever."""
    most = max((node["Resources"].get(resource, 0.0) for node in ray.nodes() if node["Alive"]), default=0.0)
    require(needed <= most, name, needed, f"at most {most:g}, the most that a node of the Ray cluster has")


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handlers of Ctrl-C and SIGTERM, which Ray replaces by its own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _folder() -> Iterator[str]:
    """A folder for Ray's own files, whose path is short enough for its sockets; removed afterwards."""
    place = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix="ray", dir=place if len(place) <= LONGEST_FOLDER else "/tmp"))
    try:
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
