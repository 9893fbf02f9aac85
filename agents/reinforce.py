"""REINFORCE: play to the end, then make what went better than expected more likely."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from gymnasium.vector import VectorEnv

from agents.advantages import discounted_returns
from agents.policy_gradient import PolicyGradient, fused_adam
from agents.rollouts import Rollout, batch_of, collect_to_ends, explained_variance, look, standardized
from agents.settings import require_settings
from foundations.errors import require
from foundations.learner import Metrics
from foundations.streams import Streams


class REINFORCE(PolicyGradient):
    """Plays an episode to its end in every environment, then makes one step against the gradient of

        L = -mean log pi(a | s) A + mean (V - G)^2 / 2 - entropy_weight mean H(pi)

    G is the whole discounted return that followed, nothing of it estimated (except behind a time limit, where V of the
    final observation stands for what was cut off). A = G - V with the `baseline` V, which lowers the gradient's
    variance and leaves its mean; else A = G. A is standardized over the steps of the update. Adam's learning rate falls
    in a straight line to 0 at `total_steps`, where learning ends; what an environment plays while it waits for the
    others' ends counts among them, though nothing is learned from it.

    Yields, once an update: `environment_steps`, `episode/return` and `episode/length`, `loss/policy`, `loss/value`,
    `policy/entropy` (nats), `value/explained_variance`.
    Raises: InputError for spaces that no network of ours knows, and for impossible settings.
    Source: Williams 1992, Machine Learning 8.
    """

    def __init__(
        self,
        environments: VectorEnv[Any, Any, Any],
        *,
        total_steps: int,
        gamma: float = 0.99,
        learning_rate: float = 1e-2,
        anneal: bool = True,
        baseline: bool = True,
        entropy_weight: float = 0.0,
        max_norm: float = 0.5,
        hidden: Sequence[int] = (64, 64),
        activation: str = "tanh",
        streams: Streams,
        device: torch.device | str = "cpu",
    ) -> None:
        require(total_steps >= 1, "total_steps", total_steps, "at least 1")
        require_settings(learning_rate, max_norm, {"gamma": gamma}, {"entropy_weight": entropy_weight})
        super().__init__(
            environments,
            fused_adam,
            learning_rate=learning_rate,
            anneal=anneal,
            gamma=gamma,
            hidden=hidden,
            activation=activation,
            streams=streams,
            device=device,
        )
        self.total_steps, self.baseline = total_steps, baseline
        self.entropy_weight, self.max_norm = entropy_weight, max_norm
        self.updates = -(-total_steps // environments.num_envs)
        """There are no more updates than this, as every environment makes a step in each."""

    def learn(self) -> Iterator[Metrics]:
        """Yield the metrics of each update, until `total_steps` environment steps were made."""
        while self.environment_steps < self.total_steps:
            self._begin_update(self.environment_steps / self.total_steps)
            rollout = collect_to_ends(self.interaction, self.actor)
            metrics = self._improve(rollout)
            self._end_update(rollout)
            yield {
                "environment_steps": self.environment_steps,
                **self.interaction.finished(),
                **metrics,
            }

    def _improve(self, rollout: Rollout) -> Metrics:
        """One step of the gradient on the steps up to each environment's end."""
        seen, valid = look(self.actor, rollout), rollout.valid
        ends = rollout.terminated, rollout.ended
        returns = discounted_returns(rollout.rewards, seen.next_values, *ends, self.gamma)
        advantages = returns - seen.values if self.baseline else returns
        batch = batch_of(rollout, seen, standardized(advantages, valid), returns)
        losses = self._descend(batch, 0.5, self.entropy_weight, self.max_norm)
        return {**losses, "value/explained_variance": explained_variance(seen.values[valid], returns[valid])}
