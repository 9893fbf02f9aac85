"""Swing up, climb, land: policy gradients, deep Q-learning and Stable-Baselines3 on Gymnasium's classic control.

Acrobot swings its tip above a bar, MountainCar gathers pace to climb out of a valley, Pendulum turns upright and stays,
LunarLander sets down between two flags. The run holds each agent's greedy episodes against what RL Baselines3 Zoo
published for the same algorithm (Raffin 2020), and shows how it learned and how it plays.
Environments: Sutton 1996 (Acrobot); Moore 1990 (MountainCar); Gymnasium's documentation (gymnasium.farama.org).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import agents
import foundations
import labs.kit as kit
from agents.recipes import IDS, PUBLISHED, Published, Recipe, agents_of, make_agent, recipe_of
from foundations.errors import InputError
from labs.drawings import classic_control as drawings

topic = "agents"
best = ("return", "max", "env")
LOOKS = 20
"""Times that greedy episodes are played while learning."""
LOOK_EPISODES = 20
FILM_EVERY = 2
"""Steps from frame to frame."""
FILM_STEPS = {"acrobot": 160, "mountain_car": 220, "mountain_car_continuous": 220, "pendulum": 200, "lunar_lander": 400}


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    env: Literal["acrobot", "mountain_car", "mountain_car_continuous", "pendulum", "lunar_lander"] = "acrobot"
    """What is to be controlled; lunar_lander needs the extra box2d."""
    agent: Literal["ppo", "dqn", "a2c", "sb3-ppo", "sb3-dqn", "sb3-a2c", "sb3-sac", "sb3-td3"] = "ppo"
    """Who learns; sb3-... are Stable-Baselines3's, at the zoo's settings."""
    steps: kit.Count | None = None
    """Environment steps; the recipe's own number when not given (the published one in the full preset)."""
    repetitions: kit.Count = 1
    """Runs, from seeds `seed`, `seed` + 1, ..."""
    episodes: kit.Count = 100
    """Greedy episodes in the end, in environments of their own."""

    presets: ClassVar[kit.Presets] = {"smoke": {"steps": 10_240, "episodes": 10}, "full": {}}
    useful_threads: ClassVar[int] = 1


def main(config: Config, run: kit.Run) -> None:
    """Train from every seed; compare with what was published; film the best."""
    from agents.films import halved

    recipe = recipe_of(config.env, config.agent)
    if recipe is None:
        who = ", ".join(agents_of(config.env))
        raise InputError(f"agent={config.agent!r}: must be one that learns {config.env}: {who}")
    published = PUBLISHED[config.env][config.agent.removeprefix("sb3-")]
    results = [train(number, recipe, config, run) for number in range(config.repetitions)]
    curves = {result.seed: curve(result, run) for result in results}
    title = f"{config.agent} learns {IDS[config.env]}"
    run.figure("learning", drawings.draw_learning(curves, published, title, LOOK_EPISODES))
    tell(results, published, config, run)
    champion = max(results, key=lambda result: result.evaluation.mean)
    settings = {"seed": config.seed + 2_000_000, "steps": FILM_STEPS[config.env], "every": FILM_EVERY}
    frames = agents.film(champion.learner, IDS[config.env], **settings)
    run.animation(config.env, halved(frames))
    first = min(len(frames), int(champion.evaluation.lengths.min()) // FILM_EVERY + 1)  # as far as the shortest went
    title = f"{config.agent} plays {IDS[config.env]}: greedy, seed {champion.seed}"
    run.figure("film", drawings.draw_film(frames[:first], FILM_EVERY, title))


# --- training ---------------------------------------------------------------------------------------------------------


class Result(NamedTuple):
    """An agent after learning from one seed; its metrics are named `prefix` + name."""

    seed: int
    prefix: str
    learner: Any
    evaluation: "agents.Evaluation"


def train(number: int, recipe: Recipe, config: Config, run: kit.Run) -> Result:
    """Learn from one seed, looking now and then at greedy episodes; then judge."""
    seed, environment = config.seed + number, IDS[config.env]
    steps = config.steps or (recipe.full_steps if config.preset == "full" else recipe.quick_steps)
    streams = foundations.Streams(seed)
    learner = make_agent(config.agent, environment, recipe, total_steps=steps, streams=streams, device=run.device)
    phase = "training" if config.repetitions == 1 else f"seed_{seed}"
    look_every = max(1, learner.updates // LOOKS)
    each = max(1, steps // learner.updates)
    for _, metrics in run.follow(learner, steps=learner.updates, examples_per_step=each, name=phase):
        if run.every(look_every):
            look = agents.evaluate(learner, environment, episodes=LOOK_EPISODES, seed=1_000_000 + seed)
            run.log({"greedy/return": look.mean, "greedy/steps": float(metrics["environment_steps"])})
    if not getattr(learner, "resumed_exactly", True):
        run.note(f"seed {seed}: {environment} cannot be saved; the resumed run went on with episodes begun anew")
    final = agents.evaluate(learner, environment, episodes=config.episodes, seed=1_500_000 + seed)
    return Result(seed, "" if phase == "training" else f"{phase}/", learner, final)


# --- what came out ----------------------------------------------------------------------------------------------------


def curve(result: Result, run: kit.Run) -> tuple[Sequence[float], Sequence[float]]:
    """Environment steps and mean returns of all looks at greedy episodes."""
    return run.history(f"{result.prefix}greedy/steps")[1], run.history(f"{result.prefix}greedy/return")[1]


def tell(results: Sequence[Result], published: Published, config: Config, run: kit.Run) -> None:
    """The tables, the figures by which the run is judged, and what was not reached."""
    import numpy as np

    rows = []
    for each in results:
        returns, lengths = each.evaluation.returns, each.evaluation.lengths
        reached = "yes" if each.evaluation.mean >= published.floor else "no"
        row = {"seed": each.seed, "mean return": f"{returns.mean():.1f}", "deviation": f"{returns.std():.1f}"}
        row |= {"lowest": f"{returns.min():.1f}", "highest": f"{returns.max():.1f}"}
        rows.append({**row, "mean length": f"{lengths.mean():.0f}", f"at least {published.floor:.1f}": reached})
    run.table("greedy_episodes", rows)
    means = np.array([each.evaluation.mean for each in results])
    steps = int(curve(results[0], run)[0][-1])
    ours = {"who": config.agent, "runs": len(means), "steps": f"{steps:,}", "mean return": f"{means.mean():.1f}"}
    theirs = {"who": f"RL Baselines3 Zoo, {config.agent.removeprefix('sb3-')}", "runs": 1}
    theirs |= {"steps": f"{published.steps:,}", "mean return": f"{published.mean:.1f}"}
    spread = f"{np.mean([each.evaluation.std for each in results]):.1f}"
    run.table(
        "beside_what_was_published",
        [{**ours, "deviation of episodes": spread}, {**theirs, "deviation of episodes": f"{published.deviation:.1f}"}],
    )
    run.summary({"return": float(means.mean()), "return_worst": float(means.min()), "published": published.mean})
    short = [str(each.seed) for each in results if each.evaluation.mean < published.floor]
    if short:
        floor = f"{published.mean:.1f} - {published.deviation:.1f}, what was published less a deviation"
        longer = "" if config.preset == "full" else "; --preset full learns for longer"
        run.note(f"seed {', '.join(short)}: below {floor}{longer}")


if __name__ == "__main__":
    kit.launch(main)
