"""Race the optimizers down a ravine, Rosenbrock's valley and Beale's plateau, on film.

Gradient descent, momentum, Nesterov, AdaGrad, RMSProp, Adam and AMSGrad start at the same point of each surface. A rate
that suits one is unfair to another (Choi et al. 2019, arXiv:1910.05446), so each has its best one out of a grid that is
the same for all: the rate that ends lowest among those whose path stays on the map. The run shows the paths, the values
below them and what was reached.
The ravine is a bowl 50 times as steep across as along, turned by 30 degrees: along the axes it would be no test for
those that have a rate for each weight. Surfaces: Rosenbrock 1960, Computer Journal 3(3); Beale 1958.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    import torch
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from foundations.learner import Metrics

topic = "foundations"
GRID = tuple(10 ** (quarters / 4) for quarters in range(-20, 5))
"""Learning rates tried: 10^-5 to 10, four to a factor of ten."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    steps: kit.Count = 300
    """Updates of each optimizer, while the learning rate is chosen as in the race."""
    frames: kit.Count = 60
    """Pictures in the film."""

    presets: ClassVar[kit.Presets] = {"smoke": {"steps": 60, "frames": 10}, "full": {"steps": 2_000, "frames": 100}}
    useful_threads: ClassVar[int] = 1


def kinds() -> dict[str, "Callable[..., torch.optim.Optimizer]"]:
    """The racers; each is still to be given parameters and a learning rate. AdamW without decay would be Adam."""
    return {
        "SGD": foundations.SGD,
        "momentum": partial(foundations.SGD, momentum=0.9),
        "Nesterov": partial(foundations.SGD, momentum=0.9, nesterov=True),
        "AdaGrad": foundations.AdaGrad,
        "RMSProp": partial(foundations.RMSProp, alpha=0.9),
        "Adam": foundations.Adam,
        "AMSGrad": partial(foundations.Adam, amsgrad=True),
    }


class Surface(NamedTuple):
    """A function of two variables to be minimised; its least value is 0, at `best`."""

    value: "Callable[[Tensor, Tensor], Tensor]"
    start: tuple[float, float]
    best: tuple[float, float]
    across: tuple[float, float]
    up: tuple[float, float]


def _ravine(x: "Tensor", y: "Tensor") -> "Tensor":
    turn = math.radians(30)
    along, across = math.cos(turn) * x + math.sin(turn) * y, math.cos(turn) * y - math.sin(turn) * x
    return (along**2 + 50 * across**2) / 2


SURFACES = {
    "ravine": Surface(_ravine, (-3.5, -0.5), (0.0, 0.0), (-4.2, 1.4), (-2.6, 1.4)),
    "rosenbrock": Surface(
        lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2, (-1.2, 1.0), (1.0, 1.0), (-1.9, 1.7), (-0.9, 2.1)
    ),
    "beale": Surface(
        lambda x, y: (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2,
        (1.0, 1.6),
        (3.0, 0.5),
        (-0.7, 4.5),
        (-2.1, 2.0),
    ),
}


class Race:
    """Points that descend side by side: one for each learning rate in `rates[surface][optimizer]`.

    An optimizer holds all its points, each in a group of its own, so that all move at once. Yields the value under the
    first point of each.
    """

    def __init__(self, rates: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
        import torch

        self.rates = rates
        names = list(next(iter(rates.values())))
        self.points = {
            surface: {
                name: [torch.tensor(SURFACES[surface].start, requires_grad=True) for _ in rates[surface][name]]
                for name in names
            }
            for surface in rates
        }
        self.optimizers = {
            name: kinds()[name](
                [
                    {"params": [point], "lr": rate}
                    for surface in rates
                    for point, rate in zip(self.points[surface][name], rates[surface][name], strict=True)
                ]
            )
            for name in names
        }
        self.trails = {surface: [self._where(surface)] for surface in rates}

    def learn(self) -> "Iterator[Metrics]":
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

    def _stacked(self, surface: str) -> "Tensor":
        import torch

        return torch.stack([point for points in self.points[surface].values() for point in points])

    def _values(self, surface: str) -> "Tensor":
        return SURFACES[surface].value(*self._stacked(surface).unbind(1))

    def _where(self, surface: str) -> "Tensor":
        return self._stacked(surface).detach()

    def paths(self, surface: str) -> dict[str, "Tensor"]:
        """By optimizer, every place of its points so far: (rates, steps + 1, 2)."""
        import torch

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
        import torch

        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.trails = {surface: list(trail) for surface, trail in state["trails"].items()}
        with torch.no_grad():
            for surface, points in self.points.items():
                places = iter(self.trails[surface][-1])
                for each in points.values():
                    for point in each:
                        point.copy_(next(places))


def tuned_rates(steps: int) -> dict[str, dict[str, Sequence[float]]]:
    """For each surface and optimizer the rate of the grid that ends lowest after `steps` updates, all on the map."""
    race = Race({surface: dict.fromkeys(kinds(), GRID) for surface in SURFACES})
    for _ in zip(range(steps), race.learn(), strict=False):
        pass
    best: dict[str, dict[str, Sequence[float]]] = {surface: {} for surface in SURFACES}
    for surface, shape in SURFACES.items():
        for name, paths in race.paths(surface).items():
            x, y = paths.double().unbind(-1)
            stays = (x > shape.across[0]) & (x < shape.across[1]) & (y > shape.up[0]) & (y < shape.up[1])
            last = shape.value(x[:, -1], y[:, -1]).masked_fill(~stays.all(dim=1), math.inf)
            best[surface][name] = [GRID[int(last.argmin())]]
    return best


def main(config: Config, run: kit.Run) -> None:
    """Find each optimizer's rate, let the best ones race, show how they went."""
    race = Race(tuned_rates(config.steps))
    film = Film(race)
    for step, _ in run.follow(race, steps=config.steps):
        if run.every(max(1, config.steps // config.frames)):
            run.images("race", film.frame(step), columns=1)
    film.close()
    run.film("race")
    for surface in SURFACES:
        run.figure(f"paths_{surface}", _draw_surface(race, surface))
    rows = surface_rows(race)
    run.table("surfaces", rows)
    run.summary({f"{row['surface']}/{row['optimizer']}".lower(): float(str(row["value at last"])) for row in rows})


def surface_rows(race: Race) -> list[dict[str, object]]:
    """What each optimizer reached with its best rate."""
    rows: list[dict[str, object]] = []
    for surface, shape in SURFACES.items():
        for name, paths in race.paths(surface).items():
            last = paths[0, -1].tolist()
            rows.append(
                {
                    "surface": surface,
                    "optimizer": name,
                    "best learning rate": f"{race.rates[surface][name][0]:.2g}",
                    "value at last": f"{shape.value(*paths[0, -1].double()).item():.2g}",
                    "distance to the minimum": f"{math.dist(last, shape.best):.2g}",
                }
            )
    return rows


# --- the figures ------------------------------------------------------------------------------------------------------


def _styles() -> dict[str, dict[str, Any]]:
    """One look for each optimizer in all pictures; AMSGrad is dashed, since it often walks where Adam does."""
    looks = zip(kinds(), kit.figures.COLOURS, strict=True)
    return {name: {"color": colour, "linestyle": "--" if name == "AMSGrad" else "-"} for name, colour in looks}


def _draw_heights(axes: "Axes", surface: str) -> None:
    """The surface from above; each contour is four times as high as the next."""
    import torch

    shape = SURFACES[surface]
    x, y = torch.meshgrid(torch.linspace(*shape.across, 240), torch.linspace(*shape.up, 240), indexing="xy")
    heights = shape.value(x, y).clamp(min=4.0**-5).log() / math.log(4)
    levels = range(-5, math.ceil(float(heights.max())) + 1)
    axes.contourf(x, y, heights, levels=levels, cmap="Greys", alpha=0.35)
    axes.contour(x, y, heights, levels=levels, colors="#999999", linewidths=0.4, linestyles="-")
    axes.plot(*shape.best, marker="*", color="black", markersize=12, linestyle="none", zorder=5)
    axes.plot(*shape.start, marker="s", color="black", markersize=5, linestyle="none", zorder=5)
    axes.set(xlim=shape.across, ylim=shape.up, xlabel="x", ylabel="y", title=surface.capitalize())
    axes.grid(visible=False)


class Film:
    """Draws the race step by step; the surfaces, which take long to draw, only once."""

    def __init__(self, race: Race) -> None:
        names = next(iter(race.points.values()))
        styles = {name: look for name, look in _styles().items() if name in names}
        from matplotlib import pyplot as plt

        self.race = race
        self.figure, panels = plt.subplots(1, len(SURFACES), figsize=(11.4, 4.4), dpi=80)
        self.panels = dict(zip(SURFACES, panels, strict=True))
        self.trails, self.heads = {}, {}
        for surface, axes in self.panels.items():
            _draw_heights(axes, surface)
            for place, (name, look) in enumerate(styles.items()):
                (self.trails[surface, name],) = axes.plot([], [], linewidth=1.2, animated=True, **look)
                # Smaller and smaller: those that coincide show as rings.
                head = {"marker": "o", "markersize": 9 - 0.8 * place, "color": look["color"], "linestyle": "none"}
                (self.heads[surface, name],) = axes.plot([], [], animated=True, **head)
                if axes is panels[0]:
                    axes.plot([], [], label=name, **head)
        self.figure.legend(loc="outside lower center", ncols=len(styles), fontsize=9)
        self.figure.suptitle(" ")
        self.title = self.figure.text(0.5, 0.985, "", ha="center", va="top", fontweight="bold", animated=True)
        canvas: Any = self.figure.canvas
        canvas.draw()
        self.surfaces = canvas.copy_from_bbox(self.figure.bbox)

    def frame(self, step: int) -> "Tensor":
        """The points and the way they came, as a picture (1, 3, height, width)."""
        import numpy as np
        import torch

        canvas: Any = self.figure.canvas
        canvas.restore_region(self.surfaces)
        self.title.set_text(f"step {step}")
        self.figure.draw_artist(self.title)
        for surface, axes in self.panels.items():
            for name, paths in self.race.paths(surface).items():
                x, y = paths[0].unbind(1)
                self.trails[surface, name].set_data(x, y)
                axes.draw_artist(self.trails[surface, name])
            for name, paths in self.race.paths(surface).items():
                self.heads[surface, name].set_data(*paths[0, -1:].unbind(1))
                axes.draw_artist(self.heads[surface, name])
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1).unsqueeze(0) / 255

    def close(self) -> None:
        """Give the figure's memory back."""
        from matplotlib import pyplot as plt

        plt.close(self.figure)


def _draw_surface(race: Race, surface: str) -> "Figure":
    """Left the paths, right the value under each."""
    styles = _styles()
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8))
    _draw_heights(left, surface)
    left.set_title(f"{surface.capitalize()}: from the square to the star")
    for name, paths in race.paths(surface).items():
        left.plot(*paths[0].unbind(1), linewidth=1.3, marker="o", markersize=1.8, **styles[name])
        values = SURFACES[surface].value(*paths[0].double().unbind(1)).clamp(min=1e-12)
        label = f"{name}, {race.rates[surface][name][0]:.2g}"
        right.plot(range(len(values)), values, linewidth=1.6, label=label, **styles[name])
    right.set(yscale="log", xlabel="update", ylabel="value (least: 0)", title="Each with its best learning rate")
    figure.legend(loc="outside right upper", title="optimizer, learning rate", fontsize=9)
    return figure


if __name__ == "__main__":
    kit.launch(main)
