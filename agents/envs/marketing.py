"""Marketing: customers come one after the other, an offer costs money whether it converts or not, money is short."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode
from scipy.optimize import linprog

from agents.envs.lockstep import Array, Floats, Infos, LockstepVectorEnv, SingleRun
from foundations.errors import require

OFFERS = (0.0, 0.3, 1.0, 2.0)
"""What a message, a voucher and a call cost, after nothing at all."""


class MarketingVectorEnv(LockstepVectorEnv):
    """A campaign: `rounds` customers of `segments` kinds, an offer to each, and `budget` for all of them together.

    An offer a costs `costs[a]`, known; a customer of segment s converts with probability w[s, a], hidden, higher for
    dearer offers. What the money left does not pay for becomes the first offer, nothing, which is free.

    Observation: the segment (one-hot), the share of customers and of budget that are left, float32 (segments + 2).
    Action: the offer. Reward: 1 for a conversion, else 0. The campaign ends (terminated) after `rounds` customers.
    Info: `cost` paid; `expected`, the probability that this customer converts; `optimum`, the mean of it under the best
    policy that knows w and keeps the budget on average (a linear program); `regret`, optimum - expected.
    Raises: InputError for a negative budget or cost, a first offer that is not free, fewer than two offers or segments.
    Source: Badanidiyuru et al. 2013, "Bandits with Knapsacks", arXiv:1305.2545.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        segments: int = 4,
        costs: Sequence[float] = OFFERS,
        budget: float = 500.0,
        rounds: int = 1_000,
        world: int | None = 0,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        require(segments >= 2, "segments", segments, "at least 2")
        require(len(costs) >= 2, "costs", costs, "at least 2, one an offer")
        require(costs[0] == 0 and min(costs) >= 0, "costs", costs, "0 for the first offer, none below 0")
        require(budget >= 0, "budget", budget, "at least 0")
        self.segments, self.costs, self.budget = segments, np.array(costs, np.float64), float(budget)
        shown = Box(0, 1, (segments + 2,), np.float32)
        super().__init__(num_envs, rounds, world, shown, Discrete(len(costs)), autoreset_mode)

    def create(self, generators: Sequence[np.random.Generator]) -> None:
        """Each segment has a base rate, and for every offer some chance to win those who would not come alone."""
        shape = (self.segments, len(self.costs) - 1)
        worlds = []
        for each in generators:
            base = each.uniform(0.01, 0.08, (self.segments, 1))
            lifts = np.sort(each.beta(0.8, 2.5, shape), axis=1)
            worlds.append(np.concatenate([base, base + (1 - base) * lifts], axis=1))
        self.conversion = np.stack(worlds)
        first, alike = worlds[0], all(np.array_equal(world, worlds[0]) for world in worlds)
        found = [best_rate(world, self.costs, self.budget / self.rounds) for world in ([first] if alike else worlds)]
        self.optimum = np.broadcast_to(np.array(found), self.num_envs).copy()

    def begin(self) -> None:
        """Customers, all segments alike, and their luck."""
        self.customers = np.stack([each.integers(self.segments, size=self.rounds) for each in self.generators], 1)
        self.luck = np.stack([each.random(self.rounds) for each in self.generators], 1)
        self.money = np.full(self.num_envs, self.budget)

    def observe(self) -> Array:
        """The customer who is to be served; after the last, the last."""
        observations = np.zeros((self.num_envs, self.segments + 2), np.float32)
        segments = self.customers[min(self.round, self.rounds - 1)]
        observations[np.arange(self.num_envs), segments] = 1
        observations[:, -2] = 1 - self.round / self.rounds
        observations[:, -1] = self.money / self.budget if self.budget else 0
        return observations

    def play(self, actions: Array) -> tuple[Floats, Infos]:
        """Make an offer."""
        made = np.where(self.costs[actions] <= self.money, actions, 0)
        costs = self.costs[made]
        self.money = self.money - costs
        expected = self.conversion[np.arange(self.num_envs), self.customers[self.round], made]
        converted = (self.luck[self.round] < expected).astype(np.float64)
        told = {"cost": costs, "expected": expected, "optimum": self.optimum, "regret": self.optimum - expected}
        return converted, told


class Marketing(SingleRun):
    """One run of `MarketingVectorEnv` (see there): `gymnasium.make("labs/Marketing-v0", budget=500.0, ...)`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(MarketingVectorEnv(1, **settings))


def best_rate(conversion: Floats, costs: Floats, allowance: float) -> float:
    """The most conversions a customer: max over q of mean_s sum_a q[s, a] w[s, a], with the mean cost allowed.

    q[s, a] is the probability to make offer a to segment s; segments come equally often.
    Shapes: conversion (segments, offers), costs (offers).
    """
    segments, offers = conversion.shape
    one_offer = np.kron(np.eye(segments), np.ones(offers))
    spending = np.tile(costs, segments)[None] / segments
    found = linprog(-conversion.ravel() / segments, spending, [allowance], one_offer, np.ones(segments), (0, 1))
    return -float(found.fun or 0.0)
