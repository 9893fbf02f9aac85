"""What tracking costs a loop of 2 ms steps: the same learner driven by `run.follow`, everything on, and by nothing.

python benchmarks/tracking_overhead.py [--blocks 20]

The loops take turns of a fifth of a second in one process; a third, again without tracking, shows how far two equal
loops differ on this machine. A block is four seconds of each loop; a figure is the median over the blocks of
(seconds / seconds without tracking - 1). The tracked loop runs a third of the time, but points are kept and uploaded
by the clock: so uploads are made three times as rare here, and each one carries three times as many points as it would
otherwise. The budget is 1.5 % of wall time.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from keeping import keep

import labs.kit as kit
from labs.kit import recorder
from labs.kit.lab import load
from labs.kit.launch import execute

STEP_SECONDS = 0.002
BUDGET = 0.015


class Work:
    """Matrix products that take two milliseconds a step, with the weights of a small network and four metrics."""

    def __init__(self, products: int) -> None:
        self.products = products
        self.weights = torch.eye(128)
        self.network = torch.zeros(500_000)

    def learn(self) -> Iterator[Mapping[str, Any]]:
        """Yield the metrics of each step."""
        while True:
            x = self.weights
            for _ in range(self.products):
                x = x @ self.weights
            mean = x.mean()
            yield {"loss/generator": mean, "loss/discriminator": mean, "output/real": mean, "output/made": mean}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {"weights": self.weights, "network": self.network}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.weights, self.network = state["weights"], state["network"]


@dataclass(frozen=True)
class Config(kit.Config):
    """The tracked loop as a lab."""

    products: kit.Count = 1
    """Matrix products a step."""
    blocks: kit.Count = 20
    """Figures to take the median of."""
    turns: kit.Count = 20
    """Turns of each loop in a block."""
    steps_a_turn: kit.Count = 100
    """Steps before the next loop has its turn."""

    taken: ClassVar[list[dict[str, list[float]]]] = []


def main(config: Config, run: kit.Run) -> None:
    """Let three loops take turns: one in this run, and twice the loop alone."""
    steps = (config.blocks + 1) * config.turns * config.steps_a_turn + 1
    loops: dict[str, Iterator[Any]] = {
        "plain": Work(config.products).learn(),
        "tracked": run.follow(Work(config.products), steps=steps),
        "again": Work(config.products).learn(),
    }
    for loop in loops.values():
        next(loop)  # opens the run
    for _ in range(config.blocks + 1):
        Config.taken.append(take_turns(loops, config))
    Config.taken.pop(0)  # caches and first points
    run.stop()
    next(loops["tracked"], None)


def take_turns(loops: Mapping[str, Iterator[Any]], config: Config) -> dict[str, list[float]]:
    """Wall and processor seconds of each loop in one block."""
    seconds = {name: [0.0, 0.0] for name in loops}
    for turn in range(config.turns):
        for name, loop in list(loops.items())[:: 1 if turn % 2 else -1]:
            wall, processor = time.perf_counter(), time.process_time()
            for _ in islice(loop, config.steps_a_turn):
                pass
            seconds[name][0] += time.perf_counter() - wall
            seconds[name][1] += time.process_time() - processor
    return seconds


def calibrate() -> int:
    """Products that take about two milliseconds."""

    def seconds(products: int) -> float:
        updates = Work(products).learn()
        began = time.perf_counter()
        for _ in islice(updates, 5):
            pass
        return (time.perf_counter() - began) / 5

    return round(100 * STEP_SECONDS / min(seconds(100) for _ in range(50)))


def measure(blocks: int) -> dict[str, Any]:
    """Run the lab, and compare its loops block by block."""
    recorder.FLUSH_SECONDS *= 3
    lab = load(str(Path(__file__).resolve()))
    config = lab.config_type(products=calibrate(), blocks=blocks)
    assert execute(lab, config) == 0, "the tracked loop failed"
    taken = lab.config_type.taken
    excess = {
        f"{kind} {clock}": [block[kind][place] / block["plain"][place] - 1 for block in taken]
        for place, clock in enumerate(("wall", "processor"))
        for kind in ("tracked", "again")
    }
    steps = config.turns * config.steps_a_turn
    step = statistics.median(block["plain"][0] for block in taken) / steps
    return {"blocks": blocks, "steps_a_block": steps, "milliseconds_a_step": round(1000 * step, 3), "excess": excess}


def report(found: dict[str, Any]) -> None:
    """Print a table and keep the figures."""
    print(f"\n{found['blocks']} blocks of {found['steps_a_block']:,} steps of {found['milliseconds_a_step']} ms")
    print(f"{'excess over the plain loop':<32}{'median':>9}{'least':>9}{'most':>9}")
    for name, values in found["excess"].items():
        print(f"{name:<32}{statistics.median(values):>9.2%}{min(values):>9.2%}{max(values):>9.2%}")
    median = statistics.median(found["excess"]["tracked wall"])
    print(f"tracking costs {median:.2%} of wall time; the budget is {BUDGET:.1%}")
    keep("tracking_overhead", ("torch", "mlflow", "numpy"), median_wall_excess=median, **found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=20, help="of about 12 seconds (default 20)")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        figures = measure(chosen.blocks)
    report(figures)
