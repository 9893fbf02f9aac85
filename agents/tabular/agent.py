"""What all tabular agents share: the table, how it is acted by, the loop of episodes. What differs is the update."""

import pickle
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import Env, spaces
from numpy.typing import NDArray

from agents.tabular.player import TablePlayer
from agents.tabular.states import States
from foundations.errors import require
from foundations.learner import Metrics
from foundations.schedules import Schedule, constant
from foundations.streams import Streams

Table = list[list[float]]
"""A number for each state and action. Lists, since Python reads single numbers from them five times as fast."""


class TabularAgent(ABC):
    """An agent with a table Q(s, a), which moves by a step towards a target: Q(s, a) += alpha (target - Q(s, a)).

    It acts epsilon-greedily: a random action with probability epsilon, else one with the largest value. Both follow
    schedules over the episodes (0, 1, ...): epsilon = `epsilon` x `epsilon_schedule`, alpha = `learning_rate` x
    `learning_rate_schedule` / n(s, a)^`visit_power`, where n counts the updates of the pair. A power between 1/2 and 1
    lets the noise of a random environment average out; 0 keeps on forgetting.

    Yields, after every `episodes` of them: `environment_steps`, `episode/return` and `episode/length` (means),
    `epsilon`, `td_error`, the mean |target - Q(s, a)|.
    Raises: InputError for spaces that a table cannot hold and for rates outside their bounds.
    """

    def __init__(
        self,
        environment: Env[Any, Any],
        *,
        streams: Streams,
        gamma: float = 0.99,
        learning_rate: float = 0.1,
        visit_power: float = 0.0,
        learning_rate_schedule: Schedule | None = None,
        epsilon: float = 0.1,
        epsilon_schedule: Schedule | None = None,
        initial_value: float = 0.0,
        episodes: int = 1,
    ) -> None:
        require(0 <= gamma <= 1, "gamma", gamma, "between 0 and 1")
        require(0 < learning_rate <= 1, "learning_rate", learning_rate, "above 0 and at most 1")
        require(0 <= visit_power <= 1, "visit_power", visit_power, "between 0 and 1")
        require(0 <= epsilon <= 1, "epsilon", epsilon, "between 0 and 1")
        require(episodes >= 1, "episodes", episodes, "at least 1")
        space = environment.action_space
        if not isinstance(space, spaces.Discrete):
            require(False, "action space", space, "Discrete for a table; else take PPO or another agent with a network")
        else:
            self.actions, self._first_action = int(space.n), int(space.start)
        self.states = States(environment.observation_space)
        self.environment, self.gamma, self.episodes = environment, gamma, episodes
        self.epsilon, self.learning_rate, self._visit_power = epsilon, learning_rate, visit_power
        self._first_epsilon, self._epsilon_schedule = epsilon, epsilon_schedule or constant()
        self._first_rate, self._rate_schedule = learning_rate, learning_rate_schedule or constant()
        self.table = self._new_table(initial_value)
        self.visits = self._new_table(0.0)
        self.episode, self.environment_steps, self._errors = 0, 0, 0.0
        self._seed = int(streams.numpy("environment").integers(2**31))
        self._stream = streams.numpy("exploration")

    @abstractmethod
    def update(self, state: int, action: int, reward: float, following: int, terminated: bool) -> int:
        """Learn from one transition, then choose the action to take in the state `following`.

        Only `terminated` ends the sum of rewards: where a time limit cut the episode, `following` has a value still.
        """

    def act(self, state: int) -> int:
        """An action for `state`: with probability epsilon any, else one of the best; ties are broken at random."""
        luck = self._stream.random()
        if luck < self.epsilon:
            return int(luck / self.epsilon * self.actions)  # given luck < epsilon, luck / epsilon is uniform again
        row = self.preferences(state)
        best = max(row)
        if row.count(best) == 1:
            return row.index(best)
        return int(self._stream.choice([action for action, value in enumerate(row) if value == best]))

    def preferences(self, state: int) -> list[float]:
        """The values by which actions are chosen in `state`."""
        return self.table[state]

    def learn(self) -> Iterator[Metrics]:
        """Play and learn, `episodes` between one yield and the next."""
        while True:
            steps, self._errors = self.environment_steps, 0.0
            total = sum(self._play_episode() for _ in range(self.episodes))
            taken = self.environment_steps - steps
            yield {
                "environment_steps": float(self.environment_steps),
                "episode/return": total / self.episodes,
                "episode/length": taken / self.episodes,
                "epsilon": self.epsilon,
                "td_error": self._errors / taken,
            }

    def _play_episode(self) -> float:
        """One episode, from its beginning to its end; its return."""
        self.epsilon = self._first_epsilon * self._epsilon_schedule(self.episode)
        self.learning_rate = self._first_rate * self._rate_schedule(self.episode)
        seed = self._seed if self.episode == 0 else None  # the environment is seeded once
        step, number, first = self.environment.step, self.states.one, self._first_action
        state = number(self.environment.reset(seed=seed)[0])
        action, total, ended = self.act(state), 0.0, False
        while not ended:
            observation, reward, terminated, truncated, _ = step(action + first)
            following = number(observation)
            action = self.update(state, action, float(reward), following, terminated)
            state, total, ended = following, total + float(reward), terminated or truncated
            self.environment_steps += 1
        self.episode += 1
        return total

    def move(self, table: Table, state: int, action: int, target: float) -> None:
        """Q(s, a) += alpha (target - Q(s, a)), in `table`."""
        rate = self.learning_rate
        if self._visit_power:
            self.visits[state][action] += 1
            rate *= self.visits[state][action] ** -self._visit_power
        error = target - table[state][action]
        table[state][action] += rate * error
        self._errors += abs(error)

    @property
    def values(self) -> NDArray[np.float64]:
        """A copy of the values by which actions are chosen: (states, actions)."""
        return np.array([self.preferences(state) for state in range(self.states.count)])

    @property
    def policy(self) -> NDArray[np.int64]:
        """The best action of each state, the first of several: (states)."""
        return np.asarray(self.values.argmax(-1), np.int64)

    def player(self, *, greedy: bool, stream: np.random.Generator) -> TablePlayer:
        """A player of the table as it is now; not greedy, it explores as the agent does now."""
        return TablePlayer(self.values, self.states, self._first_action, 0.0 if greedy else self.epsilon, stream)

    def state_dict(self) -> dict[str, Any]:
        """Tables, counters, the environment and the random stream."""
        return {
            "tables": {name: torch.tensor(table, dtype=torch.float64) for name, table in self._tables().items()},
            "episode": self.episode,
            "environment_steps": self.environment_steps,
            "epsilon": self.epsilon,
            "learning_rate": self.learning_rate,
            "environment": torch.frombuffer(bytearray(pickle.dumps(self.environment)), dtype=torch.uint8),
            "exploration": self._stream.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        for name, table in self._tables().items():
            table[:] = state["tables"][name].tolist()
        self.episode, self.environment_steps = state["episode"], state["environment_steps"]
        self.epsilon, self.learning_rate = state["epsilon"], state["learning_rate"]
        self.environment = pickle.loads(state["environment"].numpy().tobytes())
        self._stream.bit_generator.state = state["exploration"]

    def _tables(self) -> dict[str, Table]:
        return {"table": self.table, "visits": self.visits}

    def _new_table(self, value: float) -> Table:
        return [[value] * self.actions for _ in range(self.states.count)]
