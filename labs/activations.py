"""Draw every activation with its slope, and measure where gradients shrink and units die.

What an activation does to a network is in its slope: where that is near 0 (shaded), nothing is learned. The lab shows
curves and saturation, softmax at several temperatures, what comes back of a gradient through many layers, and the share
of units that fall silent while small networks learn digits too fast, or from a bad start: for ReLU, which has no slope
there, and for leaky ReLU and ELU, which have one. Sources: Glorot & Bengio 2010, PMLR 9 (saturation); Maas et al. 2013
(leaky ReLU); Clevert et al. 2015, arXiv:1511.07289 (ELU); Lu et al. 2019, arXiv:1903.06733 (dying ReLU).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from statistics import mean
from typing import TYPE_CHECKING, Any, ClassVar

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from torch import Tensor

    from foundations.learner import Metrics

topic = "foundations"
NAMES = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu")
TRAINED = ("relu", "leaky_relu", "elu")
STARTS = (0.0, -0.5)
"""First biases of the networks that train: none, and so low that most units begin silent."""
FLAT = 0.01
"""A slope below this is called saturated."""
PROBES = 1_000
"""Images on which units are looked at."""
Setting = tuple[str, float, float, int]
"""Activation, first biases, learning rate, repeat."""
Found = dict[str, dict[Setting, float]]
"""The values of each figure, by setting."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: a registered name or a folder."""
    depth: kit.Count = 30
    """Hidden layers that the gradient is sent back through."""
    width: kit.Count = 64
    """Units of each hidden layer."""
    steps: kit.Count = 600
    """Updates of each network that trains; it has three hidden layers."""
    batch_size: kit.Count = 64
    """Images an update."""
    learning_rates: tuple[kit.Rate, ...] = (0.1, 0.3, 1.0, 3.0)
    """Step sizes of gradient descent, gradients clipped to norm 1; large ones throw units out of the images' reach."""
    repeats: kit.Count = 3
    """Networks from other first weights for each setting."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"steps": 15, "repeats": 1, "learning_rates": (0.1, 3.0)},
        "full": {"steps": 3_000, "repeats": 5},
    }
    useful_threads: ClassVar[int] = 1


class Family:
    """A learner that trains networks of one activation side by side: every start, learning rate and repeat."""

    def __init__(self, config: Config, activation: str, images: "Tensor", labels: "Tensor", run: kit.Run) -> None:
        self.activation, self.device = activation, run.device
        keys = product(STARTS, config.learning_rates, range(config.repeats))
        self.members = {key: self._member(config, *key, images, labels, run) for key in keys}

    def _member(
        self, config: Config, start: float, rate: float, repeat: int, images: "Tensor", labels: "Tensor", run: kit.Run
    ) -> "foundations.SupervisedLearner":
        streams = run.streams.child(f"repeat {repeat}")  # the same for all activations, starts and rates: twins
        sizes = (images[0].numel(), *[config.width] * 3, int(labels.max()) + 1)
        network = build(sizes, self.activation, math.sqrt(2), start, streams)
        return foundations.SupervisedLearner(
            network.to(run.device),
            foundations.SGD(network.parameters(), lr=rate, fused=True),
            foundations.losses.cross_entropy_from_logits,
            images,
            labels,
            batch_size=config.batch_size,
            streams=streams,
            clip_norm=1.0,
        )

    def learn(self) -> Iterator["Metrics"]:
        """Yield the mean loss of all networks after one update of each."""
        import torch

        updates = [member.learn() for member in self.members.values()]
        while True:
            yield {"loss": torch.stack([torch.as_tensor(next(each)["loss/training"]) for each in updates]).mean()}

    def state_dict(self) -> dict[str, Any]:
        """The states of all networks."""
        return {"members": [member.state_dict() for member in self.members.values()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        for member, each in zip(self.members.values(), state["members"], strict=True):
            member.load_state_dict(each)

    def silent(self, images: "Tensor") -> dict[tuple[float, float, int], float]:
        """The share of silent hidden units of each network: those that no image lifts above 0."""
        from foundations.hidden_layers import silent_share

        return {key: silent_share(member.network, images) for key, member in self.members.items()}


def main(config: Config, run: kit.Run) -> None:
    """Look at the functions; send a gradient back; train."""
    from labs.drawings import activations as drawings

    data = run.load_images(config.data)
    count = len(data.train_labels)
    require(config.batch_size <= count, "batch_size", config.batch_size, f"at most {count:,}, the training images")
    rates = config.learning_rates
    require(len(set(rates)) == len(rates) > 0, "learning_rates", rates, "one or more, each once")
    train, test = (images.to(run.device).flatten(1) / 255 for images in (data.train_images, data.test_images[:PROBES]))
    curves = {name: curve(name) for name in NAMES}
    steep = {name: saturation(z, slopes) for name, (z, _, slopes) in curves.items()}
    run.figure("functions", drawings.draw_functions(curves, steep, FLAT))
    run.table("functions", [traits(name) for name in NAMES])
    run.figure("softmax", drawings.draw_softmax())
    _send_back(config, run, train[: config.batch_size])
    _train(config, run, train, data.train_labels.to(run.device), test, data.test_labels[:PROBES].to(run.device))


# --- the functions ----------------------------------------------------------------------------------------------------


def curve(name: str) -> "tuple[Tensor, Tensor, Tensor]":
    """Inputs z from -8 to 8, the activation's values there and its slopes."""
    import torch

    z = torch.arange(-800, 801, dtype=torch.float64) / 100
    slopes = getattr(foundations.activations, f"{name}_derivative")(z)
    return z, getattr(foundations.activations, name)(z), slopes


def saturation(z: "Tensor", slopes: "Tensor") -> tuple[float, float]:
    """The activation is saturated, |slope| < FLAT, at all z below the first number and above the second."""
    steep = z[slopes.abs() >= FLAT]
    return float(steep.min()), float(steep.max())


def traits(name: str) -> dict[str, object]:
    """A row of the table, for inputs from -8 to 8: range, slopes, saturation."""
    z, values, slopes = curve(name)
    low, high = saturation(z, slopes)
    return {
        "activation": name,
        "least value": round(float(values.min()), 3),
        "largest value": round(float(values.max()), 3),
        "value at 0": round(float(values[800]), 3),
        "slope at 0": round(float(slopes[800]), 3),
        "largest slope": round(float(slopes.max()), 3),
        "saturated below": "never" if low == z[0] else round(low, 2),
        "saturated above": "never" if high == z[-1] else round(high, 2),
    }


# --- a gradient on its way back ---------------------------------------------------------------------------------------


def build(
    sizes: tuple[int, ...], activation: str, gain: float, start: float, streams: "foundations.Streams"
) -> "foundations.MLP":
    """A network with weights from N(0, gain^2 / fan-in) and hidden biases of `start`."""
    network = foundations.MLP(sizes, activation)
    stream = streams.torch("weights")
    for name, parameter in network.named_parameters():
        if parameter.dim() == 2:
            foundations.initializers.he_normal_(parameter, gain, generator=stream)
        else:
            parameter.data.fill_(0.0 if name.startswith("head") else start)
    return network


def _send_back(config: Config, run: kit.Run, images: "Tensor") -> None:
    """Gradients through a deep network for every activation: with weights that keep sizes, and with its own gain."""
    from foundations.hidden_layers import gradients_sent_back
    from labs.drawings import activations as drawings

    images = images.cpu().double()
    images = (images - images.mean()) / images.std()
    sizes = (images.shape[1], *[config.width] * config.depth, 10)
    rows: list[dict[str, object]] = []
    came_back: dict[tuple[str, str], list[float]] = {}
    for name in NAMES:
        own = foundations.initializers.gain({"identity": "linear"}.get(name, name))
        for kind, gain in {"1": 1.0, "own": own}.items():
            network = build(sizes, name, gain, 0.0, run.streams).double()
            came_back[kind, name] = gradients_sent_back(network, images, run.streams.torch("sent"))
            first = came_back[kind, name][0]
            factor = first ** (1 / max(config.depth - 1, 1))
            if kind == "1":
                run.summary({f"gradient_factor/{name}": factor})
            row: dict[str, object] = {"activation": name, "gain": round(gain, 3), "factor a layer": round(factor, 4)}
            row["gain x root mean square slope"] = round(gain * typical_slope(network, name, images), 4)
            row[f"left after {config.depth - 1} layers"] = f"{first:.2g}"
            if row not in rows:
                rows.append(row)
    run.table("gradient_through_layers", rows)
    run.figure("gradient_through_layers", drawings.draw_gradients(came_back))


def typical_slope(network: "foundations.MLP", name: str, images: "Tensor") -> float:
    """The root of the mean squared slope of a layer's units, its geometric mean over the hidden layers."""
    from foundations.hidden_layers import preactivations

    slopes = getattr(foundations.activations, f"{name}_derivative")
    squares = [float(slopes(z).square().mean()) for z in preactivations(network, images)]
    return math.exp(sum(math.log(square) for square in squares) / len(squares) / 2)


# --- units that die ---------------------------------------------------------------------------------------------------


def _train(
    config: Config, run: kit.Run, images: "Tensor", labels: "Tensor", probes: "Tensor", probe_labels: "Tensor"
) -> None:
    """Families of networks, one activation after the other; then what is left alive."""
    from labs.drawings import activations as drawings

    found: Found = {"silent units": {}, "accuracy": {}}
    for activation in TRAINED:
        family = Family(config, activation, images, labels, run)
        examples = config.batch_size * len(family.members)
        for _ in run.follow(family, steps=config.steps, examples_per_step=examples, name=activation):
            if run.every(max(1, config.steps // 20)):
                shares = family.silent(probes)
                run.log({"silent_units": sum(shares.values()) / len(shares)})
        for key, share in family.silent(probes).items():
            logits = foundations.predict(family.members[key].network, probes)
            found["silent units"][activation, *key] = share
            found["accuracy"][activation, *key] = foundations.accuracy(logits, probe_labels)
    for activation in TRAINED:
        for name, values in found.items():
            chosen = repeats(values, activation, 0.0, max(config.learning_rates))
            run.summary({f"{name.replace(' ', '_')}_at_largest_rate/{activation}": mean(chosen)})
    settings = product(TRAINED, STARTS, config.learning_rates)
    run.table("silent_units", [silent_row(found, *setting) for setting in settings])
    run.figure("silent_units", drawings.draw_silent(found, config.learning_rates))


def silent_row(found: Found, activation: str, start: float, rate: float) -> dict[str, object]:
    """A row of the table: mean, least and most of each figure over the repeats of one setting."""
    row: dict[str, object] = {"activation": activation, "first biases": start, "learning rate": rate}
    for name, values in found.items():
        chosen = repeats(values, activation, start, rate)
        row |= {name: round(mean(chosen), 4), f"least {name}": round(min(chosen), 4)}
        row[f"most {name}"] = round(max(chosen), 4)
    return row


def repeats(values: dict[Setting, float], activation: str, start: float, rate: float) -> list[float]:
    """The values of every repeat of one setting."""
    return [value for key, value in values.items() if key[:3] == (activation, start, rate)]


if __name__ == "__main__":
    kit.launch(main)
