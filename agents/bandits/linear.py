"""Policies with a context x: the reward of arm a is linear in it, w[a] x, with weights of its own for each arm.

Of each arm is kept A = ridge I + sum x x^T and b = sum r x, over the rounds in which it was pulled. Then w = A^-1 b is
the ridge regression, and sqrt(x^T A^-1 x) says how little is known in the direction of x.
"""

import numpy as np

from agents.bandits.policy import Floats, Integers, Policy, explore
from foundations.errors import require


class LinearPolicy(Policy):
    """Keeps A^-1 and w of each arm, by the rule of Sherman and Morrison: no matrix is ever inverted.

    A pull in context x: A^-1 <- A^-1 - u u^T / (1 + x^T u), u = A^-1 x.
    Shapes: contexts (runs, features); inverse (runs, arms, features, features), weights (runs, arms, features). With
    one run, contexts of any number may be scored.
    Raises: InputError for fewer than one feature and a ridge that is not above 0.
    """

    def __init__(self, runs: int, arms: int, features: int, stream: np.random.Generator, *, ridge: float = 1.0) -> None:
        require(features >= 1, "features", features, "at least 1")
        require(ridge > 0, "ridge", ridge, "above 0")
        super().__init__(runs, arms, stream)
        self.inverse = np.tile(np.eye(features) / ridge, (runs, arms, 1, 1))
        self.weights = np.zeros((runs, arms, features))
        self.sums = np.zeros((runs, arms, features))

    def estimates(self, contexts: Floats) -> Floats:
        """w[a] x."""
        found: Floats = np.matmul(self.weights, contexts[:, :, None])[:, :, 0]
        return found

    def widths(self, contexts: Floats) -> Floats:
        """sqrt(x^T A^-1 x), the standard deviation of the estimate where the noise of rewards has 1."""
        column = contexts[:, None, :, None]
        spread = np.matmul(self.inverse, column)
        found: Floats = np.sqrt((spread * column).sum((2, 3)))
        return found

    def learn(self, contexts: Floats, actions: Integers, rewards: Floats) -> None:
        """One more x and r for the pulled arms."""
        place = self._every, actions
        inverse = self.inverse[place]
        step = np.matmul(inverse, contexts[:, :, None])[:, :, 0]
        scale = 1 + (contexts * step).sum(1)
        inverse = inverse - step[:, :, None] * step[:, None, :] / scale[:, None, None]
        self.inverse[place] = inverse
        self.sums[place] += rewards[:, None] * contexts
        self.weights[place] = np.matmul(inverse, self.sums[place][:, :, None])[:, :, 0]


class LinUCB(LinearPolicy):
    """The largest w[a] x + alpha sqrt(x^T A^-1 x): good, or little known.

    Raises: InputError for a negative alpha.
    Source: Li, Chu, Langford & Schapire 2010, arXiv:1003.0146, algorithm 1 (disjoint linear models).
    """

    def __init__(
        self,
        runs: int,
        arms: int,
        features: int,
        stream: np.random.Generator,
        *,
        alpha: float = 1.0,
        ridge: float = 1.0,
    ) -> None:
        require(alpha >= 0, "alpha", alpha, "at least 0")
        super().__init__(runs, arms, features, stream, ridge=ridge)
        self.alpha = alpha

    def scores(self, contexts: Floats) -> Floats:
        """Upper bounds."""
        return self.estimates(contexts) + self.alpha * self.widths(contexts)


class LinearThompson(LinearPolicy):
    """Weights are drawn from N(w[a], noise^2 A^-1), the largest of the drawn w[a] x wins.

    Arms are independent, so w[a] x may be drawn directly, from N(w[a] x, noise^2 x^T A^-1 x).
    Raises: InputError for a noise that is not above 0.
    Source: Agrawal & Goyal 2013, "Thompson sampling for contextual bandits with linear payoffs", arXiv:1209.3352.
    """

    def __init__(
        self,
        runs: int,
        arms: int,
        features: int,
        stream: np.random.Generator,
        *,
        noise: float = 0.3,
        ridge: float = 1.0,
    ) -> None:
        require(noise > 0, "noise", noise, "above 0")
        super().__init__(runs, arms, features, stream, ridge=ridge)
        self.noise = noise

    def scores(self, contexts: Floats) -> Floats:
        """A draw for each arm."""
        widths = self.widths(contexts)
        drawn: Floats = self.estimates(contexts) + self.noise * widths * self.stream.standard_normal(widths.shape)
        return drawn


class LinearEpsilonGreedy(LinearPolicy):
    """Any arm with probability epsilon, else the largest w[a] x: the same knowledge as LinUCB, blind tries.

    Raises: InputError for epsilon outside [0, 1].
    """

    def __init__(
        self,
        runs: int,
        arms: int,
        features: int,
        stream: np.random.Generator,
        *,
        epsilon: float = 0.1,
        ridge: float = 1.0,
    ) -> None:
        require(0 <= epsilon <= 1, "epsilon", epsilon, "between 0 and 1")
        super().__init__(runs, arms, features, stream, ridge=ridge)
        self.epsilon = epsilon

    def scores(self, contexts: Floats) -> Floats:
        """Estimates; random numbers in runs that explore."""
        return explore(self.estimates(contexts), self.epsilon, self.stream)
