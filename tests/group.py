"""A group of processes as torchrun makes one, for tests: `together(work, 2)` calls `work()` in each of two."""

import io
import multiprocessing
import os
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import torch
from torch.distributed import TCPStore

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["torch", "torch._dynamo"])  # the latter by the first optimizer: a second


def together(work: Callable[..., Any], size: int, *given: Any) -> list[Any]:
    """What `work(*given)`, a function of a test module, gives in each of `size` joined processes."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=60))
    started = []
    for rank in range(size):
        ours, theirs = _processes.Pipe(duplex=False)
        process = _processes.Process(target=_live, args=(rank, size, store.port, theirs, work, _packed(given)))
        process.start()
        theirs.close()
        started.append((process, ours))
    try:
        return [_unpacked(ours.recv_bytes()) for _, ours in started]
    finally:
        for process, _ in started:
            process.join(30)
            process.kill()


def _live(rank: int, size: int, port: int, out: Connection, work: Callable[..., Any], given: bytes) -> None:
    from foundations.distributed import joined

    torch.set_num_threads(1)
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in place.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "TORCHELASTIC_RUN_ID": "test", "TORCHELASTIC_USE_AGENT_STORE": "True"}
    with joined():
        out.send_bytes(_packed(work(*_unpacked(given))))


def _packed(content: Any) -> bytes:
    """Copies: tensors that are sent as such would lie in memory that the processes share."""
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def _unpacked(content: bytes) -> Any:
    return torch.load(io.BytesIO(content), weights_only=False)


def live_as(environment: dict[str, object], folder: str, script: str | None, words: list[str]) -> None:
    """Be `python SCRIPT WORDS`, or `python -m labs WORDS`, in `folder`, as a process that torchrun started."""
    from lab_process import live

    os.environ |= {name: str(value) for name, value in environment.items()}
    live(folder, script, words, None)
