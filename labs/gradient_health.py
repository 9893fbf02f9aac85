"""Watch gradients vanish and explode through deep networks, and what keeps them alive.

Multilayer perceptrons of up to 50 hidden layers look at one batch of images, and the size of the gradient is measured
at each layer: for three activations, four ways to draw the first weights, with and without normalisation and residual
connections. Then some of them train: a vanished gradient teaches nothing, an exploding one must be clipped.
Sources: Glorot & Bengio 2010, PMLR 9; He et al. 2015, arXiv:1502.01852 and arXiv:1512.03385; Pascanu et al. 2013,
arXiv:1211.5063 (clipping); Yang et al. 2019, arXiv:1902.08129 (batch norm makes gradients grow with depth).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from torch import Tensor, nn

    from foundations.hidden_layers import LayerHealth

topic = "foundations"
ACTIVATIONS = ("sigmoid", "tanh", "relu")
STARTS = ("normal", "Glorot", "He", "orthogonal")
FORMS = ("plain", "batch norm", "layer norm", "residual")
CURVE_POINTS = 150
Line = tuple[Sequence[float], Sequence[float]]
"""What is drawn: places and values."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: a registered name or a folder."""
    depth: kit.Count = 50
    """Hidden layers of the networks."""
    width: kit.Count = 64
    """Units of each hidden layer."""
    batch_size: kit.Count = 128
    """Images a step, and in the batch that the gradients are measured on."""
    steps: kit.Count = 300
    """Updates of each network that trains."""
    learning_rate: kit.Rate = 0.02
    """Step size of gradient descent with momentum 0.9."""
    clip_norm: kit.Rate = 1.0
    """Largest norm of the whole gradient, where it is clipped."""
    explosive_std: kit.Rate = 0.04
    """Standard deviation of the first weights in the residual network whose gradient explodes."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"width": 32, "batch_size": 32, "steps": 8},
        "full": {"width": 128, "explosive_std": 0.03, "steps": 3_000, "learning_rate": 0.005},
    }
    useful_threads: ClassVar[int] = 1


@dataclass(frozen=True)
class Case:
    """One kind of deep network."""

    activation: str
    start: str
    form: str = "plain"
    std: float = 0.01
    clip_norm: float | None = None

    @property
    def label(self) -> str:
        """Its name in tables and figures."""
        start = f"N(0, {self.std:g}²)" if self.start == "normal" else self.start
        parts = [self.activation, start, *([] if self.form == "plain" else [self.form])]
        return ", ".join(parts + ["clipped"] * (self.clip_norm is not None))


class Bench:
    """Builds networks for the images and measures them, all from the same random numbers and on the same batch."""

    def __init__(self, config: Config, run: kit.Run) -> None:
        self.config, self.run = config, run
        self.data = run.load_images(config.data)
        count = len(self.data.train_labels)
        require(config.batch_size <= count, "batch_size", config.batch_size, f"at most {count:,}, the training images")
        self.images = self.data.train_images.flatten(1).to(run.device)
        self.labels = self.data.train_labels.to(run.device)
        pixels = self.data.train_images[:10_000].float()
        self.mean, self.std = pixels.mean().item(), pixels.std().item()

    def scaled(self, images: "Tensor") -> "Tensor":
        """Bytes to numbers of mean 0 and standard deviation 1."""
        return (images - self.mean) / self.std

    def build(self, case: Case, depth: int) -> "foundations.MLP":
        """The network of `case` at its first weights; biases begin at 0."""
        norm: Any = {"batch norm": "batch", "layer norm": "layer"}.get(case.form)
        sizes = (self.images.shape[1], *[self.config.width] * depth, len(self.data.class_names))
        network = foundations.MLP(sizes, case.activation, norm=norm, residual=case.form == "residual" and depth > 1)
        stream = self.run.streams.torch("weights")  # from its beginning: all networks share their random numbers
        for name, parameter in network.named_parameters():
            if parameter.dim() == 2:
                initializer(case)(parameter, generator=stream)
            elif name.endswith("bias"):
                foundations.initializers.zeros_(parameter)
        return network.to(self.run.device)

    def measure(self, network: "nn.Module") -> "LayerHealth":
        """One forward and backward pass over the first batch."""
        images, labels = (part[: self.config.batch_size].cpu() for part in (self.images, self.labels))
        return foundations.hidden_layers.layer_health(network, self.scaled(images.double()), labels)

    def learner(self, case: Case) -> "foundations.SupervisedLearner":
        """Gradient descent with momentum; the first, the middle and the last hidden layer's gradients are watched."""
        network = self.build(case, self.config.depth)
        dense = foundations.hidden_layers.hidden_dense_layers(network)
        watched = {f"layer_{k + 1}": dense[k] for k in sorted({0, len(dense) // 2, len(dense) - 1})}
        health = foundations.GradientHealth(network, watched)
        return foundations.SupervisedLearner(
            network,
            foundations.SGD(network.parameters(), lr=self.config.learning_rate, momentum=0.9),
            foundations.losses.cross_entropy_from_logits,
            self.images,
            self.labels,
            batch_size=self.config.batch_size,
            streams=self.run.streams,
            clip_norm=case.clip_norm,
            prepare=lambda images, _: self.scaled(images),
            watch=lambda: {name: value for name, value in health().items() if name.startswith("gradients/")},
        )

    def test(self, network: "nn.Module") -> float:
        """The accuracy on the test images."""
        logits = foundations.predict(network, self.data.test_images.to(self.run.device), scale=self.scaled)
        return foundations.accuracy(logits, self.data.test_labels.to(self.run.device))


def initializer(case: Case) -> "Callable[..., Tensor]":
    """What draws the first weights of the case."""
    start = foundations.initializers
    ways: dict[str, Callable[..., Tensor]] = {
        "normal": partial(start.normal_, std=case.std),
        "Glorot": start.glorot_normal_,
        "He": start.he_normal_,
        "orthogonal": partial(start.orthogonal_, gain=start.gain(case.activation)),
    }
    return ways[case.start]


TRAINED = {
    "sigmoid_plain": Case("sigmoid", "Glorot"),
    "relu_small_plain": Case("relu", "normal"),
    "tanh_plain": Case("tanh", "Glorot"),
    "relu_he_plain": Case("relu", "He"),
    "relu_residual": Case("relu", "normal", "residual"),
}
"""What is trained without clipping, by the name of its phase."""
CLIPPED = "relu_exploding_clipped"


def main(config: Config, run: kit.Run) -> None:
    """Measure at the first weights, train, measure again."""
    from labs.drawings import gradient_health as drawings

    _ = kit.figures  # its import sets the look of every figure
    bench = Bench(config, run)
    cases = [Case(*choice) for choice in product(ACTIVATIONS, STARTS, FORMS)]
    maps = {case: bench.measure(bench.build(case, config.depth)) for case in cases}
    panels = {form: {case: health for case, health in maps.items() if case.form == form} for form in FORMS}
    title = "Gradient of each layer before the first step"
    run.figure("gradients_at_the_start", drawings.draw_gradient_maps(title, panels, size=(11, 7.4)))
    run.figure("activations_by_depth", drawings.draw_activations(panels["plain"]))
    run.figure("gradient_by_depth", drawings.draw_depths(by_depth(bench)))
    run.table("first_weights", [drawings.health_row(case, health) for case, health in maps.items()])
    told = {name: maps[TRAINED[name]].first_to_last for name in ("sigmoid_plain", "relu_he_plain", "relu_residual")}
    run.summary({f"first_to_last_gradient/{name}": ratio for name, ratio in told.items()})
    train_all(bench)


def train_all(bench: Bench) -> None:
    """Train the networks of TRAINED and the exploding one, and show the results."""
    from labs.drawings import gradient_health as drawings

    config, run = bench.config, bench.run
    exploding = Case("relu", "normal", "residual", config.explosive_std)
    unclipped = until_overflow(bench.learner(exploding), config.steps)
    cases = {**TRAINED, CLIPPED: replace(exploding, clip_norm=config.clip_norm)}
    networks = {case: train(bench, case, name) for name, case in cases.items()}
    losses = {name: run.history(f"{name}/curve/loss") for name in cases}
    curves = {case.label: losses[name] for name, case in TRAINED.items()}
    title = f"Training {config.depth} hidden layers"
    run.figure("training_loss", kit.figures.curves(title, curves, label="training loss (nats)"))
    run.figure(
        "clipping", drawings.draw_clipping(unclipped, losses[CLIPPED], run.history(f"{CLIPPED}/curve/norm"), config)
    )
    panels = {
        "before the first step": {case: bench.measure(bench.build(case, config.depth)) for case in networks},
        f"after {config.steps:,} steps": {case: bench.measure(network) for case, network in networks.items()},
    }
    title = "Gradient of each layer, before and after training"
    run.figure("gradients_before_and_after_training", drawings.draw_gradient_maps(title, panels, size=(11, 3.4)))
    final = {name: sum(values[-10:]) / len(values[-10:]) for name, (_, values) in losses.items()}
    tested = {name: bench.test(networks[case]) for name, case in cases.items()}
    rows = [(case.label, final[name], tested[name]) for name, case in cases.items()]
    columns = ("network", "training loss", "test accuracy")
    run.table("training", [dict(zip(columns, row, strict=True)) for row in rows])
    run.summary({f"test_accuracy/{name}": value for name, value in tested.items()})
    run.summary({"finite_losses_unclipped": len(unclipped)})


def by_depth(bench: Bench) -> dict[str, Line]:
    """The norm of the first layer's gradient for networks of several depths: label -> (depths, norms)."""
    deepest = bench.config.depth
    depths = sorted({1 + round((deepest - 1) * share / 5) for share in range(6)})
    cases = [Case("sigmoid", "Glorot"), Case("tanh", "Glorot"), Case("relu", "Glorot"), Case("relu", "He")]
    cases += [Case("relu", "He", "batch norm"), Case("relu", "normal", "residual")]
    return {
        case.label: (depths, [bench.measure(bench.build(case, depth)).gradients[0] for depth in depths])
        for case in cases
    }


def train(bench: Bench, case: Case, name: str) -> "nn.Module":
    """Train the network of `case` as the phase `name`, some points of its curves kept."""
    config, run = bench.config, bench.run
    learner = bench.learner(case)
    for _, metrics in run.follow(learner, steps=config.steps, examples_per_step=config.batch_size, name=name):
        if run.step == 1 or run.every(max(1, config.steps // CURVE_POINTS)):
            norm = {"curve/norm": metrics["gradients/norm"]} if case.clip_norm else {}
            run.log({"curve/loss": metrics["loss/training"], **norm})
    return learner.network


def until_overflow(learner: "foundations.SupervisedLearner", steps: int) -> list[float]:
    """The losses of at most `steps` updates, up to the last that is a number."""
    losses: list[float] = []
    for _, metrics in zip(range(steps), learner.learn(), strict=False):
        if not math.isfinite(loss := float(metrics["loss/training"])):
            break
        losses.append(loss)
    return losses


if __name__ == "__main__":
    kit.launch(main)
