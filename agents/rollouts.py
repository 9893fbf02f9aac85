"""Rollouts: what the present policy lives through, and the batch that a policy gradient makes of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.acting import Actor
from agents.interaction import Interaction, Step
from agents.networks import ActorCritic

Array = NDArray[Any]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Rollout:
    """Steps in several environments side by side: arrays (steps, environments, ...), as the environments gave them.

    `actions` are the network's; `states` the memory before the first step and after each, where there is one.
    `valid` is false where a step only reset its environment: see `agents.interaction.Step` for these and the others.
    """

    observations: Array
    actions: Array
    rewards: NDArray[np.float64]
    next_observations: Array
    terminated: Flags
    ended: Flags
    valid: Flags
    started: Flags
    states: Tensor | None = None

    def __len__(self) -> int:
        return len(self.rewards)


def collect(interaction: Interaction, actor: Actor, steps: int) -> Rollout:
    """Play `steps` steps in every environment; episodes run on from rollout to rollout."""
    return _play(interaction, actor, lambda played: len(played) == steps)


def collect_to_ends(interaction: Interaction, actor: Actor) -> Rollout:
    """Play until an episode has ended in every environment; what an environment does after its end is not `valid`.

    An environment that is in the middle of an episode plays the rest of it: the rewards to come are known all the same.
    Stopping at the first so many ends, wherever they are, would favour short episodes.
    """
    waiting = np.ones(interaction.environments.num_envs, np.bool_)

    def everywhere(played: Sequence[Step]) -> bool:
        np.logical_and(waiting, ~played[-1].ended, out=waiting)
        return not waiting.any()

    rollout = _play(interaction, actor, everywhere)
    over = np.cumsum(rollout.ended, axis=0) - rollout.ended > 0  # ended at an earlier step
    rollout.valid[over] = False
    return rollout


def _play(interaction: Interaction, actor: Actor, done: Callable[[Sequence[Step]], bool]) -> Rollout:
    played: list[Step] = []
    actions: list[Array] = []
    states = [actor.state]
    while not (played and done(played)):
        chosen = actor.choose(interaction.observations, interaction.started)
        played.append(interaction.step(actor.to_environment(chosen)))
        actions.append(chosen)
        states.append(actor.state)
    return Rollout(
        _together([step.observations for step in played]),
        _together(actions),
        _together([step.rewards for step in played]),
        _together([step.next_observations for step in played]),
        _together([step.terminated for step in played]),
        _together([step.ended for step in played]),
        _together([step.valid for step in played]),
        _together([step.started for step in played]),
        None if actor.state is None else torch.stack([each for each in states if each is not None]),
    )


def _together(arrays: Sequence[Array]) -> Array:
    """Like np.stack, which is several times slower with many small arrays."""
    return np.concatenate(arrays).reshape(len(arrays), *arrays[0].shape)


# --- what the network makes of it -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """A rollout through the eyes of the network that played it, before it learns: no gradients.

    Tensors (steps, environments, ...) on the network's device; values as arrays (steps, environments).
    """

    observations: Tensor
    actions: Tensor
    log_probs: Tensor
    """log pi(a | s) of what was done."""
    values: NDArray[np.float32]
    next_values: NDArray[np.float32]
    """V(s') of what each action led to: at an end, of the final observation."""


@torch.no_grad()
def look(actor: Actor, rollout: Rollout) -> Seen:
    """Values and log probabilities of all that was lived through.

    A memory is handed on as it was then: a next observation is read behind the state after the step that led there.
    """
    network, shape = actor.network, rollout.rewards.shape
    device = next(network.parameters()).device
    arrays = (actor.to_network(rollout.observations), actor.to_network(rollout.next_observations), rollout.actions)
    observations, after, actions = (torch.from_numpy(each).to(device) for each in arrays)
    if rollout.states is None:
        features, _ = network.features(torch.cat([observations, after]).flatten(0, 1))
        features, features_after = features.chunk(2)
    else:
        started = torch.from_numpy(rollout.started).to(device)
        features = network.features(observations, started, rollout.states[0])[0].flatten(0, 1)
        carried = rollout.states[1:].transpose(0, 1).flatten(1, 2)  # (parts, steps * environments, hidden)
        each_alone = after.flatten(0, 1)[None], torch.zeros_like(started).view(1, -1)
        features_after = network.features(*each_alone, carried)[0][0]
    log_probs = network.policy(features).log_prob(actions.flatten(0, 1)).view(shape)
    values, next_values = (network.value(each).view(shape).cpu().numpy() for each in (features, features_after))
    return Seen(observations, actions, log_probs, values, next_values)


@dataclass(frozen=True)
class Batch:
    """What a gradient is computed from: a row for each valid step.

    Without a memory, observations are rows as well. With one they are whole sequences (time, environments, ...), as are
    `started` and `valid`, which says which steps are rows; `state` is the memory before the first.
    """

    observations: Tensor
    actions: Tensor
    log_probs: Tensor
    advantages: Tensor
    returns: Tensor
    started: Tensor | None = None
    valid: Tensor | None = None
    state: Tensor | None = None

    def __len__(self) -> int:
        return len(self.returns)

    def features(self, network: ActorCritic) -> Tensor:
        """The encoder's features of each row: (rows, features)."""
        features, _ = network.features(self.observations, self.started, self.state)
        return features if self.valid is None else features[self.valid]

    def minibatches(self, size: int, generator: torch.Generator) -> Iterator["Batch"]:
        """All rows once in random order, in parts of about `size`, as equal as can be.

        With a memory the parts are environments with all their steps, so that nothing is remembered anew.
        """
        parts = max(1, round(len(self) / size))
        if parts == 1:
            yield self
            return
        if self.valid is None:
            order = torch.randperm(len(self), generator=generator).to(self.returns.device)
            permuted = [each[order].tensor_split(parts) for each in (self.observations, *self._targets())]
            for observations, actions, log_probs, advantages, returns in zip(*permuted, strict=True):
                yield Batch(observations, actions, log_probs, advantages, returns)
            return
        environments = self.valid.shape[1]
        order = torch.randperm(environments, generator=generator).to(self.returns.device)
        yield from (self._of(chosen) for chosen in order.tensor_split(min(parts, environments)))

    def _of(self, environments: Tensor) -> "Batch":
        """The sequences of some environments."""
        assert self.valid is not None
        assert self.started is not None
        assert self.state is not None
        row = self.valid.flatten().cumsum(0).sub(1).view(self.valid.shape)  # the row of each valid step
        valid = self.valid[:, environments]
        rows = row[:, environments][valid]
        actions, log_probs, advantages, returns = (each[rows] for each in self._targets())
        sequences = self.started[:, environments], valid, self.state[:, environments]
        return Batch(self.observations[:, environments], actions, log_probs, advantages, returns, *sequences)

    def _targets(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.actions, self.log_probs, self.advantages, self.returns


def batch_of(rollout: Rollout, seen: Seen, advantages: Array, returns: Array) -> Batch:
    """The valid steps of a rollout. Shapes: advantages, returns (steps, environments) float32."""
    device = seen.log_probs.device
    valid = torch.from_numpy(rollout.valid).to(device)
    targets = (seen.actions, seen.log_probs, *(torch.from_numpy(each).to(device) for each in (advantages, returns)))
    actions, log_probs, gains, to_come = (each[valid] for each in targets)
    if rollout.states is None:
        return Batch(seen.observations[valid], actions, log_probs, gains, to_come)
    started = torch.from_numpy(rollout.started).to(device)
    return Batch(seen.observations, actions, log_probs, gains, to_come, started, valid, rollout.states[0])


def standardized(advantages: NDArray[np.float32], valid: Flags) -> NDArray[np.float32]:
    """With mean 0 and deviation 1 over the valid steps, so that a gradient's size is not that of the rewards."""
    counted = advantages[valid]
    scaled: NDArray[np.float32] = (advantages - counted.mean()) / (counted.std() + np.float32(1e-8))
    return scaled


def explained_variance(values: Array, returns: Array) -> float:
    """1 - Var(G - V) / Var(G): 1 where the values foresee the returns, 0 where a constant would do as well."""
    spread = float(np.var(returns))
    return 1 - float(np.var(returns - values)) / spread if spread > 0 else 0.0
