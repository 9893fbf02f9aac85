"""What drives an agent's hand: why a CartPole agent pushes left or right, by LIME, as pictures and as a film.

A PPO agent learns to balance the pole (or `--run` takes the agent of a finished run of the lab `cartpole`). Its choice
is explained in single states, along an episode and over many states. Then the explanations are put on trial: the fit of
their lines, what hiding numbers in their order does to the choice, and policies written by hand, whose true reasons are
known: one that balances, and many drawn at random. (Ribeiro et al. 2016, arXiv:1602.04938.)
"""

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge

import agents
import explain
import foundations
import labs.kit as kit
from agents.recipes import CART_POLE, make_agent
from labs.drawings import explain_policy as drawings
from labs.drawings.explain_policy import NAMES

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from explain import Explanation, TwoActions
    from explain.policies import EpisodeExplanation
    from labs.kit.models import Kept

    Array = NDArray[np.float64]

topic = "explanation"
ENVIRONMENT = "CartPole-v1"
PUSHES = ("P(left)", "P(right)")
WANDERING = 0.2
"""Share of pushes at random while states are gathered: a perfect agent alone would show but upright poles."""
STATES = 2_000
HAND_MADE = (1.0, 2.0, 10.0, 3.0)
"""Pushes right by these slopes (per m, m/s, rad, rad/s): a rule that balances the pole."""
RANDOM_ORDERS = 24
SEEDS = 3
"""Explanations of a single state, each with a seed of its own, which must name the same number first."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    run: str | None = None
    """A finished run of the lab cartpole (id, name or last) whose agent is explained; none trains one."""
    steps: Annotated[int, Ge(1_024)] = 100_000
    """Environment steps of training."""
    samples: Annotated[int, Ge(100)] = 2_000
    """States drawn at random for an explanation."""
    explained: Annotated[int, Ge(20)] = 300
    """States explained for the overview and the figures of quality."""
    film_steps: Annotated[int, Ge(20)] = 80
    """Steps of the episode that is explained and filmed, at most."""
    rules: kit.Count = 50
    """Policies by rules drawn at random, whose reasons must be found."""
    states: Annotated[int, Ge(2)] = 20
    """States in which each rule is explained, each with another seed."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"steps": 4_096, "samples": 1_000, "explained": 60, "film_steps": 40, "rules": 5, "states": 5},
        "full": {"samples": 10_000, "explained": 1_000, "film_steps": 320, "rules": 500},
    }
    useful_threads: ClassVar[int] = 1


@dataclass
class Pusher:
    """Plays a policy, greedily except for a share of random pushes from `stream`; remembers what it saw."""

    policy: "TwoActions"
    stream: "np.random.Generator | None" = None
    seen: "list[tuple[Array, NDArray[np.bool_]]]" = field(default_factory=list)

    def act(self, observations: "Array", started: "NDArray[np.bool_]") -> "NDArray[np.int64]":
        """0 pushes left, 1 right."""
        import numpy as np

        self.seen.append((np.array(observations, np.float64), np.array(started)))
        actions = (self.policy.says(self.seen[-1][0]) > self.policy.threshold).astype(np.int64)
        if self.stream is not None:
            wanders = self.stream.random(len(actions)) < WANDERING
            actions = np.where(wanders, self.stream.integers(0, 2, len(actions)), actions)
        return actions


def main(config: Config, run: kit.Run) -> None:
    """Train or load, explain one episode and many states, put the explanations on trial."""
    policy = policy_of(run.load_model(config.run, lab="cartpole")) if config.run else train(config, run)
    states = gather(policy, run.streams)
    background = explain.Background(states, names=NAMES)
    chosen = states[run.streams.numpy("explained").permutation(len(states))[: config.explained]]
    along, frames = one_episode(policy, background, config)
    run.figure("episode", drawings.draw_episode(along, policy))
    run.animation("episode", drawings.film_frames(frames, along, policy))
    overview = policy.explain(chosen, background, samples=config.samples, seed=config.seed)
    run.figure("what_drives_it", drawings.draw_overview(overview, policy))
    look_at_states(policy, overview, background, config, run)
    run.file("background.csv", lambda path: keep_states(states, path))
    judge(policy, overview, background, config, run)
    balance_by_hand(background, config, run)
    find_rules(background, config, run)


# --- policies ---------------------------------------------------------------------------------------------------------


def train(config: Config, run: kit.Run) -> "TwoActions":
    """PPO's policy after learning; what is explained is the probability of a push to the right."""
    import torch

    settings: dict[str, Any] = {"total_steps": config.steps, "streams": run.streams, "device": run.device}
    learner = make_agent("ppo", ENVIRONMENT, CART_POLE["ppo"], **settings)
    for _ in run.follow(learner, steps=learner.updates, examples_per_step=config.steps // learner.updates):
        pass
    actor = torch.nn.Sequential(learner.network.encoder, learner.network.actor)
    run.model("policy", torch.nn.Sequential(*actor, foundations.Softmax(dim=1)), torch.zeros(1, 4, device=run.device))
    policy = explain.TwoActions.of_logits(actor, PUSHES)
    reached = agents.evaluate(Pusher(policy), ENVIRONMENT, episodes=20, seed=config.seed + 1_000_000).mean
    run.summary({"greedy_return": reached})
    if reached < 475:
        run.note(f"the agent that is explained balances for {reached:.0f} of 500 steps: more --steps would help")
    return policy


def policy_of(kept: "Kept") -> "TwoActions":
    """The policy that a run of the lab cartpole kept: of actor and critic its probabilities, of DQN its values."""
    if kept.name.endswith("dqn"):
        return explain.TwoActions.of_values(kept.module, ("left", "right"))
    return explain.TwoActions.of_logits(kept.module, PUSHES)


def gather(policy: "TwoActions", streams: "foundations.Streams") -> "Array":
    """States that the policy meets, with some pushes at random, so that it is also seen to recover: (n, 4)."""
    import numpy as np

    seed = int(streams.numpy("rollouts").integers(2**31))
    interaction = agents.Interaction(agents.make_environments(ENVIRONMENT, 20), seed)
    pusher, met = Pusher(policy, streams.numpy("wandering")), []
    for _ in range(300):
        step = interaction.step(pusher.act(interaction.observations, interaction.started))
        met.append(step.observations[step.valid])
    states = np.concatenate(met).astype(np.float64)
    return states[streams.numpy("states").permutation(len(states))[:STATES]]


# --- explanations -----------------------------------------------------------------------------------------------------


def one_episode(
    policy: "TwoActions", background: "explain.Background", config: Config
) -> "tuple[EpisodeExplanation, NDArray[np.uint8]]":
    """The first steps of an episode, explained, and what was seen at each."""
    import numpy as np

    pusher = Pusher(policy)
    frames = agents.film(pusher, ENVIRONMENT, seed=config.seed + 2_000_000, steps=config.film_steps)
    begins = [step for step, (_, started) in enumerate(pusher.seen) if started[0]]
    length = [*begins, len(pusher.seen)][1]  # of the first episode
    states = np.concatenate([seen for seen, _ in pusher.seen[:length]])
    return policy.explain(states, background, samples=config.samples, seed=config.seed), frames[:length]


def keep_states(states: "Array", path: "Path") -> None:
    """States as a CSV file, which `python -m labs explain` holds a state against."""
    import pandas as pd

    pd.DataFrame(states, columns=list(NAMES)).to_csv(path, index=False)


def look_at_states(
    policy: "TwoActions", overview: "EpisodeExplanation", background: "explain.Background", config: Config, run: kit.Run
) -> None:
    """The surest pushes to either side and the least sure: what each number adds, and whether to believe it."""
    chosen = overview.notable(policy.threshold)
    run.table("single_states", [overview.row(number) for number in chosen.values()])

    def again(number: int, samples: int, seed: int) -> "Explanation":
        state = overview.observations[[number]]
        return policy.explain(state, background, samples=samples, seed=seed).explanations[0]

    found = {name: overview.explanations[number] for name, number in chosen.items()}
    cases = {name: partial(again, number) for name, number in chosen.items()}
    drawings.show_trust(explain.examine(found, cases, samples=config.samples, seeds=range(SEEDS), top=1), run)


# --- the trial --------------------------------------------------------------------------------------------------------


def judge(
    policy: "TwoActions", overview: "EpisodeExplanation", background: "explain.Background", config: Config, run: kit.Run
) -> None:
    """The fit of the lines; and how often the push turns as numbers become typical, in their order and in others."""
    import numpy as np

    turned = policy.turning(overview, background, draws=RANDOM_ORDERS, seed=config.seed)
    named, random = turned.named.mean(axis=0), turned.random.mean(axis=0)  # (numbers + 1), (orders, numbers + 1)
    run.figure("quality", drawings.draw_quality(overview.r2, named, random))
    sides = overview.predictions > policy.threshold
    agree = (overview.local_predictions > policy.threshold) == sides
    figures = {"median_r2": np.median(overview.r2), "same_side_percent": 100 * agree.mean()}
    figures |= {"turned_by_top_percent": 100 * named[1], "turned_by_random_percent": 100 * random[:, 1].mean()}
    run.summary({name: float(figure) for name, figure in figures.items()})
    if named[1] <= random[:, 1].mean():
        run.note("making the number typical that an explanation names first turns no more pushes than any other")


# --- known reasons ----------------------------------------------------------------------------------------------------


def balance_by_hand(background: "explain.Background", config: Config, run: kit.Run) -> None:
    """A rule that balances the pole: its true slopes beside the weights of explanations in many states."""
    import numpy as np

    rule = explain.TwoActions(explain.BlackBox(explain.LinearRule(np.array(HAND_MADE), np.zeros(4)), batch_size=4_096))
    reached = agents.evaluate(Pusher(rule), ENVIRONMENT, episodes=20, seed=config.seed + 3_000_000).mean
    rows = background.rows[: config.explained]
    found = rule.explain(rows, background, samples=config.samples, seed=config.seed)
    true = np.array(HAND_MADE) * background.scale
    run.figure("hand_made", drawings.draw_hand_made(true, found.weights, reached))
    run.summary({"hand_made_return": reached})


def find_rules(background: "explain.Background", config: Config, run: kit.Run) -> None:
    """Rules drawn at random: do the weights have the signs and the ranks of the true slopes, in how many states?"""
    random = run.streams.numpy("rules")
    found = explain.recover_rules(background, config.rules, config.states, config.samples, random)
    run.figure("rules", drawings.draw_rules(found.slopes, found.weights))
    shares = {name: 100 * share for name, share in found.shares().items()}
    run.summary({f"recovered_percent/{name}": share for name, share in shares.items()})
    if min(shares.values()) < 100:
        run.note(
            f"of {config.rules * config.states:,} explanations of known rules {shares['signs']:.1f} % have all signs "
            f"right, {shares['ranks']:.1f} % all ranks"
        )


if __name__ == "__main__":
    kit.launch(main)
