"""Recommend items to users: LinUCB and Thompson sampling against epsilon-greedy, and against those who see no user.

A user is a mixture of interests; what each item is worth to each interest is learned from clicks, and only for items
that were shown. Who takes the best item for the average user loses for ever. Who looks at the user, but tries blindly,
wastes every tenth recommendation; who tries what is promising and little known for this user hardly loses any more.
Li, Chu, Langford & Schapire 2010, arXiv:1003.0146 (LinUCB); Agrawal & Goyal 2013, arXiv:1209.3352 (Thompson sampling).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import labs.kit as kit
from foundations.errors import require
from labs.drawings import recommender as drawings
from labs.drawings.recommender import LEARNERS, LOOK

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agents.bandits import BanditAgent, Policy

topic = "agents"


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
    run.figure("regret", drawings.draw_regret(curves, f"{config.items} items, {config.interests} interests"))
    run.figure("what_was_learned", drawings.draw_appeal(served["linucb"]))
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


if __name__ == "__main__":
    kit.launch(main)
