"""Race the optimizers down a ravine, Rosenbrock's valley and Beale's plateau, on film.

Gradient descent, momentum, Nesterov, AdaGrad, RMSProp, Adam and AMSGrad start at the same point of each surface. A rate
that suits one is unfair to another (Choi et al. 2019, arXiv:1910.05446), so each has its best one out of a grid that is
the same for all: the rate that ends lowest among those whose path stays on the map. The run shows the paths, the values
below them and what was reached. The surfaces are those of `foundations.surfaces`.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import foundations
import labs.kit as kit

if TYPE_CHECKING:
    from foundations.surfaces import Optimizers, Race

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


def main(config: Config, run: kit.Run) -> None:
    """Find each optimizer's rate, let the best ones race, show how they went."""
    from labs.drawings import optimizers as drawings

    optimizers = racers()
    race = foundations.surfaces.Race(optimizers, foundations.surfaces.best_rates(optimizers, GRID, config.steps))
    film = drawings.Film(race)
    for step, _ in run.follow(race, steps=config.steps):
        if run.every(max(1, config.steps // config.frames)):
            run.images("race", film.frame(step), columns=1)
    film.close()
    run.film("race")
    for surface in race.rates:
        run.figure(f"paths_{surface}", drawings.draw_surface(race, surface))
    rows = surface_rows(race)
    run.table("surfaces", rows)
    run.summary({f"{row['surface']}/{row['optimizer']}".lower(): float(row["value at last"]) for row in rows})


def racers() -> "Optimizers":
    """All optimizers but AdamW, which without decay is Adam."""
    from foundations.optimizers.variants import VARIANTS

    return {name: make for name, make in VARIANTS.items() if name != "AdamW"}


def surface_rows(race: "Race") -> list[dict[str, str]]:
    """What each optimizer reached with its best rate."""
    rows = []
    for surface, rates in race.rates.items():
        shape = foundations.surfaces.SURFACES[surface]
        for name, paths in race.paths(surface).items():
            last = paths[0, -1]
            rows.append(
                {
                    "surface": surface,
                    "optimizer": name,
                    "best learning rate": f"{rates[name][0]:.2g}",
                    "value at last": f"{shape.value(*last.double()).item():.2g}",
                    "distance to the minimum": f"{math.dist(last.tolist(), shape.best):.2g}",
                }
            )
    return rows


if __name__ == "__main__":
    kit.launch(main)
