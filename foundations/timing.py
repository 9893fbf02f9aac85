"""How long code takes: medians or the fastest of short turns, so that what else the machine does counts little.

The clock is read only when the device has finished: work on a GPU goes on after the call that started it has returned.
"""

import copy
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from foundations.errors import require, require_choice

Step = Callable[[], object]
Clock = Literal["wall", "processor"]
"""wall: what a user waits. processor: the work of this process on all its threads; a busy neighbour counts less."""

WARM_UP = 2
FEWEST_CALLS = 3
GROUPS = 5
"""`seconds_per_call` is the median of so many groups of calls."""


def elapsed(step: Step, count: int, device: torch.device, clock: Clock = "wall") -> float:
    """The seconds that `count` calls of `step` take in all.

    Raises: InputError for the processor's clock where the work is done on another device: it would not see it.
    """
    require_choice("clock", clock, get_args(Clock))
    require(clock == "wall" or device.type == "cpu", "clock", clock, f"'wall' for work on {device}")

    def now() -> float:
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        return time.perf_counter() if clock == "wall" else time.process_time()

    start = now()
    for _ in range(count):
        step()
    return now() - start


def seconds_per_call(step: Step, device: torch.device, budget: float) -> float:
    """The seconds of one call of `step`: the median over five groups of calls, after a warm-up.

    `budget`: seconds that the five groups take together, about. Raises: InputError for a budget that is not above 0.
    """
    require(budget > 0, "budget", budget, "above 0 seconds")
    for _ in range(WARM_UP):
        step()
    once = max(elapsed(step, 1, device), 1e-9)  # a coarse clock may see nothing of a short call
    count = max(1, round(budget / GROUPS / once))
    return median(elapsed(step, count, device) / count for _ in range(GROUPS))


def fastest_call(step: Step, device: torch.device, budget: float) -> float:
    """The seconds of the fastest of many calls of `step`: what else the machine does only makes a call slower.

    Called until `budget` seconds are spent, and three times at least. Raises: InputError for a budget that is not
    above 0.
    """
    require(budget > 0, "budget", budget, "above 0 seconds")
    times: list[float] = []
    while len(times) < FEWEST_CALLS or sum(times) < budget:
        times.append(elapsed(step, 1, device))
    return min(times)


def samples_per_second(network: nn.Module, batch: Tensor, *, training: bool, budget: float) -> float:
    """How many samples a second `network` takes in the fastest of many passes over `batch`, one after the other.

    Forward, in evaluation mode; for `training` forward and backward, in training mode, without the optimizer's step.
    A copy of the network passes: its mode, gradients and running statistics stay. `budget` as in `fastest_call`.
    Shapes: batch (n, ...), on the network's device. Raises: InputError as `fastest_call`.
    """
    runner = copy.deepcopy(network).train(training)

    def step() -> None:
        total = runner(batch).sum()
        if training:
            total.backward()

    with torch.set_grad_enabled(training):
        return len(batch) / fastest_call(step, batch.device, budget)


def take_turns(
    steps: Sequence[Step], *, rounds: int, count: int, device: torch.device, clock: Clock = "wall"
) -> list[list[float]]:
    """The seconds of one call of each of `steps`, round by round: rows of as many figures as there are steps.

    In a round each step is called `count` times, one step after the other; every second round goes backwards
    (A B, B A, A B, ...). Whatever slows the machine for a while then slows all of them: compare within a round.
    Raises: InputError for rounds or a count below 1.
    """
    require(rounds >= 1, "rounds", rounds, "at least 1")
    require(count >= 1, "count", count, "at least 1")
    places = range(len(steps))
    table = []
    for index in range(rounds):
        order = places if index % 2 == 0 else reversed(places)
        taken = {place: elapsed(steps[place], count, device, clock) / count for place in order}
        table.append([taken[place] for place in places])
    return table
