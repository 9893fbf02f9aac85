"""Policies of two actions, as one number with a threshold: what drives the choice, and what decides it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from explain.blackbox import BlackBox
from explain.policies import EpisodeExplanation, explain_episode
from explain.quality import random_orders
from explain.tabular import hide_columns
from explain.trials import Turning, turn_by_hiding
from foundations.activations import Softmax

Array = NDArray[np.float64]
BATCH = 4_096
"""Observations that a network is asked about at a time."""


@dataclass(frozen=True, eq=False)
class TwoActions:
    """A policy that takes its second action where output `label` of `box`, called `quantity`, is above `threshold`."""

    box: BlackBox
    label: int = 1
    quantity: str = ""
    threshold: float = 0.5

    @classmethod
    def of_logits(cls, actor: nn.Module, names: Sequence[str]) -> "TwoActions":
        """A network of the actions' logits, (n, columns) -> (n, 2); the quantity is the second one's probability."""
        return cls(BlackBox(nn.Sequential(actor, Softmax(dim=1)), batch_size=BATCH, names=names), 1, names[1])

    @classmethod
    def of_values(cls, critic: nn.Module, names: Sequence[str]) -> "TwoActions":
        """A network of the actions' Q-values, (n, columns) -> (n, 2); the quantity is Q(second) - Q(first), from 0 on.

        What the state itself is worth, whatever is done, is in both, and so in neither's lead.
        """
        values, quantity = BlackBox(critic, outputs="values", batch_size=BATCH), f"Q({names[1]}) - Q({names[0]})"

        def lead(observations: Array) -> Array:
            answers = values(observations)
            return answers[:, 1] - answers[:, 0]

        return cls(BlackBox(lead, outputs="values", batch_size=BATCH, names=(quantity,)), 0, quantity, 0.0)

    def says(self, observations: Array) -> Array:
        """The quantity: (n, columns) -> (n,)."""
        return self.box(observations)[:, self.label]

    def takes_second(self, answers: Array) -> NDArray[np.bool_]:
        """The verdict on answers of the box: (..., outputs) -> (...)."""
        second: NDArray[np.bool_] = answers[..., self.label] > self.threshold
        return second

    def explain(self, observations: Array, background: Any, *, samples: int, seed: int) -> EpisodeExplanation:
        """Explanations of observations (n, columns), from ones drawn around each: some are far from all typical ones.

        See `explain_episode`.
        """
        settings: dict[str, Any] = {"label": self.label, "samples": samples, "seed": seed}
        return explain_episode(self.box, observations, background, around_case=True, **settings)

    def turning(self, found: EpisodeExplanation, background: Any, *, draws: int, seed: int) -> Turning:
        """Whether each choice turned as numbers became typical, those first that drive to its side.

        Beside it as many as `draws` orders at random, the same for all observations.
        """
        sides = np.where(found.predictions > self.threshold, 1, -1)
        orders = np.argsort(-sides[:, None] * found.contributions, axis=1, kind="stable")
        hides = [hide_columns(observation, background) for observation in found.observations]
        chance = [random_orders(len(found.names), draws, seed)] * len(hides)
        return turn_by_hiding(self.box, hides, list(orders), chance, decide=self.takes_second)
