"""What trying costs: epsilon-greedy, UCB1 and Thompson sampling on slot machines, then a campaign with a budget.

Regret is what the best arm would have paid more. Tries at a fixed rate cost the same for ever: regret grows in a
straight line. Who tries what may still be the best needs ever fewer: it grows like log t, and the bound of Lai and
Robbins says that nobody who is good everywhere can do with less than its slope. In the second part offers to customers
cost money: with a budget, what counts is the conversion less the price of the money that it takes.
Lai & Robbins 1985; Auer, Cesa-Bianchi & Fischer 2002 (UCB1); Thompson 1933; Badanidiyuru et al. 2013, arXiv:1305.2545.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import labs.kit as kit
from foundations.errors import require
from labs.drawings import bandits as drawings
from labs.drawings.bandits import LOOK

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agents.bandits import BanditAgent

topic = "agents"
SEGMENTS, CUSTOMERS = 4, 1_000
GROWTH = "growth over the last half, a log t"


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    arms: tuple[float, ...] = (0.1, 0.3, 0.5, 0.55, 0.6)
    """Probability that each machine pays 1."""
    rounds: kit.Count = 10_000
    """Pulls of each run."""
    runs: kit.Count = 100
    """Independent runs of each policy."""
    campaigns: kit.Count = 10
    """Campaigns of the second part, one after the other, of 1,000 customers each."""
    budget: kit.Rate = 500.0
    """Money for a campaign; offers cost 0, 0.3, 1 and 2."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"rounds": 1_000, "runs": 20, "campaigns": 2},
        "full": {"rounds": 100_000, "runs": 400, "campaigns": 50},
    }
    useful_threads: ClassVar[int] = 1


def main(config: Config, run: kit.Run) -> None:
    """Pull arms, then make offers; draw regret."""
    import numpy as np

    from agents.bandits import lai_robbins, logarithmic_growth

    bound = lai_robbins(config.arms)
    require(config.rounds >= 2 * LOOK, "rounds", config.rounds, f"at least {2 * LOOK}, to see how regret grows")
    machines = slot_machines(config, run)
    follow(machines, config.rounds // LOOK, run)
    curves = {name: np.array(agent.curve) for name, agent in machines.items()}
    growth = {name: logarithmic_growth(curve) for name, curve in curves.items()}
    least = {"policy": "bound of Lai and Robbins", "regret": "", GROWTH: f"{bound:.1f}"}
    run.table("slot_machines", [*(row(name, curves[name], growth[name]) for name in curves), least])
    run.figure("regret", drawings.draw_regret(curves, config.arms, bound))
    campaigns = marketing(config, run)
    follow(campaigns, config.campaigns, run, "campaign_")
    shares = {name: agent.shares_of_optimum() for name, agent in campaigns.items()}
    run.figure("campaigns", drawings.draw_campaigns(shares))
    run.summary({"lai_robbins": bound, **{f"growth/{name}": slope for name, slope in growth.items()}})
    run.summary({f"regret/{name}": float(curve[-1].mean()) for name, curve in curves.items()})
    run.summary({f"campaign/{name}": float(share[-1].mean()) for name, share in shares.items()})


def row(name: str, curve: "NDArray[np.float64]", growth: float) -> dict[str, str]:
    """What a policy lost, and how fast that grows."""
    lost = f"{curve[-1].mean():.1f} ± {curve[-1].std():.1f}"
    return {"policy": drawings.LEARNERS[name], "regret": lost, GROWTH: f"{growth:.1f}"}


def follow(agents: "dict[str, BanditAgent]", steps: int, run: kit.Run, prefix: str = "") -> None:
    """Let each of the agents play, as a phase of the run."""
    for name, agent in agents.items():
        each = agent.rounds * agent.policy.runs
        for _ in run.follow(agent, steps=steps, examples_per_step=each, name=prefix + name):
            pass


def slot_machines(config: Config, run: kit.Run) -> dict[str, "BanditAgent"]:
    """A policy each, on machines with the same luck; regret is looked at every `LOOK` rounds."""
    from gymnasium.vector import AutoresetMode

    from agents.bandits import UCB1, BanditAgent, BetaThompson, EpsilonGreedy, GaussianThompson, Policy
    from agents.envs.multi_armed import MultiArmedVectorEnv

    shape = config.runs, len(config.arms)
    policies: dict[str, Callable[[np.random.Generator], Policy]] = {
        "epsilon": lambda stream: EpsilonGreedy(*shape, stream),
        "fading": lambda stream: EpsilonGreedy(*shape, stream, epsilon=1, decay=100),
        "ucb": lambda stream: UCB1(*shape, stream),
        "beta": lambda stream: BetaThompson(*shape, stream),
        "gaussian": lambda stream: GaussianThompson(*shape, stream),
    }

    def agent(name: str) -> BanditAgent:
        machines = MultiArmedVectorEnv(config.runs, probabilities=config.arms, autoreset_mode=AutoresetMode.SAME_STEP)
        return BanditAgent(machines, policies[name](run.streams.numpy(name)), streams=run.streams, rounds=LOOK)

    return {name: agent(name) for name in drawings.LEARNERS}


def marketing(config: Config, run: kit.Run) -> dict[str, "BanditAgent"]:
    """Campaigns in as many worlds as there are runs; regret is looked at after each."""
    from gymnasium.vector import AutoresetMode

    from agents.bandits import (
        BanditAgent,
        Budget,
        LinearEpsilonGreedy,
        LinearThompson,
        LinUCB,
        Pacing,
        without_budget,
    )
    from agents.envs.marketing import MarketingVectorEnv

    kinds: dict[str, Any] = {
        "thompson": LinearThompson,
        "linucb": LinUCB,
        "epsilon": LinearEpsilonGreedy,
        "unpaced": LinearThompson,
    }

    def agent(name: str) -> BanditAgent:
        customers = MarketingVectorEnv(
            config.runs,
            segments=SEGMENTS,
            budget=config.budget,
            rounds=CUSTOMERS,
            world=None,
            autoreset_mode=AutoresetMode.SAME_STEP,
        )
        policy = kinds[name](config.runs, len(customers.costs), SEGMENTS, run.streams.numpy(f"campaign {name}"))
        budget = None if name == "unpaced" else Budget(customers.costs, Pacing(config.runs, CUSTOMERS))
        streams = run.streams.child("campaign")
        return BanditAgent(customers, policy, streams=streams, rounds=CUSTOMERS, budget=budget, context=without_budget)

    return {name: agent(name) for name in drawings.CAMPAIGN}


if __name__ == "__main__":
    kit.launch(main)
