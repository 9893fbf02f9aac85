"""Compare what keeps a network from learning its training images by heart, on 1,000 images and several seeds.

A small convolutional network sees 1,000 labelled images for many epochs, once without help and once with each method:
L1 (as a penalty and by proximal steps), L2, elastic net, weight decay, dropout, spatial dropout, early stopping, label
smoothing, batch norm, augmentation, and dropout with augmentation. All methods of a seed have the same images, the same
first weights and the same number of updates; the test set is whole. Early stopping pays for its validation images out
of the 1,000.
Sources: Goodfellow et al. 2016, Deep Learning, chapter 7; Srivastava et al. 2014, JMLR 15; Prechelt 1998.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from statistics import mean
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

from annotated_types import Ge, Interval

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from torch import Tensor, nn

    from foundations.evaluation import Metric
    from foundations.regularizers import Penalty

topic = "foundations"
Below1 = Annotated[float, Interval(gt=0, lt=1)]
CURVES = ("none", "early_stopping", "dropout_and_augmentation")
"""Methods whose first seed is shown over the steps."""
AUGMENTATION = {"degrees": 12.0, "scale": 0.12, "shift": 0.08}
"""The largest turn, and changes of size and place as shares of an image's side."""
LOOKED_AT = 1_000
"""Test images for the curves of methods that hold none out."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: a registered name or a folder of 28x28 grey images."""
    images: kit.Count = 1_000
    """Labelled images that a network may learn from; each seed draws its own."""
    test_images: kit.Count = 10_000
    """Test images, at most, that tell how good a network is."""
    repetitions: Annotated[int, Ge(2)] = 5
    """Trainings of each method, from which mean and spread come."""
    epochs: kit.Count = 30
    """Passes over the images."""
    batch_size: kit.Count = 100
    """Images a step."""
    channels: kit.Count = 8
    """Width of the first convolution; twice as many in the second."""
    units: kit.Count = 128
    """Width of the dense layer."""
    learning_rate: kit.Rate = 6e-3
    """Adam's largest step size; it rises for a tenth of the steps and falls to 0."""
    l1: kit.Rate = 2e-4
    """Strength of the L1 penalty."""
    l1_proximal: kit.Rate = 0.1
    """Strength of L1 by proximal steps: more, since Adam scales the penalty's gradient up and knows nothing of them."""
    l2: kit.Rate = 5e-3
    """Strength of the L2 penalty."""
    weight_decay: kit.Rate = 1.0
    """Strength of the decoupled weight decay."""
    dropout: Below1 = 0.5
    """Probability of dropping a unit of the dense layer."""
    spatial_dropout: Below1 = 0.1
    """Probability of dropping a channel after each convolution."""
    label_smoothing: Below1 = 0.1
    """Share of the label that is spread over all classes."""
    held_out: Below1 = 0.2
    """Share of the images that early stopping keeps for validation."""
    patience: kit.Count = 8
    """Validations (one an epoch) without improvement after which it stops."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"images": 200, "test_images": 300, "repetitions": 2, "epochs": 1, "batch_size": 50, "channels": 4},
        "full": {"repetitions": 10, "epochs": 60},
    }
    useful_threads: ClassVar[int] = 1


@dataclass(frozen=True)
class Method:
    """What is done against overfitting; by default nothing."""

    penalty: "Penalty | None" = None
    proximal: float = 0.0
    weight_decay: float = 0.0
    dropout: float = 0.0
    spatial_dropout: float = 0.0
    label_smoothing: float = 0.0
    stops_early: bool = False
    batch_norm: bool = False
    augments: bool = False


def methods(config: Config) -> dict[str, Method]:
    """All that is compared, by the name of its phases."""
    penalties, l1, l2 = foundations.regularizers, config.l1, config.l2
    return {
        "none": Method(),
        "l1_penalty": Method(penalty=penalties.l1_penalty(l1)),
        "l1_proximal": Method(proximal=config.l1_proximal),
        "l2": Method(penalty=penalties.l2_penalty(l2)),
        "elastic_net": Method(penalty=penalties.elastic_net_penalty(l1 + l2, l1_share=l1 / (l1 + l2))),
        "weight_decay": Method(weight_decay=config.weight_decay),
        "dropout": Method(dropout=config.dropout),
        "spatial_dropout": Method(spatial_dropout=config.spatial_dropout),
        "early_stopping": Method(stops_early=True),
        "label_smoothing": Method(label_smoothing=config.label_smoothing),
        "batch_norm": Method(batch_norm=True),
        "augmentation": Method(augments=True),
        "dropout_and_augmentation": Method(dropout=config.dropout, augments=True),
    }


class Result(NamedTuple):
    """One trained network: shares of right answers, mean test loss in nats, share of weights that are exactly 0."""

    train: float
    test: float
    loss: float
    zeros: float


class Trials:
    """Trains and tests one method at a time; what a seed decides is the same for all methods."""

    def __init__(self, config: Config, run: kit.Run) -> None:
        self.config, self.run = config, run
        self.data, self.held_out = run.load_images(config.data).to(run.device), round(config.held_out * config.images)
        self.data.require_grey(config.data)
        count, kept = len(self.data.train_labels), config.images - self.held_out
        require(config.images <= count, "images", config.images, f"at most {count:,}, the training images")
        require(self.held_out >= 1, "held_out", config.held_out, f"at least 1 of the {config.images:,} images")
        require(config.batch_size <= kept, "batch_size", config.batch_size, f"at most {kept:,}, what validation leaves")
        test = self.data.test_images, self.data.test_labels
        self.test_images, self.test_labels = (part[: config.test_images] for part in test)
        self.steps = config.epochs * (config.images // config.batch_size)

    def train(self, name: str, method: Method, seed: int) -> "foundations.SupervisedLearner":
        """Train one network as the phase `name`_`seed`."""
        shown, run = seed == 0 and name in CURVES, self.run
        learner = self.learner(method, seed, shown=shown)
        weights = foundations.regularizers.weights_to_penalize(learner.network)
        batch = self.config.batch_size
        for _, metrics in run.follow(learner, steps=self.steps, examples_per_step=batch, name=f"{name}_{seed}"):
            if method.proximal:
                threshold = method.proximal * learner.optimizer.param_groups[0]["lr"]
                foundations.regularizers.soft_threshold_(weights, threshold)
            if shown and "validation/loss" in metrics:
                run.log({"curve/unseen": metrics["validation/loss"]})
                if not learner.stopped:  # by then the best weights are back
                    run.log({"curve/training": self.test(learner.network, learner.inputs, learner.targets)[1]})
        if learner.early_stopping and not learner.stopped:
            learner.early_stopping.restore(learner.network)
        return learner

    def learner(self, method: Method, seed: int, *, shown: bool) -> "foundations.SupervisedLearner":
        """Adam on the seed's images; what early stopping validates on, it does not train on."""
        config, streams = self.config, self.run.streams.child(f"seed_{seed}")
        held_out = self.held_out if method.stops_early else 0
        data = self.data.subset(config.images, streams.torch("images"))
        if held_out:
            apart = data.train_images[:held_out], data.train_labels[:held_out]
        else:  # for the curve alone
            apart = self.test_images[:LOOKED_AT], self.test_labels[:LOOKED_AT]
        epoch, network = (config.images - held_out) // config.batch_size, self.network(method, streams)
        validation = foundations.Validation(*apart, every=epoch, scale=foundations.images.scaled)
        groups = foundations.regularizers.decay_groups(network, method.weight_decay)
        return foundations.images.image_classifier(
            network,
            foundations.AdamW(groups, lr=config.learning_rate, fused=True),
            data.train_images[held_out:],
            data.train_labels[held_out:],
            batch_size=config.batch_size,
            steps=self.steps,
            streams=streams,
            loss=partial(foundations.losses.cross_entropy_from_logits, label_smoothing=method.label_smoothing),
            prepare=foundations.images.augmented(**AUGMENTATION) if method.augments else foundations.images.scaled,
            penalty=method.penalty,
            validation=validation if held_out or shown else None,
            early_stopping=foundations.EarlyStopping(config.patience) if held_out else None,
        )

    def network(self, method: Method, streams: "foundations.Streams") -> "nn.Module":
        """A small convolutional network with what the method asks for between its layers."""
        config, device = self.config, self.run.device
        network = foundations.networks.small_conv_net(
            len(self.data.class_names),
            channels=config.channels,
            units=config.units,
            batch_norm=method.batch_norm,
            spatial_dropout=method.spatial_dropout,
            dropout=method.dropout,
            generator=streams.torch("weights"),
            dropout_generator=streams.torch("masks", device),
        )
        return foundations.images.channels_last(network, device)

    def test(self, network: "nn.Module", images: "Tensor", labels: "Tensor") -> tuple[float, float]:
        """Accuracy and mean loss in nats."""
        loss = foundations.losses.cross_entropy_from_logits
        figures: dict[str, Metric] = {"accuracy": foundations.accuracy, "loss": loss}
        found = foundations.evaluate(network, images, labels, figures, scale=foundations.images.scaled)
        return found["accuracy"], found["loss"]

    def result(self, learner: "foundations.SupervisedLearner") -> Result:
        """How well a trained network does on its training images and on the test images."""
        train, _ = self.test(learner.network, learner.inputs, learner.targets)
        test, loss = self.test(learner.network, self.test_images, self.test_labels)
        return Result(train, test, loss, foundations.regularizers.zero_share(learner.network))


def main(config: Config, run: kit.Run) -> None:
    """Train every method with every seed, then compare."""
    from labs.drawings import regularization as drawings

    trials, first = Trials(config, run), {}
    results: dict[str, list[Result]] = {}
    for name, method in methods(config).items():
        learners = [trials.train(name, method, seed) for seed in range(config.repetitions)]
        results[name] = [trials.result(learner) for learner in learners]
        first[name] = learners[0]
    run.figure("accuracy_and_loss", drawings.draw_accuracy_and_loss(results, config))
    run.figure("weights", drawings.draw_weights({name: first[name].network for name in drawings.HISTOGRAMS}))
    curves = {name: [run.history(f"{name}_0/curve/{kind}") for kind in ("training", "unseen")] for name in CURVES}
    run.figure("early_stopping", drawings.draw_stopping(curves, first["early_stopping"].early_stopping))
    run.table("methods", [drawings.row(name, each, *gain(each, results["none"])) for name, each in results.items()])
    run.summary({f"test_accuracy/{name}": mean(result.test for result in each) for name, each in results.items()})
    points, deviations = gain(results["dropout_and_augmentation"], results["none"])
    gained = {"points": points, "deviations": deviations}
    run.summary({f"gain_of_dropout_and_augmentation/{unit}": value for unit, value in gained.items()})
    best = first["dropout_and_augmentation"].network
    run.model("dropout_and_augmentation", best, foundations.images.scaled(trials.test_images[:8]))


def gain(results: Sequence[Result], without: Sequence[Result]) -> tuple[float, float]:
    """How much better than `without` on the test images: in points, and in pooled standard deviations of a seed."""
    one, other = ([100 * result.test for result in each] for each in (results, without))
    deviations = foundations.statistics.cohens_d(one, other)
    return mean(one) - mean(other), deviations if isfinite(deviations) else 0.0


if __name__ == "__main__":
    kit.launch(main)
