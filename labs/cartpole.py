"""Balance a pole: REINFORCE, A2C, PPO, deep Q-learning and Stable-Baselines3's agents side by side.

A cart is pushed left or right so that the pole on it stays upright; every step of it gives 1, and after 500 the episode
is cut. The run shows how fast each agent learns (the mean return of greedy episodes in environments of their own, over
the environment steps), what it reaches over 100 greedy episodes, and a film of it. Each agent learns at settings of its
own (`agents.recipes.CART_POLE`); those of Stable-Baselines3 are rl-zoo's.
Barto, Sutton & Anderson 1983, IEEE Transactions on Systems, Man, and Cybernetics 13 (the task).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import agents
import foundations
import labs.kit as kit
from agents.recipes import CART_POLE, make_agent
from foundations.errors import require
from labs.drawings import cartpole as drawings

if TYPE_CHECKING:
    from torch import nn

topic = "agents"
ENVIRONMENT = "CartPole-v1"
SOLVED = 475.0
"""The mean return at which Gymnasium calls the environment solved."""
LOOK_EVERY = {"reinforce": 5, "a2c": 16, "ppo": 4, "dqn": 32, "sb3-ppo": 8, "sb3-dqn": 8, "sb3-a2c": 50}
"""Updates from one look at greedy episodes to the next."""
LOOK_EPISODES = 20
FEWEST_STEPS = 1_024
FILM_STEPS = 240


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    agent: Literal["reinforce", "a2c", "ppo", "dqn", "sb3-ppo", "sb3-dqn", "sb3-a2c", "all"] = "ppo"
    """Who learns; all: one after the other, in one picture."""
    steps: kit.Count | None = None
    """Environment steps of each agent; its own number when not given (more in the full preset)."""
    repetitions: kit.Count = 1
    """Runs of each agent, from seeds `seed`, `seed` + 1, ..."""
    episodes: kit.Count = 100
    """Greedy episodes in the end."""

    presets: ClassVar[kit.Presets] = {"smoke": {"steps": 2_048, "episodes": 20}, "full": {"repetitions": 5}}
    useful_threads: ClassVar[int] = 1


def main(config: Config, run: kit.Run) -> None:
    """Train every agent from every seed; compare; judge; film."""
    from agents.films import halved

    steps = config.steps or FEWEST_STEPS
    require(steps >= FEWEST_STEPS, "steps", steps, f"at least {FEWEST_STEPS:,}, a rollout or two of every agent")
    names = list(LOOK_EVERY) if config.agent == "all" else [config.agent]
    results = [train(name, number, config, run) for name in names for number in range(config.repetitions)]
    curves = {name: [curve(each, run) for each in results if each.agent == name] for name in names}
    run.figure("learning", drawings.draw_learning(curves, SOLVED))
    tell(results, config, run)
    best = max(results, key=lambda result: result.evaluation.mean)
    frames = agents.film(best.learner, ENVIRONMENT, seed=config.seed + 2_000_000, steps=FILM_STEPS, every=2)
    run.animation("cartpole", halved(frames))
    if (network := policy_network(best.learner)) is not None:
        import torch

        run.model(best.agent, network, torch.zeros(1, 4))


# --- training ---------------------------------------------------------------------------------------------------------


class Result(NamedTuple):
    """An agent after learning from one seed; its metrics are named `prefix` + name."""

    agent: str
    seed: int
    prefix: str
    learner: Any
    evaluation: "agents.Evaluation"


def train(name: str, number: int, config: Config, run: kit.Run) -> Result:
    """Let the agent learn, looking now and then at greedy episodes; then judge it."""
    import time

    recipe, seed = CART_POLE[name], config.seed + number
    steps = config.steps or (recipe.full_steps if config.preset == "full" else recipe.quick_steps)
    streams = foundations.Streams(seed)
    learner = make_agent(name, ENVIRONMENT, recipe, total_steps=steps, streams=streams, device=run.device)
    alone = config.agent != "all" and config.repetitions == 1
    phase = "training" if alone else f"{name.replace('-', '_')}_{number}"
    seconds, begun = 0.0, time.thread_time()
    for _, metrics in run.follow(
        learner, steps=learner.updates, examples_per_step=steps // learner.updates, name=phase
    ):
        seconds += time.thread_time() - begun  # of the processor, for learning alone, without the looks
        if run.every(LOOK_EVERY[name]):
            look = agents.evaluate(learner, ENVIRONMENT, episodes=LOOK_EPISODES, seed=1_000_000 + seed)
            taken = float(metrics["environment_steps"])
            run.log({"greedy/return": look.mean, "greedy/steps": taken, "speed/learning_seconds": seconds})
        begun = time.thread_time()
    count = config.episodes
    final = agents.evaluate(
        learner, ENVIRONMENT, episodes=count, environments=count, seed=1_500_000 + seed, reward_threshold=SOLVED
    )
    return Result(name, seed, "" if alone else f"{phase}/", learner, final)


def policy_network(learner: Any) -> "nn.Module | None":
    """What maps observations to the logits or values of the actions, where the agent is one of ours."""
    from torch import nn

    network: Any = getattr(learner, "network", None)
    return nn.Sequential(network.encoder, network.actor) if hasattr(network, "actor") else network


# --- what came out ----------------------------------------------------------------------------------------------------


class First(NamedTuple):
    """When a look first found the pole balanced: environment steps, and CPU seconds of learning."""

    steps: float
    seconds: float


def first_solved(result: Result, run: kit.Run) -> First | None:
    """The first look with a mean return of `SOLVED`, if any."""
    updates, returns = run.history(f"{result.prefix}greedy/return")
    steps = dict(zip(*run.history(f"{result.prefix}greedy/steps"), strict=True))
    seconds = dict(zip(*run.history(f"{result.prefix}speed/learning_seconds"), strict=True))
    for update, mean in zip(updates, returns, strict=True):
        if mean >= SOLVED:
            return First(steps[update], seconds[update])
    return None


def curve(result: Result, run: kit.Run) -> tuple[list[float], list[float]]:
    """Environment steps and returns of all looks, and of the last episodes."""
    _, steps = run.history(f"{result.prefix}greedy/steps")
    _, returns = run.history(f"{result.prefix}greedy/return")
    end = float(result.learner.environment_steps)
    before = [(taken, mean) for taken, mean in zip(steps, returns, strict=True) if taken < end]
    taken, means = zip(*before, (end, result.evaluation.mean), strict=True)
    return list(taken), list(means)


def tell(results: Sequence[Result], config: Config, run: kit.Run) -> None:
    """The tables, the figures by which the run is judged, and what was not reached."""
    run.table("greedy_returns", [row(each, first_solved(each, run)) for each in results])
    names = dict.fromkeys(each.agent for each in results)
    run.table("over_seeds", [over_seeds(name, results, config, run) for name in names])


def row(result: Result, first: First | None) -> dict[str, object]:
    """What one run reached, and when."""
    returns = result.evaluation.returns
    return {
        "agent": result.agent,
        "seed": result.seed,
        f"mean return ({len(returns)} episodes)": f"{returns.mean():.1f}",
        "deviation": f"{returns.std():.1f}",
        "lowest": f"{returns.min():.0f}",
        f"episodes >= {SOLVED:.0f}": f"{result.evaluation.success:.0%}",
        f"steps to {SOLVED:.0f}": "never" if first is None else f"{first.steps:,.0f}",
        f"CPU seconds to {SOLVED:.0f}": "never" if first is None else f"{first.seconds:.2f}",
    }


def over_seeds(name: str, results: Sequence[Result], config: Config, run: kit.Run) -> dict[str, object]:
    """What an agent reached over its seeds; its figures go into the summary."""
    import numpy as np

    own = [each for each in results if each.agent == name]
    means, firsts = [each.evaluation.mean for each in own], [first_solved(each, run) for each in own]
    low, high = foundations.statistics.bootstrap_interval(means, stream=np.random.default_rng(config.seed))
    solved = [first for first in firsts if first is not None]
    middle, key = foundations.statistics.interquartile_mean(means), name.replace("-", "_")
    run.summary({f"return/{key}": middle, f"return/{key}_worst": min(means)})
    if len(solved) == len(own):
        run.summary({f"steps_to_{SOLVED:.0f}/{key}": float(np.median([first.steps for first in solved]))})
        run.summary({f"speed/seconds_to_{SOLVED:.0f}_{key}": float(np.median([first.seconds for first in solved]))})
    if short := [str(each.seed) for each in own if each.evaluation.mean < SOLVED]:
        run.note(f"{name}: below {SOLVED:.0f} in the end with seed {', '.join(short)}; more --steps may help")
    return {
        "agent": name,
        "runs": len(own),
        "interquartile mean": f"{middle:.1f}",
        "95 % interval": f"{low:.1f} to {high:.1f}",
        "worst run": f"{min(means):.1f}",
        f"runs >= {SOLVED:.0f}": f"{sum(mean >= SOLVED for mean in means)} of {len(own)}",
    }


if __name__ == "__main__":
    kit.launch(main)
