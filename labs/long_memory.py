"""Let an RNN, an LSTM and a GRU remember over hundreds of steps, and see how far back their gradients reach.

Adding problem: of many random numbers two are marked; their sum is asked for at the end. Copy task: the first three
symbols are numbered, noise of the same kind follows, and at the end each is asked for by its number. What matters lies
up to the whole sequence back. An RNN gives the answer of one who has forgotten; the gates of LSTM and GRU keep it.
Sources: Hochreiter & Schmidhuber 1997, Neural Computation 9 (both tasks in their first form); Bengio et al. 1994, IEEE
Transactions on Neural Networks 5 (why gradients vanish); Tallec & Ollivier 2018, arXiv:1804.11188 (gates).
"""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import mean
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

from annotated_types import Ge

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from torch import Tensor

    from foundations.recurrent import Readout

topic = "sequences"
CELLS = ("RNN", "LSTM", "GRU")
SYMBOLS, REMEMBERED = 8, 3
SOLVED = 0.02
"""The share of the baseline below which a task counts as solved."""
TEST_SEQUENCES = 1_000
"""As many again to see, while training, whether the task is solved."""
PROBED = 64
"""Sequences that gradients are averaged over."""
Length = Annotated[int, Ge(8)]


class Task(NamedTuple):
    """What is asked: its title, its error, and the error of one who has forgotten."""

    title: str
    error: str
    baseline: float


TASKS = {
    "adding": Task("Adding problem", "mean squared error", 1 / 6),  # the variance of a sum of two uniform numbers
    "copy": Task("Copy task", "nats per symbol", math.log(SYMBOLS)),  # the entropy of one symbol
}


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    lengths: tuple[Length, ...] = (50, 100, 200)
    """Steps of a sequence in the adding problem."""
    copy_lengths: tuple[Length, ...] = (25, 50, 100)
    """Steps of a sequence in the copy task."""
    steps: kit.Count = 900
    """Updates of each network at most; one that has solved its task stops earlier."""
    hidden_size: kit.Count = 48
    """Units of each network."""
    learning_rate: kit.Rate = 0.02
    """Step size of Adam for LSTM and GRU."""
    rnn_learning_rate: kit.Rate = 0.002
    """Step size of Adam for the RNN, which is unsteady at the larger one."""
    batch_size: kit.Count = 64
    """Sequences a step."""
    sequences: kit.Count = 10_000
    """Sequences to learn from."""
    repetitions: kit.Count = 1
    """Networks of each kind, each with other first weights."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"lengths": (8, 16), "copy_lengths": (8, 12), "steps": 20, "hidden_size": 8, "sequences": 500},
        "full": {"lengths": (50, 100, 200, 400), "copy_lengths": (50, 100, 200, 400), "steps": 2_000, "repetitions": 3},
    }
    useful_threads: ClassVar[int] = 1


@dataclass(frozen=True)
class Trial:
    """One network to train."""

    task: str
    length: int
    cell: str
    seed: int

    @property
    def phase(self) -> str:
        """Its name in the run."""
        return f"{self.task}_{self.length}_{self.cell.lower()}_{self.seed}"


@dataclass(frozen=True)
class Result:
    """What became of a trial: the test error, the validation error as it fell; steps None where it was not solved."""

    trial: Trial
    error: float
    history: tuple[Sequence[float], Sequence[float]]
    steps: int | None


def main(config: Config, run: kit.Run) -> None:
    """Train all networks, then compare."""
    from labs.drawings import long_memory as drawings

    for name, lengths in (("lengths", config.lengths), ("copy_lengths", config.copy_lengths)):
        require(len(lengths) > 0, name, lengths, "one length at least")
    results, networks = [], {}
    for trial in trials(config):
        result, networks[trial] = train(trial, config, run)
        results.append(result)
    run.table("test_errors", [row(result) for result in results])
    run.figure("error_by_length", drawings.draw_errors(results, TASKS, SOLVED))
    run.figure("learning_curves", drawings.draw_curves(results, TASKS, SOLVED))
    longest = max(config.lengths)
    trained = {cell: networks[Trial("adding", longest, cell, 0)] for cell in CELLS}
    run.figure("gradient_by_distance", drawings.draw_reach(reaches(trained, longest, config, run)))
    for (task, lengths), cell in product(tasks(config).items(), CELLS):
        of = [each for each in results if (each.trial.task, each.trial.length) == (task, max(lengths))]
        error = mean(each.error for each in of if each.trial.cell == cell)
        run.summary({f"{task}_error_at_{max(lengths)}/{cell.lower()}": error})


def tasks(config: Config) -> dict[str, tuple[int, ...]]:
    """Each task with the lengths it is tried at."""
    return {"adding": config.lengths, "copy": config.copy_lengths}


def trials(config: Config) -> Iterator[Trial]:
    """All networks, the longest sequences of a task last."""
    for task, lengths in tasks(config).items():
        for length, cell, seed in product(sorted(set(lengths)), CELLS, range(config.repetitions)):
            yield Trial(task, length, cell, seed)


def sequences(trial: Trial, count: int, part: str, run: kit.Run) -> "tuple[Tensor, Tensor]":
    """Sequences and what is asked for, the same for all three cells; copies as bytes."""
    from foundations.recurrent import adding_problem, copy_task

    draw = run.streams.child(f"{trial.task}_{trial.length}_{trial.seed}").torch(part)
    if trial.task == "adding":
        x, wanted = adding_problem(count, trial.length, draw)
    else:
        x, wanted = copy_task(count, trial.length, draw, symbols=SYMBOLS, remembered=REMEMBERED)
    return x.to(run.device), wanted.to(run.device)


def loss(answers: "Tensor", wanted: "Tensor") -> "Tensor":
    """Squared error of sums, cross-entropy of symbols. Shapes: (batch, asked, numbers), wanted (batch, asked)."""
    if wanted.is_floating_point():
        return foundations.losses.mean_squared_error(answers[:, :, 0], wanted)
    return foundations.losses.cross_entropy_from_logits(answers.flatten(0, 1), wanted.flatten())


def build(trial: Trial, config: Config, run: kit.Run, *, prepared: bool = True) -> "Readout":
    """The network of a trial at its first weights: `prepared` for long memories, or as every layer begins."""
    from foundations import recurrent

    draw = run.streams.child(trial.phase).torch("weights")
    features, asked, numbers = (2, 1, 1) if trial.task == "adding" else (SYMBOLS + REMEMBERED, REMEMBERED, SYMBOLS)
    kind: type[recurrent.Recurrent] = getattr(recurrent, trial.cell)
    network = kind(features, config.hidden_size, generator=draw)
    if prepared:
        recurrent.initialize_recurrent_(network, draw)
        if trial.cell != "RNN":
            recurrent.chrono_biases_(network, trial.length, draw)
    return recurrent.Readout(network, numbers, asked, generator=draw).to(run.device)


def train(trial: Trial, config: Config, run: kit.Run) -> "tuple[Result, Readout]":
    """Adam on one task, with the gradient's norm clipped to 1; it ends where the task is solved."""
    x, wanted = sequences(trial, config.sequences, "training", run)
    seen = sequences(trial, TEST_SEQUENCES, "validation", run)
    network = build(trial, config, run)
    rate = config.rnn_learning_rate if trial.cell == "RNN" else config.learning_rate
    learner = foundations.SupervisedLearner(
        network,
        foundations.Adam(network.parameters(), lr=rate),
        loss,
        x,
        wanted,
        batch_size=config.batch_size,
        streams=run.streams.child(trial.phase),
        prepare=lambda batch, _: as_float(batch),
        clip_norm=1.0,
        validation=foundations.Validation(seen[0], seen[1], every=min(25, config.steps), scale=as_float),
    )
    bound = SOLVED * TASKS[trial.task].baseline
    for _, metrics in run.follow(learner, steps=config.steps, examples_per_step=config.batch_size, name=trial.phase):
        if "validation/loss" in metrics:
            run.log({"error": metrics["validation/loss"]})
            if float(metrics["validation/loss"]) < bound:
                run.stop()
    history = run.history(f"{trial.phase}/error")
    steps = next((step for step, error in zip(*history, strict=True) if error < bound), None)
    test = sequences(trial, TEST_SEQUENCES, "test", run)
    error = foundations.evaluate(network, *test, {"error": loss}, batch_size=TEST_SEQUENCES, scale=as_float)["error"]
    return Result(trial, error, history, steps), network


def as_float(batch: "Tensor") -> "Tensor":
    """Bytes as numbers; numbers stay."""
    return batch.float()


def row(result: Result) -> dict[str, object]:
    """Its line in the table."""
    trial = result.trial
    return {
        "task": trial.task,
        "length": trial.length,
        "cell": trial.cell,
        "seed": trial.seed,
        "test error": f"{result.error:.4f}",
        "share of the baseline": f"{result.error / TASKS[trial.task].baseline:.1%}",
        f"steps to {SOLVED:.0%}": result.steps or "not reached",
    }


def reaches(trained: "dict[str, Readout]", length: int, config: Config, run: kit.Run) -> "dict[str, dict[str, Tensor]]":
    """How far back the gradient of each cell reaches: two kinds of first weights, and after training."""
    from foundations.recurrent import gradient_reach

    x, wanted = (each.cpu().double() for each in sequences(Trial("adding", length, "", 0), PROBED, "probe", run))

    def reach(readout: "Readout") -> "Tensor":
        head = copy.deepcopy(readout.head).cpu().double()
        return gradient_reach(readout.network, x, lambda h: loss(head(h)[:, None], wanted))

    begins = {cell: Trial("adding", length, cell, 0) for cell in CELLS}
    return {
        "uniform first weights, torch's": {
            cell: reach(build(each, config, run, prepared=False)) for cell, each in begins.items()
        },
        "orthogonal, gates biased to keep": {cell: reach(build(each, config, run)) for cell, each in begins.items()},
        "after training": {cell: reach(each) for cell, each in trained.items()},
    }


if __name__ == "__main__":
    kit.launch(main)
