"""Proximal policy optimization: several epochs on each rollout, and no step far from the policy that played it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from agents.networks import Memory
from agents.policy_gradient import PolicyGradient, fused_adam
from agents.rollouts import Batch, Rollout, batch_of, collect, explained_variance, standardized
from agents.settings import require_settings
from foundations.clipping import clip_gradient_norm
from foundations.errors import require
from foundations.learner import Metrics
from foundations.streams import Streams


def clipped_loss(ratios: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """The loss of a policy whose actions are rho = pi(a | s) / pi_old(a | s) times as likely as before:

        L = -mean min(rho A, clamp(rho, 1 - clip, 1 + clip) A)

    Once an action is 1 + clip times as likely as before (1 - clip where A < 0), there is nothing more to gain by it.
    Shapes: ratios, advantages (n); the loss is a scalar.
    """
    return -torch.min(ratios * advantages, ratios.clamp(1 - clip, 1 + clip) * advantages).mean()


def clipped_slope(ratios: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """Its derivative dL / dlog pi(a | s) = -rho A / n, and 0 where the clip binds. Shapes: as `clipped_loss`; (n)."""
    gains = torch.where(advantages > 0, ratios < 1 + clip, ratios > 1 - clip)
    return ratios * advantages * gains / -len(ratios)


class PPO(PolicyGradient):
    """Plays `rollout_steps` in every environment, then makes `epochs` passes over what it saw, in minibatches.

        L = L_clip + value_weight mean (V - G)^2 - entropy_weight mean H(pi)

    with generalized advantages A and G = A + V_old; A is standardized over the rollout's valid steps. Adam's learning
    rate and the clip fall in a straight line to 0 at the end (`anneal`), so that the policy comes to rest. The end is
    after `updates` = total_steps / (rollout_steps * environments) rollouts; steps that only reset an environment are
    played, but neither learned from nor counted.

    - `hidden`, `activation`, `memory`: see `ActorCritic`. With a memory, minibatches are whole sequences of some
      environments, and gradients reach back to the rollout's beginning.
    - `normalize_observations`: to mean 0 and deviation 1 by running statistics, which stand still during a rollout.
    - `normalize_rewards`: divided by the running deviation of the discounted return; metrics stay raw.
    - raising `lam`: less bias, more noise; `epochs`: more from each step, until the clip binds; `entropy_weight`: more
      exploration.

    Yields, once a rollout: `environment_steps`, `episode/return` and `episode/length` where episodes ended,
    `loss/policy`, `loss/value`, `policy/entropy` (nats), `policy/kl` (nats), `policy/clip_fraction`, the last four on
    the last minibatch, and `value/explained_variance`.
    Raises: InputError for spaces that no network of ours knows, and for impossible settings.
    Source: Schulman et al. 2017, arXiv:1707.06347; Engstrom et al. 2020, arXiv:2005.12729 (what makes it work).
    """

    def __init__(
        self,
        environments: VectorEnv[Any, Any, Any],
        *,
        total_steps: int,
        rollout_steps: int = 32,
        batch_size: int = 256,
        epochs: int = 20,
        gamma: float = 0.98,
        lam: float = 0.8,
        learning_rate: float = 1e-3,
        clip: float = 0.2,
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
        allowed = f"between 1 and {played}, the steps of a rollout ({rollout_steps} x {count} environments)"
        require(1 <= batch_size <= played, "batch_size", batch_size, allowed)
        require(epochs >= 1, "epochs", epochs, "at least 1")
        require(clip > 0, "clip", clip, "above 0")
        weights = {"entropy_weight": entropy_weight, "value_weight": value_weight}
        require_settings(learning_rate, max_norm, {"gamma": gamma, "lam": lam}, weights)
        super().__init__(
            environments,
            fused_adam,
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
        self.rollout_steps, self.batch_size, self.epochs = rollout_steps, batch_size, epochs
        self.updates, self.lam, self.clip = total_steps // played, lam, clip
        self.entropy_weight, self.value_weight, self.max_norm = entropy_weight, value_weight, max_norm
        self._order = streams.torch("minibatches")

    def learn(self) -> Iterator[Metrics]:
        """Yield the metrics of each rollout and what was learned from it, until there were `updates`."""
        while self.update < self.updates:
            left = self._begin_update(self.update / self.updates)
            rollout = collect(self.interaction, self.actor, self.rollout_steps)
            batch, explained = self._batch(rollout)
            metrics = self._improve(batch, self.clip * left)
            self._end_update(rollout)
            yield {
                "environment_steps": self.environment_steps,
                **self.interaction.finished(),
                **metrics,
                "value/explained_variance": explained,
            }

    def _batch(self, rollout: Rollout) -> tuple[Batch, float]:
        """The rollout's valid steps with their advantages and returns, and how well V foresaw these."""
        seen, advantages, returns = self._advantages(rollout, self.lam)
        valid = rollout.valid
        batch = batch_of(rollout, seen, standardized(advantages, valid), returns)
        return batch, explained_variance(seen.values[valid], returns[valid])

    def _improve(self, batch: Batch, clip: float) -> Metrics:
        """All epochs on one rollout."""
        for _ in range(self.epochs):
            for part in batch.minibatches(self.batch_size, self._order):
                features = part.features(self.network)
                policy, values = self.network.policy(features), self.network.value(features)
                log_probs = policy.log_prob(part.actions)
                ratios = (log_probs.detach() - part.log_probs).exp()
                errors = values.detach() - part.returns
                # The loss's derivatives at what the network gives, by hand: on small batches autograd costs more.
                given = [log_probs, values]
                slopes = [
                    clipped_slope(ratios, part.advantages, clip),
                    errors * (2 * self.value_weight / len(part)),
                ]
                if self.entropy_weight:
                    given.append(policy.entropy())
                    slopes.append(torch.full_like(errors, -self.entropy_weight / len(part)))
                for parameter in self.parameters:
                    parameter.grad = None
                torch.autograd.backward(given, slopes)
                clip_gradient_norm(self.parameters, self.max_norm)
                self.optimizer.step()
        return {
            "loss/policy": clipped_loss(ratios, part.advantages, clip),
            "loss/value": errors.square().mean(),
            "policy/entropy": policy.entropy().detach().mean(),
            "policy/kl": (ratios - 1 - ratios.log()).mean(),  # never negative, unlike the mean of -log rho
            "policy/clip_fraction": ((ratios - 1).abs() > clip).float().mean(),
        }

    def state_dict(self) -> dict[str, Any]:
        """What all policy gradients keep, and the stream that orders minibatches."""
        return {**super().state_dict(), "order": self._order.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        super().load_state_dict(state)
        self._order.set_state(state["order"].cpu())
