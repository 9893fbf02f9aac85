"""Making a budget last: what a unit of money is worth is learned from how fast it goes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from foundations.errors import require

Floats = NDArray[np.float64]


class Pacing:
    """The price of money, lambda (rewards a unit of money): it rises while money goes too fast, falls while too slowly.

    lambda <- lambda exp(rate (spent / allowance - 1)) after each round, where the allowance is what is left over the
    rounds that are left. An action is worth its expected reward less lambda times what it costs. So dual mirror descent
    finds the one lambda that just spends the budget, without knowing what the rounds will bring. It stays from one
    episode to the next.

    Shapes: all (runs). Shares of the budget and of the rounds, as observations tell them.
    Raises: InputError for settings that are not above 0.
    Source: Balseiro, Lu & Mirrokni 2020, arXiv:2011.10124.
    """

    LARGEST = 5.0
    """Of spent / allowance - 1: one dear round shall not freeze the rest of the day."""

    def __init__(self, runs: int, rounds: int, *, rate: float = 0.01, first: float = 1.0) -> None:
        for name, value in (("runs", runs), ("rounds", rounds), ("rate", rate), ("first", first)):
            require(value > 0, name, value, "above 0")
        self.rounds, self.rate = rounds, rate
        self.price = np.full(runs, float(first))
        self.time, self.money = np.zeros(runs), np.zeros(runs)

    def look(self, time_left: Floats, money_left: Floats, started: NDArray[np.bool_]) -> Floats:
        """Take in where an episode stands now, and give the price of money."""
        allowance = self.money / np.maximum(1.0, self.time * self.rounds)
        known = (~started) & (allowance > 0)
        pace = np.divide(self.money - money_left, allowance, out=np.ones_like(allowance), where=known)
        self.price = self.price * np.exp(self.rate * np.minimum(pace - 1, self.LARGEST))
        self.time, self.money = time_left.astype(np.float64), money_left.astype(np.float64)
        return self.price

    def state_dict(self) -> dict[str, Any]:
        """The price, and what was last seen."""
        return {name: torch.from_numpy(getattr(self, name).copy()) for name in ("price", "time", "money")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        for name in ("price", "time", "money"):
            setattr(self, name, state[name].numpy().copy())
