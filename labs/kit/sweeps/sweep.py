"""Search a lab's settings: many runs of it, each with settings that a sampler chose by what the earlier ones found.

The trials are children of this run. It shows which settings mattered, how the search went, and the best settings found.
Source: Akiba et al. 2019, arXiv:1907.10902 (Optuna).
"""

import dataclasses
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from foundations.errors import InputError
from labs.kit.config import Config as Settings
from labs.kit.config import Count
from labs.kit.lab import load

if TYPE_CHECKING:
    from labs.kit.run import Run
    from labs.kit.sweeps.watching import Watching


OF_A_RUN = ("run_name", "tag", "seeds")
"""Settings of the lab that say nothing of what is searched."""


@dataclass(frozen=True)
class Config(Settings):
    """What is searched, and how."""

    target: str = ""
    """Module or file of the lab."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The lab's settings; those of the space are replaced."""
    space: tuple[str, ...] = ()
    """The settings that are searched, with their ranges."""
    metric: str = ""
    """Summary figure or metric that the trials are judged by."""
    direction: Literal["min", "max"] = "min"
    """Which end of the metric is better."""
    sampler: Literal["grid", "random", "tpe", "genetic", "cmaes"] = "tpe"
    """How the settings are chosen."""
    pruner: Literal["median", "hyperband", "none"] = "none"
    """How trials that fall behind are stopped early."""
    trials: Count = 20
    """Trials in all, over all workers and hosts."""
    workers: Count = 1
    """Trials at a time on this host."""
    study: str = ""
    """Name of the study."""
    store: str | None = None
    """Data base that holds the study, without password; None takes a file in mlruns/sweeps."""
    engine: Literal["local", "ray"] = "local"
    """Processes of this host, or a Ray cluster."""
    ray_address: str | None = None
    """The cluster; None starts a local one."""
    cpus: float = 1.0
    """Processors of a trial on the cluster."""
    gpus: float = 0.0
    """Graphics processors of a trial on the cluster."""

    @property
    def experiment(self) -> str:
        """The lab's own: the trials lie below this run there."""
        return load(self.target).name


def main(config: Config, run: "Run") -> None:
    """Open the study, let its trials be run, and show what they found."""
    from labs.kit.sweeps import places
    from labs.kit.sweeps import study as studies
    from labs.kit.sweeps.space import parse
    from labs.kit.sweeps.watching import Watching

    lab = load(config.target)
    space = parse(config.space, lab.config_type)
    points = space.largest_grid(config.trials) if config.sampler == "grid" else 1
    trials = space.size(points) if config.sampler == "grid" else config.trials
    sampler = studies.sampler_of(config.sampler, seed=config.seed, space=space, points=points)
    store = studies.address(config.store, config.study)
    studies.agree(store, config.study, about(config, points))
    if "://" in store:
        studies.open_storage(store)  # one that does not answer is found before anything is made
    run.table("space", [{"setting": each.name, "range": str(each).partition("=")[2]} for each in space.values()])
    if run.folder.record["replay_of"]:  # the trials of before must not stand for those that are to be run again
        config = dataclasses.replace(config, study=f"{config.study}-again-{run.folder.path.name[:6]}")
        store = studies.address(config.store, config.study)
    with studies.answering(store):
        study = studies.open_study(
            store,
            config.study,
            direction="minimize" if config.direction == "min" else "maximize",
            sampler=sampler,
            pruner=studies.pruner_of(config.pruner),
            lab=about(config, points),
        )
        places.start_again(study)
        places.ensure(study, trials)
        watching = Watching(study, space, config, run)
        began = time.monotonic() - run.seconds
        try:
            _work(config, points, trials, watching, run)
        except InputError:  # no trial can succeed: the table says why
            watching.show()
            raise
        finally:
            run.seconds = time.monotonic() - began
        watching.show()
        run.interrupts.raise_pending()
        watching.conclude(lab)


def about(config: Config, points: int) -> dict[str, Any]:
    """What the study is about: those who join must be about the same."""
    settings = {name: value for name, value in config.settings.items() if name not in OF_A_RUN}
    facts = {"lab": load(config.target).name, "target": config.target, "settings": settings}
    searched = {"space": list(config.space), "metric": config.metric, "direction": config.direction}
    return {**facts, **searched, "sampler": config.sampler, "pruner": config.pruner, "points": points}


def _work(config: Config, points: int, trials: int, watching: "Watching", run: "Run") -> None:
    """Let the engine run the trials."""
    from labs.kit.sweeps import study as studies
    from labs.kit.sweeps.objective import Objective
    from labs.kit.sweeps.workers import Pool, Work

    folder = run.folder.path
    objective = Objective(
        target=config.target,
        settings={**config.settings, "threads": config.settings.get("threads") or 1},
        space=config.space,
        metric=config.metric,
        parent=folder.name,
        folder=str(folder.parent.parent.parent),
        study=config.study,
    )
    store = studies.address(config.store, config.study)
    work = Work(objective, store, config.sampler, config.pruner, config.seed, points)
    if config.engine == "ray":
        from labs.kit.sweeps import ray_engine

        ray_engine.run(
            work,
            trials=trials,
            workers=config.workers,
            address=config.ray_address,
            cpus=config.cpus,
            gpus=config.gpus,
            finished=lambda count: _look(watching),
        )
        watching.note()
        return
    pool = Pool(work, config.workers, folder / "workers", watching.look)
    pool.run(run.interrupts, watching.left)


def _look(watching: "Watching") -> None:
    watching.look({})


if __name__ == "__main__":
    from labs.kit.sweeps import command

    sys.exit(command.main(sys.argv[1:]))
