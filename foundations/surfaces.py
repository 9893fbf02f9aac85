"""Functions of two variables on which optimizers are tried, and the descent of many points on them at once."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from foundations.errors import require
from foundations.learner import Metrics

Optimizers = Mapping[str, Callable[..., torch.optim.Optimizer]]
"""Name -> an optimizer that is still to be given its parameter groups, as in `foundations.optimizers.variants`."""
Rates = Mapping[str, Mapping[str, Sequence[float]]]
"""Surface -> optimizer -> the learning rates of its points."""


class Surface(NamedTuple):
    """A function of x and y to be minimised; its least value is 0, at `best`.

    `across` and `up` bound the map that is drawn of it: x and y from the first to the second number.
    """

    value: Callable[[Tensor, Tensor], Tensor]
    start: tuple[float, float]
    best: tuple[float, float]
    across: tuple[float, float]
    up: tuple[float, float]


def ravine(x: Tensor, y: Tensor) -> Tensor:
    """(a^2 + 50 b^2) / 2, where (a, b) is (x, y) turned by 30 degrees: 50 times as steep across as along.

    Along the axes it would be no test for optimizers that have a rate for each weight. Shapes: both the same, kept.
    """
    turn = math.radians(30)
    along, across = math.cos(turn) * x + math.sin(turn) * y, math.cos(turn) * y - math.sin(turn) * x
    return (along**2 + 50 * across**2) / 2


def rosenbrock(x: Tensor, y: Tensor) -> Tensor:
    """(1 - x)^2 + 100 (y - x^2)^2: a bent valley, steep at its sides and almost level along its floor.

    Shapes: both the same, kept. Source: Rosenbrock 1960, The Computer Journal 3(3).
    """
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def beale(x: Tensor, y: Tensor) -> Tensor:
    """(1.5 - x + xy)^2 + (2.25 - x + xy^2)^2 + (2.625 - x + xy^3)^2: a plateau with steep walls at its corners.

    Shapes: both the same, kept. Source: Beale 1958, Technical Report 25, Statistical Techniques Research Group,
    Princeton University.
    """
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


SURFACES = {
    "ravine": Surface(ravine, (-3.5, -0.5), (0.0, 0.0), (-4.2, 1.4), (-2.6, 1.4)),
    "rosenbrock": Surface(rosenbrock, (-1.2, 1.0), (1.0, 1.0), (-1.9, 1.7), (-0.9, 2.1)),
    "beale": Surface(beale, (1.0, 1.6), (3.0, 0.5), (-0.7, 4.5), (-2.1, 2.0)),
}


class Race:
    """Points that descend side by side on `SURFACES`: one for each learning rate in `rates[surface][optimizer]`.

    An optimizer holds all its points, each in a group of its own, so that all move at once. Yields for each step
    `surface/optimizer`, the value under the first point of each.
    Raises: InputError for rates of no surface, and for optimizers that are not the same on all of them.
    """

    def __init__(self, optimizers: Optimizers, rates: Rates) -> None:
        require(len(rates) >= 1, "rates", rates, "of one surface or more")
        for surface, chosen in rates.items():
            require(set(chosen) == set(optimizers), f"rates of {surface}", list(chosen), f"for {list(optimizers)}")
        self.rates = rates
        self.points = {
            surface: {
                name: [torch.tensor(SURFACES[surface].start, requires_grad=True) for _ in rates[surface][name]]
                for name in optimizers
            }
            for surface in rates
        }
        self.optimizers = {name: make(self._groups(name)) for name, make in optimizers.items()}
        self.trails = {surface: [self._where(surface)] for surface in rates}

    def _groups(self, name: str) -> list[dict[str, Any]]:
        return [
            {"params": [point], "lr": rate}
            for surface in self.rates
            for point, rate in zip(self.points[surface][name], self.rates[surface][name], strict=True)
        ]

    def learn(self) -> Iterator[Metrics]:
        """One step of every point."""
        while True:
            for optimizer in self.optimizers.values():
                optimizer.zero_grad()
            for surface in self.rates:
                self._values(surface).sum().backward()
            for optimizer in self.optimizers.values():
                optimizer.step()
            metrics: dict[str, float | Tensor] = {}
            for surface, trail in self.trails.items():
                trail.append(self._where(surface))
                values = self._values(surface).detach().split([len(each) for each in self.points[surface].values()])
                metrics |= {
                    f"{surface}/{name}": each[0] for name, each in zip(self.points[surface], values, strict=True)
                }
            yield metrics

    def _stacked(self, surface: str) -> Tensor:
        return torch.stack([point for points in self.points[surface].values() for point in points])

    def _values(self, surface: str) -> Tensor:
        return SURFACES[surface].value(*self._stacked(surface).unbind(1))

    def _where(self, surface: str) -> Tensor:
        return self._stacked(surface).detach()

    def paths(self, surface: str) -> dict[str, Tensor]:
        """By optimizer, every place of its points so far: (rates, steps + 1, 2)."""
        trail = torch.stack(self.trails[surface], dim=1)
        counts = [len(points) for points in self.points[surface].values()]
        return dict(zip(self.points[surface], trail.split(counts), strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Optimizers, and trails, which end at the points."""
        return {
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "trails": {surface: list(trail) for surface, trail in self.trails.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.trails = {surface: list(trail) for surface, trail in state["trails"].items()}
        with torch.no_grad():
            for surface, points in self.points.items():
                places = iter(self.trails[surface][-1])
                for each in points.values():
                    for point in each:
                        point.copy_(next(places))


def best_rates(optimizers: Optimizers, grid: Sequence[float], steps: int) -> dict[str, dict[str, list[float]]]:
    """Surface -> optimizer -> the one rate of `grid` that ends lowest after `steps` updates, all of them on the map.

    Where no rate keeps its path on the map it is the first of the grid.
    """
    race = Race(optimizers, {surface: dict.fromkeys(optimizers, grid) for surface in SURFACES})
    for _ in zip(range(steps), race.learn(), strict=False):
        pass
    best: dict[str, dict[str, list[float]]] = {surface: {} for surface in SURFACES}
    for surface, shape in SURFACES.items():
        for name, paths in race.paths(surface).items():
            x, y = paths.double().unbind(-1)
            stays = (x > shape.across[0]) & (x < shape.across[1]) & (y > shape.up[0]) & (y < shape.up[1])
            last = shape.value(x[:, -1], y[:, -1]).masked_fill(~stays.all(dim=1), math.inf)
            best[surface][name] = [grid[int(last.argmin())]]
    return best
