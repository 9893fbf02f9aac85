"""Linear regression by gradient descent: the loss is a bowl of known shape, so theory says how each descent goes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foundations.errors import require
from foundations.layers import Linear
from foundations.learner import Metrics
from foundations.losses import mean_squared_error
from foundations.optimizers import SGD
from foundations.schedules import Schedule
from foundations.streams import Streams
from foundations.training import SupervisedLearner

Array = NDArray[np.float64]


class LeastSquares:
    """Linear regression without intercept: L(w) = mean (x w - y)^2, its minimum and its curvature.

    `best`, the minimum in closed form, is (x^T x)^-1 x^T y; the Hessian H = 2 x^T x / n is the same everywhere, and
    `curvatures` are its eigenvalues lambda, in ascending order.
    Shapes: x (n, d), y (n, 1), best and curvatures (d), hessian (d, d), all float64.
    Raises: InputError for other shapes and types, and for columns of x that depend linearly on each other.
    """

    def __init__(self, x: Tensor, y: Tensor) -> None:
        require(x.dim() == 2 and len(x) >= 1, "x shape", tuple(x.shape), "(n, d), n at least 1")
        require(y.shape == (len(x), 1), "y shape", tuple(y.shape), f"({len(x)}, 1), a row for each of x")
        for name, values in (("x", x), ("y", y)):
            require(values.dtype == torch.float64, f"{name} dtype", values.dtype, "float64; convert with .double()")
        rank = int(torch.linalg.matrix_rank(x))
        require(rank == x.shape[1], "rank of x", rank, f"{x.shape[1]}: no column may be a combination of others")
        self.x, self.y = x, y
        rows, targets = x.numpy(), y[:, 0].numpy()
        self.best: Array = np.linalg.lstsq(rows, targets, rcond=None)[0]
        self.hessian: Array = 2 * rows.T @ rows / len(rows)
        self.curvatures: Array = np.linalg.eigvalsh(self.hessian)
        self.least_loss = float(np.mean((rows @ self.best - targets) ** 2))

    @property
    def stable_below(self) -> float:
        """2 / lambda_max: a step of full-batch descent multiplies the error along curvature lambda by 1 - lr lambda."""
        return float(2 / self.curvatures[-1])

    @property
    def best_rate(self) -> float:
        """2 / (lambda_min + lambda_max): the errors along the steepest and the flattest direction shrink alike."""
        return float(2 / (self.curvatures[0] + self.curvatures[-1]))

    def shrinks_by(self, rate: float) -> float:
        """The factor that a step of the full batch leaves of the error in the worst direction, max |1 - lr lambda|."""
        return float(abs(1 - rate * self.curvatures).max())

    def noise_floor(self, rate: float, batch_size: int) -> float:
        """Root mean square distance to `best` where steps stay noisy, sqrt(lr s^2 d / B) to first order in lr.

        For batches of B samples drawn with replacement, d weights, s^2 the least loss. Batches of reshuffled epochs
        stay below it where they are a good part of the data: their errors cancel within the epoch.
        """
        return math.sqrt(rate * self.least_loss * len(self.best) / batch_size)

    def excess(self, weights: Array) -> Array:
        """L(w) - L(best) = (w - best)^T H (w - best) / 2. Shapes: weights (..., d) -> (...)."""
        away = weights - self.best
        found: Array = ((away @ self.hessian) * away).sum(-1) / 2
        return found


class Descent:
    """Gradient descent on a `LeastSquares` problem from the weights `start`, remembering each point of its path.

    `batch_size` samples a step: all are full-batch, 1 is stochastic descent; `schedule` gives factors on the `rate`.
    Yields `loss/training` before the step, and the `distance` to the best weights after it.
    Raises: InputError for a start of another length than the weights, and for a batch larger than the data.
    """

    def __init__(
        self,
        problem: LeastSquares,
        start: Sequence[float],
        rate: float,
        batch_size: int,
        streams: Streams,
        schedule: Schedule | None = None,
    ) -> None:
        weights = len(problem.best)
        require(len(start) == weights, "start", tuple(start), f"{weights} numbers, one a weight")
        self.problem, self.rate, self.batch_size = problem, rate, batch_size
        network = Linear(weights, 1, bias=False, generator=streams.torch("weights")).double()
        with torch.no_grad():
            network.weight.copy_(torch.tensor([list(start)], dtype=torch.float64))
        self._learner = SupervisedLearner(
            network,
            SGD(network.parameters(), lr=rate),
            mean_squared_error,
            problem.x,
            problem.y,
            batch_size=batch_size,
            schedule=schedule,
            streams=streams,
        )
        self._weight = network.weight
        self._path: list[list[float]] = [list(start)]

    def learn(self) -> Iterator[Metrics]:
        """One update at a time."""
        for metrics in self._learner.learn():
            here: list[float] = self._weight.detach()[0].tolist()
            self._path.append(here)
            yield {**metrics, "distance": math.dist(here, self.problem.best)}

    def state_dict(self) -> dict[str, Any]:
        """The learner, and the path so far."""
        return {"learner": self._learner.state_dict(), "path": [list(point) for point in self._path]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._learner.load_state_dict(state["learner"])
        self._path = [list(point) for point in state["path"]]

    @property
    def path(self) -> Array:
        """Every point so far, the start included: (updates + 1, d)."""
        return np.array(self._path)

    @property
    def distances(self) -> Array:
        """How far each point of the path is from the best weights: (updates + 1)."""
        found: Array = np.linalg.norm(self.path - self.problem.best, axis=1)
        return found

    @property
    def epochs(self) -> Array:
        """Passes over the data at each point of the path: (updates + 1)."""
        return np.arange(len(self._path)) * self.batch_size / len(self.problem.x)
