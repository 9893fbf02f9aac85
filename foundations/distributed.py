"""Data-parallel training: several processes, each with a share of every batch, learn what one process would learn.

All processes hold the same weights and draw the same batch of n samples; each computes the gradient of its own share,
and the gradients are averaged before the optimizer's step. With R processes and equal shares

    d/dw (1/n) sum_i L_i = (1/R) sum_r d/dw (R/n) sum_{i in share r} L_i

so weights, optimizers and streams stay equal on all processes, and equal (but for rounding) to those of one process:
a state saved by one of them continues on any number. It needs a loss that is a mean over samples of equal weight.
What a network or an augmentation draws while it looks at a share, each process draws for itself (see `sharing`).

Nothing here does anything outside `joined`, nor within it where torchrun started nobody else.
Source: Li et al. 2020, arXiv:2006.15704; batch norm over all shares: Peng et al. 2018, arXiv:1711.07240.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from foundations.errors import require

Value = TypeVar("Value")
ASKING_SECONDS = 0.05


class LostProcess(RuntimeError):
    """Another process of the group is gone, so that nothing can be agreed on any more."""


@dataclass(frozen=True)
class World:
    """The place of this process (`rank` from 0, `local_rank` on its host) among `size` processes."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0


@dataclass
class _Here:
    """What this process knows of the others."""

    world: World = World()
    store: Any = None
    sharing: bool = False


_here = _Here()


def world() -> World:
    """Where this process stands among the others: alone outside `joined`."""
    return _here.world


def launched() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


@contextmanager
def joined() -> Iterator[World]:
    """Within, this process works together with those that torchrun started beside it.

    Messages between CPUs go through gloo, between CUDA devices through nccl: one device a process, which becomes its
    current one.
    """
    if not launched() or int(os.environ["WORLD_SIZE"]) == 1:
        yield _here.world
        return
    here = World(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(here.local_rank % torch.cuda.device_count())
        backend = "cpu:gloo,cuda:nccl"
    kept, *_ = next(rendezvous("env://"))  # by torchrun, which may start the processes several times
    store = PrefixStore(f"start {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", kept)
    dist.init_process_group(backend, store=PrefixStore("group", store), rank=here.rank, world_size=here.size)
    _here.world, _here.store = here, PrefixStore("words", store)
    try:
        yield here
    finally:
        _here.world, _here.store = World(), None
        dist.destroy_process_group()


# Shares --------------------------------------------------------------------------------------------------------------


def require_shares(name: str, count: int) -> None:
    """Raise InputError unless `count` samples can be shared out evenly."""
    size = _here.world.size
    require(count % size == 0, name, count, f"a multiple of {size}, the processes that share each batch")


def share_of(batch: Tensor, dim: int = 0) -> Tensor:
    """The part of this process in the whole `batch` along `dim`: a view; all of it where there is no other process.

    Raises: InputError where the batch cannot be shared out evenly.
    """
    here = _here.world
    if here.size == 1:
        return batch
    require_shares("batch", batch.shape[dim])
    count = batch.shape[dim] // here.size
    return batch.narrow(dim, here.rank * count, count)


def sharing(*streams: torch.Generator) -> AbstractContextManager[None]:
    """Within, a network looks at this process's share of a batch: batch norm takes the statistics of all shares.

    What is drawn within from `streams` each process draws for itself, so that no two shares get the same masks; after
    it the streams are at one place again on all processes. The numbers are then not those of one process: where
    dropout or an augmentation draws, several processes equal one in distribution only. Where nothing is drawn, the
    streams stay as they were.
    """
    return nullcontext() if _here.world.size == 1 else _sharing(streams)


@contextmanager
def _sharing(streams: Sequence[torch.Generator]) -> Iterator[None]:
    before = [stream.get_state() for stream in streams]
    apart = [stream.manual_seed(_own_seed(state)).get_state() for stream, state in zip(streams, before, strict=True)]
    _here.sharing = True
    try:
        yield
    finally:
        _here.sharing = False
        for stream, state, own in zip(streams, before, apart, strict=True):
            drawn = not torch.equal(stream.get_state(), own)
            stream.set_state(state)
            if drawn:  # the next share's numbers follow from another place
                torch.rand((), generator=stream, device=stream.device)


def _own_seed(state: Tensor) -> int:
    """A seed that follows from the place of a stream, another for each process."""
    found = blake2b(state.numpy().tobytes(), digest_size=8, salt=_here.world.rank.to_bytes(8, "little"))
    return int.from_bytes(found.digest(), "little") >> 1


def is_sharing() -> bool:
    """Whether this process looks at its share of a batch now."""
    return _here.sharing


def gathered(x: Tensor) -> Tensor:
    """`x` of all processes, one below the other; gradients flow back to each. Shapes: (*) -> (processes, *)."""
    found: Tensor = _Gather.apply(x)  # type: ignore[no-untyped-call]
    return found


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        rows = x.new_zeros(_here.world.size, *x.shape)
        rows[_here.world.rank] = x
        return _reduce(rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Every process's loss depends on every row."""
        return _reduce(gradient.contiguous().clone())[_here.world.rank]


# Averages ------------------------------------------------------------------------------------------------------------


def average_gradients(parameters: Iterable[Tensor], metrics: Mapping[str, float | Tensor]) -> dict[str, float | Tensor]:
    """Leave in `parameters` the gradients' mean over the processes; give the mean of the metrics that are tensors.

    One message carries them all. All processes then hold the same numbers, to the bit.
    """
    return dict(metrics) if _here.world.size == 1 else _averaged(parameters, metrics)


@torch.no_grad()
def _averaged(parameters: Iterable[Tensor], metrics: Mapping[str, float | Tensor]) -> dict[str, float | Tensor]:
    gradients = [each.grad for each in parameters if each.grad is not None]
    measured = {name: value for name, value in metrics.items() if isinstance(value, Tensor)}
    scalars = [value.reshape(1).to(gradients[0]) for value in measured.values()]
    flat = _reduce(torch.cat([*(each.reshape(-1) for each in gradients), *scalars])) / _here.world.size
    *parts, means = flat.split([*(each.numel() for each in gradients), len(scalars)])
    torch._foreach_copy_(gradients, [part.view(each.shape) for part, each in zip(parts, gradients, strict=True)])
    return {**metrics, **dict(zip(measured, means.unbind(), strict=True))}


def _reduce(tensor: Tensor, operation: Any = dist.ReduceOp.SUM) -> Tensor:
    """The sum over all processes, in place. Raises: LostProcess."""
    try:
        dist.all_reduce(tensor, operation)
    except RuntimeError as error:
        raise LostProcess("another process of the group is gone") from error
    return tensor


# Words ---------------------------------------------------------------------------------------------------------------


def largest(numbers: Sequence[int]) -> list[int]:
    """Each of `numbers` as large as it is on any process: all wait for each other. Raises: LostProcess."""
    if _here.world.size == 1:
        return list(numbers)
    found: list[int] = _reduce(torch.tensor(numbers), dist.ReduceOp.MAX).tolist()
    return found


def from_first(value: Value) -> Value:
    """What the first process has as `value`. Raises: LostProcess."""
    if _here.world.size == 1:
        return value
    said = [value]
    try:
        dist.broadcast_object_list(said, src=0)
    except RuntimeError as error:
        raise LostProcess("another process of the group is gone") from error
    return said[0]


def say(word: str) -> None:
    """Let the others know `word`, whatever they do now."""
    if _here.store is not None:
        _here.store.set(word, "said")


def wait_for(word: str, seconds: float) -> None:
    """Wait until another process has said `word`, but no longer than so."""
    until = time.monotonic() + seconds
    try:
        while _here.store is not None and time.monotonic() < until and not _here.store.check([word]):
            time.sleep(ASKING_SECONDS)
    except RuntimeError:  # who kept the words is gone
        return
