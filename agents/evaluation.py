"""How good an agent is: whole episodes in environments apart from training, with raw rewards and seeds of their own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.environments import make_environments
from agents.interaction import Interaction
from agents.playing import Agent, Player
from foundations.errors import InputError, require
from foundations.statistics import bootstrap_interval

LONGEST = 100_000
"""An episode of so many steps is taken for one that never ends."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Episodes that were played to their end, those of the first environment first."""

    returns: NDArray[np.float64]
    """Sums of raw rewards; (episodes)."""
    lengths: NDArray[np.int64]
    """Environment steps; (episodes)."""
    success: float | None
    """The share of episodes that succeeded, where that is known."""

    @property
    def mean(self) -> float:
        """The mean return."""
        return float(self.returns.mean())

    @property
    def std(self) -> float:
        """The standard deviation of the returns."""
        return float(self.returns.std())

    @property
    def interval(self) -> tuple[float, float]:
        """Where the mean return lies with 95 % confidence, by the bootstrap."""
        return bootstrap_interval(self.returns, _mean, stream=np.random.default_rng(0))


@dataclass(frozen=True)
class _Episode:
    reward: float
    length: int
    success: bool | None


def evaluate(
    agent_or_player: Agent | Player,
    environment: str,
    *,
    episodes: int,
    seed: int,
    greedy: bool = True,
    environments: int | None = None,
    reward_threshold: float | None = None,
    **settings: Any,
) -> Evaluation:
    """Let the agent play exactly `episodes` episodes, shared out among the environments beforehand.

    The first to finish would be the shortest, which are the worst of CartPole and the best of MountainCar: so each
    environment plays its share (as even as can be), and what it plays beyond it is not looked at. There are 20
    environments side by side, or `environments`, and never more than episodes; `settings` go to their constructor.
    Success is what the environment's `info["is_success"]` says at the end, or a return of `reward_threshold` at least.

    Raises: InputError for an unknown environment, for counts below 1, and for an episode that never ends.
    """
    require(episodes >= 1, "episodes", episodes, "at least 1")
    require(environments is None or environments >= 1, "environments", environments, "at least 1")
    count = min(episodes, environments or 20)
    interaction = Interaction(make_environments(environment, count, **settings), seed)
    try:
        player = player_of(agent_or_player, greedy=greedy, seed=seed)
        shares = [episodes // count + (index < episodes % count) for index in range(count)]
        played = [episode for each in _play(player, interaction, shares) for episode in each]
    finally:
        interaction.environments.close()
    returns = np.array([each.reward for each in played])
    lengths = np.array([each.length for each in played], np.int64)
    return Evaluation(returns, lengths, _success(played, returns, reward_threshold))


def player_of(agent_or_player: Agent | Player, *, greedy: bool, seed: int) -> Player:
    """A player as it is, an agent's player with a random stream of its own."""
    if not isinstance(agent_or_player, Agent):
        return agent_or_player
    return agent_or_player.player(greedy=greedy, stream=np.random.default_rng(np.random.SeedSequence((seed, 1))))


def _play(player: Player, interaction: Interaction, shares: list[int]) -> list[list[_Episode]]:
    """The episodes of each environment, as many as its share."""
    played: list[list[_Episode]] = [[] for _ in shares]
    left = sum(shares)
    for index, episode in _episodes(player, interaction):
        if len(played[index]) < shares[index]:
            played[index].append(episode)
            left -= 1
        if left == 0:
            break
    return played


def _episodes(player: Player, interaction: Interaction) -> Iterator[tuple[int, _Episode]]:
    """Every episode as it ends, and where; for ever."""
    count = interaction.environments.num_envs
    returns, lengths = np.zeros(count), np.zeros(count, np.int64)
    while True:
        step = interaction.step(player.act(interaction.observations, interaction.started))
        returns += np.where(step.valid, step.rewards, 0)
        lengths += step.valid
        ended = step.ended
        for index in np.flatnonzero(ended).tolist():
            yield index, _Episode(float(returns[index]), int(lengths[index]), _said_success(step.infos, index))
        returns[ended] = lengths[ended] = 0
        if np.count_nonzero(lengths >= LONGEST):
            spec = interaction.environments.spec
            raise InputError(
                f"environment={spec.id if spec else interaction.environments}: an episode goes on after {LONGEST:,} "
                "steps; give a time limit, as max_episode_steps=1000"
            )


def _said_success(infos: Mapping[str, Any], index: int) -> bool | None:
    if "is_success" not in infos or not infos.get("_is_success", np.ones(index + 1))[index]:
        return None
    return bool(infos["is_success"][index])


def _success(played: list[_Episode], returns: NDArray[np.float64], threshold: float | None) -> float | None:
    if threshold is not None:
        return float((returns >= threshold).mean())
    said = [each.success for each in played if each.success is not None]
    return sum(said) / len(said) if said else None


def _mean(scores: NDArray[np.float64]) -> float:
    return float(scores.mean())
