"""What a Ray cluster costs a sweep: the same trials, that do nothing, on a local cluster and in one plain process.

Told apart: the start of the cluster, the first trial of a new worker (which imports torch and the labs), and each one
after it. Budget: a later trial takes at most 1.5 s more than in one process.

    python benchmarks/ray_overhead.py            # about a minute
"""

import argparse
import os
import statistics
import tempfile
import time
from contextlib import chdir
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from keeping import keep

from labs.kit.ends import Interrupts
from labs.kit.sweeps import places, ray_engine
from labs.kit.sweeps.objective import perform
from labs.kit.sweeps.samplers import pruner_of, sampler_of
from labs.kit.sweeps.space import parse
from labs.kit.sweeps.study import open_study
from labs.kit.sweeps.workers import Work

BUDGET = 1.5
"""Seconds that a later trial may take longer than in one process."""
LAB = "labs.gradient_descent"
SPACE = ("learning_rate=log(1e-3,1)",)


@dataclass(frozen=True)
class Nothing:
    """An objective that only draws its settings."""

    folder: str
    study: str
    parent: str = "benchmark"
    target: str = LAB
    space: tuple[str, ...] = SPACE

    def __call__(self, trial: Any, interrupts: Interrupts) -> float:
        """The value of the only setting."""
        return float(trial.suggest_float("learning_rate", 1e-3, 1, log=True))


def make_study(folder: str, name: str) -> Any:
    from labs.gradient_descent import Config

    sampler = sampler_of("random", seed=0, space=parse(SPACE, Config))
    store = f"{folder}/{name}.log"
    return open_study(store, name, direction="minimize", sampler=sampler, pruner=pruner_of("none"), lab={"lab": name})


def alone(folder: str, trials: int) -> list[float]:
    """Seconds of each trial, one after the other in this process."""
    study, objective = make_study(folder, "alone"), Nothing(folder, "alone")
    taken = []
    for done in range(trials):
        began = time.perf_counter()
        places.ensure(study, done + 1)
        trial = places.claim(study, objective.parent)
        assert trial is not None
        perform(study, trial, objective, Interrupts())
        taken.append(time.perf_counter() - began)
    return taken


def on_ray(folder: str, trials: int, name: str) -> tuple[float, list[float]]:
    """Seconds until the cluster stood, and of each trial on it, one at a time."""
    study, began = make_study(folder, name), time.time()
    ray_engine.run(
        Work(Nothing(folder, name), f"{folder}/{name}.log", "random", "none", seed=0, points=1),  # type: ignore[arg-type]
        trials=trials,
        workers=1,
        address=None,
        cpus=1.0,
        gpus=0.0,
        finished=lambda count: None,
    )
    done = [trial for trial in study.get_trials() if trial.datetime_start and trial.datetime_complete]
    first = done[0].datetime_start.timestamp()
    ends = [first, *(trial.datetime_complete.timestamp() for trial in done)]
    return first - began, [after - before for before, after in pairwise(ends)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=30, help="in each round (default 30)")
    parser.add_argument("--rounds", type=int, default=3, help="each with a new cluster (default 3)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        local = statistics.median(alone(folder, chosen.trials))
        rounds = [on_ray(folder, chosen.trials, f"ray{number}") for number in range(chosen.rounds)]
    later = [seconds for _, taken in rounds for seconds in taken[1:]]
    figures = {
        "cluster_start_seconds": statistics.median(start for start, _ in rounds),
        "first_trial_seconds": statistics.median(taken[0] for _, taken in rounds),
        "later_trial_seconds": statistics.median(later),
        "later_trial_slowest_seconds": max(later),
        "trial_in_one_process_seconds": local,
        "overhead_seconds": statistics.median(later) - local,
        "budget_seconds": BUDGET,
    }
    figures = {name: round(value, 4) for name, value in figures.items()}
    for name, value in figures.items():
        print(f"{name:<32}{value:>10.3f}")
    settings = {"trials": chosen.trials, "rounds": chosen.rounds}
    keep("ray_overhead", ("ray", "optuna", "torch"), settings=settings, figures=figures)


if __name__ == "__main__":
    main()
