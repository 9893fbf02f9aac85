"""REINFORCE: play to the end, then make what went better than expected more likely."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv

from agents.acting import Actor
from agents.advantages import discounted_returns
from agents.interaction import Interaction
from agents.networks import ActorCritic
from agents.rollouts import Rollout, batch_of, collect_to_ends, explained_variance, look, standardized
from agents.spaces import describe_actions, describe_observations
from foundations.clipping import clip_gradient_norm
from foundations.errors import require
from foundations.learner import Metrics
from foundations.optimizers import Adam
from foundations.streams import Streams


class REINFORCE:
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
        count = environments.num_envs
        require(total_steps >= 1, "total_steps", total_steps, "at least 1")
        require(0 <= gamma <= 1, "gamma", gamma, "between 0 and 1")
        require(0 < learning_rate < float("inf"), "learning_rate", learning_rate, "a finite number above 0")
        require(entropy_weight >= 0, "entropy_weight", entropy_weight, "at least 0")
        require(max_norm >= 0, "max_norm", max_norm, "at least 0")
        inputs = describe_observations(environments.single_observation_space)
        actions = describe_actions(environments.single_action_space)
        weights = streams.torch("weights")
        network = ActorCritic(inputs, actions, hidden=hidden, activation=activation, generator=weights)
        self.network = network.to(device)
        self.parameters = list(self.network.parameters())
        self.optimizer = Adam(self.parameters, learning_rate, eps=1e-5, fused=True)
        self.interaction = Interaction(environments, int(streams.numpy("environments").integers(2**31)))
        self.actor = Actor(self.network, count, greedy=False, stream=streams.numpy("actions"))
        self.total_steps, self.gamma, self.learning_rate, self.anneal = total_steps, gamma, learning_rate, anneal
        self.baseline, self.entropy_weight, self.max_norm = baseline, entropy_weight, max_norm
        self.updates = -(-total_steps // count)
        """There are no more updates than this, as every environment makes a step in each."""

    @property
    def environment_steps(self) -> int:
        """Valid steps taken, of all environments."""
        return self.interaction.environment_steps

    def learn(self) -> Iterator[Metrics]:
        """Yield the metrics of each update, until `total_steps` environment steps were made."""
        while self.environment_steps < self.total_steps:
            left = 1 - self.environment_steps / self.total_steps if self.anneal else 1.0
            for group in self.optimizer.param_groups:
                group["lr"] = self.learning_rate * left
            metrics = self._improve(collect_to_ends(self.interaction, self.actor))
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
        features = batch.features(self.network)
        policy, values = self.network.policy(features), self.network.value(features)
        policy_loss = -(policy.log_prob(batch.actions) * batch.advantages).mean()
        value_loss = (values - batch.returns).square().mean()
        entropy = policy.entropy().mean()
        self.optimizer.zero_grad()
        (policy_loss + 0.5 * value_loss - self.entropy_weight * entropy).backward()
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
        """Weights, optimizer, environments and steps so far, streams."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "optimizer": self.optimizer,
            "interaction": self.interaction,
            "actor": self.actor,
        }
