"""Policies without context. n is how often an arm was pulled, m the mean of what it paid, t the rounds so far."""

import numpy as np

from agents.bandits.policy import Floats, Integers, Policy, explore
from foundations.errors import require


class MeanPolicy(Policy):
    """Keeps n and m of each arm. An arm that was never pulled has the mean 0."""

    def __init__(self, runs: int, arms: int, stream: np.random.Generator) -> None:
        super().__init__(runs, arms, stream)
        self.pulls, self.means = np.zeros((runs, arms)), np.zeros((runs, arms))

    def estimates(self, contexts: Floats) -> Floats:
        """The means m."""
        return self.means

    def learn(self, contexts: Floats, actions: Integers, rewards: Floats) -> None:
        """One pull more, n <- n + 1, and the mean follows, m <- m + (r - m) / n."""
        place = self._every, actions
        self.pulls[place] += 1
        self.means[place] += (rewards - self.means[place]) / self.pulls[place]


class EpsilonGreedy(MeanPolicy):
    """Any arm with probability epsilon, else the one with the largest mean.

    `decay` > 0 lowers epsilon to epsilon min(1, decay / t): tries grow like log t, as fast as they should.
    Raises: InputError for epsilon outside [0, 1] and a negative decay.
    Source: Auer, Cesa-Bianchi & Fischer 2002, Machine Learning 47 (epsilon_n-greedy).
    """

    def __init__(self, runs: int, arms: int, stream: np.random.Generator, *, epsilon: float = 0.1, decay: float = 0):
        require(0 <= epsilon <= 1, "epsilon", epsilon, "between 0 and 1")
        require(decay >= 0, "decay", decay, "at least 0 rounds")
        super().__init__(runs, arms, stream)
        self.epsilon, self.decay = epsilon, decay

    def scores(self, contexts: Floats) -> Floats:
        """The means; random numbers in runs that explore."""
        share = min(1.0, self.decay / (self.rounds + 1)) if self.decay else 1.0
        return explore(self.means, self.epsilon * share, self.stream)


class UCB1(MeanPolicy):
    """The largest m + c sqrt(2 log t / n), an upper bound on what the arm may be worth; each arm once before.

    With `bonus` c = 1 regret grows like log t for rewards in [0, 1]; a smaller one explores less.
    Raises: InputError for a bonus that is not above 0.
    Source: Auer, Cesa-Bianchi & Fischer 2002, Machine Learning 47.
    """

    def __init__(self, runs: int, arms: int, stream: np.random.Generator, *, bonus: float = 1.0) -> None:
        require(bonus > 0, "bonus", bonus, "above 0")
        super().__init__(runs, arms, stream)
        self.bonus = bonus

    def scores(self, contexts: Floats) -> Floats:
        """Upper bounds; infinite for arms that were never pulled."""
        log = np.log(max(1, self.rounds))
        bounds = self.means + self.bonus * np.sqrt(2 * log / np.maximum(self.pulls, 1))
        return np.where(self.pulls == 0, np.inf, bounds)


class BetaThompson(Policy):
    """Thompson sampling of Bernoulli arms: a probability is drawn from what is believed of each, the largest wins.

    Belief: Beta(1 + successes, 1 + failures).
    Raises (learning): InputError for rewards other than 0 and 1.
    Source: Thompson 1933, Biometrika 25; Kaufmann, Korda & Munos 2012, arXiv:1205.4217 (it meets Lai and Robbins').
    """

    def __init__(self, runs: int, arms: int, stream: np.random.Generator) -> None:
        super().__init__(runs, arms, stream)
        self.successes, self.failures = np.zeros((runs, arms)), np.zeros((runs, arms))

    def scores(self, contexts: Floats) -> Floats:
        """A draw from each belief."""
        return self.stream.beta(1 + self.successes, 1 + self.failures)

    def estimates(self, contexts: Floats) -> Floats:
        """The beliefs' means."""
        return (1 + self.successes) / (2 + self.successes + self.failures)

    def learn(self, contexts: Floats, actions: Integers, rewards: Floats) -> None:
        """Count the success or the failure."""
        valid = ((rewards == 0) | (rewards == 1)).all()
        require(bool(valid), "rewards", rewards[:3].tolist(), "0 or 1; for others take GaussianThompson")
        self.successes[self._every, actions] += rewards
        self.failures[self._every, actions] += 1 - rewards


class GaussianThompson(Policy):
    """Thompson sampling of arms with normal noise: belief N(sum of rewards / (n + k), sigma^2 / (n + k)).

    `noise` is sigma; the belief before any reward is N(0, sigma^2 / k), and `prior_pulls` is k. With sigma = 1/2 it
    covers any rewards in [0, 1].
    Raises: InputError for a noise or prior that is not above 0.
    Source: Agrawal & Goyal 2013, "Further optimal regret bounds for Thompson sampling", arXiv:1209.3353.
    """

    def __init__(
        self, runs: int, arms: int, stream: np.random.Generator, *, noise: float = 0.5, prior_pulls: float = 0.1
    ) -> None:
        require(noise > 0, "noise", noise, "above 0")
        require(prior_pulls > 0, "prior_pulls", prior_pulls, "above 0")
        super().__init__(runs, arms, stream)
        self.noise, self.prior_pulls = noise, prior_pulls
        self.pulls, self.sums = np.zeros((runs, arms)), np.zeros((runs, arms))

    def scores(self, contexts: Floats) -> Floats:
        """A draw from each belief."""
        weights = self.pulls + self.prior_pulls
        drawn: Floats = self.sums / weights + self.noise * self.stream.standard_normal(weights.shape) / np.sqrt(weights)
        return drawn

    def estimates(self, contexts: Floats) -> Floats:
        """The beliefs' means."""
        means: Floats = self.sums / (self.pulls + self.prior_pulls)
        return means

    def learn(self, contexts: Floats, actions: Integers, rewards: Floats) -> None:
        """One pull more, and what it paid."""
        self.pulls[self._every, actions] += 1
        self.sums[self._every, actions] += rewards
