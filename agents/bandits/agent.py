"""A bandit's policy at work in Gymnasium environments: it chooses, is paid, learns; its regret is kept."""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from agents.bandits.pacing import Pacing
from agents.bandits.policy import Floats, Policy, first_of_the_best
from agents.interaction import Interaction
from agents.playing import Array
from foundations.errors import require
from foundations.learner import Metrics
from foundations.streams import Streams

Context = Callable[[Array], Floats]
"""From observations (runs, ...) to what the policy looks at (runs, features)."""


def whole(observations: Array) -> Floats:
    """The observation itself is the context; a single number becomes a column."""
    return observations.reshape(len(observations), -1).astype(np.float64)


def without_budget(observations: Array) -> Floats:
    """All but the last two numbers, the shares of rounds and of budget that are left: for environments with a budget.

    Shapes: (runs, features + 2) -> (runs, features).
    """
    return observations[:, :-2].astype(np.float64)


@dataclass(frozen=True, eq=False)
class Budget:
    """What the arms cost (arms), in money, and the pacing of the budget.

    The last two numbers of an observation must be the shares of rounds and of budget that are left.
    """

    costs: Floats
    pacing: Pacing

    def charge(self, scores: Floats, observations: Array, started: NDArray[np.bool_]) -> Floats:
        """`scores` less the price of what each arm costs."""
        price = self.pacing.look(observations[:, -2], observations[:, -1], started)
        return scores - price[:, None] * self.costs


@dataclass(eq=False)
class BanditPlayer:
    """Pulls the arm with the largest estimate (greedy) or score; it learns nothing, though it paces what it spends."""

    policy: Policy
    budget: Budget | None
    context: Context
    greedy: bool

    def act(self, observations: Array, started: NDArray[np.bool_]) -> Array:
        """The arms to pull: (environments)."""
        contexts = self.context(observations)
        scores = self.policy.estimates(contexts) if self.greedy else self.policy.scores(contexts)
        if self.budget:
            scores = self.budget.charge(scores, observations, started)
        if len(scores) != len(observations):
            scores = np.broadcast_to(scores, (len(observations), scores.shape[1]))
        return first_of_the_best(scores, self.policy.stream)


class BanditAgent:
    """Drives `policy` through `environments`, one environment a run; each round is an `environment_step` of each.

    Yields, after every `rounds` rounds: `environment_steps`, `reward` and `regret`, means over runs and these rounds,
    and `regret/total`, the mean over runs since the beginning. Regret is what the environment says in
    `infos["regret"]`, the expected reward that the best arm has more; 0 where it says nothing. `curve` has the total
    of each run at each yield.
    Raises: InputError where runs or arms of the policy and the environments differ, and for `rounds` below 1.
    """

    def __init__(
        self,
        environments: VectorEnv[Any, Any, Any],
        policy: Policy,
        *,
        streams: Streams,
        rounds: int = 1,
        context: Context = whole,
        budget: Budget | None = None,
    ) -> None:
        space = environments.single_action_space
        arms = int(space.n) if isinstance(space, spaces.Discrete) else 0
        require(arms == policy.arms, "action space", space, f"Discrete({policy.arms}), an action for each arm")
        require(policy.runs == environments.num_envs, "runs", policy.runs, f"{environments.num_envs} environments")
        require(rounds >= 1, "rounds", rounds, "at least 1")
        self.policy, self.rounds, self.context, self.budget = policy, rounds, context, budget
        self.interaction = Interaction(environments, int(streams.numpy("environments").integers(2**31)))
        self.regret, self.pulls = np.zeros(policy.runs), np.zeros((policy.runs, policy.arms))
        self.curve: list[Floats] = []

    def learn(self) -> Iterator[Metrics]:
        """Choose, be paid, learn; `rounds` times between one yield and the next."""
        while True:
            paid, before = 0.0, self.regret.copy()
            played = 0
            while played < self.rounds:
                rewards = self._round()
                if rewards is not None:
                    paid, played = paid + rewards, played + 1
            self.curve.append(self.regret.copy())
            yield {
                "environment_steps": float(self.interaction.environment_steps),
                "reward": paid / self.rounds,
                "regret": float((self.regret - before).mean()) / self.rounds,
                "regret/total": float(self.regret.mean()),
            }

    def _round(self) -> float | None:
        """One round of all runs; the mean reward, or None where all environments only reset."""
        observations, started = self.interaction.observations, self.interaction.started
        contexts = self.context(observations)
        scores = self.policy.scores(contexts)
        if self.budget:
            scores = self.budget.charge(scores, observations, started)
        actions = first_of_the_best(scores, self.policy.stream)
        step = self.interaction.step(actions)
        if not step.valid.all():
            require(not step.valid.any(), "environments", "some reset alone", "at the same round of their episodes")
            return None
        self.policy.update(contexts, actions, step.rewards)
        self.regret = self.regret + step.infos.get("regret", 0.0)
        self.pulls[np.arange(len(actions)), actions] += 1
        return float(step.rewards.mean())

    def shares_of_optimum(self) -> Floats:
        """Expected rewards between one yield and the next, as shares of the best policy's: (yields, runs).

        For environments that tell an `optimum`, the expected reward of a round under the best policy:
        1 - regret / (rounds x optimum).
        """
        lost = np.diff(np.array(self.curve), axis=0, prepend=0.0)
        environments: Any = self.interaction.environments
        shares: Floats = 1 - lost / (self.rounds * environments.optimum)
        return shares

    def player(self, *, greedy: bool, stream: np.random.Generator) -> BanditPlayer:
        """A player of the policy as it is now: for as many environments as there are runs, or any number of one run."""
        policy = copy.deepcopy(self.policy)
        policy.stream = stream
        return BanditPlayer(policy, copy.deepcopy(self.budget), self.context, greedy)

    def state_dict(self) -> dict[str, Any]:
        """Policy, environments, regret so far."""
        return {
            "policy": self.policy.state_dict(),
            "pacing": self.budget.pacing.state_dict() if self.budget else None,
            "interaction": self.interaction.state_dict(),
            "regret": torch.from_numpy(self.regret.copy()),
            "pulls": torch.from_numpy(self.pulls.copy()),
            "curve": torch.from_numpy(np.array(self.curve)),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        self.policy.load_state_dict(state["policy"])
        if self.budget:
            self.budget.pacing.load_state_dict(state["pacing"])
        self.interaction.load_state_dict(state["interaction"])
        self.regret, self.pulls = state["regret"].numpy().copy(), state["pulls"].numpy().copy()
        self.curve = list(state["curve"].numpy().copy())
