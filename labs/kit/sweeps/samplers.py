"""How a sweep chooses what to try next, and what to give up early: Optuna's samplers and pruners by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, CmaEsSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from foundations.errors import InputError, require_choice
from foundations.streams import Streams
from labs.kit.sweeps.space import Space, category

SAMPLERS = ("grid", "random", "tpe", "genetic", "cmaes")
PRUNERS = ("median", "hyperband", "none")
POPULATION = 10
"""Individuals of a generation: Optuna's 50 would leave most sweeps in their first, which is random."""
PLACE = "place"
"""User attribute of a trial: which of the sweep's trials it is; one that is tried again keeps its place."""


def sampler_of(name: str, *, seed: int, space: Space, points: int = 1) -> BaseSampler:
    """The sampler `name`: grid (`points` values of each range), random, tpe, genetic (NSGA-II) or cmaes.

    What it chooses for the trial at a place depends on the seed, the place and the trials that were finished by then:
    so a sweep that was stopped goes on as if it had not been, and random search is the same with any number of workers.
    Raises: InputError for another name, and for a space that suits it not.
    Source: Bergstra & Bengio 2012 (random); Bergstra et al. 2011 (TPE); Deb et al. 2002 (NSGA-II); Hansen & Ostermeier
        2001 (CMA-ES).
    """
    require_choice("sampler", name, SAMPLERS)
    if name == "grid":
        return Grid(space, points, seed)
    if name == "cmaes" and sum(each.kind != "choice" for each in space.values()) < 2:
        raise InputError("sampler='cmaes': needs at least two settings with ranges of numbers; use tpe or random")
    makers: dict[str, Callable[[int], BaseSampler]] = {
        "random": lambda seed: RandomSampler(seed=seed),
        "tpe": lambda seed: TPESampler(seed=seed),
        "genetic": lambda seed: NSGAIISampler(seed=seed, population_size=POPULATION),
        "cmaes": lambda seed: CmaEsSampler(seed=seed, warn_independent_sampling=False),
    }
    return Seeded(makers[name], seed)


def pruner_of(name: str) -> BasePruner:
    """The pruner `name`: median, hyperband or none. Raises: InputError for another.

    Source: Golovin et al. 2017 (median stopping); Li et al. 2018, arXiv:1603.06560 (Hyperband).
    """
    require_choice("pruner", name, PRUNERS)
    if name == "median":
        return MedianPruner()
    return HyperbandPruner() if name == "hyperband" else NopPruner()


class Seeded(BaseSampler):
    """A sampler that begins anew with each trial, seeded by the trial's place."""

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make, self._streams = make, Streams(seed)
        self._inner = make(seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Begin anew."""
        stream = self._streams.numpy(f"trial {trial.user_attrs.get(PLACE, trial.number)}")
        self._inner = self._make(int(stream.integers(2**31)))
        self._inner.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As the sampler inside does."""
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the sampler inside does."""
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As the sampler inside does."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """As the sampler inside does."""
        self._inner.after_trial(study, trial, state, values)


class Grid(BaseSampler):
    """Each combination of the grid's values once, in a random order; the place of a trial says which."""

    def __init__(self, space: Space, points: int, seed: int) -> None:
        self._values = space.grid(points)
        self._count = math.prod(map(len, self._values.values()))
        self._order = Streams(seed).numpy("grid").permutation(self._count).tolist()

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """None: every setting is looked up by itself."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing."""
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The setting's value at the trial's point of the grid."""
        point = self._order[int(trial.user_attrs.get(PLACE, trial.number)) % self._count]
        for name, values in self._values.items():
            point, place = divmod(point, len(values))
            if name == param_name:
                return category(values[place])
        raise KeyError(param_name)
