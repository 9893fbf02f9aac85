"""Bid for advertisements in real time: learned values and pacing against the best fixed bid, at an equal budget.

Each user's attention is sold in a second-price auction: the highest bid wins and pays the second. The best bids there
are p / lambda, the click probability over the price of money; a bidder learns p from the impressions that it won, never
hearing of the others, and finds lambda by watching how fast its money goes. The fixed bid is the best in hindsight on
the training days; all are tested on days that neither has seen.
Vickrey 1961; Zhang, Yuan & Wang 2014 (optimal real-time bidding); Balseiro, Lu & Mirrokni 2020, arXiv:2011.10124.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import labs.kit as kit
from labs.drawings import ad_bidding as drawings
from labs.drawings.ad_bidding import BIDDERS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Days = list[dict[str, NDArray[np.float64]]]

topic = "agents"
GRID = tuple(0.005 * 1.12**step for step in range(40))
"""Fixed bids that are tried."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    training_days: kit.Count = 10
    """Days to learn from, and to find the best fixed bid on."""
    test_days: kit.Count = 5
    """Days that nobody has seen, on which the bidders are compared."""
    worlds: kit.Count = 20
    """Independent runs, each with its own users and rivals."""
    budget: kit.Rate = 25.0
    """Money for a day; all attention of a day costs about 90."""
    auctions: kit.Count = 2_000
    """Auctions of a day."""
    rate: kit.Rate = 0.003
    """How fast the price of money follows the spending; a larger rate is nervous."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"training_days": 3, "test_days": 1, "worlds": 8, "auctions": 500, "budget": 6.0},
        "full": {"training_days": 50, "test_days": 20, "worlds": 100},
    }
    useful_threads: ClassVar[int] = 1


def main(config: Config, run: kit.Run) -> None:
    """Find the best fixed bid, learn to bid, compare on test days."""
    import numpy as np

    from agents.bandits import share_of_optimum

    learners = build(config, run)
    for name, agent in learners.items():
        for _ in run.follow(agent, steps=config.training_days, examples_per_step=config.auctions, name=name):
            pass
    days = {name: test(name, learners, config, run) for name in BIDDERS}
    shares = {
        name: [share_of_optimum(day["clicks"].sum(0), day["optimum"]) for day in each] for name, each in days.items()
    }
    means = {name: np.mean(each, axis=0) for name, each in shares.items()}
    run.table("test_days", [row(name, days[name], means) for name in BIDDERS])
    run.figure("the_day", drawings.draw_day(days))
    run.figure("comparison", drawings.draw_comparison(means, learners["both"]))
    gain = means["both"] / means["fixed"] - 1
    reached = {f"share_of_optimum/{name}": float(mean.mean()) for name, mean in means.items()}
    run.summary({**reached, "gain_over_fixed": float(gain.mean()), "worlds_with_gain": float((gain > 0).mean())})
    if gain.mean() <= 0:
        run.note("the learned bids are no better than the best fixed bid here: too few days to learn from")


def build(config: Config, run: kit.Run) -> dict[str, Any]:
    """Who learns: the fixed bid, the pacing alone, and both; in the same worlds, on the same days."""
    from gymnasium.vector import AutoresetMode

    from agents.bandits import BiddingAgent, FixedBidAgent
    from agents.envs.ad_bidding import AdBiddingVectorEnv

    def worlds() -> AdBiddingVectorEnv:
        mode = AutoresetMode.SAME_STEP
        settings: dict[str, Any] = {"budget": config.budget, "rounds": config.auctions, "world": None}
        return AdBiddingVectorEnv(config.worlds, autoreset_mode=mode, **settings)

    def pacer(first_price: float, *, values: bool) -> BiddingAgent:
        return BiddingAgent(worlds(), streams=streams, rate=config.rate, first_price=first_price, values=values)

    streams = run.streams.child("worlds")  # the same for all
    return {
        "fixed": FixedBidAgent(worlds(), GRID, streams=streams),
        "pacing": pacer(20.0, values=False),
        "both": pacer(2.0, values=True),
    }


def test(name: str, learners: Mapping[str, Any], config: Config, run: kit.Run) -> "Days":
    """The test days, which follow the training days in the same worlds, by what was learned so far."""
    from agents.bandits import PacedBidder, play_day

    agent = copy.deepcopy(learners["both" if name == "values" else name])
    bidder = agent.player(greedy=True, stream=run.streams.numpy(f"test {name}"))
    if name == "values":  # as both, but the price of money stays as it was at the end of the training days
        bidder = PacedBidder(bidder.clicks, None, bidder.highest_bid, price=agent.pacing.price)
    return [play_day(bidder, agent.interaction) for _ in range(config.test_days)]


def row(name: str, days: "Days", means: "Mapping[str, NDArray[np.float64]]") -> dict[str, object]:
    """What a bidder reached on the test days."""
    import numpy as np

    spent = np.mean([1 - day["money"][-1] for day in days])
    ends = np.mean([(day["money"] > 0.01).mean(0) for day in days])
    clicks = np.mean([day["clicks"].sum(0) for day in days])
    return {
        "bidder": BIDDERS[name],
        "clicks a day": f"{clicks:.1f}",
        "share of the best in hindsight": f"{means[name].mean():.1%} ± {means[name].std():.1%}",
        "budget spent": f"{spent:.1%}",
        "money lasts for": f"{ends:.0%} of the day",
        "better than the fixed bid in": f"{(means[name] > means['fixed']).mean():.0%} of the worlds",
    }


if __name__ == "__main__":
    kit.launch(main)
