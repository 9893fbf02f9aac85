"""Bandits: agents that must try to find out what is good, and lose by each try. Many independent runs side by side.

Without context: `EpsilonGreedy`, `UCB1`, `BetaThompson`, `GaussianThompson`. With context: `LinUCB`, `LinearThompson`,
`LinearEpsilonGreedy`. Each is a policy that a `BanditAgent` drives through Gymnasium environments; a `Pacing` makes a
budget last; `PacedBidder` and `FixedBidder` bid in auctions.
"""

from agents.bandits.agent import BanditAgent, BanditPlayer, Budget, without_budget
from agents.bandits.arms import UCB1, BetaThompson, EpsilonGreedy, GaussianThompson
from agents.bandits.bidding import BiddingAgent, FixedBidAgent, FixedBidder, PacedBidder, play_day, share_of_optimum
from agents.bandits.linear import LinearEpsilonGreedy, LinearThompson, LinUCB
from agents.bandits.pacing import Pacing
from agents.bandits.policy import Policy
from agents.bandits.theory import lai_robbins, logarithmic_growth

__all__ = [
    "UCB1",
    "BanditAgent",
    "BanditPlayer",
    "BetaThompson",
    "BiddingAgent",
    "Budget",
    "EpsilonGreedy",
    "FixedBidAgent",
    "FixedBidder",
    "GaussianThompson",
    "LinUCB",
    "LinearEpsilonGreedy",
    "LinearThompson",
    "PacedBidder",
    "Pacing",
    "Policy",
    "lai_robbins",
    "logarithmic_growth",
    "play_day",
    "share_of_optimum",
    "without_budget",
]
