"""Steps a second of our vector environments beside Gymnasium's own, one after the other (`SyncVectorEnv`).

Both take turns in one process with one thread, with the same random actions; a figure is the median over the rounds of
the ratio of their speeds, in processor time, so that a busy neighbour counts less. An environment's step counts as one,
the resets among them.

    python benchmarks/environments.py                    # about a minute
    python benchmarks/environments.py --only Pendulum --check
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import gymnasium
import torch
from gymnasium.vector import VectorEnv
from pairs import RESULTS, surroundings

import agents.envs

LIMITS = {64: 5.0, 1024: 30.0}
"""By the number of environments: how many times as fast ours must be."""


@dataclass(frozen=True)
class Speed:
    """The median ratio with its quartiles, and the medians of both in environment steps a second."""

    name: str
    environments: int
    ratio: float
    quartiles: tuple[float, float]
    ours: float
    sync: float
    limit: float
    passes: bool


def measure(name: str, count: int, rounds: int, turn: float) -> Speed:
    """Both in turns of about `turn` seconds, ours and Gymnasium's, then the other way round."""
    both = [
        gymnasium.make_vec(name, count, vectorization_mode="vector_entry_point"),
        gymnasium.make_vec(name, count, vectorization_mode="sync", disable_env_checker=True),
    ]
    steps = []
    for environments in both:
        environments.reset(seed=0)
        speed = run(environments, 3) / count
        steps.append(max(3, int(speed * turn)))
    speeds = []
    for number in range(rounds):
        order = (0, 1) if number % 2 == 0 else (1, 0)
        found = {index: run(both[index], steps[index]) for index in order}
        speeds.append((found[0], found[1]))
    ratios = [ours / sync for ours, sync in speeds]
    low, ratio, high = statistics.quantiles(ratios, n=4)
    ours, sync = (statistics.median(column) for column in zip(*speeds, strict=True))
    return Speed(name, count, ratio, (low, high), ours, sync, LIMITS[count], ratio >= LIMITS[count])


def run(environments: VectorEnv, steps: int) -> float:
    """Environment steps a second of processor time."""
    environments.action_space.seed(0)
    actions = [environments.action_space.sample() for _ in range(min(steps, 100))]
    began = time.process_time()
    for step in range(steps):
        environments.step(actions[step % len(actions)])
    return environments.num_envs * steps / (time.process_time() - began)


def markdown(speeds: list[Speed]) -> str:
    """The table of all that was measured."""
    lines = ["| environment | side by side | ours, steps/s | SyncVectorEnv, steps/s | ratio | at least |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    for each in speeds:
        figures = f"{each.ours:,.0f} | {each.sync:,.0f} | {each.ratio:.1f} | {each.limit:.0f}"
        lines.append(f"| {each.name} | {each.environments} | {figures} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each (default 7)")
    parser.add_argument("--turn", type=float, default=0.3, help="seconds a turn, about (default 0.3)")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="environments whose id contains one of these words")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a limit is missed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    wanted = [word.lower() for word in arguments.only or [""]]
    names = [name for name in agents.envs.VECTOR_FORMS if any(word in name.lower() for word in wanted)]
    speeds = []
    for name in names:
        for count in LIMITS:
            speeds.append(measure(name, count, arguments.rounds, arguments.turn))
            print(f"  {name}, {count}: {speeds[-1].ratio:.1f}", file=sys.stderr, flush=True)
    print(markdown(speeds))
    missed = [f"{each.name}, {each.environments}" for each in speeds if not each.passes]
    print(f"\n{len(speeds) - len(missed)} of {len(speeds)} within their limit" + "".join(f"\n- {m}" for m in missed))
    if not arguments.only:
        write(speeds, arguments)
    return 1 if arguments.check and missed else 0


def write(speeds: list[Speed], arguments: argparse.Namespace) -> None:
    """Keep the figures beside those of the other benchmarks; part of the environments is not kept."""
    content = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": surroundings(torch.device("cpu")),
        "settings": {"rounds": arguments.rounds, "seconds_a_turn": arguments.turn},
        "figures": [asdict(each) for each in speeds],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "environments.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
