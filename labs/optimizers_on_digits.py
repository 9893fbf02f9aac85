"""Train one network on handwritten digits with every optimizer; draw the learning-rate schedules and a range test.

All optimizers start from the same first weights and see the same batches; each has the constant learning rate that did
best on held-out images in a short run. Untuned rates would only show who guessed better (Choi et al. 2019,
arXiv:1910.05446). The range test finds a rate within one run of a few hundred steps (Smith 2015, arXiv:1506.01186).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure
    from torch import Tensor, nn

    from foundations.range_test import RangeTest
    from labs.kit.data import ImageData

topic = "foundations"
TRIED = tuple(10 ** (halves / 2) for halves in range(-8, 1))
"""Learning rates tried: 10^-4 to 1, two to a factor of ten."""
LOOKED_AT = 5_000
"""Training images whose loss is measured on the way."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: a registered name or a folder."""
    hidden: kit.Count = 128
    """Units in the hidden layer of the network."""
    batch_size: kit.Count = 128
    """Images an update."""
    epochs: kit.Count = 3
    """Passes over the training images by each optimizer."""
    tuning_steps: kit.Count = 300
    """Updates with each learning rate tried."""
    repetitions: kit.Count = 1
    """Repetitions, each with its own first weights and order of the images."""
    training_images: kit.Count = 60_000
    """Training images at most; a tenth of them is held out to choose the learning rates."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"hidden": 32, "epochs": 1, "tuning_steps": 5, "training_images": 3_000},
        "full": {"epochs": 10, "tuning_steps": 1_500, "repetitions": 5},
    }
    useful_threads: ClassVar[int] = 1


def main(config: Config, run: kit.Run) -> None:
    """Choose the rates, train with each optimizer, compare."""
    digits = Digits(config, run)
    rates = {name: digits.tune(name) for name in kinds()}
    scores = {
        name: [digits.train(name, rate, seed) for seed in range(config.repetitions)] for name, rate in rates.items()
    }
    run.table("digits", _rows(run, rates, scores))
    run.figure("training_loss", _draw_losses(run, rates, digits.steps))
    run.figure("schedules", _draw_schedules())
    run.figure("range_test", _draw_range_tests({name: digits.range_test(name) for name in ("momentum", "Adam")}, rates))
    run.summary({f"accuracy/{name.lower()}": sum(found) / len(found) for name, found in scores.items()})


def kinds() -> dict[str, "Callable[..., torch.optim.Optimizer]"]:
    """The optimizers compared; each is still to be given parameters and a learning rate."""
    return {
        "SGD": foundations.SGD,
        "momentum": partial(foundations.SGD, momentum=0.9),
        "Nesterov": partial(foundations.SGD, momentum=0.9, nesterov=True),
        "AdaGrad": foundations.AdaGrad,
        "RMSProp": partial(foundations.RMSProp, alpha=0.9),
        "Adam": foundations.Adam,
        "AMSGrad": partial(foundations.Adam, amsgrad=True),
        "AdamW": foundations.AdamW,
    }


class Digits:
    """The images, and how each optimizer learns them."""

    def __init__(self, config: Config, run: kit.Run) -> None:
        self.config, self.run = config, run
        self.images: ImageData = run.load_images(config.data)
        kept = min(config.training_images, len(self.images.train_labels))
        self.held_out = kept // 10
        self.count = kept - self.held_out
        require(config.batch_size <= self.count, "batch_size", config.batch_size, f"at most {self.count:,}, the images")
        # Shuffled once: those of a folder come class by class.
        order = foundations.Batches(len(self.images.train_labels), kept, run.streams.torch("subset")).next()
        self.inputs = self.images.train_images[order].to(run.device)
        self.labels = self.images.train_labels[order].to(run.device)
        self.steps = config.epochs * (self.count // config.batch_size)

    def network(self, streams: "foundations.Streams") -> "nn.Module":
        """The network at the first weights of these streams, the same for every optimizer."""
        sizes = (self.inputs[0].numel(), self.config.hidden, len(self.images.class_names))
        return foundations.MLP(sizes, generator=streams.torch("weights")).to(self.run.device)

    def learner(self, name: str, rate: float, streams: "foundations.Streams") -> "foundations.SupervisedLearner":
        """One optimizer at one rate, constant, on the training images without those held out."""
        network = self.network(streams)
        return foundations.SupervisedLearner(
            network,
            kinds()[name](network.parameters(), lr=rate),
            foundations.losses.cross_entropy_from_logits,
            self.inputs[self.held_out :],
            self.labels[self.held_out :],
            batch_size=self.config.batch_size,
            prepare=lambda batch, _: batch / 255,
            streams=streams,
        )

    def loss(self, network: "nn.Module", part: slice) -> float:
        """Mean cross-entropy on a part of the training images, in nats."""
        logits = foundations.predict(network, self.inputs[part] / 255)
        return foundations.losses.cross_entropy_from_logits(logits, self.labels[part]).item()

    def tune(self, name: str) -> float:
        """The rate of the grid with the least loss on the images held out, after a short run with each."""
        losses = []
        for rate in TRIED:
            learner = self.learner(name, rate, self.run.streams.child("tuning"))
            for _ in zip(range(self.config.tuning_steps), learner.learn(), strict=False):
                pass
            loss = self.loss(learner.network, slice(0, self.held_out))
            losses.append(loss if math.isfinite(loss) else math.inf)
        return TRIED[losses.index(min(losses))]

    def train(self, name: str, rate: float, seed: int) -> float:
        """A phase of the run: train, log the training loss on the way, give the accuracy on the test images."""
        learner = self.learner(name, rate, self.run.streams.child(f"seed {seed}"))
        shown = slice(self.held_out, self.held_out + LOOKED_AT)
        batch = self.config.batch_size
        for _ in self.run.follow(learner, steps=self.steps, examples_per_step=batch, name=phase(name, seed)):
            if self.run.every(math.ceil(self.steps / 20)):
                self.run.log({"loss/training_images": self.loss(learner.network, shown)})
        logits = foundations.predict(learner.network, self.images.test_images.to(self.run.device) / 255)
        return foundations.accuracy(logits, self.images.test_labels.to(self.run.device))

    def range_test(self, name: str) -> "RangeTest":
        """Smith's test of one optimizer, from the first weights."""
        streams = self.run.streams.child("range test")
        network = self.network(streams)
        inputs, labels = self.inputs[self.held_out :], self.labels[self.held_out :]
        batches = foundations.Batches(self.count, self.config.batch_size, streams.torch("batches"))

        def next_loss() -> "Tensor":
            chosen = batches.next()
            return foundations.losses.cross_entropy_from_logits(network(inputs[chosen] / 255), labels[chosen])

        optimizer = kinds()[name](network.parameters(), lr=1.0)
        return foundations.learning_rate_range_test(network, optimizer, next_loss, lowest=1e-5)


def phase(name: str, seed: int) -> str:
    """What the run calls the training of one optimizer."""
    return f"{name.lower()}_{seed}"


def _rows(run: kit.Run, rates: Mapping[str, float], scores: Mapping[str, list[float]]) -> list[dict[str, object]]:
    """Mean and spread over the seeds."""
    rows: list[dict[str, object]] = []
    for name, found in scores.items():
        mean = sum(found) / len(found)
        spread = math.sqrt(sum((each - mean) ** 2 for each in found) / max(1, len(found) - 1))
        losses = [run.history(f"{phase(name, seed)}/loss/training_images")[1][-1] for seed in range(len(found))]
        rows.append(
            {
                "optimizer": name,
                "learning rate": f"{rates[name]:.2g}",
                "training loss (nats)": f"{sum(losses) / len(losses):.4f}",
                "test accuracy %": f"{100 * mean:.2f}",
                "standard deviation": f"{100 * spread:.2f}" if len(found) > 1 else "one seed",
            }
        )
    return rows


# --- the figures ------------------------------------------------------------------------------------------------------


def _styles() -> dict[str, dict[str, Any]]:
    """One look for each optimizer; AdamW has Adam's colour, and what often coincides is broken."""
    colours = dict(zip((name for name in kinds() if name != "AdamW"), kit.figures.COLOURS, strict=True))
    colours["AdamW"] = colours["Adam"]
    broken = {"AMSGrad": "--", "AdamW": ":"}
    return {name: {"color": colour, "linestyle": broken.get(name, "-")} for name, colour in colours.items()}


def _draw_losses(run: kit.Run, rates: Mapping[str, float], steps: int) -> "Figure":
    """The training loss over the steps, the mean of all seeds."""
    styles = _styles()
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    figure, axes = plt.subplots(figsize=(9, 4.8))
    for name, rate in rates.items():
        lines: list[tuple[list[int], list[float]]] = []
        while (line := run.history(f"{phase(name, len(lines))}/loss/training_images"))[0]:
            lines.append(line)
        mean = [sum(values) / len(lines) for values in zip(*(values for _, values in lines), strict=True)]
        axes.plot(
            lines[0][0], mean, linewidth=1.6, marker="o", markersize=3, label=f"{name}, {rate:.2g}", **styles[name]
        )
    axes.set(yscale="log", xlabel="update", ylabel="cross-entropy (nats)", xlim=(0, steps))
    axes.set_title("Loss on the training images, from the same first weights")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    figure.legend(loc="outside right upper", title="optimizer, learning rate", fontsize=9)
    return figure


def _draw_schedules(steps: int = 100) -> "Figure":
    """What each schedule makes of a learning rate of 1."""
    schedules = foundations.schedules
    plateau = schedules.ReduceOnPlateau(factor=0.5, patience=4)

    def reduced(step: int) -> float:
        plateau.observe(max(1 - step / 30, 0.0) + 1)  # a loss that falls until step 30
        return plateau(step)

    shown = {
        "constant()": schedules.constant(),
        "step_decay(25, 0.5)": schedules.step_decay(25, 0.5),
        "exponential_decay(0.97)": schedules.exponential_decay(0.97),
        "linear_decay(100)": schedules.linear_decay(steps),
        "cosine(100)": schedules.cosine(steps),
        "linear_warmup(20)": schedules.linear_warmup(20),
        "warmup_cosine(20, 100)": schedules.warmup_cosine(20, steps),
        "one_cycle(100)": schedules.one_cycle(steps),
        "ReduceOnPlateau(factor=0.5,\npatience=4); the loss falls until 30": reduced,
    }
    colour = kit.figures.COLOURS[0]
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(3, 3, figsize=(10, 6.6), sharex=True, sharey=True)
    for axes, (name, schedule) in zip(panels.flat, shown.items(), strict=True):
        axes.step(range(steps + 1), [schedule(step) for step in range(steps + 1)], where="post", color=colour)
        axes.set_title(name, fontsize=9.5)
        axes.set(xlabel="step", ylabel="factor", ylim=(-0.04, 1.08))
        axes.label_outer()
    figure.suptitle("Learning-rate schedules", fontweight="bold")
    return figure


def _draw_range_tests(tests: "Mapping[str, RangeTest]", rates: Mapping[str, float]) -> "Figure":
    """The loss while the rate grows, one panel an optimizer."""
    styles = _styles()
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(tests), figsize=(11, 4.2), sharey=True)
    for axes, (name, test) in zip(panels, tests.items(), strict=True):
        axes.plot(test.learning_rates, test.losses, linewidth=0.8, alpha=0.4, label="each batch", **styles[name])
        axes.plot(test.learning_rates, test.smoothed, linewidth=2, label="smoothed", **styles[name])
        if test.suggestion:
            label = f"suggestion: {test.suggestion:.2g}"
            axes.axvline(test.suggestion, color="black", linewidth=1.2, linestyle="-", label=label)
        label = f"best rate tried: {rates[name]:.2g}"
        axes.axvline(rates[name], color="black", linewidth=1.2, linestyle=":", label=label)
        top = 1.6 * test.smoothed[0]
        axes.set(xscale="log", xlabel="learning rate", ylabel="cross-entropy (nats)", ylim=(0, top), title=name)
        axes.legend(loc="lower left", fontsize=9)
    figure.suptitle("Range test: the rate grows at each step until the loss explodes", fontweight="bold")
    return figure


if __name__ == "__main__":
    kit.launch(main)
