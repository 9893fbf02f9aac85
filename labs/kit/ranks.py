"""One run on several processes: torchrun starts them, all of them compute, only the first one writes and prints.

`torchrun --nproc-per-node 2 --max-restarts 3 -m labs.NAME`. The others keep their journal in a temporary folder, for
`Run.history`. A signal, a figure that is not finite and the time of a checkpoint are agreed on at each step. Where a
process is lost, torchrun starts all of them again: they find the run that they had and go on from its checkpoint,
which all read; on several hosts, runs must lie in a folder that these share. Anywhere else `Ranks` is alone, and agrees
with itself.
"""

from __future__ import annotations  # importing this must not import torch

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from labs.kit.ends import Diverged, Interrupts
from labs.kit.folder import RunFolder, all_runs, home
from labs.kit.gallery import Gallery
from labs.kit.origin import Origin

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from foundations.distributed import World

RECORD = "record.json"
CLOSED = "the run is closed"
CLOSING_SECONDS = 20.0
"""Others wait so long for the first process to close the run: torchrun stops all when one ends otherwise than well."""
CRASHED_SECONDS = 5.0
"""So long where one of them crashed, perhaps alone: then the first process waits for it in vain."""


class Agreed(NamedTuple):
    """What holds for all processes: whether a checkpoint is due, by the first one's clock, and whether to stop."""

    due: bool
    stop: bool


class Ranks:
    """The processes of a run, as one of them sees them; `folder` is where one that is not the first keeps its own."""

    def __init__(self, world: World | None = None, folder: Path | None = None) -> None:
        self.rank, self.size = (world.rank, world.size) if world else (0, 1)
        self._folder = folder

    @property
    def alone(self) -> bool:
        """Whether there is no other process."""
        return self.size == 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def heed(self, act: Callable[..., object], *given: Any) -> Diverged | None:
        """Call `act(*given)`; gives the `Diverged` that it raised, for `agree` to tell the other processes of it."""
        try:
            act(*given)
        except Diverged as error:
            if self.alone:
                raise
            return error
        return None

    def agree(self, interrupts: Interrupts, trouble: Diverged | None = None, *, due: bool = False) -> Agreed:
        """Tell all processes of a signal to any of them, and of what diverged on any of them.

        Raises: Diverged on all of them.
        """
        if self.alone:
            return Agreed(due, interrupts.pending is not None)
        from foundations.distributed import largest

        votes = (trouble is not None, interrupts.pending or 0, due and self.first)
        diverged, signal_number, first_due = largest([int(vote) for vote in votes])
        if diverged:
            raise trouble or Diverged("a figure of another process is not finite")
        if signal_number:
            interrupts.hear(signal_number)
        return Agreed(first_due > 0, signal_number > 0)

    def meet(self, found: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Wait for all processes; gives what the first one found."""
        if self.alone:
            return found
        from foundations.distributed import from_first, largest

        largest([0])
        return from_first(found)

    def own_folder(self, run_id: str, resumes: RunFolder | None) -> RunFolder:
        """The folder of a process that is not the first, with what the run knew before where it is resumed."""
        assert self._folder is not None
        folder = RunFolder(self._folder / run_id)
        if resumes and resumes.path != folder.path:
            folder.path.mkdir(parents=True, exist_ok=True)
            for file in [resumes.path / RECORD, *resumes.path.glob("*.jsonl")]:
                shutil.copy(file, folder.path)
        return folder


class Unheard:
    """The tracker of a process that is not the first: it stores nothing."""

    missed = False

    def __init__(self, run_id: str, name: str, experiment: str) -> None:
        self.run_id, self.name, self.experiment = run_id, name, experiment

    def points(self, points: object) -> bool:
        """Take them, as a store does that never refuses."""
        return True

    def tags(self, *given: object) -> None:
        """Nothing: the first process does it, as all that follows."""

    dataset = back = end = tags


class Unseen(Gallery):
    """The gallery of a process that is not the first: it shows nothing."""

    def __init__(self) -> None:
        """Nothing to show, no folder to keep it in."""

    def figure(self, name: str, figure: Figure) -> None:
        """Close it."""
        from matplotlib import pyplot as plt

        plt.close(figure)

    def images(self, *given: Any, **named: Any) -> None:
        """Nothing: the first process does it, as all that follows."""

    film = animation = table = model = keep = settings = text = report = images


_ranks = Ranks()


def ranks() -> Ranks:
    """The processes of the run that is under way; this one alone outside `joined`."""
    return _ranks


@contextmanager
def joined() -> Iterator[Ranks]:
    """Within, this process is one of those that torchrun started for the run, if it did."""
    global _ranks
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield _ranks
        return
    from foundations import distributed

    with ExitStack() as stack:
        world = stack.enter_context(distributed.joined())
        folder = None
        if world.rank > 0:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="labs-")))
            stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w"))))
        _ranks = Ranks(world, folder)
        try:
            yield _ranks
        finally:
            _ranks = Ranks()


@dataclass
class Closing:
    """What `closed` is told: whether another process was lost, so that there is nobody to wait for."""

    lost: bool = False


@contextmanager
def closed() -> Iterator[Closing]:
    """After the block, in which the first process closes the run, the others stay until it has done that."""
    closing, seconds = Closing(), CRASHED_SECONDS
    try:
        yield closing
        seconds = CLOSING_SECONDS
    finally:
        if not _ranks.alone:
            from foundations.distributed import say, wait_for

            if _ranks.first:
                say(CLOSED)
            elif not closing.lost:
                wait_for(CLOSED, seconds)


def group() -> str | None:
    """What names the processes that one torchrun starts, again where one was lost; None for others."""
    name = os.environ.get("TORCHELASTIC_RUN_ID")
    return name and f"{name} {socket.gethostname()} {os.getppid()}"


def started_again() -> bool:
    """Whether torchrun lost a process, and started all of them again."""
    return group() is not None and os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def gone_on(origin: Origin | None) -> Origin | None:
    """`origin`, or where torchrun started the processes again, the run that they had before, if it began to exist."""
    if origin or not started_again():
        return origin
    own: tuple[str, ...] = ()
    if _ranks.first:
        mine = (run for run in all_runs() if run.record.get("torchrun") == group() and not run.record["parent"])
        own = tuple(run.path.name for run in mine)[:1]
    found = _ranks.meet(own)
    return Origin(resumes=RunFolder(home() / "runs" / found[0])) if found else None


def resume_command(reference: str) -> str:
    """What a user types to go on with the run `reference`, on as many processes as now."""
    return f"{starter()}-m labs resume {reference}"


def starter() -> str:
    """How Python is started here: by itself, or by torchrun."""
    if _ranks.alone:
        return "python "
    hosts, each = (int(os.environ.get(name, 1)) for name in ("GROUP_WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    return f"torchrun {f'--nnodes {hosts} ' if hosts > 1 else ''}--nproc-per-node {each} "
