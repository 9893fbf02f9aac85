"""Recommend items to users: LinUCB and Thompson sampling against epsilon-greedy, and against those who see no user.

A user is a mixture of interests; what each item is worth to each interest is learned from clicks, and only for items
that were shown. Who takes the best item for the average user loses for ever. Who looks at the user, but tries blindly,
wastes every tenth recommendation; who tries what is promising and little known for this user hardly loses any more.
Li, Chu, Langford & Schapire 2010, arXiv:1003.0146 (LinUCB); Agrawal & Goyal 2013, arXiv:1209.3352 (Thompson sampling).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from agents.bandits import BanditAgent, Policy

topic = "agents"
LEARNERS = {
    "blind_epsilon": "epsilon-greedy, no context",
    "blind_thompson": "Thompson, no context",
    "epsilon": "epsilon-greedy",
    "thompson": "Thompson",
    "linucb": "LinUCB",
}
LOOK = 100
"""Users between two looks at the regret."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    users: kit.Count = 10_000
    """Users of each run, one after the other."""
    worlds: kit.Count = 50
    """Independent runs, each with its own items, users and clicks."""
    items: kit.Count = 10
    """Items to choose from; more take longer to know."""
    interests: kit.Count = 5
    """Interests that a user may have."""
    epsilon: kit.Share = 0.1
    """Share of recommendations that epsilon-greedy spends on trying."""
    alpha: kit.Rate = 1.0
    """LinUCB's bonus for what is little known; a larger one tries more."""
    noise: kit.Rate = 0.3
    """Thompson's idea of the noise of clicks; a larger one tries more."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"users": 1_000, "worlds": 20},
        "full": {"users": 100_000, "worlds": 200},
    }
    useful_threads: ClassVar[int] = 1


def main(config: Config, run: kit.Run) -> None:
    """Serve the users with every policy; compare regret and clicks."""
    import numpy as np

    require(config.users >= 10 * LOOK, "users", config.users, f"at least {10 * LOOK}, to see how regret grows")
    served = {}
    for name in LEARNERS:
        served[name] = build(name, config, run)
        for _ in run.follow(
            served[name], steps=config.users // LOOK, examples_per_step=LOOK * config.worlds, name=name
        ):
            pass
    curves = {name: np.array(agent.curve) for name, agent in served.items()}
    run.table("regret", [row(name, curves) for name in LEARNERS])
    run.figure("regret", draw_regret(curves, config))
    run.figure("what_was_learned", draw_appeal(served["linucb"]))
    beats = {f"beats_epsilon/{name}": float((curves[name][-1] < curves["epsilon"][-1]).mean()) for name in LEARNERS}
    run.summary({**{f"regret/{name}": float(curve[-1].mean()) for name, curve in curves.items()}, **beats})
    for name in ("linucb", "thompson"):
        if curves[name][-1].mean() >= curves["epsilon"][-1].mean():
            run.note(f"{LEARNERS[name]} is no better than epsilon-greedy here: too few users, or a bonus that is off")


def build(name: str, config: Config, run: kit.Run) -> "BanditAgent":
    """A policy in all worlds; every policy meets the same ones."""
    from gymnasium.vector import AutoresetMode

    from agents.bandits import BanditAgent
    from agents.envs.recommender import RecommenderVectorEnv

    worlds = RecommenderVectorEnv(
        config.worlds,
        items=config.items,
        interests=config.interests,
        world=None,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    policy = choose(name, config, run.streams.numpy(name))
    return BanditAgent(worlds, policy, streams=run.streams.child("worlds"), rounds=LOOK)


def choose(name: str, config: Config, stream: "np.random.Generator") -> "Policy":
    """The policy of that name."""
    from agents.bandits import BetaThompson, EpsilonGreedy, LinearEpsilonGreedy, LinearThompson, LinUCB

    runs, items, interests = config.worlds, config.items, config.interests
    if name == "blind_epsilon":
        return EpsilonGreedy(runs, items, stream, epsilon=config.epsilon)
    if name == "blind_thompson":
        return BetaThompson(runs, items, stream)
    if name == "epsilon":
        return LinearEpsilonGreedy(runs, items, interests, stream, epsilon=config.epsilon)
    if name == "thompson":
        return LinearThompson(runs, items, interests, stream, noise=config.noise)
    return LinUCB(runs, items, interests, stream, alpha=config.alpha)


def row(name: str, curves: "dict[str, NDArray[np.float64]]") -> dict[str, object]:
    """What a policy lost in all, and lately."""
    curve, users = curves[name], LOOK * len(curves[name])
    last = (curve[-1] - curve[len(curve) * 3 // 4 - 1]) / (len(curve) - len(curve) * 3 // 4) / LOOK
    return {
        "policy": LEARNERS[name],
        f"clicks missed of {users:,} users": f"{curve[-1].mean():.0f} ± {curve[-1].std():.0f}",
        "lately, of 100 users": f"{100 * last.mean():.2f}",
        "better than epsilon-greedy in": f"{(curve[-1] < curves['epsilon'][-1]).mean():.0%} of the worlds",
    }


# --- the figures ------------------------------------------------------------------------------------------------------


def draw_regret(curves: "dict[str, NDArray[np.float64]]", config: Config) -> "Figure":
    """Left what was missed so far, right how much of it each further user adds."""
    import numpy as np

    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.8))
    for (name, curve), colour in zip(curves.items(), colours, strict=False):
        users = LOOK * np.arange(1, len(curve) + 1)
        line = ":" if name.startswith("blind") else "-"
        low, high = np.quantile(curve, (0.1, 0.9), axis=1)
        left.plot(users, curve.mean(1), line, color=colour, linewidth=2, label=LEARNERS[name])
        left.fill_between(users, low, high, color=colour, alpha=0.12, linewidth=0)
        width = max(1, len(curve) // 20)
        recent = (curve[width:] - curve[:-width]).mean(1) / width  # LOOK is 100: already a percentage
        right.plot(users[width:], recent, line, color=colour, linewidth=2)
    left.set(xlabel="user", ylabel="regret (clicks missed)", title="Clicks missed so far (8 in 10 worlds shaded)")
    right.set(xlabel="user", ylabel="clicks missed of 100 users", title="Clicks missed lately", ylim=(0, None))
    figure.legend(loc="outside lower center", ncols=5, fontsize=9)
    figure.suptitle(f"{config.items} items, {config.interests} interests: mean of {config.worlds} worlds")
    return figure


def draw_appeal(agent: "BanditAgent") -> "Figure":
    """LinUCB's idea of the first world beside the truth, and where it looked to get it."""
    import numpy as np

    kit.figures.COLOURS  # noqa: B018  the project's style comes with them
    from matplotlib import pyplot as plt

    policy: Any = agent.policy
    worlds: Any = agent.interaction.environments
    truth, learned = worlds.appeal[0], policy.weights[0]
    spread = np.sqrt(np.diagonal(policy.inverse[0], axis1=1, axis2=2))
    figure, panels = plt.subplots(1, 3, figsize=(12.5, 4.8), sharey=True)
    shown = _heat(panels[0], truth, "The truth: p(click)", "viridis", (0, 1))
    _heat(panels[1], learned, "As LinUCB has it", "viridis", (0, 1))
    figure.colorbar(shown, ax=panels[:2], label="click probability", shrink=0.85)
    doubt = _heat(panels[2], spread, "How little it knows", "cividis", (0, float(spread.max())))
    figure.colorbar(doubt, ax=panels[2], label="uncertainty, sqrt of A⁻¹'s diagonal", shrink=0.85)
    panels[0].set_ylabel("item")
    figure.suptitle("It knows what is worth showing, and leaves the rest in the dark (first world)", weight="bold")
    return figure


def _heat(axes: "Axes", table: "NDArray[np.float64]", title: str, colours: str, limits: tuple[float, float]) -> Any:
    """A table of items and interests; the best item for each interest of it is marked."""
    shown = axes.imshow(table, cmap=colours, vmin=limits[0], vmax=limits[1], aspect="auto")
    if colours == "viridis":
        columns = range(table.shape[1])
        axes.plot(columns, table.argmax(0), "o", color="white", markeredgecolor="black", markersize=8)
    axes.set(xticks=range(table.shape[1]), yticks=range(table.shape[0]), xlabel="interest (circle: its best item)")
    if colours != "viridis":
        axes.set_xlabel("interest")
    axes.set_title(title)
    axes.grid(visible=False)
    return shown


if __name__ == "__main__":
    kit.launch(main)
