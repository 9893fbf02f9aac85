"""Real-time bidding: a bid for each chance to show an advertisement, second price, a budget for the day."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode

from agents.envs.lockstep import Array, Floats, Infos, LockstepVectorEnv, SingleRun
from foundations.errors import require


class AdBiddingVectorEnv(LockstepVectorEnv):
    """A day of `rounds` auctions. Who bids more than all others shows the advertisement and pays the highest other bid.

    A user is a mixture x of `interests` (sum x = 1), observed, and clicks with probability x w; w is hidden. The
    highest other bid m is log-normal about a level that rises towards the evening, higher for users who click more
    (others can tell, too), and another day by day: `unrest` is the standard deviation of log level. It is seen by the
    winner only, as the price: who loses learns that m was higher, and no more (censored feedback). A bid above the
    money left counts as that money.

    Observation: x, the share of auctions and of budget that are left, float32 (interests + 2). Action: the bid, float32
    (1), in money an impression. Reward: 1 for a click, else 0. The day ends (terminated) after `rounds` auctions.
    Info: `won`; `price` paid, 0 if lost; `expected`, the click probability of what was won; `optimum`, the expected
    clicks a day of the best bids x w / lambda in hindsight.
    Raises: InputError for a negative budget or unrest, and fewer than two interests.
    Source: Vickrey 1961 (second price); Zhang, Yuan & Wang 2014, "Optimal real-time bidding" (the setting).
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        interests: int = 5,
        budget: float = 25.0,
        unrest: float = 0.3,
        highest_bid: float = 1.0,
        rounds: int = 2_000,
        world: int | None = 0,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        require(interests >= 2, "interests", interests, "at least 2")
        require(budget >= 0, "budget", budget, "at least 0")
        require(unrest >= 0, "unrest", unrest, "at least 0")
        require(highest_bid > 0, "highest_bid", highest_bid, "above 0")
        self.interests, self.budget, self.unrest = interests, float(budget), unrest
        shown = Box(0, 1, (interests + 2,), np.float32)
        bids = Box(0, highest_bid, (1,), np.float32)
        super().__init__(num_envs, rounds, world, shown, bids, autoreset_mode)

    def create(self, generators: Sequence[np.random.Generator]) -> None:
        """Few interests click often: w ~ Beta(0.6, 5), a mean of 0.11."""
        self.weights = np.stack([each.beta(0.6, 5, self.interests) for each in generators])

    def begin(self) -> None:
        """All auctions of a day."""
        days = [self._day(each, weights) for each, weights in zip(self.generators, self.weights, strict=True)]
        self.users, self.chances, self.rivals, self.luck = (np.stack(part, 1) for part in zip(*days, strict=True))
        self.money = np.full(self.num_envs, self.budget)
        pairs = zip(self.chances.T, self.rivals.T, strict=True)
        self.optimum = np.array([best_clicks(chances, rivals, self.budget) for chances, rivals in pairs])

    def _day(self, generator: np.random.Generator, weights: Floats) -> tuple[Array, Floats, Floats, Floats]:
        """Users, their click probabilities, the highest other bids and the luck."""
        users = generator.dirichlet(np.full(self.interests, 0.5), self.rounds).astype(np.float32)
        chances = users @ weights
        hour = np.linspace(0, 1, self.rounds)
        level = np.exp(self.unrest * generator.standard_normal()) * (1 + 0.6 * np.sin(np.pi * (2 * hour - 0.9)))
        noise = np.exp(0.5 * generator.standard_normal(self.rounds))
        rivals = 0.12 * level * np.sqrt(chances + 0.01) * noise
        return users, chances, rivals, generator.random(self.rounds)

    def observe(self) -> Array:
        """The user whose attention is for sale; after the last, the last."""
        now = min(self.round, self.rounds - 1)
        left = np.full((self.num_envs, 2), 1 - self.round / self.rounds)
        left[:, 1] = self.money / self.budget if self.budget else 0
        return np.concatenate([self.users[now], left], axis=1, dtype=np.float32)

    def play(self, actions: Array) -> tuple[Floats, Infos]:
        """Bid."""
        bids = np.minimum(actions.reshape(self.num_envs).astype(np.float64), self.money)
        rivals, chances = self.rivals[self.round], self.chances[self.round]
        won = bids > rivals
        prices = np.where(won, rivals, 0.0)
        self.money = self.money - prices
        clicks = (won & (self.luck[self.round] < chances)).astype(np.float64)
        told = {"won": won, "price": prices, "expected": np.where(won, chances, 0.0), "optimum": self.optimum}
        return clicks, told


class AdBidding(SingleRun):
    """One run of `AdBiddingVectorEnv` (see there): `gymnasium.make("labs/AdBidding-v0", budget=25.0, ...)`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(AdBiddingVectorEnv(1, **settings))


def best_clicks(chances: Floats, rivals: Floats, budget: float) -> float:
    """The most clicks to expect of a day that is known: auctions with the most clicks for their price, till money ends.

    That is to bid p / lambda everywhere, with the lambda that spends the budget (the last auction in part).
    Shapes: both (rounds).
    """
    order = np.argsort(-chances / rivals)
    spent = np.cumsum(rivals[order])
    whole = int(np.searchsorted(spent, budget, side="right"))
    clicks = float(chances[order][:whole].sum())
    if whole < len(order):
        before = spent[whole - 1] if whole else 0.0
        clicks += float(chances[order][whole] * (budget - before) / rivals[order][whole])
    return clicks
