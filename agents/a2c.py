"""Advantage actor-critic: short rollouts from many environments, one step of the gradient on each."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from agents.networks import Memory
from agents.policy_gradient import PolicyGradient
from agents.rollouts import Rollout, batch_of, collect, explained_variance
from agents.settings import require_settings
from foundations.errors import require
from foundations.learner import Metrics
from foundations.optimizers import RMSProp
from foundations.streams import Streams


class A2C(PolicyGradient):
    """Plays `rollout_steps` in every environment, then makes one step against the gradient of

        L = -mean log pi(a | s) A + value_weight mean (V - G)^2 - entropy_weight mean H(pi)

    with generalized advantages A (n-step ones for lam = 1) and G = A + V. The environments side by side stand in for a
    replay: their steps are not alike. The learning rate of RMSProp falls in a straight line to 0 at the end (`anneal`),
    after `updates` = total_steps / (rollout_steps * environments) rollouts; steps that only reset an environment are
    played, but neither learned from nor counted.

    `hidden`, `activation`, `memory`: see `ActorCritic`; gradients reach back to the rollout's beginning. Normalisation:
    as in `PPO`. Raising `rollout_steps` or `lam`: less bias, more noise; `entropy_weight`: more exploration.

    Yields, once a rollout: `environment_steps`, `episode/return` and `episode/length` where episodes ended,
    `loss/policy`, `loss/value`, `policy/entropy` (nats), `value/explained_variance`.
    Raises: InputError for spaces that no network of ours knows, and for impossible settings.
    Source: Mnih et al. 2016, arXiv:1602.01783 (all environments in step, instead of a thread for each).
    """

    def __init__(
        self,
        environments: VectorEnv[Any, Any, Any],
        *,
        total_steps: int,
        rollout_steps: int = 5,
        gamma: float = 0.99,
        lam: float = 1.0,
        learning_rate: float = 7e-4,
        anneal: bool = True,
        entropy_weight: float = 0.0,
        value_weight: float = 0.5,
        max_norm: float = 0.5,
        hidden: Sequence[int] = (64, 64),
        activation: str = "tanh",
        memory: Memory | None = None,
        normalize_observations: bool = False,
        normalize_rewards: bool = False,
        streams: Streams,
        device: torch.device | str = "cpu",
    ) -> None:
        played = rollout_steps * environments.num_envs
        require(rollout_steps >= 2, "rollout_steps", rollout_steps, "at least 2: one of them may only reset")
        require(total_steps >= played, "total_steps", total_steps, f"at least {played}, the steps of one rollout")
        weights = {"entropy_weight": entropy_weight, "value_weight": value_weight}
        require_settings(learning_rate, max_norm, {"gamma": gamma, "lam": lam}, weights)
        super().__init__(
            environments,
            _rmsprop,
            learning_rate=learning_rate,
            anneal=anneal,
            gamma=gamma,
            hidden=hidden,
            activation=activation,
            memory=memory,
            normalize_observations=normalize_observations,
            normalize_rewards=normalize_rewards,
            streams=streams,
            device=device,
        )
        self.rollout_steps, self.updates, self.lam = rollout_steps, total_steps // played, lam
        self.entropy_weight, self.value_weight, self.max_norm = entropy_weight, value_weight, max_norm

    def learn(self) -> Iterator[Metrics]:
        """Yield the metrics of each rollout and the step that it led to, until there were `updates`."""
        while self.update < self.updates:
            self._begin_update(self.update / self.updates)
            rollout = collect(self.interaction, self.actor, self.rollout_steps)
            metrics = self._improve(rollout)
            self._end_update(rollout)
            yield {
                "environment_steps": self.environment_steps,
                **self.interaction.finished(),
                **metrics,
            }

    def _improve(self, rollout: Rollout) -> Metrics:
        """One step of the gradient on one rollout."""
        seen, advantages, returns = self._advantages(rollout, self.lam)
        batch = batch_of(rollout, seen, advantages, returns)
        losses = self._descend(batch, self.value_weight, self.entropy_weight, self.max_norm)
        explained = explained_variance(seen.values[rollout.valid], returns[rollout.valid])
        return {**losses, "value/explained_variance": explained}


def _rmsprop(parameters: list[Tensor], learning_rate: float) -> RMSProp:
    return RMSProp(parameters, learning_rate, alpha=0.99, eps=1e-5)
