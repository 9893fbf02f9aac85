"""Gradient descent on linear regression: full batch, mini-batch, one sample at a time, and how large a step may be.

Two standardised measures of 442 patients (body mass index, log triglycerides) predict how far diabetes went in a year.
The best weights are known in closed form, so that the distance to them can be drawn: the full batch gets there to
1e-6; with a constant rate noisy gradients stop at a floor; a decaying rate gets below it. The loss is a bowl of known
curvature, hence the learning rate up to which descent is stable: 2 / lambda_max.
Data: Efron et al. 2004, Annals of Statistics 32(2), from scikit-learn. Robbins & Monro 1951 (decaying rates).
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    from foundations.linear_regression import Descent, LeastSquares
    from foundations.schedules import Schedule

topic = "foundations"
FEATURES = ("bmi", "s5")
START = (-0.6, 1.1)
"""Weights at which every descent begins."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    epochs: kit.Count = 40
    """Passes over the patients of mini-batch and stochastic descent."""
    updates: kit.Count = 40
    """Updates of full-batch descent."""
    batch_size: kit.Count = 32
    """Patients in a mini-batch."""
    learning_rate: kit.Rate = 0.05
    """Step size of mini-batch and stochastic descent; larger is faster at first and noisier in the end."""
    decay_steps: kit.Count = 100
    """Updates after which the decaying rate is half of the first: 1 / (1 + step / decay_steps)."""

    presets: ClassVar[kit.Presets] = {"smoke": {"epochs": 3}, "full": {"epochs": 400}}
    useful_threads: ClassVar[int] = 1


def main(config: Config, run: kit.Run) -> None:
    """Descend in every way, then compare with the closed form."""
    from labs.drawings import gradient_descent as drawings

    problem = load()
    count, size = len(problem.x), config.batch_size
    foundations.require(size <= count, "batch_size", size, f"at most {count}, the number of patients")
    ways = _ways(problem, config, run)
    rates = _rates(problem, config, run)
    run.table("ways", [_way_row(problem, name, way) for name, way in ways.items()])
    run.table("learning_rates", [_rate_row(problem, name, way) for name, way in rates.items()])
    run.figure("paths", drawings.draw_paths(problem, ways))
    run.figure("distance_to_the_closed_form", drawings.draw_distances(problem, ways))
    run.figure("learning_rates", drawings.draw_rates(problem, rates))
    run.summary({"stable_below": problem.stable_below})
    run.summary({f"distance/{_word(name)}": way.distances[-1] for name, way in ways.items()})


def load() -> "LeastSquares":
    """The patients' measures and how far their diabetes went, all standardised."""
    import torch
    from sklearn.datasets import load_diabetes

    table = load_diabetes(scaled=False)
    chosen = table.data[:, [table.feature_names.index(name) for name in FEATURES]]
    x = (chosen - chosen.mean(0)) / chosen.std(0)
    y = (table.target - table.target.mean()) / table.target.std()
    return foundations.linear_regression.LeastSquares(torch.from_numpy(x), torch.from_numpy(y).unsqueeze(1))


def _word(name: str) -> str:
    return name.replace(",", "").replace(" ", "_")


def _ways(problem: "LeastSquares", config: Config, run: kit.Run) -> "dict[str, Descent]":
    """Full batch, mini-batch, stochastic, and stochastic with a decaying rate."""
    count, rate, epochs = len(problem.x), config.learning_rate, config.epochs

    def inverse_time(step: int) -> float:
        return 1 / (1 + step / config.decay_steps)

    def follow(phase: str, updates: int, rate: float, size: int, schedule: "Schedule | None" = None) -> "Descent":
        streams = run.streams.child("order")
        way = foundations.linear_regression.Descent(problem, START, rate, size, streams, schedule)
        for _ in run.follow(way, steps=updates, examples_per_step=size, name=phase):
            pass
        return way

    return {
        "full batch": follow("full_batch", config.updates, problem.best_rate, count),
        "mini-batch": follow("mini_batch", epochs * (count // config.batch_size), rate, config.batch_size),
        "stochastic": follow("stochastic", epochs * count, rate, 1),
        "stochastic, decaying rate": follow("decaying", epochs * count, rate, 1, inverse_time),
    }


def _rates(problem: "LeastSquares", config: Config, run: kit.Run) -> "dict[str, Descent]":
    """Full-batch descent with rates below, at and above what is stable."""
    bound, count, rates = problem.stable_below, len(problem.x), {}
    shares = {"too small": 0.03, "right": problem.best_rate / bound, "zigzag": 0.96, "too large": 1.03}
    for name, share in shares.items():
        way = foundations.linear_regression.Descent(problem, START, share * bound, count, run.streams)
        for _ in run.follow(way, steps=config.updates, name=f"rate_{_word(name)}"):
            pass
        rates[name] = way
    return rates


def _way_row(problem: "LeastSquares", name: str, way: "Descent") -> dict[str, object]:
    last = way.distances[-len(way.distances) // 4 :]
    noisy = name in ("mini-batch", "stochastic")
    return {
        "descent": name,
        "samples a step": way.batch_size,
        "learning rate": f"{way.rate:.3f}",
        "updates": len(way.path) - 1,
        "distance to the closed form": f"{way.distances[-1]:.2g}",
        "rms distance, last quarter": f"{math.sqrt((last**2).mean()):.2g}",
        "floor in theory": f"{problem.noise_floor(way.rate, way.batch_size):.3f}" if noisy else "0",
    }


def _rate_row(problem: "LeastSquares", name: str, way: "Descent") -> dict[str, object]:
    """The distance's factor a step: the mean over the second half of the steps, and the theory's |1 - lr lambda|."""
    distances = way.distances[: max(2, int((way.distances > 1e-12).sum()))]  # below, rounding is all that is left
    half = (len(distances) - 1) // 2
    measured = (distances[-1] / distances[half]) ** (1 / (len(distances) - 1 - half))
    return {
        "learning rate": f"{way.rate:.3f} ({name})",
        "share of 2 / lambda_max": f"{way.rate / problem.stable_below:.2f}",
        "factor a step, measured": f"{measured:.4f}",
        "in theory": f"{problem.shrinks_by(way.rate):.4f}",
        "distance at last": f"{way.distances[-1]:.2g}",
    }


if __name__ == "__main__":
    kit.launch(main)
