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
from typing import TYPE_CHECKING, Any, ClassVar

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn

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
MARKERS = ("o", "s", "^")
Found = dict[str, dict[tuple[str, float, float, int], float]]
"""Figure -> (activation, first biases, learning rate, repeat) -> value."""


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
    """Networks of one activation for every start, learning rate and repeat, trained side by side."""

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
        """One update of each; yields their mean loss."""
        import torch

        updates = [member.learn() for member in self.members.values()]
        while True:
            yield {"loss": torch.stack([torch.as_tensor(next(each)["loss/training"]) for each in updates]).mean()}

    def state_dict(self) -> dict[str, Any]:
        """The states of all."""
        return {"members": [member.state_dict() for member in self.members.values()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        for member, each in zip(self.members.values(), state["members"], strict=True):
            member.load_state_dict(each)

    def silent(self, images: "Tensor") -> dict[tuple[float, float, int], float]:
        """Of each network the share of hidden units that no image lifts above 0."""
        return {key: silent_share(member.network, images) for key, member in self.members.items()}


def main(config: Config, run: kit.Run) -> None:
    """Look at the functions; send a gradient back; train."""
    data = run.load_images(config.data)
    count = len(data.train_labels)
    require(config.batch_size <= count, "batch_size", config.batch_size, f"at most {count:,}, the training images")
    rates = config.learning_rates
    require(len(set(rates)) == len(rates) > 0, "learning_rates", rates, "one or more, each once")
    train, test = (images.to(run.device).flatten(1) / 255 for images in (data.train_images, data.test_images[:PROBES]))
    run.figure("functions", draw_functions())
    run.table("functions", [traits(name) for name in NAMES])
    run.figure("softmax", draw_softmax())
    _send_back(config, run, train[: config.batch_size])
    _train(config, run, train, data.train_labels.to(run.device), test, data.test_labels[:PROBES].to(run.device))


# --- the functions ----------------------------------------------------------------------------------------------------


def curve(name: str) -> "tuple[Tensor, Tensor, Tensor]":
    """Places from -8 to 8, the activation's values there and its slopes."""
    import torch

    z = torch.arange(-800, 801, dtype=torch.float64) / 100
    slopes = getattr(foundations.activations, f"{name}_derivative")(z)
    return z, getattr(foundations.activations, name)(z), slopes


def saturation(z: "Tensor", slopes: "Tensor") -> tuple[float, float]:
    """Where the outer stretches end on which |slope| < FLAT: below the first number and above the second."""
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


def draw_functions() -> "Figure":
    """Every activation and its slope; saturated stretches shaded."""
    from matplotlib import pyplot as plt

    blue, orange, yellow = (kit.figures.COLOURS[i] for i in (0, 1, 4))
    figure, grid = plt.subplots(2, 4, figsize=(11, 5.4), sharex=True, sharey=True)
    for axes, name in zip(grid.flat, NAMES, strict=True):
        z, values, slopes = curve(name)
        low, high = saturation(z, slopes)
        for left, right in ((float(z[0]), low), (high, float(z[-1]))):
            axes.axvspan(left, right, color=yellow, alpha=0.25, linewidth=0)
        axes.plot(z.tolist(), values.tolist(), color=blue, linestyle="-", linewidth=2)
        axes.plot(z.tolist(), slopes.tolist(), color=orange, linestyle="--", linewidth=1.6)
        axes.set(title=name.replace("_", " "), ylim=(-1.3, 3), xlim=(-8, 8))
    for axes in grid[1]:
        axes.set_xlabel("input z")
    value, slope = grid[0, 0].lines
    value.set_label("value f(z)")
    slope.set_label("slope f'(z)")
    shade = grid[0, 1].patches[0]
    shade.set_label(f"saturated: |slope| < {FLAT:g}, hardly any gradient passes")
    figure.legend(handles=[value, slope, shade], loc="outside lower center", ncols=3)
    figure.suptitle("Activations and their slopes", fontweight="bold")
    return figure


def draw_softmax() -> "Figure":
    """Softmax of the same logits over three temperatures, and its entropy over all."""
    import torch
    from matplotlib import pyplot as plt

    colours = kit.figures.COLOURS
    logits = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0], dtype=torch.float64)
    figure, panels = plt.subplots(1, 4, figsize=(11, 3.1), width_ratios=(1, 1, 1, 1.5))
    for axes, temperature, colour in zip(panels, (0.3, 1.0, 4.0), colours, strict=False):
        shares = foundations.activations.softmax(logits / temperature)
        axes.bar([f"{logit:g}" for logit in logits.tolist()], shares.tolist(), color=colour)
        axes.set(title=f"T = {temperature:g}", ylim=(0, 1), xlabel="logit z")
        axes.grid(visible=False, axis="x")
    panels[0].set_ylabel("probability")
    temperatures = torch.logspace(-1.5, 2, 200, dtype=torch.float64)
    shares = foundations.activations.softmax(logits / temperatures[:, None])
    panels[3].plot(temperatures.tolist(), torch.special.entr(shares).sum(1).tolist(), color="black", linewidth=2)
    panels[3].axhline(math.log(5), color="grey", linestyle=":", label=f"log 5 = {math.log(5):.2f}: all alike")
    for temperature, colour in zip((0.3, 1.0, 4.0), colours, strict=False):
        entropy = torch.special.entr(foundations.activations.softmax(logits / temperature)).sum()
        panels[3].plot(temperature, float(entropy), "o", color=colour, markersize=8)
    panels[3].set(title="From a choice to a shrug", xscale="log", xlabel="temperature T", ylabel="entropy in nats")
    panels[3].set_ylim(-0.05, 1.9)
    panels[3].legend(loc="lower right", fontsize=9)
    figure.suptitle("softmax(z / T): the same logits, sharper or flatter", fontweight="bold")
    return figure


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


def preactivations(network: "nn.Module", images: "Tensor") -> "list[Tensor]":
    """What goes into each hidden layer's activation. Shapes: (batch, width) each."""
    import torch

    found: list[Tensor] = []
    layers = [layer for layer in network.modules() if isinstance(layer, foundations.Linear)][:-1]  # but the head
    hooks = [layer.register_forward_hook(lambda layer, inputs, output: found.append(output)) for layer in layers]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return found


def silent_share(network: "nn.Module", images: "Tensor") -> float:
    """The share of hidden units that none of `images` lifts above 0, the mean over the layers."""
    shares = [float((z.amax(dim=0) <= 0).float().mean()) for z in preactivations(network, images)]
    return sum(shares) / len(shares)


def gradients_back(network: "foundations.MLP", images: "Tensor", streams: "foundations.Streams") -> list[float]:
    """The gradient's size at the output of each hidden layer, when a random one of length 1 is sent back."""
    import torch

    outputs = [images]
    for layer in network.body.children():
        outputs.append(layer(outputs[-1]))
    outputs = outputs[2:]  # without the images, and as rows
    sent = torch.randn(outputs[-1].shape, generator=streams.torch("sent"), dtype=images.dtype)
    found = torch.autograd.grad(outputs[-1], outputs, sent / sent.norm())
    return [float(gradient.norm()) for gradient in found]


def _send_back(config: Config, run: kit.Run, images: "Tensor") -> None:
    """Gradients through a deep network for every activation: with weights that keep sizes, and with its own gain."""
    images = images.cpu().double()
    images = (images - images.mean()) / images.std()
    sizes = (images.shape[1], *[config.width] * config.depth, 10)
    rows: list[dict[str, object]] = []
    came_back: dict[tuple[str, str], list[float]] = {}
    for name in NAMES:
        own = foundations.initializers.gain({"identity": "linear"}.get(name, name))
        for kind, gain in {"1": 1.0, "own": own}.items():
            network = build(sizes, name, gain, 0.0, run.streams).double()
            came_back[kind, name] = gradients_back(network, images, run.streams)
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
    run.figure("gradient_through_layers", draw_gradients(came_back))


def typical_slope(network: "foundations.MLP", name: str, images: "Tensor") -> float:
    """The root of the mean squared slope of a layer's units, its geometric mean over the hidden layers."""
    slopes = getattr(foundations.activations, f"{name}_derivative")
    squares = [float(slopes(z).square().mean()) for z in preactivations(network, images)]
    return math.exp(sum(math.log(square) for square in squares) / len(squares) / 2)


def draw_gradients(came_back: Mapping[tuple[str, str], list[float]]) -> "Figure":
    """The gradient's size over the layers, one curve an activation; a panel for each kind of gain."""
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(10.5, 4.4), sharey=True)
    titles = {"1": "Weights from N(0, 1/n): slopes alone decide", "own": "Weights scaled by the activation's own gain"}
    for axes, (kind, title) in zip(panels, titles.items(), strict=True):
        for name, colour in zip(NAMES, (*kit.figures.COLOURS, "grey"), strict=True):
            values, dashed = came_back[kind, name], name in ("leaky_relu", "silu")  # each lies upon the one before it
            axes.plot(range(1, len(values) + 1), values, color=colour, linestyle="--" if dashed else "-", linewidth=1.8)
        axes.set(title=title, yscale="log", xlabel="hidden layer (1 is next to the image)")
        axes.set_ylim(1e-8, 1e3)
    panels[0].set_ylabel("size of the gradient (1 where it is sent)")
    names = [name.replace("_", " ") for name in NAMES]
    figure.legend(panels[0].lines, names, loc="outside lower center", ncols=8, fontsize=9)
    return figure


# --- units that die ---------------------------------------------------------------------------------------------------


def _train(
    config: Config, run: kit.Run, images: "Tensor", labels: "Tensor", probes: "Tensor", probe_labels: "Tensor"
) -> None:
    """Families of networks, one activation after the other; then what is left alive."""
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
    rows = []
    for activation, start, rate in product(TRAINED, STARTS, config.learning_rates):
        row: dict[str, object] = {"activation": activation, "first biases": start, "learning rate": rate}
        for name in found:
            values = repeats(found, name, activation, start, rate)
            mean = sum(values) / len(values)
            row |= {name: round(mean, 4), f"least {name}": round(min(values), 4), f"most {name}": round(max(values), 4)}
            if rate == max(config.learning_rates) and start == 0:
                run.summary({f"{name.replace(' ', '_')}_at_largest_rate/{activation}": mean})
        rows.append(row)
    run.table("silent_units", rows)
    run.figure("silent_units", draw_silent(found, config.learning_rates))


def repeats(found: Found, name: str, activation: str, start: float, rate: float) -> list[float]:
    """The figure `name` of every repeat of one setting."""
    return [value for key, value in found[name].items() if key[:3] == (activation, start, rate)]


def draw_silent(found: Found, rates: tuple[float, ...]) -> "Figure":
    """Silent units and accuracy over the learning rate, a column for each start: every repeat, and their mean."""
    from matplotlib import pyplot as plt

    colours = kit.figures.COLOURS
    figure, grid = plt.subplots(2, 2, figsize=(9.6, 6), sharex=True, sharey=True)
    for (i, name), (j, start) in product(enumerate(found), enumerate(STARTS)):
        for k, (activation, marker) in enumerate(zip(TRAINED, MARKERS, strict=True)):
            values = [repeats(found, name, activation, start, rate) for rate in rates]
            beside = [rate * 1.08 ** (k - 1) for rate in rates]  # so that equal ones can all be seen
            means = [sum(each) / len(each) for each in values]
            grid[i, j].plot(beside, means, color=colours[k], linestyle="-", label=activation.replace("_", " "))
            grid[i, j].plot(beside, values, color=colours[k], linestyle="", marker=marker, alpha=0.6)
        grid[i, j].set(xscale="log", ylim=(-0.04, 1.04))
    for j, start in enumerate(STARTS):
        grid[0, j].set_title("Biases begin at 0" if start == 0 else f"Biases begin at {start:g}: many begin silent")
        grid[1, j].set_xlabel("learning rate")
    grid[0, 0].set_ylabel("share of hidden units silent\n(no image lifts them above 0)")
    grid[1, 0].set_ylabel("accuracy on test images")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    title = "Large steps and low biases silence units with ReLU and leaky ReLU; with ELU they stay awake"
    figure.suptitle(f"{title}\n(marks: repeats, lines: means)", fontsize=11, fontweight="bold")
    return figure


if __name__ == "__main__":
    kit.launch(main)
