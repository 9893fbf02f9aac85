"""Gradient descent on linear regression: full batch, mini-batch, one sample at a time, and how large a step may be.

Two standardised measures of 442 patients (body mass index, log triglycerides) predict how far diabetes went in a year.
The best weights are known in closed form, so that the distance to them can be drawn: the full batch gets there to
1e-6; with a constant rate noisy gradients stop at a floor; a decaying rate gets below it. The loss is a bowl of known
curvature, hence the learning rate up to which descent is stable: 2 / lambda_max.
Data: Efron et al. 2004, Annals of Statistics 32(2), from scikit-learn. Robbins & Monro 1951 (decaying rates).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from foundations.learner import Metrics
    from foundations.schedules import Schedule

topic = "foundations"
FEATURES = ("bmi", "s5")
START = (-0.6, 1.1)


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


class Problem:
    """Linear regression without intercept: L(w) = mean (x w - y)^2, its minimum and its curvature.

    Shapes: x (patients, 2), y (patients, 1), both standardised.
    """

    def __init__(self) -> None:
        import numpy as np
        import torch
        from sklearn.datasets import load_diabetes

        table = load_diabetes(scaled=False)
        chosen = table.data[:, [table.feature_names.index(name) for name in FEATURES]]
        x = (chosen - chosen.mean(0)) / chosen.std(0)
        y = (table.target - table.target.mean()) / table.target.std()
        self.best = np.linalg.lstsq(x, y, rcond=None)[0]  # closed form: (x^T x)^-1 x^T y
        self.hessian = 2 * x.T @ x / len(x)
        self.curvatures = np.linalg.eigvalsh(self.hessian)
        self.least_loss = float(np.mean((x @ self.best - y) ** 2))
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y).unsqueeze(1)

    @property
    def stable_below(self) -> float:
        """Full-batch descent multiplies the error along curvature lambda by 1 - lr lambda: it shrinks below this."""
        return float(2 / self.curvatures[-1])

    @property
    def best_rate(self) -> float:
        """The rate that shrinks steepest and flattest direction alike, 2 / (lambda_min + lambda_max)."""
        return float(2 / self.curvatures.sum())

    def shrinks_by(self, rate: float) -> float:
        """The factor on the distance that a step leaves in the worst direction."""
        return float(abs(1 - rate * self.curvatures).max())

    def noise_floor(self, rate: float, batch_size: int) -> float:
        """Root mean square distance where steps stay noisy, sqrt(lr s^2 d / B) to first order.

        For batches of B samples drawn with replacement, d weights, s^2 the least loss. Batches of reshuffled epochs, as
        here, stay below it where they are a good part of the data: their errors cancel within the epoch.
        """
        return math.sqrt(rate * self.least_loss * len(self.best) / batch_size)

    def excess(self, weights: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """L(w) - L(best) = (w - best)^T H (w - best) / 2. Shapes: weights (..., 2) -> (...)."""
        away = weights - self.best
        found: NDArray[np.float64] = ((away @ self.hessian) * away).sum(-1) / 2
        return found


class Descent:
    """Descent on a problem from `START`, remembering each point of its path. Yields loss and distance to the best."""

    def __init__(
        self,
        problem: Problem,
        rate: float,
        batch_size: int,
        streams: "foundations.Streams",
        schedule: "Schedule | None" = None,
    ) -> None:
        import torch

        self.problem, self.rate, self.batch_size = problem, rate, batch_size
        network = foundations.Linear(2, 1, bias=False).double()
        with torch.no_grad():
            network.weight.copy_(torch.tensor([START]))
        self._learner = foundations.SupervisedLearner(
            network,
            foundations.SGD(network.parameters(), lr=rate),
            foundations.losses.mean_squared_error,
            problem.x,
            problem.y,
            batch_size=batch_size,
            schedule=schedule,
            streams=streams,
        )
        self._weight = network.weight
        self._path = [tuple(START)]

    def learn(self) -> "Iterator[Metrics]":
        """One update at a time."""
        for metrics in self._learner.learn():
            here = self._weight.detach()[0].tolist()
            self._path.append((here[0], here[1]))
            yield {**metrics, "distance": math.dist(here, self.problem.best)}

    def state_dict(self) -> dict[str, Any]:
        """The learner, and the path so far."""
        return {"learner": self._learner.state_dict(), "path": [list(point) for point in self._path]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._learner.load_state_dict(state["learner"])
        self._path = [tuple(point) for point in state["path"]]

    @property
    def path(self) -> "NDArray[np.float64]":
        """Every point so far, the start included: (updates + 1, 2)."""
        import numpy as np

        return np.array(self._path)

    @property
    def distances(self) -> "NDArray[np.float64]":
        """How far each point of the path is from the best weights."""
        import numpy as np

        found: NDArray[np.float64] = np.linalg.norm(self.path - self.problem.best, axis=1)
        return found

    @property
    def epochs(self) -> "NDArray[np.float64]":
        """Passes over the data at each point of the path."""
        import numpy as np

        return np.arange(len(self._path)) * self.batch_size / len(self.problem.x)


def main(config: Config, run: kit.Run) -> None:
    """Descend in every way, then compare with the closed form."""
    from labs.drawings import gradient_descent as drawings

    problem = Problem()
    count = len(problem.x)
    foundations.require(
        config.batch_size <= count, "batch_size", config.batch_size, f"at most {count}, the number of patients"
    )
    ways = _ways(problem, config, run)
    rates = _rates(problem, config, run)
    floors = {"mini-batch": config.batch_size, "stochastic": 1}
    rows = []
    for name, way in ways.items():
        last = way.distances[-len(way.distances) // 4 :]
        expected = f"{problem.noise_floor(way.rate, floors[name]):.3f}" if name in floors else "0"
        rows.append(
            {
                "descent": name,
                "samples a step": way.batch_size,
                "learning rate": f"{way.rate:.3f}",
                "updates": len(way.path) - 1,
                "distance to the closed form": f"{way.distances[-1]:.2g}",
                "rms distance, last quarter": f"{math.sqrt((last**2).mean()):.2g}",
                "floor in theory": expected,
            }
        )
    run.table("ways", rows)
    run.table("learning_rates", _rate_rows(problem, rates))
    run.figure("paths", drawings.draw_paths(problem, ways))
    run.figure("distance_to_the_closed_form", drawings.draw_distances(problem, ways))
    run.figure("learning_rates", drawings.draw_rates(problem, rates))
    run.summary(
        {
            "stable_below": problem.stable_below,
            **{
                f"distance/{name.replace(', ', '_').replace(' ', '_')}": way.distances[-1] for name, way in ways.items()
            },
        }
    )


def _ways(problem: Problem, config: Config, run: kit.Run) -> dict[str, Descent]:
    """Full batch, mini-batch, stochastic, and stochastic with a decaying rate."""
    count, rate = len(problem.x), config.learning_rate

    def inverse_time(step: int) -> float:
        return 1 / (1 + step / config.decay_steps)

    def follow(phase: str, way: Descent, updates: int) -> Descent:
        for _ in run.follow(way, steps=updates, examples_per_step=way.batch_size, name=phase):
            pass
        return way

    streams = run.streams.child("order")
    batches = config.epochs * (count // config.batch_size)
    return {
        "full batch": follow("full_batch", Descent(problem, problem.best_rate, count, streams), config.updates),
        "mini-batch": follow("mini_batch", Descent(problem, rate, config.batch_size, streams), batches),
        "stochastic": follow("stochastic", Descent(problem, rate, 1, streams), config.epochs * count),
        "stochastic, decaying rate": follow(
            "decaying", Descent(problem, rate, 1, streams, inverse_time), config.epochs * count
        ),
    }


def _rates(problem: Problem, config: Config, run: kit.Run) -> dict[str, Descent]:
    """Full-batch descent with rates below, at and above what is stable."""
    shares = {"too small": 0.03, "right": problem.best_rate / problem.stable_below, "zigzag": 0.96, "too large": 1.03}
    rates = {}
    for name, share in shares.items():
        rates[name] = Descent(problem, share * problem.stable_below, len(problem.x), run.streams)
        for _ in run.follow(rates[name], steps=config.updates, name=f"rate_{name.replace(' ', '_')}"):
            pass
    return rates


def _rate_rows(problem: Problem, rates: Mapping[str, Descent]) -> list[dict[str, object]]:
    """The distance's factor a step: the mean over the second half of the steps, and the theory's |1 - lr lambda|."""
    rows: list[dict[str, object]] = []
    for name, way in rates.items():
        distances = way.distances[: max(2, int((way.distances > 1e-12).sum()))]  # below, rounding is all that is left
        half = (len(distances) - 1) // 2
        measured = (distances[-1] / distances[half]) ** (1 / (len(distances) - 1 - half))
        rows.append(
            {
                "learning rate": f"{way.rate:.3f} ({name})",
                "share of 2 / lambda_max": f"{way.rate / problem.stable_below:.2f}",
                "factor a step, measured": f"{measured:.4f}",
                "in theory": f"{problem.shrinks_by(way.rate):.4f}",
                "distance at last": f"{way.distances[-1]:.2g}",
            }
        )
    return rows


if __name__ == "__main__":
    kit.launch(main)
