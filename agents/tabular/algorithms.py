"""The four updates. r is the reward, s' the state that followed, a' the action taken there; targets in units of reward.

Behind an end (`terminated`) there is nothing more to come, and the target is r alone.
"""

from typing import Any

from agents.tabular.agent import Table, TabularAgent


class QLearning(TabularAgent):
    """Learns the value of the best policy, whatever it does meanwhile: target = r + gamma max over a' of Q(s', a').

    Source: Watkins 1989, "Learning from Delayed Rewards"; Watkins & Dayan 1992, Machine Learning 8.
    """

    def update(self, state: int, action: int, reward: float, following: int, terminated: bool) -> int:
        """Learn, then act."""
        onward = 0.0 if terminated else max(self.table[following])
        self.move(self.table, state, action, reward + self.gamma * onward)
        return self.act(following)


class SARSA(TabularAgent):
    """Learns the value of what it does, exploration included: target = r + gamma Q(s', a'), a' being taken next.

    Source: Rummery & Niranjan 1994, "On-line Q-learning using connectionist systems".
    """

    def update(self, state: int, action: int, reward: float, following: int, terminated: bool) -> int:
        """Act, then learn from that action too."""
        next_action = self.act(following)
        onward = 0.0 if terminated else self.table[following][next_action]
        self.move(self.table, state, action, reward + self.gamma * onward)
        return next_action


class ExpectedSARSA(TabularAgent):
    """SARSA without the luck of the draw: target = r + gamma sum over a' of pi(a'|s') Q(s', a').

    Under epsilon-greedy pi that sum is (1 - epsilon) max Q(s', .) + epsilon mean Q(s', .).
    Source: van Seijen et al. 2009, "A theoretical and empirical analysis of Expected Sarsa".
    """

    def update(self, state: int, action: int, reward: float, following: int, terminated: bool) -> int:
        """Learn, then act."""
        row = self.table[following]
        mean = sum(row) / self.actions
        onward = 0.0 if terminated else (1 - self.epsilon) * max(row) + self.epsilon * mean
        self.move(self.table, state, action, reward + self.gamma * onward)
        return self.act(following)


class DoubleQLearning(TabularAgent):
    """Two tables: a coin says which one learns; it names the best action, and the other one says its value.

    target for A = r + gamma B(s', argmax over a' of A(s', a')), and the other way round. The largest of noisy values
    is too large on average; the value that other samples give to the same action is not. Acts by A + B.
    Source: van Hasselt 2010, "Double Q-learning".
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.other = [list(row) for row in self.table]

    def update(self, state: int, action: int, reward: float, following: int, terminated: bool) -> int:
        """Learn in one table of the two, then act by both."""
        learns, judges = (self.table, self.other) if self._stream.random() < 0.5 else (self.other, self.table)
        onward = 0.0
        if not terminated:
            row = learns[following]
            onward = judges[following][row.index(max(row))]
        self.move(learns, state, action, reward + self.gamma * onward)
        return self.act(following)

    def preferences(self, state: int) -> list[float]:
        """The mean of both tables."""
        return [(one + other) / 2 for one, other in zip(self.table[state], self.other[state], strict=True)]

    def _tables(self) -> dict[str, Table]:
        return {**super()._tables(), "other": self.other}
