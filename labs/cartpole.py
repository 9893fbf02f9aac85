"""Balance a pole: REINFORCE, A2C, PPO, deep Q-learning and Stable-Baselines3's agents side by side.

A cart is pushed left or right so that the pole on it stays upright; every step of it gives 1, and after 500 the episode
is cut. The run shows how fast each agent learns (the mean return of greedy episodes in environments of their own, over
the environment steps), what it reaches over 100 greedy episodes, and a film of it. Each agent learns at settings of its
own (`RECIPES`); those of Stable-Baselines3 are rl-zoo's. Barto, Sutton and Anderson 1983, IEEE SMC 13.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import agents
import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

topic = "agents"
ENVIRONMENT = "CartPole-v1"
SOLVED = 475.0
"""The mean return at which Gymnasium calls the environment solved."""
BEST = 500
LOOK_EPISODES = 20
FEWEST_STEPS = 1_024
FILM_STEPS = 240

AgentName = Literal["reinforce", "a2c", "ppo", "dqn", "sb3-ppo", "sb3-dqn", "sb3-a2c"]


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


@dataclass(frozen=True)
class Recipe:
    """How an agent learns here: its steps, how many environments, how many of its updates lie between two looks."""

    quick_steps: int
    full_steps: int
    environments: int
    look_every: int
    settings: Mapping[str, Any] = field(default_factory=dict)


RECIPES: dict[str, Recipe] = {
    "reinforce": Recipe(150_000, 400_000, 8, 5, {"gamma": 0.99, "learning_rate": 1e-2}),
    "a2c": Recipe(
        200_000,
        500_000,
        16,
        16,
        {
            "rollout_steps": 16,
            "gamma": 0.99,
            "lam": 0.95,
            "learning_rate": 2e-3,
            "entropy_weight": 0.01,
            "activation": "relu",
        },
    ),
    "ppo": Recipe(
        100_000,
        100_000,
        8,
        4,
        {
            "rollout_steps": 64,
            "batch_size": 128,
            "epochs": 8,
            "gamma": 0.99,
            "lam": 0.9,
            "learning_rate": 2.5e-3,
            "clip": 0.2,
        },
    ),
    "dqn": Recipe(
        60_000,
        100_000,
        8,
        32,
        {
            "anneal": True,
            "average_decay": 0.999,
            "hidden": (128, 128),
            "n_step": 6,
            "learning_rate": 2e-3,
            "train_every": 64,
            "gradient_steps": 32,
            "target_every": 128,
        },
    ),
    "sb3-ppo": Recipe(
        100_000,
        100_000,
        8,
        8,
        {"n_steps": 32, "batch_size": 256, "gae_lambda": 0.8, "gamma": 0.98, "n_epochs": 20, "ent_coef": 0.0},
    ),
    "sb3-dqn": Recipe(
        50_000,
        50_000,
        1,
        8,
        {
            "learning_rate": 2.3e-3,
            "batch_size": 64,
            "buffer_size": 100_000,
            "learning_starts": 1_000,
            "gamma": 0.99,
            "target_update_interval": 10,
            "train_freq": 256,
            "gradient_steps": 128,
            "exploration_fraction": 0.16,
            "exploration_final_eps": 0.04,
            "policy_kwargs": {"net_arch": [256, 256]},
        },
    ),
    "sb3-a2c": Recipe(150_000, 500_000, 8, 50, {"ent_coef": 0.0}),
}
"""Beside them, in `build`, what cannot be written as a plain number: rl-zoo's PPO lets its rate and clip fall to 0."""


def main(config: Config, run: kit.Run) -> None:
    """Train every agent from every seed; compare; judge; film."""
    steps = config.steps or FEWEST_STEPS
    require(steps >= FEWEST_STEPS, "steps", steps, f"at least {FEWEST_STEPS:,}, a rollout or two of every agent")
    names = list(RECIPES) if config.agent == "all" else [config.agent]
    results = [train(name, number, config, run) for name in names for number in range(config.repetitions)]
    run.figure("learning", draw_learning(results, run))
    tell(results, config, run)
    best = max(results, key=lambda result: result.evaluation.mean)
    frames = agents.film(best.learner, ENVIRONMENT, seed=config.seed + 2_000_000, steps=FILM_STEPS, every=2)
    run.animation("cartpole", halved(frames))
    if (network := policy_network(best.learner)) is not None:
        import torch

        run.model(best.agent, network, torch.zeros(1, 4))


# --- training ---------------------------------------------------------------------------------------------------------


class Result(NamedTuple):
    """An agent after learning from one seed."""

    agent: str
    seed: int
    phase: str
    learner: Any
    evaluation: "agents.Evaluation"


def build(name: str, steps: int, streams: "foundations.Streams", device: Any = "cpu") -> Any:
    """The agent `name`, fresh, to learn for `steps` environment steps."""
    recipe = RECIPES[name]
    if not name.startswith("sb3-"):
        kind = {"reinforce": agents.REINFORCE, "a2c": agents.A2C, "ppo": agents.PPO, "dqn": agents.DQN}[name]
        environments = agents.make_environments(ENVIRONMENT, recipe.environments)
        return kind(environments, total_steps=steps, **recipe.settings, streams=streams, device=device)
    settings = dict(recipe.settings)
    if name == "sb3-ppo":
        settings |= {"learning_rate": lambda left: 1e-3 * left, "clip_range": lambda left: 0.2 * left}
    environments = agents.make_environments(ENVIRONMENT, recipe.environments, autoreset="same_step")
    algorithm = name.removeprefix("sb3-")
    return agents.StableBaselines(
        algorithm, environments, total_steps=steps, streams=streams, device=device, **settings
    )


def train(name: str, number: int, config: Config, run: kit.Run) -> Result:
    """Let the agent learn, looking now and then at greedy episodes; then judge it."""
    import time

    recipe, seed = RECIPES[name], config.seed + number
    steps = config.steps or (recipe.full_steps if config.preset == "full" else recipe.quick_steps)
    learner = build(name, steps, foundations.Streams(seed), run.device)
    alone = config.agent != "all" and config.repetitions == 1
    phase = "training" if alone else f"{name.replace('-', '_')}_{number}"
    seconds, begun = 0.0, time.thread_time()
    for _, metrics in run.follow(
        learner, steps=learner.updates, examples_per_step=steps // learner.updates, name=phase
    ):
        seconds += time.thread_time() - begun  # of the processor, for learning alone, without the looks
        if run.every(recipe.look_every):
            look = agents.evaluate(learner, ENVIRONMENT, episodes=LOOK_EPISODES, seed=1_000_000 + seed)
            taken = float(metrics["environment_steps"])
            run.log({"greedy/return": look.mean, "greedy/steps": taken, "speed/learning_seconds": seconds})
        begun = time.thread_time()
    count = config.episodes
    final = agents.evaluate(
        learner, ENVIRONMENT, episodes=count, environments=count, seed=1_500_000 + seed, reward_threshold=SOLVED
    )
    return Result(name, seed, "" if alone else f"{phase}/", learner, final)


def halved(frames: Any) -> Any:
    """Frames of half the height and width, each pixel the mean of four: thin lines stay. (n, h, w, 3), bytes."""
    count, height, width, _ = frames.shape
    return frames.reshape(count, height // 2, 2, width // 2, 2, 3).mean(axis=(2, 4)).astype("uint8")


def policy_network(learner: Any) -> "nn.Module | None":
    """What maps observations to the logits or values of the actions, where the agent is one of ours."""
    from torch import nn

    network: Any = getattr(learner, "network", None)
    return nn.Sequential(network.encoder, network.actor) if hasattr(network, "actor") else network


# --- what came out ----------------------------------------------------------------------------------------------------


def tell(results: Sequence[Result], config: Config, run: kit.Run) -> None:
    """The tables, the figures by which the run is judged, and what was not reached."""
    import numpy as np

    rows = []
    for each in results:
        returns, first = each.evaluation.returns, first_solved(each, run)
        rows.append(
            {
                "agent": each.agent,
                "seed": each.seed,
                f"mean return ({len(returns)} episodes)": f"{returns.mean():.1f}",
                "deviation": f"{returns.std():.1f}",
                "lowest": f"{returns.min():.0f}",
                f"episodes >= {SOLVED:.0f}": f"{each.evaluation.success:.0%}",
                f"steps to {SOLVED:.0f}": "never" if first is None else f"{first.steps:,.0f}",
                f"CPU seconds to {SOLVED:.0f}": "never" if first is None else f"{first.seconds:.2f}",
            }
        )
    run.table("greedy_returns", rows)
    over_seeds = []
    for name in dict.fromkeys(each.agent for each in results):
        own = [each for each in results if each.agent == name]
        means, firsts = [each.evaluation.mean for each in own], [first_solved(each, run) for each in own]
        low, high = foundations.statistics.bootstrap_interval(means, stream=np.random.default_rng(config.seed))
        solved = [first for first in firsts if first is not None]
        middle = foundations.statistics.interquartile_mean(means)
        over_seeds.append(
            {
                "agent": name,
                "runs": len(own),
                "interquartile mean": f"{middle:.1f}",
                "95 % interval": f"{low:.1f} to {high:.1f}",
                "worst run": f"{min(means):.1f}",
                f"runs >= {SOLVED:.0f}": f"{sum(mean >= SOLVED for mean in means)} of {len(own)}",
            }
        )
        key = name.replace("-", "_")
        run.summary({f"return/{key}": middle, f"return/{key}_worst": min(means)})
        if len(solved) == len(own):
            run.summary({f"steps_to_{SOLVED:.0f}/{key}": float(np.median([first.steps for first in solved]))})
            run.summary({f"speed/seconds_to_{SOLVED:.0f}_{key}": float(np.median([each.seconds for each in solved]))})
        short = [str(each.seed) for each in own if each.evaluation.mean < SOLVED]
        if short:
            run.note(f"{name}: below {SOLVED:.0f} in the end with seed {', '.join(short)}; more --steps may help")
    run.table("over_seeds", over_seeds)


class First(NamedTuple):
    """When a look first found the pole balanced: environment steps, and CPU seconds of learning."""

    steps: float
    seconds: float


def first_solved(result: Result, run: kit.Run) -> First | None:
    """The first look with a mean return of `SOLVED`, if any."""
    updates, returns = run.history(f"{result.phase}greedy/return")
    steps = dict(zip(*run.history(f"{result.phase}greedy/steps"), strict=True))
    seconds = dict(zip(*run.history(f"{result.phase}speed/learning_seconds"), strict=True))
    for update, mean in zip(updates, returns, strict=True):
        if mean >= SOLVED:
            return First(steps[update], seconds[update])
    return None


# --- the figures ------------------------------------------------------------------------------------------------------


def draw_learning(results: Sequence[Result], run: kit.Run) -> "Figure":
    """The mean greedy return over environment steps: a line an agent, the median of its runs, and the band of them."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    import numpy as np
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8.2, 4.4))
    names = list(dict.fromkeys(each.agent for each in results))
    for name, colour in zip(names, colours, strict=False):
        curves = [_curve(each, run) for each in results if each.agent == name]
        steps = np.unique(np.concatenate([np.asarray(curve[0]) for curve in curves]))
        runs = np.stack([np.interp(steps, *curve) for curve in curves])
        style = "--" if name.startswith("sb3-") else "-"
        marker = "o" if len(steps) < 4 else None  # a single look is no line
        axes.plot(steps, np.median(runs, axis=0), style, color=colour, linewidth=1.8, marker=marker, label=name)
        if len(runs) > 1:
            axes.fill_between(steps, runs.min(axis=0), runs.max(axis=0), color=colour, alpha=0.15, linewidth=0)
    axes.axhline(SOLVED, color="0.4", linewidth=1, linestyle=":")
    axes.text(1, SOLVED - 5, f"solved: {SOLVED:.0f}", transform=axes.get_yaxis_transform(), ha="right", va="top")
    runs_of_each = max(sum(each.agent == name for each in results) for name in names)
    note = f"median and range of {runs_of_each} runs" if runs_of_each > 1 else "one run"
    axes.set_title(f"Balancing the pole: {note}", loc="left")
    axes.set(xlabel="environment steps", ylabel="mean return of greedy episodes", ylim=(0, 1.04 * BEST))
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    figure.legend(loc="outside lower center", ncols=min(4, len(names)), fontsize=9)
    return figure


def _curve(result: Result, run: kit.Run) -> tuple[list[float], list[float]]:
    """Environment steps and returns of all looks, and of the last episodes."""
    _, steps = run.history(f"{result.phase}greedy/steps")
    _, returns = run.history(f"{result.phase}greedy/return")
    end = float(result.learner.environment_steps)
    before = [(taken, mean) for taken, mean in zip(steps, returns, strict=True) if taken < end]
    taken, means = zip(*before, (end, result.evaluation.mean), strict=True)
    return list(taken), list(means)


if __name__ == "__main__":
    kit.launch(main)
