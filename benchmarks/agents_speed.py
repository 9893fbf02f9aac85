"""Our agents beside Stable-Baselines3's at rl-zoo's settings for CartPole, and the quick preset of the lab.

Ours and the peer learn in turns in one process with one thread: a turn is a few rollouts, until both have balanced the
pole; seconds are the processor's, for learning alone. After each turn of 2,048 environment steps 20 greedy episodes are
played, outside the clock. Each uses its own environments: ours the vector environment of Gymnasium, Stable-Baselines3
what its `make_vec_env` builds. PPO has the same network and activation (tanh, by another formula) in both.

    python benchmarks/agents_speed.py                     # about ten minutes
    python benchmarks/agents_speed.py --only ppo --seeds 1 --check
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import stable_baselines3
import torch
from pairs import RESULTS, surroundings
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.utils import LinearSchedule

import agents
from agents.recipes import CART_POLE, make_agent
from foundations import Streams

ENVIRONMENT, SOLVED = "CartPole-v1", 475
TURN = 2_048
PPO_STEPS, DQN_STEPS, TIMED_DQN_STEPS = 100_000, 50_000, 8_192
LIMITS = {"ppo steps/s": 2.0, "ppo seconds to 475": 0.6, "quick preset": 1.5, "dqn steps/s": 2.0}


@dataclass
class Learning:
    """One agent at work: `turns` yields its environment steps, `player` acts greedily with what it knows."""

    turns: Iterator[int]
    player: Callable[[], agents.Player]
    seconds: float = 0.0
    steps: int = 0
    untimed: int = 0
    """Steps before the clock began."""
    solved: float | None = None
    """Seconds to the first greedy mean of 475."""
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    """Environment steps, seconds, mean greedy return."""

    def turn(self, steps: int) -> None:
        """Learn for about `steps` environment steps."""
        until, began = self.steps + steps, time.process_time()
        for now in self.turns:
            self.steps = now
            if now >= until:
                break
        self.seconds += time.process_time() - began

    def look(self, seed: int) -> None:
        """Play 20 greedy episodes."""
        mean = agents.evaluate(self.player(), ENVIRONMENT, episodes=20, seed=1_000_000 + seed).mean
        self.curve.append((self.steps, round(self.seconds, 3), mean))
        if mean >= SOLVED and self.solved is None:
            self.solved = self.seconds


class Theirs:
    """A model of Stable-Baselines3 as a greedy player."""

    def __init__(self, model: BaseAlgorithm) -> None:
        self.model = model

    def act(self, observations: Any, started: Any) -> Any:
        """Its deterministic prediction."""
        return self.model.predict(observations, deterministic=True)[0]


def ours(learner: Any) -> Learning:
    """An agent of ours."""
    turns = (int(metrics["environment_steps"]) for metrics in learner.learn())
    return Learning(turns, lambda: learner.player(greedy=True, stream=np.random.default_rng(0)))


def theirs(model: BaseAlgorithm, total_steps: int) -> Learning:
    """A model of Stable-Baselines3."""
    return Learning(_turns(model, total_steps), lambda: Theirs(model))


def _turns(model: Any, total_steps: int) -> Iterator[int]:
    """The loop of the library's own `learn`, one rollout and its training at a time."""
    _, callback = model._setup_learn(total_steps)
    while model.num_timesteps < total_steps:
        if isinstance(model, OffPolicyAlgorithm):
            settings = {"train_freq": model.train_freq, "learning_starts": model.learning_starts}
            model.collect_rollouts(model.env, callback=callback, replay_buffer=model.replay_buffer, **settings)
            if model.num_timesteps > model.learning_starts:
                model.train(batch_size=model.batch_size, gradient_steps=model.gradient_steps)
        else:
            model.collect_rollouts(model.env, callback, model.rollout_buffer, n_rollout_steps=model.n_steps)
            model._update_current_progress_remaining(model.num_timesteps, total_steps)
            model.train()
        yield model.num_timesteps


def both_ppo(seed: int) -> tuple[Learning, Learning]:
    """PPO at rl-zoo's settings; the defaults of ours are these."""
    own = agents.PPO(agents.make_environments(ENVIRONMENT, 8), total_steps=PPO_STEPS, streams=Streams(seed))
    settings = dict(CART_POLE["sb3-ppo"].settings)
    settings |= {name: LinearSchedule(settings[name], 0.0, 1.0) for name in settings.pop("anneal")}
    environments = make_vec_env(ENVIRONMENT, 8, seed=seed)
    model = stable_baselines3.PPO("MlpPolicy", environments, **settings, seed=seed, device="cpu")
    return ours(own), theirs(model, PPO_STEPS)


def both_dqn(seed: int) -> tuple[Learning, Learning]:
    """DQN at rl-zoo's settings; the defaults of ours are these."""
    own = agents.DQN(agents.make_environments(ENVIRONMENT, 1), total_steps=DQN_STEPS, streams=Streams(seed))
    settings, environments = dict(CART_POLE["sb3-dqn"].settings), make_vec_env(ENVIRONMENT, 1, seed=seed)
    model = stable_baselines3.DQN("MlpPolicy", environments, **settings, seed=seed, device="cpu")
    return ours(own), theirs(model, DQN_STEPS)


def compare_ppo(seeds: int) -> dict[str, Any]:
    """Speeds, and seconds to the first greedy mean of 475: medians over the seeds."""
    runs = []
    for seed in range(seeds):
        pair = both_ppo(seed)
        while min(each.steps for each in pair) < PPO_STEPS - TURN:
            for each in pair if len(pair[0].curve) % 2 else pair[::-1]:
                each.turn(TURN)
                each.look(seed)
            if all(each.solved is not None for each in pair) and pair[0].steps >= 10 * TURN:
                break
        runs.append([kept(each) for each in pair])
        say(f"ppo, seed {seed}: {runs[-1]}")
    return {"ppo steps/s": ratio(runs, "steps_a_second"), "ppo seconds to 475": ratio(runs, "solved"), "ppo runs": runs}


def compare_dqn(seeds: int) -> dict[str, Any]:
    """Speeds, the first 1,024 steps, without learning, left out."""
    runs = []
    for seed in range(seeds):
        pair = both_dqn(seed)
        for each in pair:
            each.turn(1_280)
            each.seconds, each.untimed = 0.0, each.steps
        while min(each.steps for each in pair) < TIMED_DQN_STEPS:
            for each in pair:
                each.turn(512)
        runs.append([kept(each) for each in pair])
        say(f"dqn, seed {seed}: {runs[-1]}")
    return {"dqn steps/s": ratio(runs, "steps_a_second"), "dqn runs": runs}


def quick_preset(seeds: int) -> dict[str, Any]:
    """The lab's PPO to its end: seconds to the first greedy mean of 475, and the last mean over 100 episodes."""
    runs = []
    for seed in range(seeds):
        recipe = CART_POLE["ppo"]
        learner = make_agent("ppo", ENVIRONMENT, recipe, total_steps=recipe.quick_steps, streams=Streams(seed))
        learning = ours(learner)
        while learner.update < learner.updates:
            learning.turn(TURN)
            if learning.solved is None:
                learning.look(seed)
        settings = {"episodes": 100, "environments": 100, "seed": 1_500_000 + seed}
        last = agents.evaluate(learner, ENVIRONMENT, **settings).mean
        runs.append({**kept(learning), "last": last})
        say(f"quick preset, seed {seed}: {runs[-1]}")
    found = [run["solved"] for run in runs if run["solved"] is not None]
    in_the_end = sum(run["last"] >= SOLVED for run in runs)
    return {
        "quick preset": statistics.median(found) if len(found) == len(runs) == in_the_end else None,
        "quick preset solved at some time": len(found),
        "quick preset solved in the end": in_the_end,
        "quick preset runs": runs,
    }


def kept(learning: Learning) -> dict[str, Any]:
    """What is kept of it."""
    steps_a_second = (learning.steps - learning.untimed) / learning.seconds
    return {"steps_a_second": steps_a_second, "solved": learning.solved, "curve": learning.curve}


def ratio(runs: list[list[dict[str, Any]]], name: str) -> float | None:
    """Ours over theirs, each the median over the seeds; None where one of ours never got there."""
    columns = [[run[side][name] for run in runs] for side in (0, 1)]
    if None in columns[0]:
        return None
    medians = [statistics.median(float("inf") if each is None else each for each in column) for column in columns]
    return round(medians[0] / medians[1], 3)


def passes(name: str, value: float | None) -> bool:
    """Whether a figure is within its limit."""
    if value is None:
        return False
    return value >= LIMITS[name] if name.endswith("steps/s") else value <= LIMITS[name]


def say(text: str) -> None:
    """On the way."""
    print(f"  {text}"[:400], file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("ppo", "dqn", "quick"), help="measure only this")
    parser.add_argument("--seeds", type=int, default=3, help="of each comparison (default 3)")
    parser.add_argument("--quick-seeds", type=int, default=10, help="of the quick preset (default 10)")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a limit is missed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "ppo": lambda: compare_ppo(arguments.seeds),
        "quick": lambda: quick_preset(arguments.quick_seeds),
        "dqn": lambda: compare_dqn(arguments.seeds),
    }
    figures: dict[str, Any] = {}
    for name, measure in parts.items():
        if arguments.only in (None, name):
            figures |= measure()
    measured = {name: figures[name] for name in LIMITS if name in figures}
    print("| what | ours / Stable-Baselines3 | limit | |\n|---|---:|---:|---|")
    for name, value in measured.items():
        sign, shown = "≥" if name.endswith("steps/s") else "≤", "-" if value is None else f"{value:.2f}"
        verdict = "passes" if passes(name, value) else "MISSES"
        print(f"| {name} | {shown}{' s' if name == 'quick preset' else ''} | {sign} {LIMITS[name]} | {verdict} |")
    if arguments.only is None:
        content = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": surroundings(torch.device("cpu")),
        }
        settings = {"seeds": arguments.seeds, "quick_seeds": arguments.quick_seeds, "limits": LIMITS}
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "agents_speed.json").write_text(
            json.dumps({**content, "settings": settings, "figures": figures}, indent=2) + "\n"
        )
    missed = [name for name, value in measured.items() if not passes(name, value)]
    return 1 if arguments.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
