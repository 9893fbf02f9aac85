"""Who acts for a policy network: in training with its living weights, as a player with a copy of them."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from agents.fast_acting import Array, draw_category, draw_normal, numpy_forward
from agents.networks import ActorCritic
from agents.normalization import Normalizer

Flags = NDArray[np.bool_]


class Actor:
    """Chooses actions for several environments by an `ActorCritic`, drawn from `stream` or `greedy`, the likeliest.

    It sees the network's present weights; `frozen` gives one that keeps them. With a `normalizer`, observations pass
    through it. With a memory it carries that from call to call, and empties it where an episode starts.
    """

    def __init__(
        self,
        network: ActorCritic,
        environments: int,
        *,
        greedy: bool,
        stream: np.random.Generator,
        normalizer: Normalizer | None = None,
    ) -> None:
        self.network, self.greedy, self.stream, self.normalizer = network, greedy, stream, normalizer
        self.state = network.first_state(environments)
        """The memory after the last step: (parts, environments, hidden), or None without one."""
        self._outputs = numpy_forward(nn.Sequential(network.encoder, network.actor))
        self._log_std = None if network.log_std is None else network.log_std.detach()

    def act(self, observations: Array, started: Flags) -> Array:
        """The environments' actions at `observations`: both as the environments have them."""
        return self.to_environment(self.choose(observations, started))

    def choose(self, observations: Array, started: Flags) -> Array:
        """The network's actions at the environments' `observations`, as its distribution knows them."""
        x = self.to_network(observations)
        outputs = self._outputs(x) if self.network.memory is None else self._remember(x, started)
        return self._pick(outputs)

    def to_network(self, observations: Array) -> NDArray[np.float32]:
        """Observations (..., *space) as the network takes them: (..., *inputs.shape)."""
        x = self.network.inputs.to_network(observations)
        return x if self.normalizer is None else self.normalizer(x)

    def to_environment(self, actions: Array) -> Array:
        """The network's actions as the environments take them."""
        return self.network.actions.to_environment(actions)

    @torch.no_grad()
    def _remember(self, x: Array, started: Flags) -> Array:
        """The head's outputs after one more step of the memory; anew where an episode starts."""
        if self.state is None or self.state.shape[1] != len(x):
            self.state = self.network.first_state(len(x))
        device = next(self.network.parameters()).device
        observations, begins = torch.from_numpy(x).to(device), torch.from_numpy(started).to(device)
        features, self.state = self.network.features(observations[None], begins[None], self.state)
        outputs: Array = self.network.actor(features[0]).cpu().numpy()
        return outputs

    def _pick(self, outputs: Array) -> Array:
        """An action for each row of the head's outputs."""
        kind, sizes = self.network.actions.kind, self.network.actions.sizes
        if kind == "discrete":
            return outputs.argmax(axis=-1) if self.greedy else draw_category(outputs, self.stream)
        if kind == "multi_discrete":
            parts = np.split(outputs, np.cumsum(sizes)[:-1], axis=-1)
            picked = [part.argmax(axis=-1) if self.greedy else draw_category(part, self.stream) for part in parts]
            return np.stack(picked, axis=-1)
        assert self._log_std is not None
        return outputs if self.greedy else draw_normal(outputs, self._log_std.cpu().numpy(), self.stream)

    def frozen(self, *, greedy: bool, stream: np.random.Generator) -> "Actor":
        """A player of the network as it is now; its memory is empty."""
        network, normalizer = copy.deepcopy(self.network), self.normalizer
        kept = None if normalizer is None else normalizer.frozen()
        return Actor(network, 1, greedy=greedy, stream=stream, normalizer=kept)

    def state_dict(self) -> dict[str, Any]:
        """The stream, the memory, and the normalizer's statistics. The network's weights are the learner's."""
        return {
            "stream": self.stream.bit_generator.state,
            "state": self.state,
            "normalizer": None if self.normalizer is None else self.normalizer.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.stream.bit_generator.state = state["stream"]
        self.state = None if state["state"] is None else state["state"].to(next(self.network.parameters()).device)
        if self.normalizer is not None:
            self.normalizer.load_state_dict(state["normalizer"])
