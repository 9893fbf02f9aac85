"""How two ways of doing the same thing are compared: they take turns, and the ratio of their times is what counts.

Ours and the peer's take turns of a few milliseconds (A B B A ...) in one process with one thread; a figure is the
median over the rounds of the ratio of the two, so that a change in the machine's mood touches both; on the CPU it is
the ratio of processor times, so that a busy neighbour counts less. A ratio of times above its limit, or one of speeds
below it, is a miss.
"""

import argparse
import gc
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from foundations.timing import Clock, elapsed, take_turns

RESULTS = Path(__file__).parent / "results"
BLOCK = 1.05
"""The limit of a block's time, relative to its peer's."""


@dataclass(frozen=True)
class Pair:
    """What is compared: one step of ours, one of the peer's; the ratio of their times must be `limit` at most.

    `least` turns it round: the ratio of their speeds must be that at least.
    """

    name: str
    kind: str
    ours: Callable[[], Any]
    peer: Callable[[], Any]
    limit: float
    least: bool = False


@dataclass(frozen=True)
class Figure:
    """The median of the rounds' ratios with its quartiles, and what one step of the peer's takes (microseconds)."""

    name: str
    kind: str
    ratio: float
    quartiles: tuple[float, float]
    limit: float
    least: bool
    peer_microseconds: float
    passes: bool


MakePairs = Callable[[torch.device], Sequence[Pair]]


def measure(pair: Pair, rounds: int, turn: float, device: torch.device) -> Figure:
    """Let the two take turns of about `turn` seconds: of processor time on the CPU, where one thread does all."""
    clock: Clock = "processor" if device.type == "cpu" else "wall"
    for step in (pair.ours, pair.peer):
        elapsed(step, 3, device, clock)
    count = max(1, round(turn / min(elapsed(pair.peer, 1, device, clock) for _ in range(5))))
    turns = take_turns((pair.peer, pair.ours), rounds=rounds, count=count, device=device, clock=clock)
    ratios = [peer / ours if pair.least else ours / peer for peer, ours in turns]
    lower, median, upper = statistics.quantiles(ratios, n=4)
    passes = median >= pair.limit if pair.least else median <= pair.limit
    microseconds = round(1e6 * statistics.median(peer for peer, _ in turns), 1)
    spread = round(lower, 3), round(upper, 3)
    return Figure(pair.name, pair.kind, round(median, 3), spread, pair.limit, pair.least, microseconds, passes)


def markdown(figures: list[Figure]) -> str:
    """The table."""
    lines = [
        "| what | ratio to the peer's | quartiles | limit | the peer's step, µs | |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for each in figures:
        sign, verdict = "≥" if each.least else "≤", "passes" if each.passes else "MISSES"
        quartiles = f"{each.quartiles[0]:.2f}-{each.quartiles[1]:.2f}"
        limits = f"{sign} {each.limit:.2f} | {each.peer_microseconds:,.0f} | {verdict}"
        lines.append(f"| {each.name} | {each.ratio:.3f} | {quartiles} | {limits} |")
    return "\n".join(lines)


def surroundings(device: torch.device) -> dict[str, str]:
    """What the figures depend on."""
    capability = torch.backends.cpu.get_cpu_capability()
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "processor": f"{platform.processor() or platform.machine()}, {capability}",
        "threads": str(torch.get_num_threads()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def main(name: str, about: str | None, makers: Sequence[MakePairs], *, rounds: int, turn: float) -> int:
    """The command line of a benchmark: measures the pairs that `makers` make, prints the table, keeps it as `name`."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to compute (default cpu)")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"turns of each (default {rounds})")
    parser.add_argument("--turn", type=float, default=turn, help=f"seconds a turn, about (default {turn})")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="pairs whose name contains one of these words")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a limit is missed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(arguments.device)
    wanted = [word.lower() for word in arguments.only or [""]]
    pairs = [pair for make in makers for pair in make(device) if any(word in pair.name.lower() for word in wanted)]
    figures = []
    gc.disable()
    for pair in pairs:
        figures.append(measure(pair, arguments.rounds, arguments.turn, device))
        gc.collect()
        print(f"  {pair.name}: {figures[-1].ratio:.3f}", file=sys.stderr, flush=True)
    print(markdown(figures))
    missed = [each.name for each in figures if not each.passes]
    print(f"\n{len(figures) - len(missed)} of {len(figures)} within their limit" + "".join(f"\n- {m}" for m in missed))
    if not arguments.only:
        write(name, figures, arguments, device)
    return 1 if arguments.check and missed else 0


def write(name: str, figures: list[Figure], arguments: argparse.Namespace, device: torch.device) -> None:
    """Keep the figures beside those of the other benchmarks; part of the pairs is not kept."""
    content: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": surroundings(device),
        "settings": {"rounds": arguments.rounds, "seconds_a_turn": arguments.turn},
        "figures": [asdict(each) for each in figures],
    }
    RESULTS.mkdir(exist_ok=True)
    file = f"{name}.json" if device.type == "cpu" else f"{name}_{device.type}.json"
    (RESULTS / file).write_text(json.dumps(content, indent=2) + "\n")
