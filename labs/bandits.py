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

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from agents.bandits import BanditAgent

topic = "agents"
SEGMENTS, CUSTOMERS = 4, 1_000
CAMPAIGN = {
    "thompson": "Thompson, pacing",
    "linucb": "LinUCB, pacing",
    "epsilon": "epsilon-greedy, pacing",
    "unpaced": "Thompson, money first come first served",
}
LEARNERS = {
    "epsilon": "epsilon-greedy, 0.1",
    "fading": "epsilon-greedy, 100 / t",
    "ucb": "UCB1",
    "beta": "Thompson, Beta",
    "gaussian": "Thompson, Gaussian",
}


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
    from agents.bandits import lai_robbins

    bound = lai_robbins(config.arms)
    require(config.rounds >= 100, "rounds", config.rounds, "at least 100, to see how regret grows")
    armed = {name: follow(run, name, agent, config.rounds // 100) for name, agent in slot_machines(config, run).items()}
    summary, rows = {"lai_robbins": bound}, []
    for name, agent in armed.items():
        curve = numbers(agent)
        summary |= {f"regret/{name}": float(agent.regret.mean()), f"growth/{name}": growth(curve)}
        spread = f"{agent.regret.mean():.1f} ± {agent.regret.std():.1f}"
        rows.append({"policy": LEARNERS[name], "regret": spread, "growth over the last half, a log t": growth(curve)})
    rows.append({"policy": "bound of Lai and Robbins", "regret": "", "growth over the last half, a log t": bound})
    run.table("slot_machines", [{key: _plain(value) for key, value in row.items()} for row in rows])
    run.figure("regret", draw_regret(armed, config, bound))
    offers = {name: follow(run, name, agent, config.campaigns) for name, agent in marketing(config, run).items()}
    shares = {name: campaign_shares(agent, CUSTOMERS) for name, agent in offers.items()}
    summary |= {f"campaign/{name}": float(share[-1].mean()) for name, share in shares.items()}
    run.figure("campaigns", draw_campaigns(shares))
    run.summary(summary)


def _plain(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def follow(run: kit.Run, name: str, agent: "BanditAgent", steps: int) -> "BanditAgent":
    """Let `agent` play, as a phase of the run."""
    phase = name if agent.rounds == 100 else f"campaign_{name}"
    for _ in run.follow(agent, steps=steps, examples_per_step=agent.rounds * agent.policy.runs, name=phase):
        pass
    return agent


def slot_machines(config: Config, run: kit.Run) -> dict[str, "BanditAgent"]:
    """A policy each, on machines with the same luck; regret is looked at every 100 rounds."""
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
        return BanditAgent(machines, policies[name](run.streams.numpy(name)), streams=run.streams, rounds=100)

    return {name: agent(name) for name in LEARNERS}


def marketing(config: Config, run: kit.Run) -> dict[str, "BanditAgent"]:
    """Campaigns in as many worlds as there are runs; regret is looked at after each."""
    from gymnasium.vector import AutoresetMode

    from agents.bandits import BanditAgent, Budget, LinearEpsilonGreedy, LinearThompson, LinUCB, Pacing
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
        return BanditAgent(policy=policy, environments=customers, streams=streams, rounds=CUSTOMERS, budget=budget,
                           context=segment)  # fmt: skip

    return {name: agent(name) for name in CAMPAIGN}


def segment(observations: "NDArray[np.float32]") -> "NDArray[np.float64]":
    """The segment alone, without what is left of customers and money."""
    import numpy as np

    return observations[:, :-2].astype(np.float64)


def numbers(agent: "BanditAgent") -> "NDArray[np.float64]":
    """Regret after each look: (looks, runs)."""
    import numpy as np

    return np.array(agent.curve)


def growth(curve: "NDArray[np.float64]") -> float:
    """The slope of mean regret over log t, in the second half of the rounds."""
    import numpy as np

    half = len(curve) // 2
    return float((curve[-1].mean() - curve[half - 1].mean()) / np.log(len(curve) / half))


def campaign_shares(agent: "BanditAgent", customers: int) -> "NDArray[np.float64]":
    """Expected conversions of each campaign, as a share of what the best policy reaches: (campaigns, runs)."""
    import numpy as np

    environments = agent.interaction.environments
    lost = np.diff(numbers(agent), axis=0, prepend=0.0)
    shares: NDArray[np.float64] = 1 - lost / (customers * environments.optimum)  # type: ignore[attr-defined]
    return shares


# --- the figures ------------------------------------------------------------------------------------------------------


def draw_regret(agents: dict[str, "BanditAgent"], config: Config, bound: float) -> "Figure":
    """Regret over rounds, and over their logarithm, where growth like log t is a straight line."""
    import numpy as np

    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.8))
    rounds = 100 * np.arange(1, len(numbers(next(iter(agents.values())))) + 1)
    for (name, agent), colour in zip(agents.items(), colours, strict=False):
        curve = numbers(agent)
        low, high = np.quantile(curve, (0.25, 0.75), axis=1)
        left.fill_between(rounds, low, high, color=colour, alpha=0.13, linewidth=0)
        for axes in (left, right):
            label = LEARNERS[name] if axes is left else None
            axes.plot(rounds, curve.mean(1), "-", color=colour, linewidth=1.9, label=label)
    right.plot(rounds, bound * np.log(rounds / rounds[0]), "--", color="black", linewidth=1.6,
               label="Lai and Robbins: no slope below this in the long run")  # fmt: skip
    right.set_xscale("log")
    left.set(title="A fixed rate of tries costs the same for ever", xlabel="round", ylabel="regret (payouts missed)")
    right.set(title="Growth like log t is a straight line here", xlabel="round (logarithmic)", ylabel="regret")
    top = 1.15 * max(numbers(agent).mean(1)[-1] for agent in agents.values())
    for axes in (left, right):
        axes.set_ylim(0, top)
    right.legend(loc="upper left", fontsize=9)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=9)
    arms = ", ".join(f"{each:g}" for each in config.arms)
    figure.suptitle(f"Arms that pay with {arms}: mean of {config.runs} runs, the middle half of them shaded")
    return figure


def draw_campaigns(shares: "dict[str, NDArray[np.float64]]") -> "Figure":
    """How close each way of making offers comes to the best one, campaign after campaign."""
    import numpy as np

    colours = kit.figures.COLOURS
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    figure, axes = plt.subplots(figsize=(8.4, 4.6))
    for (name, share), colour in zip(shares.items(), colours, strict=False):
        campaigns = np.arange(1, len(share) + 1)
        low, high = np.quantile(100 * share, (0.25, 0.75), axis=1)
        axes.plot(campaigns, 100 * share.mean(1), "-o", color=colour, markersize=4, label=CAMPAIGN[name])
        axes.fill_between(campaigns, low, high, color=colour, alpha=0.13, linewidth=0)
    axes.axhline(100, color="black", linewidth=1, linestyle=":", label="the best that knows all")
    axes.set(xlabel="campaign of 1,000 customers", ylabel="conversions to expect, % of the best", ylim=(None, 105))
    axes.set_title("A budget: money has a price, and pacing finds it (middle half of the worlds shaded)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure


if __name__ == "__main__":
    kit.launch(main)
