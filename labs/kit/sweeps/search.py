"""A search as a learner: each step asks a sampler for settings, tries them, and tells it what came of them."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from foundations.errors import require
from foundations.learner import Metrics

Settings = Mapping[str, Any]
"""What is tried: name -> value."""


class Search:
    """Look for the settings whose value is least, one trial a step; its trials are all its state.

    - `suggest` draws the settings of a trial; `objective` tries them, and a value that is not finite is a failure.
    - What `sampler` draws must depend on the trial's number and the earlier trials alone, as with those that
      `labs.kit.sweeps.samplers` makes: so a search that goes on behind the trials of another does as that would have.

    Yields for each trial its `value` where it did not fail, and `best`, the least so far.
    """

    def __init__(
        self,
        suggest: Callable[[Trial], Settings],
        objective: Callable[[Settings], float],
        sampler: BaseSampler,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # a line for each study says too much
        self._suggest, self._objective, self._sampler = suggest, objective, sampler
        self.trials: list[FrozenTrial] = []

    def learn(self) -> Iterator[Metrics]:
        """Yield what each trial found."""
        while True:
            study = self._study()
            trial = study.ask()
            value = self._objective(self._suggest(trial))
            failed = not math.isfinite(value)
            state = TrialState.FAIL if failed else TrialState.COMPLETE
            self.trials.append(study.tell(trial, None if failed else value, state))
            yield {name: each for name, each in (("value", value), ("best", self.least)) if math.isfinite(each)}

    def _study(self) -> optuna.Study:
        """A new study of the trials: in one that lives on, samplers keep notes that are no part of any trial."""
        study = optuna.create_study(sampler=self._sampler)
        study.add_trials(self.trials)
        return study

    def values(self) -> list[float]:
        """The value of each trial; infinite where it failed."""
        return [math.inf if trial.value is None else trial.value for trial in self.trials]

    def best_so_far(self) -> list[float]:
        """The least value of the first 1, 2, 3, ... trials."""
        return list(accumulate(self.values(), min))

    @property
    def least(self) -> float:
        """The least value of all trials; infinite where none succeeded."""
        return min(self.values(), default=math.inf)

    def best_settings(self) -> Settings:
        """The settings with the least value. Raises: InputError where no trial succeeded."""
        require(math.isfinite(self.least), "trials", len(self.trials), "so many that one of them has a finite value")
        return self.trials[self.values().index(self.least)].params

    def state_dict(self) -> dict[str, Any]:
        """The trials: settings, where these were drawn from, value, and what the sampler wrote on them."""
        return {"trials": [_to_plain(trial) for trial in self.trials]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on behind these trials."""
        self.trials = [_from_plain(trial) for trial in state["trials"]]


def _to_plain(trial: FrozenTrial) -> dict[str, Any]:
    spaces = {name: optuna.distributions.distribution_to_json(each) for name, each in trial.distributions.items()}
    return {
        "settings": dict(trial.params),
        "spaces": spaces,
        "value": trial.value,
        "marks": json.dumps(trial.system_attrs),
    }


def _from_plain(plain: Mapping[str, Any]) -> FrozenTrial:
    spaces = {name: optuna.distributions.json_to_distribution(each) for name, each in plain["spaces"].items()}
    return optuna.create_trial(
        state=TrialState.FAIL if plain["value"] is None else TrialState.COMPLETE,
        params=plain["settings"],
        distributions=spaces,
        value=plain["value"],
        system_attrs=json.loads(plain["marks"]),
    )
