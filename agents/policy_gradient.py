"""What REINFORCE, A2C and PPO share: a network that plays in environments, its optimizer, and the state of both."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from torch import Tensor

from agents.acting import Actor
from agents.advantages import generalized_advantages
from agents.interaction import Interaction
from agents.networks import ActorCritic, Memory
from agents.normalization import Normalizer, RewardScaler
from agents.rollouts import Batch, Rollout, Seen, look
from agents.settings import set_learning_rate
from agents.spaces import describe_actions, describe_observations
from foundations.clipping import clip_gradient_norm
from foundations.learner import Metrics
from foundations.optimizers import Adam
from foundations.streams import Streams

Floats = NDArray[np.float32]


def fused_adam(parameters: list[Tensor], learning_rate: float) -> Adam:
    """Adam with the epsilon of PPO's authors. Source: Engstrom et al. 2020, arXiv:2005.12729."""
    return Adam(parameters, learning_rate, eps=1e-5, fused=True)


class PolicyGradient:
    """An actor-critic network, the environments that it plays in, its optimizer. A subclass says how it learns.

    `optimizer` makes one of the network's parameters; its learning rate is `learning_rate`, and falls with `anneal` in
    a straight line to 0 at the end. `hidden`, `activation`, `memory`: see `ActorCritic`.
    """

    def __init__(
        self,
        environments: VectorEnv[Any, Any, Any],
        optimizer: Callable[[list[Tensor], float], torch.optim.Optimizer],
        *,
        learning_rate: float,
        anneal: bool,
        gamma: float,
        hidden: Sequence[int],
        activation: str,
        memory: Memory | None = None,
        normalize_observations: bool = False,
        normalize_rewards: bool = False,
        streams: Streams,
        device: torch.device | str,
    ) -> None:
        inputs = describe_observations(environments.single_observation_space)
        actions = describe_actions(environments.single_action_space)
        settings: dict[str, Any] = {"hidden": hidden, "activation": activation, "memory": memory}
        self.network = ActorCritic(inputs, actions, **settings, generator=streams.torch("weights")).to(device)
        self.parameters: list[Tensor] = list(self.network.parameters())
        self.optimizer = optimizer(self.parameters, learning_rate)
        self.interaction = Interaction(environments, int(streams.numpy("environments").integers(2**31)))
        self.normalizer = Normalizer(inputs.shape) if normalize_observations else None
        self.reward_scaler = RewardScaler(gamma, environments.num_envs) if normalize_rewards else None
        stream, count = streams.numpy("actions"), environments.num_envs
        self.actor = Actor(self.network, count, greedy=False, stream=stream, normalizer=self.normalizer)
        self.learning_rate, self.anneal, self.gamma = learning_rate, anneal, gamma
        self.update = 0

    @property
    def environment_steps(self) -> int:
        """Valid steps taken, of all environments."""
        return self.interaction.environment_steps

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

    def _begin_update(self, done: float) -> float:
        """Set the learning rate where the share `done` of the run is over; returns the factor that it was set by."""
        return set_learning_rate(self.optimizer, self.learning_rate, done if self.anneal else 0.0)

    def _advantages(self, rollout: Rollout, lam: float) -> tuple[Seen, Floats, Floats]:
        """What the network saw in a rollout; generalized advantages A and returns G = A + V, (steps, environments)."""
        seen, rewards = look(self.actor, rollout), rollout.rewards
        if self.reward_scaler is not None:
            rewards = self.reward_scaler(rewards, rollout.ended, rollout.valid)
        ends = rollout.terminated, rollout.ended
        advantages = generalized_advantages(rewards, seen.values, seen.next_values, *ends, self.gamma, lam)
        return seen, advantages, advantages + seen.values

    def _descend(self, batch: Batch, value_weight: float, entropy_weight: float, max_norm: float) -> Metrics:
        """One step against the gradient of -mean log pi(a | s) A + value_weight mean (V - G)^2 - entropy_weight H."""
        features = batch.features(self.network)
        policy, values = self.network.policy(features), self.network.value(features)
        policy_loss = -(policy.log_prob(batch.actions) * batch.advantages).mean()
        value_loss = (values - batch.returns).square().mean()
        entropy = policy.entropy().mean()
        self.optimizer.zero_grad()
        (policy_loss + value_weight * value_loss - entropy_weight * entropy).backward()
        clip_gradient_norm(self.parameters, max_norm)
        self.optimizer.step()
        losses = {"loss/policy": policy_loss, "loss/value": value_loss, "policy/entropy": entropy}
        return {name: each.detach() for name, each in losses.items()}

    def _end_update(self, rollout: Rollout) -> None:
        """Count, and let the normalizer see the rollout: not before, as what played it must be what learned from it."""
        if self.normalizer is not None:
            self.normalizer.update(self.network.inputs.to_network(rollout.observations[rollout.valid]))
        self.update += 1
