"""Bidding in repeated second-price auctions with a budget: what to pay for an impression, and when to hold back.

Made for "labs/AdBidding-v0": an observation is a user x and, last, the shares of auctions and of budget that are left.
A click is the reward, learned of for auctions that were won only.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from agents.bandits.linear import LinUCB
from agents.bandits.pacing import Pacing
from agents.interaction import Interaction
from agents.playing import Array, Player
from foundations.errors import require
from foundations.learner import Metrics
from foundations.streams import Streams

if TYPE_CHECKING:
    from agents.envs.ad_bidding import AdBiddingVectorEnv

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FixedBidder:
    """The same bid for everything, all day: one for all environments, or one for each."""

    bid: float | Floats

    def act(self, observations: Array, started: NDArray[np.bool_]) -> Array:
        """Shapes: (environments, ...) -> (environments, 1)."""
        return np.broadcast_to(self.bid, len(observations)).astype(np.float32)[:, None]


@dataclass(eq=False)
class PacedBidder:
    """Bids what the user is worth, p / lambda: lambda is what money is worth, p the click probability as learned.

    In a second-price auction with a budget these are the best bids there are, for the right lambda: each auction is
    won whose clicks for their price, p / price, are above it. Without `pacing` lambda stays at `price`.
    Without `clicks` every user counts alike, p = 1.
    Shapes: (environments, features + 2) -> (environments, 1).
    """

    clicks: LinUCB | None
    pacing: Pacing | None
    highest_bid: float
    price: float | Floats = 1.0
    greedy: bool = True

    def act(self, observations: Array, started: NDArray[np.bool_]) -> Array:
        """The bids p / lambda, none above the highest bid."""
        worth = np.ones(len(observations))
        if self.clicks:
            users = observations[:, :-2].astype(np.float64)
            worth = (self.clicks.estimates(users) if self.greedy else self.clicks.scores(users))[:, 0]
        price: Floats | float = self.price
        if self.pacing:
            price = self.pacing.look(observations[:, -2], observations[:, -1], started)
        return np.clip(worth / price, 0, self.highest_bid).astype(np.float32)[:, None]


class BiddingAgent:
    """Learns to bid: which users click, by LinUCB from the impressions that it won, and what money is worth, by pacing.

    It bids by the upper bound of the click probability while it learns: nothing is heard of users who are never won.
    With `values` = False all users count alike.
    Yields, after each day of all environments: `environment_steps`, `clicks` and `spent` (share of the budget), means
    of a day, `price_of_money`, and `share_of_optimum`, expected clicks over those of the best bids in hindsight.
    Raises: InputError for settings outside their bounds.
    """

    def __init__(
        self,
        environments: VectorEnv[Any, Any, Any],
        *,
        streams: Streams,
        rate: float = 0.003,
        first_price: float = 1.0,
        alpha: float = 0.3,
        values: bool = True,
    ) -> None:
        runs, rounds = environments.num_envs, int(getattr(environments, "rounds", 0))
        require(rounds >= 1, "environments", str(environments), "an AdBiddingVectorEnv")
        width = environments.single_observation_space.shape
        highest = float(getattr(environments.single_action_space, "high", np.ones(1))[0])
        features = width[0] - 2 if width else 0
        clicks = LinUCB(runs, 1, features, streams.numpy("clicks"), alpha=alpha) if values else None
        self.pacing = Pacing(runs, rounds, rate=rate, first=first_price)
        self.bidder = PacedBidder(clicks, self.pacing, highest, greedy=False)
        self.interaction = Interaction(environments, int(streams.numpy("environments").integers(2**31)))
        self.day = 0

    def learn(self) -> Iterator[Metrics]:
        """A day between one yield and the next."""
        while True:
            self.day += 1
            yield self._day()

    def _day(self) -> dict[str, float]:
        clicks, spent, over = 0.0, 0.0, False
        expected: Floats = np.zeros(self.interaction.environments.num_envs)
        while not over:
            observations, started = self.interaction.observations, self.interaction.started
            step = self.interaction.step(self.bidder.act(observations, started))
            if not step.valid.all():
                continue
            self._take_in(observations, step.rewards, step.infos["won"])
            clicks += float(step.rewards.mean())
            spent += float((observations[:, -1] - step.next_observations[:, -1]).mean())
            expected = expected + step.infos["expected"]
            over = bool(step.ended.all())
        return {
            "environment_steps": float(self.interaction.environment_steps),
            "clicks": clicks,
            "spent": spent,
            "price_of_money": float(self.pacing.price.mean()),
            "share_of_optimum": float(share_of_optimum(expected, step.infos["optimum"]).mean()),
        }

    def _take_in(self, observations: Array, rewards: Floats, won: NDArray[np.bool_]) -> None:
        """Learn of the users that were won; whether the others would have clicked is nobody's to know."""
        if self.bidder.clicks:
            users = np.where(won[:, None], observations[:, :-2].astype(np.float64), 0.0)  # x = 0 teaches nothing
            self.bidder.clicks.update(users, np.zeros(len(users), np.int64), rewards)

    def player(self, *, greedy: bool, stream: np.random.Generator) -> PacedBidder:
        """A bidder that has learned what the agent has, and goes on pacing; greedy, it bids estimates, not bounds."""
        bidder = copy.deepcopy(self.bidder)
        bidder.greedy = greedy
        return bidder

    def state_dict(self) -> dict[str, Any]:
        """What was learned, the environments, the day."""
        return {
            "clicks": self.bidder.clicks.state_dict() if self.bidder.clicks else None,
            "pacing": self.pacing.state_dict(),
            "interaction": self.interaction.state_dict(),
            "day": self.day,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        if self.bidder.clicks:
            self.bidder.clicks.load_state_dict(state["clicks"])
        self.pacing.load_state_dict(state["pacing"])
        self.interaction.load_state_dict(state["interaction"])
        self.day = state["day"]


class FixedBidAgent:
    """The best fixed bid in hindsight: after each day, the one of `bids` with the most clicks on all days so far.

    A yardstick, and a generous one: it is told every rival's bid, which no bidder ever hears. Each environment has its
    own; it plays what was best before the day.
    Yields, after each day: `environment_steps`, `bid` and `clicks` to expect, means.
    Raises: InputError for bids that are none or not above 0, and for environments that reset only in the next step,
    where a day's bids would not be known before it.
    """

    def __init__(self, environments: "AdBiddingVectorEnv", bids: Sequence[float], *, streams: Streams) -> None:
        require(len(bids) >= 1 and min(bids) > 0, "bids", bids, "at least one, all above 0")
        mode = environments.metadata["autoreset_mode"]
        require(mode is AutoresetMode.SAME_STEP, "autoreset_mode", mode, "AutoresetMode.SAME_STEP")
        self.bids = np.array(bids, np.float64)
        self.totals = np.zeros((environments.num_envs, len(bids)))
        self.interaction = Interaction(environments, int(streams.numpy("environments").integers(2**31)))

    @property
    def best(self) -> Floats:
        """The best bid so far of each environment."""
        return np.asarray(self.bids[self.totals.argmax(1)], np.float64)

    def learn(self) -> Iterator[Metrics]:
        """A day between one yield and the next."""
        while True:
            clicks = hindsight_clicks(self.interaction.environments, self.bids)  # type: ignore[arg-type]
            day = play_day(FixedBidder(self.best), self.interaction)
            self.totals = self.totals + clicks
            yield {
                "environment_steps": float(self.interaction.environment_steps),
                "bid": float(self.best.mean()),
                "clicks": float(day["clicks"].sum(0).mean()),
            }

    def player(self, *, greedy: bool, stream: np.random.Generator) -> FixedBidder:
        """The best bid as it is now."""
        return FixedBidder(self.best)

    def state_dict(self) -> dict[str, Any]:
        """The days so far."""
        return {"totals": torch.from_numpy(self.totals.copy()), "interaction": self.interaction.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        self.totals = state["totals"].numpy().copy()
        self.interaction.load_state_dict(state["interaction"])


def hindsight_clicks(environments: "AdBiddingVectorEnv", bids: Floats) -> Floats:
    """The clicks to expect of each fixed bid on the day that is to come: (environments, bids)."""
    money = np.full((environments.num_envs, len(bids)), environments.budget)
    clicks = np.zeros_like(money)
    for rivals, chances in zip(environments.rivals, environments.chances, strict=True):
        won = np.minimum(bids, money) > rivals[:, None]
        money -= won * rivals[:, None]
        clicks += won * chances[:, None]
    return clicks


def play_day(bidder: Player, interaction: Interaction) -> dict[str, Floats]:
    """One day of all environments, from its beginning to its end; nothing is learned.

    Shapes: `money`, the share that is left before each auction and at last, (rounds + 1, environments); `won`, `price`
    and expected `clicks` (rounds, environments); `optimum` (environments), the clicks of the best bids in hindsight.
    """
    rows: dict[str, list[Floats]] = {"money": [], "price": [], "won": [], "clicks": []}
    over = False
    while not over:
        step = interaction.step(bidder.act(interaction.observations, interaction.started))
        if not step.valid.all():
            continue
        if not rows["money"]:
            rows["money"].append(step.observations[:, -1])
        rows["money"].append(step.next_observations[:, -1])
        for name, told in (("price", "price"), ("won", "won"), ("clicks", "expected")):
            rows[name].append(step.infos[told].astype(np.float64))
        over = bool(step.ended.all())
    return {**{name: np.array(row) for name, row in rows.items()}, "optimum": step.infos["optimum"]}


def share_of_optimum(clicks: Floats, optimum: Floats) -> Floats:
    """A day's expected clicks as a share of those of the best bids in hindsight. Shapes: all (environments)."""
    share: Floats = clicks / np.maximum(optimum, 1e-9)
    return share
