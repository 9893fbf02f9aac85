"""What a second worker brings a sweep: the same trials on one worker and on two, one thread each, by the clock.

python benchmarks/sweeps.py [--trials 24] [--updates 4000] [--rounds 1]

The lab multiplies matrices: all that it needs is a processor. A sweep's time is that of its command, from start to
end: imports, trials, figures and report. Random search tries the same settings whatever the number of workers, so that
both sweeps do the same work; they run one after the other, in a place of their own. Two workers may take 0.6 times as
long as one; the machine must have two processors to spare.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import labs.kit as kit

LIMIT = 0.6
WORKERS = (1, 2)


@dataclass(frozen=True)
class Config(kit.Config):
    """The lab that is swept."""

    learning_rate: kit.Rate = 0.1
    """Step size."""
    updates: kit.Count = 4000
    """Four matrix products each: about a millisecond."""


class Work:
    """Descent on a parabola that multiplies matrices on its way."""

    def __init__(self, learning_rate: float) -> None:
        import torch

        self.learning_rate, self.x = learning_rate, 1.0
        self.matrix = torch.eye(256)

    def learn(self) -> Iterator[Mapping[str, float]]:
        """Yield the loss of each update."""
        while True:
            for _ in range(4):
                self.matrix = self.matrix @ self.matrix
            self.x -= self.learning_rate * self.x
            yield {"loss": abs(self.x)}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {"x": self.x, "matrix": self.matrix}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.x, self.matrix = state["x"], state["matrix"]


def main(config: Config, run: kit.Run) -> None:
    """Work."""
    work = Work(config.learning_rate)
    for _ in run.follow(work, steps=config.updates):
        pass
    run.summary({"distance": abs(work.x)})


def seconds(workers: int, trials: int, updates: int) -> float:
    """How long the command of a sweep takes, in an empty working directory."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "OMP_NUM_THREADS": "1"}
    space = ["--space", "learning_rate=log(1e-4,1e-1)", "--metric", "distance", "--sampler", "random"]
    size = ["--trials", str(trials), "--workers", str(workers), "--", "--updates", str(updates)]
    command = [sys.executable, "-m", "labs", "sweep", str(Path(__file__).resolve()), *space, *size]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began


def measure(trials: int, updates: int, rounds: int) -> dict[str, Any]:
    """The times of both, round by round, and the median of their ratios."""
    taken: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    for turn in range(rounds):
        for workers in WORKERS[:: 1 if turn % 2 else -1]:
            taken[workers].append(seconds(workers, trials, updates))
            print(f"round {turn + 1}: {workers} worker(s) {taken[workers][-1]:.1f} s", flush=True)
    ratios = [two / one for one, two in zip(taken[1], taken[2], strict=True)]
    figures = {f"seconds_{workers}_workers": [round(each, 1) for each in times] for workers, times in taken.items()}
    return {"trials": trials, "updates": updates, **figures, "ratio": round(statistics.median(ratios), 3)}


def report(found: dict[str, Any]) -> None:
    """Print the ratio and keep the figures."""
    from keeping import keep  # beside this file, which the sweeps load as a lab from elsewhere

    passes = found["ratio"] <= LIMIT
    verdict = "passes" if passes else "MISSES"
    print(f"{found['trials']} trials: two workers take {found['ratio']:.2f} of one's time; limit {LIMIT}: {verdict}")
    keep("sweeps", ("torch", "mlflow", "optuna"), limit=LIMIT, passes=passes, **found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=24, help="of each sweep (default 24)")
    parser.add_argument("--updates", type=int, default=4000, help="of each trial (default 4000)")
    parser.add_argument("--rounds", type=int, default=1, help="of both sweeps (default 1)")
    chosen = parser.parse_args()
    report(measure(chosen.trials, chosen.updates, chosen.rounds))
