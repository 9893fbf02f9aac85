"""What one neuron can learn, and what needs a hidden layer: AND, OR, XOR and two moons.

Rosenblatt's perceptron and logistic regression each draw one straight line. AND and OR need no more; XOR cannot be had
for any line (at best three corners of four), nor can two interlocking moons be parted. A hidden layer bends the line.
Each model stands beside scikit-learn's, over several seeds. (Rosenblatt 1958; Minsky & Papert 1969, "Perceptrons".)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

topic = "foundations"
PROBLEMS = {"and": "AND", "or": "OR", "xor": "XOR", "moons": "two moons"}
MODELS = {"perceptron": "perceptron", "logistic": "logistic regression", "mlp": "MLP, one hidden layer"}
CORNERS = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
TRUTH = {"and": (0, 0, 0, 1), "or": (0, 1, 1, 1), "xor": (0, 1, 1, 0)}


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    repetitions: kit.Count = 5
    """Repetitions, each with its own points and first weights; the figures show the first."""
    points: kit.Count = 100
    """Training points at each corner of AND, OR and XOR; the moons get four times as many. As many more for testing."""
    corner_noise: kit.Rate = 0.08
    """Standard deviation of the points around their corner, where the corners are 1 apart."""
    moon_noise: kit.Rate = 0.1
    """Standard deviation of the points around their moon, whose radius is 1."""
    epochs: kit.Count = 30
    """Passes of the perceptron over its points, unless it rests before."""
    steps: kit.Count = 1_000
    """Updates of logistic regression and MLP."""
    batch_size: kit.Count = 50
    """Points an update."""
    learning_rate: kit.Rate = 0.05
    """Adam's step size at the beginning; it falls in a straight line to 0."""
    hidden: kit.Count = 16
    """Neurons of the MLP's hidden layer; XOR can be had with 2, but not from every start."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"repetitions": 2, "points": 50, "epochs": 10, "steps": 300},
        "full": {"repetitions": 20, "points": 500, "steps": 2_000},
    }
    useful_threads: ClassVar[int] = 1


class Problem(NamedTuple):
    """Points (n, 2) and classes (n), to learn from and to be tested on."""

    inputs: "Tensor"
    labels: "Tensor"
    test_inputs: "Tensor"
    test_labels: "Tensor"


class Pair(NamedTuple):
    """A model of ours and scikit-learn's on one problem: from points to the probability of class 1."""

    problem: Problem
    own: Callable[["Tensor"], "Tensor"]
    peer: Callable[["Tensor"], "Tensor"]


def main(config: Config, run: kit.Run) -> None:
    """Every model on every problem, with every seed; then tables and pictures."""
    shown: dict[tuple[str, str], Pair] = {}
    rows, summary = [], {}
    for problem in PROBLEMS:
        for model in MODELS:
            pairs = [train_pair(problem, model, seed, config, run) for seed in range(config.repetitions)]
            shown[problem, model] = pairs[0]
            row, mean = _row(problem, model, pairs)
            rows.append(row)
            summary[f"{problem}/{model}"] = mean
    run.table("test_accuracy", rows)
    run.figure("decision_boundaries", _draw_boundaries(shown))
    run.figure("mistakes_of_the_perceptron", _draw_mistakes(config, run))
    run.summary(summary)


def make_problem(name: str, config: Config, streams: "foundations.Streams") -> Problem:
    """Training and test points of the problem `name`, of the same kind, drawn apart."""
    import torch

    def draw(part: str) -> tuple["Tensor", "Tensor"]:
        if name == "moons":
            return _moons(config, int(streams.numpy(part).integers(2**31)))
        labels = torch.tensor(TRUTH[name]).repeat(config.points)
        noise = torch.randn(len(labels), 2, generator=streams.torch(part))
        return torch.tensor(CORNERS).repeat(config.points, 1) + config.corner_noise * noise, labels

    return Problem(*draw("training"), *draw("test"))


def _moons(config: Config, seed: int) -> tuple["Tensor", "Tensor"]:
    import torch
    from sklearn.datasets import make_moons

    points, labels = make_moons(4 * config.points, noise=config.moon_noise, random_state=seed)
    return torch.from_numpy(points).float(), torch.from_numpy(labels)


def train_pair(name: str, model: str, seed: int, config: Config, run: kit.Run) -> Pair:
    """One model, ours and theirs, on one problem; the run watches over the first seed."""
    streams = run.streams.child(f"seed {seed}")
    problem = make_problem(name, config, streams.child(name))
    phase = f"{name}_{model}" if seed == 0 else None
    mine = streams.child(name).child(model)
    if model == "perceptron":
        own = _train_perceptron(problem, mine, config, run, phase)
    else:
        own = _train_network(problem, model, mine, config, run, phase)
    return Pair(problem, own, _fit_peer(model, problem, config, seed))


def _train_perceptron(
    problem: Problem, streams: "foundations.Streams", config: Config, run: kit.Run, phase: str | None
) -> Callable[["Tensor"], "Tensor"]:
    """On the CPU always: it looks at one point at a time."""
    perceptron = foundations.Perceptron(problem.inputs, problem.labels, generator=streams.torch("order"))
    _train(perceptron, config.epochs, run, phase, examples=len(problem.inputs))
    return lambda points: perceptron.predict(points).float()


def _train_network(
    problem: Problem, model: str, streams: "foundations.Streams", config: Config, run: kit.Run, phase: str | None
) -> Callable[["Tensor"], "Tensor"]:
    """Logistic regression is one sigmoid neuron; the MLP has a hidden layer before it. Training is the same."""
    generator = streams.torch("weights")
    sizes = (2, config.hidden, 1)
    neuron = foundations.Linear(2, 1, generator=generator) if model == "logistic" else None
    network = (neuron or foundations.MLP(sizes, "tanh", generator=generator)).to(run.device)
    learner = foundations.SupervisedLearner(
        network,
        foundations.Adam(network.parameters(), lr=config.learning_rate),
        foundations.losses.binary_cross_entropy_from_logits,
        problem.inputs.to(run.device),
        problem.labels.float()[:, None].to(run.device),
        batch_size=config.batch_size,
        schedule=foundations.schedules.linear_decay(config.steps),
        streams=streams,
    )
    _train(learner, config.steps, run, phase, examples=config.batch_size)
    if phase == "xor_mlp":
        run.model(phase, network, problem.test_inputs[:8].to(run.device))
    return lambda points: foundations.predict(network, points.to(run.device)).sigmoid()[:, 0].cpu()


def _train(learner: "foundations.Learner", steps: int, run: kit.Run, phase: str | None, *, examples: int) -> None:
    """So many updates: as a phase of the run, or, without one, unwatched."""
    if phase is None:
        for _ in zip(range(steps), learner.learn(), strict=False):
            pass
        return
    for _, metrics in run.follow(learner, steps=steps, examples_per_step=examples, name=phase):
        if "errors" in metrics:
            run.log({"mistakes": metrics["errors"]})  # kept for every epoch, to be drawn


def _fit_peer(model: str, problem: Problem, config: Config, seed: int) -> Callable[["Tensor"], "Tensor"]:
    import torch
    from sklearn.linear_model import LogisticRegression, Perceptron
    from sklearn.neural_network import MLPClassifier

    peers = {
        "perceptron": lambda: Perceptron(max_iter=config.epochs, tol=None, random_state=seed),
        "logistic": lambda: LogisticRegression(),
        "mlp": lambda: MLPClassifier(
            (config.hidden,), "tanh", solver="lbfgs", max_iter=2_000, max_fun=10_000, random_state=seed
        ),
    }
    peer: Any = peers[model]().fit(problem.inputs.numpy(), problem.labels.numpy())
    if model == "perceptron":
        return lambda points: torch.from_numpy(peer.predict(points.numpy())).float()
    return lambda points: torch.from_numpy(peer.predict_proba(points.numpy())[:, 1])


def accuracy(problem: Problem, probability: Callable[["Tensor"], "Tensor"]) -> float:
    """The share of the test points whose class has the larger probability."""
    return float(((probability(problem.test_inputs) > 0.5) == (problem.test_labels == 1)).double().mean())


def _row(problem: str, model: str, pairs: list[Pair]) -> tuple[dict[str, object], float]:
    """Mean, lowest and highest test accuracy over the seeds, in per cent."""
    row: dict[str, object] = {"problem": PROBLEMS[problem], "model": MODELS[model]}
    ours = [accuracy(pair.problem, pair.own) for pair in pairs]
    theirs = [accuracy(pair.problem, pair.peer) for pair in pairs]
    for name, values in {"ours": ours, "scikit-learn": theirs}.items():
        row[f"{name}, mean %"] = round(100 * sum(values) / len(values), 2)
        row[f"{name}, lowest to highest %"] = f"{100 * min(values):.1f} to {100 * max(values):.1f}"
    return row, sum(ours) / len(ours)


# --- pictures ---------------------------------------------------------------------------------------------------------


def _draw_boundaries(shown: dict[tuple[str, str], Pair]) -> "Figure":
    """A row a problem, a column a model: what it says of every point of the plane."""
    blue, orange = kit.figures.COLOURS[:2]  # named first: `kit.figures` then sets how pyplot draws
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D

    figure, axes = plt.subplots(len(PROBLEMS), len(MODELS), figsize=(9.5, 11.5), squeeze=False)
    for row, problem in enumerate(PROBLEMS):
        for column, model in enumerate(MODELS):
            panel = axes[row, column]
            _draw_panel(panel, shown[problem, model])
            right = accuracy(shown[problem, model].problem, shown[problem, model].own)
            panel.set_title(f"{PROBLEMS[problem]}: {right:.1%} right", loc="left", fontsize=10)
            panel.set_ylabel(r"input $x_2$" if column == 0 else "")
            panel.set_xlabel(r"input $x_1$" if row == len(PROBLEMS) - 1 else "")
    for column, title in enumerate(MODELS.values()):
        axes[0, column].annotate(title, (0.5, 1.2), xycoords="axes fraction", ha="center", fontsize=12)
    handles = [
        Line2D([], [], linestyle="none", marker="o", color=blue, label="test points of class 0"),
        Line2D([], [], linestyle="none", marker="^", color=orange, label="of class 1"),
        Line2D([], [], color="black", linestyle="-", label="our boundary"),
        Line2D([], [], color="black", linestyle=":", label="scikit-learn's"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    figure.suptitle("One neuron draws one straight line; a hidden layer bends it", weight="bold")
    return figure


def _draw_panel(panel: "Axes", pair: Pair) -> None:
    """The plane shaded by the probability of class 1; both boundaries; the test points."""
    import torch
    from matplotlib.colors import LinearSegmentedColormap

    points = pair.problem.test_inputs
    low, high = points.amin(0) - 0.3, points.amax(0) + 0.3
    xs, ys = torch.linspace(low[0], high[0], 120), torch.linspace(low[1], high[1], 120)
    plane = torch.cartesian_prod(xs, ys)
    ours, theirs = (each(plane).reshape(120, 120).T for each in (pair.own, pair.peer))
    blue, orange = kit.figures.COLOURS[:2]
    shades = LinearSegmentedColormap.from_list("classes", ["#B3D5EA", "white", "#F5CDB0"])
    limits = float(low[0]), float(high[0]), float(low[1]), float(high[1])
    panel.imshow(ours, extent=limits, origin="lower", aspect="auto", cmap=shades, vmin=0, vmax=1)
    for values, style in ((ours, "-"), (theirs, ":")):
        panel.contour(xs, ys, values, levels=[0.5], colors="black", linewidths=1.4, linestyles=style)
    for label, colour, marker in ((0, blue, "o"), (1, orange, "^")):
        mine = points[pair.problem.test_labels == label]
        panel.scatter(mine[:, 0], mine[:, 1], s=9, color=colour, marker=marker, linewidths=0, alpha=0.8)
    panel.grid(visible=False)


def _draw_mistakes(config: Config, run: kit.Run) -> "Figure":
    """The mistakes of each epoch: they end where a line parts the classes, and nowhere else."""
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    figure, axes = plt.subplots(figsize=(6.4, 3.8))
    for problem, title in PROBLEMS.items():
        epochs, mistakes = run.history(f"{problem}_perceptron/mistakes")
        share = [100 * count / (4 * config.points) for count in mistakes]
        rests = " (rests)" if mistakes and mistakes[-1] == 0 else " (never rests)"
        axes.plot(epochs, share, marker="o", markersize=3.5, label=title + rests)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_title("The perceptron's mistakes end only where one line parts the classes", loc="left")
    axes.set_xlabel("epoch (pass over the training points)")
    axes.set_ylabel("mistakes, % of the points")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    return figure


if __name__ == "__main__":
    kit.launch(main)
