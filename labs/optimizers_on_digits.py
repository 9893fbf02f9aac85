"""Train one network on handwritten digits with every optimizer; draw the learning-rate schedules and a range test.

All optimizers start from the same first weights and see the same batches; each has the constant learning rate that did
best on held-out images in a short run. Untuned rates would only show who guessed better (Choi et al. 2019,
arXiv:1910.05446). The range test finds a rate within one run of a few hundred steps (Smith 2015, arXiv:1506.01186).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import TYPE_CHECKING, ClassVar

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from foundations.range_test import RangeTest

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
    from foundations.optimizers.variants import VARIANTS
    from labs.drawings import optimizers_on_digits as drawings

    digits = Digits(config, run)
    seeds = range(config.repetitions)
    rates = {name: digits.tune(name) for name in VARIANTS}
    scores = {name: [digits.train(name, rate, seed) for seed in seeds] for name, rate in rates.items()}
    curves = {name: _mean_curve(run, name, seeds) for name in rates}
    tests = {name: digits.range_test(name) for name in ("momentum", "Adam")}
    run.table("digits", [_row(name, rates[name], scores[name], curves[name][1][-1]) for name in rates])
    run.figure("training_loss", drawings.draw_losses(curves, rates, digits.steps))
    run.figure("schedules", drawings.draw_schedules())
    run.figure("range_test", drawings.draw_range_tests(tests, rates))
    run.summary({f"accuracy/{name.lower()}": mean(found) for name, found in scores.items()})


class Digits:
    """The images, and how each optimizer learns them."""

    def __init__(self, config: Config, run: kit.Run) -> None:
        self.config, self.run = config, run
        self.images = run.load_images(config.data).subset(config.training_images, run.streams.torch("subset"))
        kept = len(self.images.train_labels)
        require(kept >= 10, "training_images", kept, "at least 10: a tenth is held out to choose the learning rates")
        self.held_out = kept // 10
        self.count = kept - self.held_out
        require(config.batch_size <= self.count, "batch_size", config.batch_size, f"at most {self.count:,}, the images")
        self.inputs = self.images.train_images.to(run.device)
        self.labels = self.images.train_labels.to(run.device)
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
            _optimizer(name, network, rate),
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

        optimizer = _optimizer(name, network, rate=1.0)
        return foundations.learning_rate_range_test(network, optimizer, next_loss, lowest=1e-5)


def _optimizer(name: str, network: "nn.Module", rate: float) -> "torch.optim.Optimizer":
    from foundations.optimizers.variants import VARIANTS

    return VARIANTS[name](network.parameters(), lr=rate)


def phase(name: str, seed: int) -> str:
    """What the run calls the training of one optimizer."""
    return f"{name.lower()}_{seed}"


def _mean_curve(run: kit.Run, name: str, seeds: Sequence[int]) -> tuple[list[int], list[float]]:
    """The loss on training images on the way, the mean over the seeds: steps, losses."""
    lines = [run.history(f"{phase(name, seed)}/loss/training_images") for seed in seeds]
    return lines[0][0], [mean(losses) for losses in zip(*(losses for _, losses in lines), strict=True)]


def _row(name: str, rate: float, scores: Sequence[float], loss: float) -> dict[str, object]:
    """Mean and spread over the seeds."""
    return {
        "optimizer": name,
        "learning rate": f"{rate:.2g}",
        "training loss (nats)": f"{loss:.4f}",
        "test accuracy %": f"{100 * mean(scores):.2f}",
        "standard deviation": f"{100 * stdev(scores):.2f}" if len(scores) > 1 else "one seed",
    }


if __name__ == "__main__":
    kit.launch(main)
