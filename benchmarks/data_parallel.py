"""Images per second of the digit classifier's training on two processes, beside one, at the same global batch.

LeNet-5 learns from 512 images an update, as `labs.mnist_classifier --batch-size 512` does: alone on one thread; on two
processes of one thread that share each batch, as `torchrun --nproc-per-node 2` makes them; and, to compare, alone on
two threads. They take turns (A B C C B A ...), and a figure is the median over the rounds of the ratio of wall times:
run it on an otherwise idle machine of two cores at least.

    python benchmarks/data_parallel.py --check
"""

import argparse
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from pairs import RESULTS, surroundings
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch names it all the same

import foundations
from foundations.distributed import joined

BATCH, IMAGES = 512, 10_240
CONTENDERS = {"1 process": (1, 1), "2 processes": (2, 1), "1 process, 2 threads": (1, 2)}
"""By name: processes, and the threads of each."""
LIMIT = 1.5
"""How many times as fast two processes must be as one."""


def learner() -> foundations.SupervisedLearner:
    """The classifier as the lab trains it, on random bytes."""
    streams = foundations.Streams(0)
    images = torch.randint(256, (IMAGES, 1, 28, 28), dtype=torch.uint8, generator=streams.torch("images"))
    labels = torch.randint(10, (IMAGES,), generator=streams.torch("labels"))
    network = foundations.LeNet5(10, generator=streams.torch("weights"))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's hints lack it
    return foundations.SupervisedLearner(
        network,
        foundations.AdamW(foundations.regularizers.decay_groups(network, 0.02), lr=4e-3, fused=True),
        foundations.losses.cross_entropy_from_logits,
        images,
        labels,
        batch_size=BATCH,
        prepare=lambda batch, generator: batch / 255,
        schedule=foundations.schedules.warmup_cosine(2_000, 10_000),
        streams=streams,
    )


def work(place: dict[str, str], threads: int, orders: Connection) -> None:
    """Be one process: train as many updates as each order says, and tell the seconds that they took."""
    os.environ |= place
    torch.set_num_threads(threads)
    with joined():
        updates = learner().learn()
        while count := orders.recv():
            began = time.perf_counter()
            for _ in range(count):
                float(next(updates)["loss/training"])
            orders.send(time.perf_counter() - began)


@contextmanager
def started(size: int, threads: int) -> Iterator[list[Connection]]:
    """So many processes, as torchrun starts them; gives where each takes orders."""
    context = multiprocessing.get_context("spawn")
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=120))
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": str(size)}
    place |= {"TORCHELASTIC_RUN_ID": "benchmark", "TORCHELASTIC_USE_AGENT_STORE": "True"}
    lines, processes = [], []
    for rank in range(size):
        ours, theirs = context.Pipe()
        own = {**place, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        processes.append(context.Process(target=work, args=(own, threads, theirs)))
        processes[-1].start()
        lines.append(ours)
    try:
        yield lines
    finally:
        for line in lines:
            line.send(0)
        for process in processes:
            process.join()


def seconds(lines: list[Connection], updates: int) -> float:
    """What so many updates take, until the last process is through."""
    for line in lines:
        line.send(updates)
    return float(max(line.recv() for line in lines))


def measure(rounds: int, updates: int) -> dict[str, list[float]]:
    """Images a second of each contender in each round."""
    speeds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    with ExitStack() as stack:
        running = {name: stack.enter_context(started(*shape)) for name, shape in CONTENDERS.items()}
        for lines in running.values():
            seconds(lines, updates)  # the first ones are slow
        for index in range(rounds):
            for name, lines in list(running.items())[:: -1 if index % 2 else 1]:
                speeds[name].append(updates * BATCH / seconds(lines, updates))
    return speeds


def report(speeds: dict[str, list[float]], arguments: argparse.Namespace) -> dict[str, Any]:
    """Print a table; gives what is kept."""
    base = speeds["1 process"]
    ratios = {
        name: statistics.median(one / other for one, other in zip(values, base, strict=True))
        for name, values in speeds.items()
    }
    print(f"LeNet-5, global batch {BATCH}, {arguments.rounds} rounds of {arguments.updates} updates")
    print(f"{'':24}{'images/s':>10}{'lowest':>10}{'highest':>10}{'ratio':>8}")
    for name, values in speeds.items():
        median = statistics.median(values)
        print(f"{name:24}{median:10,.0f}{min(values):10,.0f}{max(values):10,.0f}{ratios[name]:8.2f}")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {**surroundings(torch.device("cpu")), "cores": os.cpu_count()},
        "settings": {"batch_size": BATCH, "rounds": arguments.rounds, "updates_a_turn": arguments.updates},
        "images_per_second": {name: [round(value, 1) for value in values] for name, values in speeds.items()},
        "ratio_to_one_process": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "limit": LIMIT,
        "passes": ratios["2 processes"] >= LIMIT,
    }


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="turns of each (default 20)")
    parser.add_argument("--updates", type=int, default=20, help="updates a turn (default 20)")
    parser.add_argument("--check", action="store_true", help="exit with 1 where two processes are not fast enough")
    arguments = parser.parse_args()
    found = report(measure(arguments.rounds, arguments.updates), arguments)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "data_parallel.json").write_text(json.dumps(found, indent=2) + "\n")
    return 1 if arguments.check and not found["passes"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
