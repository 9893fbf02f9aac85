"""Advantage actor-critic: short rollouts from many environments, one step of the gradient on each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv

from agents.acting import Actor
from agents.advantages import generalized_advantages
from agents.interaction import Interaction
from agents.networks import ActorCritic, Memory
from agents.normalization import Normalizer, RewardScaler
from agents.rollouts import Rollout, batch_of, collect, explained_variance, look
from agents.spaces import describe_actions, describe_observations
from foundations.clipping import clip_gradient_norm
from foundations.errors import require
from foundations.learner import Metrics
from foundations.optimizers import RMSProp
from foundations.streams import Streams


class A2C:
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
        count = environments.num_envs
        played = rollout_steps * count
        require(rollout_steps >= 2, "rollout_steps", rollout_steps, "at least 2: one of them may only reset")
        require(total_steps >= played, "total_steps", total_steps, f"at least {played}, the steps of one rollout")
        require(0 < learning_rate < float("inf"), "learning_rate", learning_rate, "a finite number above 0")
        for name, each in (("gamma", gamma), ("lam", lam)):
            require(0 <= each <= 1, name, each, "between 0 and 1")
        for name, each in (("entropy_weight", entropy_weight), ("value_weight", value_weight), ("max_norm", max_norm)):
            require(each >= 0, name, each, "at least 0")
        inputs = describe_observations(environments.single_observation_space)
        actions = describe_actions(environments.single_action_space)
        settings: dict[str, Any] = {"hidden": hidden, "activation": activation, "memory": memory}
        self.network = ActorCritic(inputs, actions, **settings, generator=streams.torch("weights")).to(device)
        self.parameters = list(self.network.parameters())
        self.optimizer = RMSProp(self.parameters, learning_rate, alpha=0.99, eps=1e-5)
        self.interaction = Interaction(environments, int(streams.numpy("environments").integers(2**31)))
        self.normalizer = Normalizer(inputs.shape) if normalize_observations else None
        self.reward_scaler = RewardScaler(gamma, count) if normalize_rewards else None
        stream = streams.numpy("actions")
        self.actor = Actor(self.network, count, greedy=False, stream=stream, normalizer=self.normalizer)
        self.rollout_steps, self.gamma, self.lam = rollout_steps, gamma, lam
        self.learning_rate, self.anneal = learning_rate, anneal
        self.entropy_weight, self.value_weight, self.max_norm = entropy_weight, value_weight, max_norm
        self.update, self.updates = 0, total_steps // played

    @property
    def environment_steps(self) -> int:
        """Valid steps taken, of all environments."""
        return self.interaction.environment_steps

    def learn(self) -> Iterator[Metrics]:
        """Yield the metrics of each rollout and the step that it led to, until there were `updates`."""
        while self.update < self.updates:
            left = 1 - self.update / self.updates if self.anneal else 1.0
            for group in self.optimizer.param_groups:
                group["lr"] = self.learning_rate * left
            rollout = collect(self.interaction, self.actor, self.rollout_steps)
            metrics = self._improve(rollout)
            if self.normalizer is not None:  # not before: the policy that learned must be the one that played
                self.normalizer.update(self.network.inputs.to_network(rollout.observations[rollout.valid]))
            self.update += 1
            yield {
                "environment_steps": self.environment_steps,
                **self.interaction.finished(),
                **metrics,
            }

    def _improve(self, rollout: Rollout) -> Metrics:
        """One step of the gradient on one rollout."""
        seen, rewards, valid = look(self.actor, rollout), rollout.rewards, rollout.valid
        if self.reward_scaler is not None:
            rewards = self.reward_scaler(rewards, rollout.ended, valid)
        ends = rollout.terminated, rollout.ended
        advantages = generalized_advantages(rewards, seen.values, seen.next_values, *ends, self.gamma, self.lam)
        returns = advantages + seen.values
        batch = batch_of(rollout, seen, advantages, returns)
        features = batch.features(self.network)
        policy, values = self.network.policy(features), self.network.value(features)
        policy_loss = -(policy.log_prob(batch.actions) * batch.advantages).mean()
        value_loss = (values - batch.returns).square().mean()
        entropy = policy.entropy().mean()
        self.optimizer.zero_grad()
        (policy_loss + self.value_weight * value_loss - self.entropy_weight * entropy).backward()
        clip_gradient_norm(self.parameters, self.max_norm)
        self.optimizer.step()
        return {
            "loss/policy": policy_loss.detach(),
            "loss/value": value_loss.detach(),
            "policy/entropy": entropy.detach(),
            "value/explained_variance": explained_variance(seen.values[valid], returns[valid]),
        }

    def player(self, *, greedy: bool, stream: np.random.Generator) -> Actor:
        """A player with a copy of the present weights."""
        return self.actor.frozen(greedy=greedy, stream=stream)

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimizer, environments, streams, running statistics, place in the run."""
        return {**{name: part.state_dict() for name, part in self._parts().items()}, "update": self.update}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.update = state["update"]

    def _parts(self) -> dict[str, Any]:
        parts = {
            "network": self.network,
            "optimizer": self.optimizer,
            "interaction": self.interaction,
            "actor": self.actor,
            "reward_scaler": self.reward_scaler,
        }
        return {name: part for name, part in parts.items() if part is not None}
