"""What one neuron can learn, and what needs a hidden layer: AND, OR, XOR and two moons.

Rosenblatt's perceptron and logistic regression each draw one straight line. AND and OR need no more; no line separates
the classes of XOR (at best three corners of four are right), nor those of two interlocking moons. A hidden layer bends
the line. Each model stands beside scikit-learn's, over several seeds.
Sources: Rosenblatt 1958, Psychological Review 65(6); Minsky & Papert 1969, "Perceptrons".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
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
    """Passes of the perceptron over its points at most; it ends after one without a mistake."""
    steps: kit.Count = 1_000
    """Updates of logistic regression and MLP."""
    batch_size: kit.Count = 50
    """Points an update."""
    learning_rate: kit.Rate = 0.05
    """Adam's step size at the beginning; it falls in a straight line to 0."""
    hidden: kit.Count = 16
    """Neurons of the MLP's hidden layer; 2 are enough for XOR, but not from all first weights."""

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
    from labs.drawings import perceptron as drawings

    count = 4 * config.points
    require(config.batch_size <= count, "batch_size", config.batch_size, f"at most {count:,}, the training points")
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
    run.figure("decision_boundaries", drawings.draw_boundaries(shown))
    mistakes = {name: mistake_shares(name, config, run) for name in PROBLEMS}
    run.figure("mistakes_of_the_perceptron", drawings.draw_mistakes(mistakes))
    run.summary(summary)


def make_problem(name: str, config: Config, streams: "foundations.Streams") -> Problem:
    """Training and test points of the problem `name`, drawn independently from the same distribution."""
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
    """One model, ours and scikit-learn's, on one problem; the first seed is a phase of the run."""
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
    """Make so many updates, as the phase `phase` of the run, or outside of the run where it is None."""
    if phase is None:
        for _ in zip(range(steps), learner.learn(), strict=False):
            pass
        return
    for _, metrics in run.follow(learner, steps=steps, examples_per_step=examples, name=phase):
        if "errors" in metrics:
            run.log({"mistakes": metrics["errors"]})  # of every epoch, for the figure


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


def mistake_shares(problem: str, config: Config, run: kit.Run) -> tuple[list[int], list[float]]:
    """Epochs of the first perceptron, and its mistakes in each, in % of the points."""
    epochs, mistakes = run.history(f"{problem}_perceptron/mistakes")
    return epochs, [100 * count / (4 * config.points) for count in mistakes]


def _row(problem: str, model: str, pairs: list[Pair]) -> tuple[dict[str, object], float]:
    """Mean, lowest and highest test accuracy over the seeds, in per cent."""
    row: dict[str, object] = {"problem": PROBLEMS[problem], "model": MODELS[model]}
    ours = [accuracy(pair.problem, pair.own) for pair in pairs]
    theirs = [accuracy(pair.problem, pair.peer) for pair in pairs]
    for name, values in {"ours": ours, "scikit-learn": theirs}.items():
        row[f"{name}, mean %"] = round(100 * sum(values) / len(values), 2)
        row[f"{name}, lowest to highest %"] = f"{100 * min(values):.1f} to {100 * max(values):.1f}"
    return row, sum(ours) / len(ours)


if __name__ == "__main__":
    kit.launch(main)
