"""Several tabular agents side by side, held against the optimum while they learn."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.dynamic_programming import Model, evaluate_policy, value_iteration
from agents.tabular.agent import TabularAgent
from foundations.errors import require
from foundations.learner import Metrics


class Comparison:
    """Groups of agents by name, for instance one a method and in it one a seed; each learns by itself.

    A policy's value is its expected return where episodes begin, computed from the model: exactly, or, with a
    `horizon`, of so many steps. The gap is (optimum - value) / |optimum|, in percent.

    Yields, after one update of every agent and for each group, the mean of `gap`, of the greedy policies, and of
    `return`, what the agents got while they explored. `gaps` and `returns` keep those of each agent: [look][agent].
    Raises: InputError for no agents.
    """

    def __init__(
        self, members: Mapping[str, Sequence[TabularAgent]], model: Model, gamma: float, *, horizon: int | None = None
    ) -> None:
        require(bool(members) and all(members.values()), "members", members, "at least one agent in each group")
        self.members, self.model, self._gamma, self._horizon = members, model, gamma, horizon
        self.best = value_iteration(model, gamma)
        self.optimum = self.value_of(self.best.policy)
        self.gaps: dict[str, list[list[float]]] = {name: [] for name in members}
        self.returns: dict[str, list[list[float]]] = {name: [] for name in members}

    def value_of(self, policy: NDArray[np.int64]) -> float:
        """The value of a policy. Shapes: (states of the model)."""
        return self.model.at_start(evaluate_policy(self.model, policy, self._gamma, horizon=self._horizon))

    def gap(self, agent: TabularAgent) -> float:
        """How far the agent's greedy policy is below the optimum, in percent."""
        scale = max(abs(self.optimum), 1e-12)
        return 100 * (self.optimum - self.value_of(agent.policy[self.model.observed])) / scale

    def late_return(self, name: str) -> float:
        """What the agents of a group got while they explored: the mean return over the second half of the looks."""
        rows = self.returns[name]
        return float(np.mean(rows[len(rows) // 2 :]))

    def learn(self) -> Iterator[Metrics]:
        """One update of each agent, then a look at it."""
        updates = {name: [agent.learn() for agent in group] for name, group in self.members.items()}
        while True:
            metrics: dict[str, float] = {}
            for name, group in updates.items():
                self.returns[name].append([float(next(each)["episode/return"]) for each in group])
                self.gaps[name].append([self.gap(agent) for agent in self.members[name]])
                metrics[f"{name}/gap"] = sum(self.gaps[name][-1]) / len(group)
                metrics[f"{name}/return"] = sum(self.returns[name][-1]) / len(group)
            yield metrics

    def state_dict(self) -> dict[str, Any]:
        """All agents, and the curves so far."""
        members = {name: [agent.state_dict() for agent in group] for name, group in self.members.items()}
        return {"members": members, "gaps": self.gaps, "returns": self.returns}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        for name, group in self.members.items():
            for agent, saved in zip(group, state["members"][name], strict=True):
                agent.load_state_dict(saved)
        self.gaps = {name: [list(row) for row in rows] for name, rows in state["gaps"].items()}
        self.returns = {name: [list(row) for row in rows] for name, rows in state["returns"].items()}
