"""Let an RNN, an LSTM and a GRU remember over hundreds of steps, and see how far back their gradients reach.

Adding problem: of many random numbers two are marked; their sum is asked for at the end. Copy task: the first three
symbols are numbered, noise of the same kind follows, and at the end each is asked for by its number. What matters lies
up to the whole sequence back. An RNN gives the answer of one who has forgotten; the gates of LSTM and GRU keep it.
Sources: Hochreiter & Schmidhuber 1997, Neural Computation 9 (both tasks in their first form); Bengio et al. 1994, IEEE
Transactions on Neural Networks 5 (why gradients vanish); Tallec & Ollivier 2018, arXiv:1804.11188 (gates).
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor, nn

    from foundations.recurrent import Readout, Recurrent

topic = "sequences"
CELLS = ("RNN", "LSTM", "GRU")
SYMBOLS, REMEMBERED = 8, 3
BASELINES = {"adding": 1 / 6, "copy": math.log(SYMBOLS)}
"""The error of one who has forgotten: the variance of a sum of two uniform numbers; the entropy of one symbol."""
ERRORS = {"adding": "mean squared error", "copy": "nats per symbol"}
SOLVED = 0.02
"""The share of the baseline below which a task counts as solved."""
TEST_SEQUENCES = 1_000
"""As many again to see, while training, whether the task is solved."""
WIDTHS = {"RNN": 1.5, "LSTM": 3.5, "GRU": 1.5}
"""Of curves that may lie on each other."""
PROBED = 64
"""Sequences that gradients are averaged over."""
Length = Annotated[int, Ge(8)]


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
    """Train all, then compare."""
    for name, lengths in (("lengths", config.lengths), ("copy_lengths", config.copy_lengths)):
        require(len(lengths) > 0, name, lengths, "one length at least")
    _ = kit.figures  # its import sets the look of every figure
    results, networks = [], {}
    for trial in trials(config):
        result, networks[trial] = train(trial, config, run)
        results.append(result)
    run.table("test_errors", [row(result) for result in results])
    run.figure("error_by_length", error_by_length(results))
    run.figure("learning_curves", learning_curves(results))
    longest = max(config.lengths)
    reached = {cell: networks[Trial("adding", longest, cell, 0)] for cell in CELLS}
    run.figure("gradient_by_distance", gradient_by_distance(reached, longest, config, run))
    for (task, lengths), cell in product(tasks(config).items(), CELLS):
        of = [each for each in results if (each.trial.task, each.trial.length) == (task, max(lengths))]
        errors = [each.error for each in of if each.trial.cell == cell]
        run.summary({f"{task}_error_at_{max(lengths)}/{cell.lower()}": sum(errors) / len(errors)})


def tasks(config: Config) -> dict[str, tuple[int, ...]]:
    """Each task with the lengths it is tried at."""
    return {"adding": config.lengths, "copy": config.copy_lengths}


def trials(config: Config) -> Iterator[Trial]:
    """All networks, the longest sequences of a task last."""
    for task, lengths in tasks(config).items():
        for length, cell, seed in product(sorted(set(lengths)), CELLS, range(config.repetitions)):
            yield Trial(task, length, cell, seed)


def row(result: Result) -> dict[str, object]:
    """Its line in the table."""
    trial = result.trial
    share = result.error / BASELINES[trial.task]
    return {
        "task": trial.task,
        "length": trial.length,
        "cell": trial.cell,
        "seed": trial.seed,
        "test error": f"{result.error:.4f}",
        "share of the baseline": f"{share:.1%}",
        f"steps to {SOLVED:.0%}": result.steps or "not reached",
    }


def loss_of(task: str) -> "Callable[[Tensor, Tensor], Tensor]":
    """Its error. Shapes: answers (batch, asked, numbers), wanted (batch, asked)."""
    losses = foundations.losses
    if task == "adding":
        return lambda answers, wanted: losses.mean_squared_error(answers[:, :, 0], wanted)
    return lambda answers, wanted: losses.cross_entropy_from_logits(answers.flatten(0, 1), wanted.flatten())


def build(trial: Trial, config: Config, run: kit.Run, *, prepared: bool = True) -> "Readout":
    """The network of a trial at its first weights: `prepared` for long memories, or as every layer begins."""
    from foundations import recurrent

    draw = run.streams.child(trial.phase).torch("weights")
    features, asked, numbers = (2, 1, 1) if trial.task == "adding" else (SYMBOLS + REMEMBERED, REMEMBERED, SYMBOLS)
    network: Recurrent = getattr(recurrent, trial.cell)(features, config.hidden_size, generator=draw)
    if prepared:
        recurrent.initialize_recurrent_(network, draw)
        if trial.cell != "RNN":
            recurrent.chrono_biases_(network, trial.length, draw)
    return recurrent.Readout(network, numbers, asked, generator=draw).to(run.device)


def data(trial: Trial, count: int, part: str, run: kit.Run) -> "tuple[Tensor, Tensor]":
    """Sequences and what is asked for, the same for all three cells; copies as bytes."""
    from foundations.recurrent import adding_problem, copy_task

    draw = run.streams.child(f"{trial.task}_{trial.length}_{trial.seed}").torch(part)
    if trial.task == "adding":
        x, wanted = adding_problem(count, trial.length, draw)
    else:
        x, wanted = copy_task(count, trial.length, draw, symbols=SYMBOLS, remembered=REMEMBERED)
    return x.to(run.device), wanted.to(run.device)


def train(trial: Trial, config: Config, run: kit.Run) -> "tuple[Result, Readout]":
    """Adam on one task, with the gradient's norm clipped to 1; over at the solution."""
    x, wanted = data(trial, config.sequences, "training", run)
    seen = data(trial, TEST_SEQUENCES, "validation", run)
    network, loss = build(trial, config, run), loss_of(trial.task)
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
    bound = SOLVED * BASELINES[trial.task]
    for _, metrics in run.follow(learner, steps=config.steps, examples_per_step=config.batch_size, name=trial.phase):
        if "validation/loss" in metrics:
            run.log({"error": metrics["validation/loss"]})
            if float(metrics["validation/loss"]) < bound:
                run.stop()
    history = run.history(f"{trial.phase}/error")
    steps = next((step for step, error in zip(*history, strict=True) if error < bound), None)
    test = data(trial, TEST_SEQUENCES, "test", run)
    error = foundations.evaluate(network, *test, {"error": loss}, batch_size=TEST_SEQUENCES, scale=as_float)["error"]
    return Result(trial, error, history, steps), network


def as_float(batch: "Tensor") -> "Tensor":
    """Bytes as numbers; numbers stay."""
    return batch.float()


# Figures --------------------------------------------------------------------------------------------------------------


def panels_by_task(title: str) -> "tuple[Figure, dict[str, Axes]]":
    """A panel for each task with the error of one who has forgotten."""
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8))
    for axes, task in ((left, "adding"), (right, "copy")):
        name = {"adding": "Adding problem", "copy": "Copy task"}[task]
        axes.axhline(BASELINES[task], color="black", linestyle=":", label="all forgotten")
        axes.axhline(SOLVED * BASELINES[task], color="grey", linestyle="--", linewidth=1, label="solved: training ends")
        axes.set(title=name, yscale="log", ylabel=f"error ({ERRORS[task]})")
    figure.suptitle(title, fontweight="bold")
    return figure, {"adding": left, "copy": right}


def error_by_length(results: Sequence[Result]) -> "Figure":
    """The final error against the length: the mean of the seeds as a line, each seed as a point."""
    figure, panels = panels_by_task("Who still remembers, by the length of the sequence")
    for (task, axes), (cell, colour) in product(panels.items(), zip(CELLS, kit.figures.COLOURS, strict=False)):
        of = [result for result in results if (result.trial.task, result.trial.cell) == (task, cell)]
        lengths = sorted({result.trial.length for result in of})
        errors = [[result.error for result in of if result.trial.length == length] for length in lengths]
        axes.plot(lengths, [sum(each) / len(each) for each in errors], color=colour, linestyle="-", label=cell)
        axes.plot([each.trial.length for each in of], [each.error for each in of], "o", color=colour, markersize=4)
        axes.set(xlabel="steps in a sequence", xticks=lengths)
    figure.legend(*panels["adding"].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def learning_curves(results: Sequence[Result]) -> "Figure":
    """The validation error as it falls, at the greatest length of each task, first seed."""
    figure, panels = panels_by_task("Learning the longest sequences")
    for task, axes in panels.items():
        longest = max(result.trial.length for result in results if result.trial.task == task)
        for cell, colour in zip(CELLS, kit.figures.COLOURS, strict=False):
            (result,) = (each for each in results if each.trial == Trial(task, longest, cell, 0))
            axes.plot(*result.history, color=colour, linestyle="-", label=cell)
        axes.set(xlabel="step", title=f"{axes.get_title()}, {longest} steps")
    figure.legend(*panels["adding"].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def gradient_by_distance(trained: "dict[str, Readout]", length: int, config: Config, run: kit.Run) -> "Figure":
    """How far back the gradient reaches: with torch's first weights, with those for long memories, after training."""
    from matplotlib import pyplot as plt

    from foundations.recurrent import gradient_reach

    x, wanted = (each.cpu().double() for each in data(Trial("adding", length, "", 0), PROBED, "probe", run))
    figure, panels = plt.subplots(1, 3, figsize=(11, 3.8), sharey=True)
    for cell, colour in zip(CELLS, kit.figures.COLOURS, strict=False):
        trial = Trial("adding", length, cell, 0)
        plain, prepared = (build(trial, config, run, prepared=prepared) for prepared in (False, True))
        for axes, network in zip(panels, (plain, prepared, trained[cell]), strict=True):
            head = copy.deepcopy(network.head).cpu().double()
            reach = gradient_reach(network.network, x, partial(squared_error, head, wanted))
            axes.plot(range(length), reach, color=colour, linestyle="-", linewidth=WIDTHS[cell], label=cell)
    titles = ("uniform first weights, torch's", "orthogonal, gates biased to keep", "after training")
    for axes, title in zip(panels, titles, strict=True):
        axes.set(title=title, yscale="log", xlabel="steps before the end")
    panels[0].set_ylabel("gradient of the loss at that state\nas a multiple of that at the end")
    figure.suptitle(f"How far back the gradient reaches: adding problem, {length} steps", fontweight="bold")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def squared_error(head: "nn.Module", wanted: "Tensor", h: "Tensor") -> "Tensor":
    """Of the answers that `head` gives for the last states."""
    return loss_of("adding")(head(h)[:, None], wanted)


if __name__ == "__main__":
    kit.launch(main)
