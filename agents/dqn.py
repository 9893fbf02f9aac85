"""Deep Q-learning: the value of every action, learned from replayed steps and its own next estimates."""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from torch import Tensor

from agents.buffers import PrioritizedReplay, Replay, Transitions, without_repeats
from agents.fast_learning import differentiated
from agents.interaction import Interaction
from agents.networks import QNetwork
from agents.playing import Player
from agents.settings import require_settings, set_learning_rate
from agents.spaces import Actions, Inputs, describe_actions, describe_observations
from foundations.averaging import ExponentialMovingAverage
from foundations.clipping import clip_gradient_norm
from foundations.errors import InputError, require
from foundations.learner import Metrics
from foundations.losses import huber
from foundations.optimizers import Adam
from foundations.schedules import linear_decay
from foundations.streams import Streams

Array = NDArray[Any]
FIRST_BETA = 0.4
"""How far importance weights undo prioritized drawing at first; at the end of the run in full (1)."""
AT_ONCE = 2**16
"""Numbers in the observations that are drawn together, at most."""
LARGE_BATCH = 1024
"""Rows that the target network judges at once: more would not stay in a core's cache."""


def next_values(target: Tensor, online: Tensor | None = None) -> Tensor:
    """What the next state is worth: max_a Q'(s', a), of the target network Q'.

    Given the network's own Q(s', .) as well, double Q-learning: Q'(s', argmax_a Q(s', a)). Who chooses is not who
    judges, so that what is overrated by chance is not chosen for it.
    Shapes: (batch, actions) -> (batch). Source: van Hasselt et al. 2015, arXiv:1509.06461.
    """
    if online is None:
        return target.amax(dim=1)
    return target.gather(1, online.argmax(dim=1, keepdim=True)).squeeze(1)


def td_targets(returns: Tensor, discounts: Tensor, following: Tensor) -> Tensor:
    """The targets y = R + discount V(s'), the discount gamma^k, or 0 where the episode terminated.

    Shapes: all (batch). Raises: InputError where they differ: (batch) beside (batch, 1) would make (batch, batch).
    """
    for name, each in (("discounts", discounts), ("following", following)):
        if each.shape != returns.shape or each.dim() != 1:
            raise InputError(f"{name} shape={tuple(each.shape)}: must be (batch,), as returns {tuple(returns.shape)}")
    return returns + discounts * following


class EpsilonGreedy:
    """Takes the best-valued action, and with probability `epsilon` any: a `Player` of a Q-network."""

    def __init__(
        self, network: QNetwork, inputs: Inputs, actions: Actions, epsilon: float, stream: np.random.Generator
    ) -> None:
        self.epsilon, self.stream = epsilon, stream
        self._values, self._inputs, self._actions = network.numpy_forward(), inputs, actions

    def act(self, observations: Array, started: NDArray[np.bool_]) -> Array:
        """The environments' actions at `observations`."""
        if not self.epsilon:
            return self._actions.to_environment(self._best(observations))
        explores = self.stream.random(len(observations)) < self.epsilon
        chosen = self.stream.integers(self._actions.outputs, size=len(observations))
        if np.count_nonzero(explores) < len(explores):
            chosen = np.where(explores, chosen, self._best(observations))
        return self._actions.to_environment(chosen)

    def _best(self, observations: Array) -> Array:
        best: Array = self._values(self._inputs.to_network(observations)).argmax(axis=1)
        return best


class DQN:
    """Plays epsilon-greedily, stores what it saw in a replay, and learns from that every `train_every` steps.

        L = mean Huber(Q(s, a) - y),  y = R + gamma^k max_a' Q'(s', a'),  0 instead of gamma^k after a termination

    Q' is the target network, a copy of Q made every `target_every` environment steps. Epsilon falls from 1 to
    `final_epsilon` over the first `exploration_share` of `total_steps`; both count environment steps, however many
    environments there are. Before `learning_starts` of them nothing is learned.

    - `capacity`: transitions that the replay holds; `max_norm`: the gradient is clipped to this norm.
    - `double`: Q chooses a' and Q' judges it; see `next_values`.
    - `duelling`: the network adds the state's value and the actions' advantages; see `QNetwork`.
    - `n_step`: R sums n rewards. Good news travels faster, with the exploring actions' noise; see `Replay`.
    - `prioritized`: surprising steps are drawn more often; see `PrioritizedReplay`.
    - `anneal`: Adam's learning rate falls in a straight line to 0 at the end, so that the values come to rest.
    - `average_decay` above 0: players use the running average of the weights, which varies less than the weights.

    Yields, every `train_every` steps: `environment_steps`, `episode/return` and `episode/length` where episodes
    ended, `exploration/epsilon`, and, of the last batch, `loss/td` and `value/mean`.
    Raises: InputError for actions that are not discrete, and for impossible settings.
    Source: Mnih et al. 2015, Nature 518; in this combination Hessel et al. 2017, arXiv:1710.02298.
    """

    def __init__(
        self,
        environments: VectorEnv[Any, Any, Any],
        *,
        total_steps: int,
        learning_rate: float = 2.3e-3,
        anneal: bool = False,
        batch_size: int = 64,
        capacity: int = 100_000,
        learning_starts: int = 1_000,
        train_every: int = 256,
        gradient_steps: int = 128,
        target_every: int = 10,
        gamma: float = 0.99,
        exploration_share: float = 0.16,
        final_epsilon: float = 0.04,
        double: bool = False,
        duelling: bool = False,
        n_step: int = 1,
        prioritized: bool = False,
        average_decay: float = 0.0,
        max_norm: float = 10.0,
        hidden: Sequence[int] = (256, 256),
        activation: str = "relu",
        streams: Streams,
        device: torch.device | str = "cpu",
    ) -> None:
        counts = {"total_steps": total_steps, "train_every": train_every, "gradient_steps": gradient_steps}
        for name, count in {**counts, "target_every": target_every}.items():
            require(count >= 1, name, count, "at least 1")
        require(1 <= batch_size <= capacity, "batch_size", batch_size, f"between 1 and capacity={capacity}")
        shares = {"exploration_share": exploration_share, "final_epsilon": final_epsilon}
        require_settings(learning_rate, max_norm, shares, {"learning_starts": learning_starts})
        self.inputs = describe_observations(environments.single_observation_space)
        self.actions = describe_actions(environments.single_action_space, ("discrete",))
        self._first_action = int(getattr(environments.single_action_space, "start", 0))
        self.network = QNetwork(
            self.inputs,
            self.actions,
            hidden=hidden,
            activation=activation,
            duelling=duelling,
            generator=streams.torch("weights"),
        ).to(device)
        self.target = copy.deepcopy(self.network).requires_grad_(False)
        self.average = ExponentialMovingAverage(self.network, average_decay) if average_decay else None
        self._gradients, self._judge = differentiated(self.network), differentiated(self.target)
        self.parameters: list[Tensor] = list(self.network.parameters())
        self.optimizer = Adam(self.parameters, learning_rate, fused=True)
        spaces = environments.single_observation_space, environments.single_action_space
        steps: dict[str, Any] = {"environments": environments.num_envs, "n_step": n_step, "gamma": gamma}
        self._prioritized = PrioritizedReplay(capacity, *spaces, **steps) if prioritized else None
        self.replay = Replay(capacity, *spaces, **steps) if self._prioritized is None else self._prioritized
        self.interaction = Interaction(environments, int(streams.numpy("environments").integers(2**31)))
        self.total_steps, self.learning_rate, self.anneal = total_steps, learning_rate, anneal
        self.batch_size, self.learning_starts, self.double = batch_size, learning_starts, double
        self.train_every, self.gradient_steps, self.target_every = train_every, gradient_steps, target_every
        self.max_norm = max_norm
        self.update, self.updates = 0, math.ceil(total_steps / train_every)
        self._epsilon = linear_decay(max(1, round(exploration_share * total_steps)), final_epsilon)
        self._player = EpsilonGreedy(self.network, self.inputs, self.actions, 1.0, streams.numpy("exploration"))
        self._stream = streams.numpy("replay")
        self._copied_at = 0

    @property
    def environment_steps(self) -> int:
        """Valid steps taken, of all environments."""
        return self.interaction.environment_steps

    def learn(self) -> Iterator[Metrics]:
        """Yield the metrics of each `train_every` steps and what was learned then, until there were `total_steps`."""
        while self.update < self.updates:
            self._play(min((self.update + 1) * self.train_every, self.total_steps))
            metrics: Metrics = {}
            if self.environment_steps > self.learning_starts and len(self.replay) >= self.batch_size:
                metrics = self._improve()
            self.update += 1
            yield {
                "environment_steps": self.environment_steps,
                **self.interaction.finished(),
                "exploration/epsilon": self._player.epsilon,
                **metrics,
            }

    def _play(self, until: int) -> None:
        """Fill the replay; then, if `target_every` steps were taken, copy the network to the target.

        Nothing reads the target while the agent plays, so that one copy at the end does for all that fell due.
        """
        interaction, player = self.interaction, self._player
        while interaction.environment_steps < until:
            player.epsilon = self._epsilon(interaction.environment_steps)
            self.replay.add(interaction.step(player.act(interaction.observations, interaction.started)))
        steps = interaction.environment_steps
        if steps // self.target_every > self._copied_at // self.target_every:
            torch._foreach_copy_(list(self.target.parameters()), self.parameters)
            self._copied_at = steps

    def _improve(self) -> Metrics:
        """All gradient steps of one turn.

        The target network stands still meanwhile: all targets are computed at once. With `double` or `prioritized` they
        depend on what was learned from the batch before, so that each is drawn on its own.
        """
        set_learning_rate(self.optimizer, self.learning_rate, self.update / self.updates if self.anneal else 0.0)
        size = self.batch_size
        one_by_one = self.double or self._prioritized is not None
        together = 1 if one_by_one else max(1, AT_ONCE // (size * self.inputs.features))
        for first in range(0, self.gradient_steps, together):
            batch = self._draw(min(together, self.gradient_steps - first))
            parts = (each.split(size) for each in (batch.observations, batch.actions, batch.targets))
            for observations, actions, targets in zip(*parts, strict=True):
                values, errors = self._descend(observations, actions, targets, batch.weights)
            if self._prioritized is not None:
                self._prioritized.update(batch.indices, errors.squeeze(1).cpu().numpy())
        return {"loss/td": huber(errors, torch.zeros_like(errors)), "value/mean": values.mean()}

    def _draw(self, batches: int) -> "Batch":
        """Replayed transitions as the network takes them, with their targets."""
        if self._prioritized is None:
            drawn = self.replay.sample(self.batch_size, self._stream, batches=batches)
        else:
            beta = FIRST_BETA + (1 - FIRST_BETA) * min(self.environment_steps / self.total_steps, 1.0)
            drawn = self._prioritized.sample(self.batch_size, self._stream, batches=batches, beta=beta)
        returns, discounts, weights = map(self._tensor, (drawn.returns, drawn.discounts, drawn.weights))
        return Batch(
            self._to_network(drawn.observations),
            self._tensor(drawn.actions.astype(np.int64) - self._first_action).unsqueeze(1),
            td_targets(returns, discounts, self._following(drawn)).unsqueeze(1),
            None if self._prioritized is None else weights.unsqueeze(1),
            drawn.indices,
        )

    def _following(self, drawn: Transitions) -> Tensor:
        """What the next states are worth, (batch); a transition that was drawn several times is judged once."""
        kept, places = without_repeats(drawn.indices, len(self.replay))
        following = self._to_network(drawn.next_observations[kept]).split(LARGE_BATCH)
        judged = torch.cat([self._judge.values(part) for part in following])
        online = torch.cat([self._gradients.values(part) for part in following]) if self.double else None
        return next_values(judged, online)[self._tensor(places)]

    def _descend(
        self, observations: Tensor, actions: Tensor, targets: Tensor, weights: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """One gradient step; gives Q(s, .) and the errors Q(s, a) - y, both (batch, ...), as they were before it."""
        values = self._gradients.forward(observations)
        errors = values.gather(1, actions).sub_(targets)
        slopes = errors.clamp(-1, 1).div_(len(errors))  # Huber's slope is the error, cut to [-1, 1]
        if weights is not None:
            slopes *= weights
        self._gradients.backward(torch.zeros_like(values).scatter_(1, actions, slopes))
        clip_gradient_norm(self.parameters, self.max_norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update()
        return values, errors

    def _to_network(self, observations: Array) -> Tensor:
        return self._tensor(self.inputs.to_network(observations))

    def _tensor(self, array: Array) -> Tensor:
        return torch.from_numpy(array).to(self.parameters[0].device)

    def player(self, *, greedy: bool, stream: np.random.Generator) -> Player:
        """A player with a copy of the present weights, or of their average; not greedy: with the present epsilon."""
        network = copy.deepcopy(self.network)
        if self.average is not None:
            network.load_state_dict(self.average.module.state_dict())
        epsilon = 0.0 if greedy else self._player.epsilon
        return EpsilonGreedy(network, self.inputs, self.actions, epsilon, stream)

    def state_dict(self) -> dict[str, Any]:
        """Networks, optimizer, replay (as far as it is filled), environments, streams, place in the run."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        streams = {name: stream.bit_generator.state for name, stream in self._streams().items()}
        place = {"update": self.update, "copied_at": self._copied_at, "epsilon": self._player.epsilon}
        return {**parts, "streams": streams, **place}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        for name, stream in self._streams().items():
            stream.bit_generator.state = state["streams"][name]
        self.update, self._copied_at, self._player.epsilon = state["update"], state["copied_at"], state["epsilon"]

    def _parts(self) -> dict[str, Any]:
        parts = {
            "network": self.network,
            "target": self.target,
            "average": self.average,
            "optimizer": self.optimizer,
            "replay": self.replay,
            "interaction": self.interaction,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def _streams(self) -> dict[str, np.random.Generator]:
        return {"exploration": self._player.stream, "replay": self._stream}


class Batch(NamedTuple):
    """What one or several gradient steps learn from. Shapes: (count, 1), but for observations and indices.

    `actions` are as the network counts them, `weights` None where all count alike, `indices` the places in the replay.
    """

    observations: Tensor
    actions: Tensor
    targets: Tensor
    weights: Tensor | None
    indices: NDArray[np.int64]
