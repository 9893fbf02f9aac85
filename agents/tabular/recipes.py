"""How to learn on Gymnasium's tabular environments, so that policies come within 2 % of the optimum."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.environments import make_one
from agents.tabular.agent import TabularAgent
from agents.tabular.algorithms import SARSA, DoubleQLearning, ExpectedSARSA, QLearning
from agents.tabular.comparison import Comparison
from agents.tabular.models import exact_model
from foundations.errors import require
from foundations.schedules import linear_decay
from foundations.streams import Streams

METHODS: dict[str, type[TabularAgent]] = {
    "q_learning": QLearning,
    "sarsa": SARSA,
    "expected_sarsa": ExpectedSARSA,
    "double_q_learning": DoubleQLearning,
}
ON_POLICY = (SARSA, ExpectedSARSA)
"""They learn the value of what they do, random steps included."""


@dataclass(frozen=True)
class Recipe:
    """How to learn in the environment `name`: settings of all methods, and of those that are not on-policy."""

    name: str
    gamma: float
    episodes: int
    settings: Mapping[str, Any]
    off_policy: Mapping[str, Any] = field(default_factory=dict)
    fades: bool = True
    """Whether exploration falls in a straight line to 0."""
    horizon: int | None = None
    """Steps after which an evaluated policy that goes on for ever is stopped."""
    full: int = 0
    """Episodes of the full preset, where twice as many do not do."""


NOISY = {"learning_rate": 1.0, "visit_power": 0.6}
"""For random environments: each further visit counts less, so that luck averages out."""
RECIPES = {
    "frozen_lake": Recipe("FrozenLake-v1", 0.99, 8_000, {**NOISY, "epsilon": 0.5, "initial_value": 1.0}),
    "frozen_lake_8x8": Recipe("FrozenLake8x8-v1", 0.99, 15_000, {**NOISY, "epsilon": 0.5, "initial_value": 1.0}),
    # On the cliff who counts its own random steps must take none to see that the edge is the shortest way.
    "cliff_walking": Recipe(
        "CliffWalking-v1", 1.0, 2_000, {"learning_rate": 1.0, "epsilon": 0.0}, {"epsilon": 0.5}, horizon=200
    ),
    # Values begin at 0, above all that driving around can bring: that optimism explores by itself.
    "taxi": Recipe("Taxi-v4", 0.99, 5_000, {"learning_rate": 0.5, "epsilon": 0.0}),
    "blackjack": Recipe(
        "Blackjack-v1",
        1.0,
        50_000,
        {**NOISY, "visit_power": 0.85, "epsilon": 0.5},
        {"epsilon": 1.0},
        horizon=25,
        full=1_000_000,
    ),
}
EDGE = Recipe("CliffWalking-v1", 1.0, 500, {"learning_rate": 0.5, "epsilon": 0.1}, fades=False, horizon=200)
"""Sutton and Barto's example 6.6."""


def compare(recipe: Recipe, *, episodes: int, looks: int, seeds: int, streams: Streams) -> Comparison:
    """All methods, each with so many seeds, `episodes` each in `looks` shares.

    Raises: InputError for fewer episodes than looks, and for counts below 1.
    """
    require(seeds >= 1, "seeds", seeds, "at least 1")
    require(1 <= looks <= episodes, "looks", looks, f"from 1 to {episodes}, the number of episodes")
    share = episodes // looks

    def member(method: str, seed: int) -> TabularAgent:
        kind, settings = METHODS[method], dict(recipe.settings)
        if not issubclass(kind, ON_POLICY):
            settings |= recipe.off_policy
        if recipe.fades:
            settings["epsilon_schedule"] = linear_decay(share * looks)
        environment = make_one(recipe.name, disable_env_checker=True)  # the checks would slow each step
        own = streams.child(f"seed {seed}").child(method)
        return kind(environment, gamma=recipe.gamma, episodes=share, streams=own, **settings)

    members = {method: [member(method, seed) for seed in range(seeds)] for method in METHODS}
    model = exact_model(members["sarsa"][0].environment)
    return Comparison(members, model, recipe.gamma, horizon=recipe.horizon)
