"""The networks of agents: an encoder for what is seen, a policy and its value, or the values of all actions."""

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from agents.distributions import Categorical, DiagonalGaussian, Distribution, MultiCategorical
from agents.fast_acting import Array, Forward, numpy_forward
from agents.spaces import Actions, Inputs
from foundations.activations import ReLU, Tanh
from foundations.convolution import Conv2d
from foundations.errors import require, require_choice
from foundations.initializers import orthogonal_, zeros_
from foundations.layers import Flatten, Linear
from foundations.networks.mlp import ACTIVATIONS, MLP
from foundations.recurrent import GRU, LSTM, Recurrent, initialize_recurrent_

Memory = Literal["gru", "lstm"]
"""What carries over from step to step."""

MEMORIES: dict[str, type[Recurrent]] = {"gru": GRU, "lstm": LSTM}
IMAGE_FEATURES = 128
SMALL = 6
"""An image of so few pixels a side is small enough to be read at once."""


def encoder(inputs: Inputs, generator: torch.Generator | None = None) -> tuple[nn.Module, int]:
    """What makes a row of numbers of an observation, and how many they are.

    Numbers and one-hot codes stay as they are. An image is halved by 3x3 convolutions until a side has at most 6
    pixels; a dense layer makes 128 features of what remains.
    Shapes: (batch, *inputs.shape) -> (batch, features).
    """
    if inputs.kind != "image":
        return Flatten(), inputs.features
    channels, height, width = inputs.shape
    layers: list[nn.Module] = []
    wider = 16
    while max(height, width) > SMALL:
        convolution = Conv2d(channels, wider, 3, stride=2, padding=1, generator=generator)
        layers += [convolution, ReLU()]
        channels, height, width, wider = wider, (height + 1) // 2, (width + 1) // 2, 32
    dense = Linear(channels * height * width, IMAGE_FEATURES, generator=generator)
    network = nn.Sequential(*layers, Flatten(), dense, ReLU())
    _orthogonal(network, math.sqrt(2), generator)
    return network, IMAGE_FEATURES


class FastTanh(Tanh):
    """The same tanh(z) = 2 sigma(2z) - 1 by torch's sigmoid, which takes an eighth of the time of its tanh on a CPU."""

    def kernel(self, z: Tensor) -> Tensor:
        """Equal to rounding: 2e-7 in float32."""
        return torch.sigmoid(2 * z).mul(2).sub_(1)


class ActorCritic(nn.Module):
    """A policy pi(a | s) and its value V(s): two networks behind one encoder.

    Images and a `memory` are read by the encoder, which both share; dense layers (`hidden`) are each one's own, since
    a value's gradients, large and changing, disturb a policy. The deviations of continuous actions are parameters that
    do not depend on the state. Weights begin orthogonal; the policy's last layer 100 times smaller, so that at first
    all actions are about as likely.

    Shapes: see `features`; actions as the distribution of their kind has them.
    Raises: InputError for an unknown activation or memory and for layers without width.
    Source: Engstrom et al. 2020, arXiv:2005.12729 (first weights); Andrychowicz et al. 2020, arXiv:2006.05990.
    """

    def __init__(
        self,
        inputs: Inputs,
        actions: Actions,
        *,
        hidden: Sequence[int] = (64, 64),
        activation: str = "tanh",
        memory: Memory | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        require(len(hidden) >= 1, "hidden", tuple(hidden), "one or more widths")
        self.inputs, self.actions = inputs, actions
        self.encoder, width = encoder(inputs, generator)
        self.memory = None if memory is None else _memory(memory, width, hidden[0], generator)
        width = width if self.memory is None else self.memory.hidden_size
        self.actor = _dense((width, *hidden, actions.outputs), activation, 0.01, generator)
        self.critic = _dense((width, *hidden, 1), activation, 1.0, generator)
        continuous = actions.kind == "continuous"
        self.log_std = nn.Parameter(torch.zeros(actions.count)) if continuous else None

    def features(
        self, observations: Tensor, started: Tensor | None = None, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """What the encoder makes of observations; with a memory also its state after the last of them.

        Without memory: observations (batch, ...) -> (batch, features), None. With: observations (time, environments,
        ...), `started` (time, environments) true where the memory is emptied before, `state` of (parts, environments,
        hidden) at the beginning -> (time, environments, features), the state after.
        """
        if self.memory is None:
            return self.encoder(observations), None
        assert started is not None
        assert state is not None
        return self._walk(self.memory, observations, started, state)

    def _walk(
        self, memory: Recurrent, observations: Tensor, started: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Step after step; what the inputs contribute is computed for all at once."""
        cell = memory.cell(memory.weights(0))
        projected = cell.project(self.encoder(observations.flatten(0, 1)).unflatten(0, observations.shape[:2]))
        goes_on = (~started).to(projected.dtype).unsqueeze(2)  # (time, environments, 1)
        carried, shown = state.unbind(), []
        for t in range(len(projected)):
            carried = cell.step(projected[t], tuple(each * goes_on[t] for each in carried))
            shown.append(carried[0])
        return torch.stack(shown), torch.stack(carried)

    def first_state(self, environments: int) -> Tensor | None:
        """An empty memory: (parts, environments, hidden), one part (h) or two (h, c); None where there is none."""
        if self.memory is None:
            return None
        weight = self.memory.weights(0).input
        return weight.new_zeros(self.memory.cell.states, environments, self.memory.hidden_size)

    def policy(self, features: Tensor) -> Distribution:
        """pi(. | s): a distribution for each row of features."""
        outputs = self.actor(features)
        if self.log_std is not None:
            return DiagonalGaussian(outputs, self.log_std)
        if self.actions.kind == "multi_discrete":
            return MultiCategorical(outputs, self.actions.sizes)
        return Categorical(outputs)

    def value(self, features: Tensor) -> Tensor:
        """V(s): (batch, features) -> (batch)."""
        value: Tensor = self.critic(features)
        return value.squeeze(-1)


class QNetwork(nn.Module):
    """The value Q(s, a) of every action at once: (batch, *inputs.shape) -> (batch, actions).

    With `duelling`, the last hidden layer is two, one for the state's value and one for what each action adds to it:

        Q(s, a) = V(s) + A(s, a) - mean over a' of A(s, a')

    The mean is taken off since else V and A could drift apart together.
    Raises: InputError for an unknown activation and for layers without width.
    Source: Mnih et al. 2015, Nature 518; Wang et al. 2015, arXiv:1511.06581 (duelling).
    """

    def __init__(
        self,
        inputs: Inputs,
        actions: Actions,
        *,
        hidden: Sequence[int] = (256, 256),
        activation: str = "relu",
        duelling: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        hidden = tuple(hidden)
        require(len(hidden) >= 1, "hidden", hidden, "one or more widths")
        self.encoder, width = encoder(inputs, generator)
        self.duelling = duelling
        if not duelling:
            self.advantage = MLP((width, *hidden, actions.outputs), activation, generator=generator)
            return
        self.trunk: nn.Module = nn.Identity()
        if len(hidden) > 1:
            trunk = MLP((width, *hidden), activation, generator=generator)  # its last layer is hidden here
            self.trunk, width = trunk.body, hidden[-2]
        self.value = MLP((width, hidden[-1], 1), activation, generator=generator)
        self.advantage = MLP((width, hidden[-1], actions.outputs), activation, generator=generator)

    def forward(self, observations: Tensor) -> Tensor:
        """Q(s, .)."""
        features = self.encoder(observations)
        if not self.duelling:
            values: Tensor = self.advantage(features)
            return values
        shared = self.trunk(features)
        advantages: Tensor = self.advantage(shared)
        values = self.value(shared) + advantages - advantages.mean(dim=1, keepdim=True)
        return values

    def numpy_forward(self) -> Forward:
        """The same on NumPy arrays, on views of the weights: see `agents.fast_acting.numpy_forward`."""
        if not self.duelling:
            return numpy_forward(nn.Sequential(self.encoder, self.advantage))
        trunk = numpy_forward(nn.Sequential(self.encoder, self.trunk))
        value, advantage = numpy_forward(self.value), numpy_forward(self.advantage)

        def forward(x: Array) -> Array:
            shared = trunk(x)
            advantages = advantage(shared)
            values: Array = value(shared) + advantages - advantages.mean(axis=1, keepdims=True)
            return values

        return forward


def _memory(kind: str, width: int, hidden_size: int, generator: torch.Generator | None) -> Recurrent:
    require_choice("memory", kind, MEMORIES)
    network = MEMORIES[kind](width, hidden_size, generator=generator)
    initialize_recurrent_(network, generator)
    return network


def _dense(sizes: Sequence[int], activation: str, last_gain: float, generator: torch.Generator | None) -> nn.Sequential:
    """Dense layers with an activation between; the output is linear."""
    require(min(sizes) >= 1, "hidden", tuple(sizes[1:-1]), "widths of at least 1")
    require_choice("activation", activation, ACTIVATIONS)
    between = FastTanh if activation == "tanh" else ACTIVATIONS[activation]
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [Linear(before, after, generator=generator), between()]
    network = nn.Sequential(*layers[:-1])
    _orthogonal(network, math.sqrt(2), generator)
    orthogonal_(layers[-2].get_parameter("weight"), last_gain, generator=generator)
    return network


def _orthogonal(network: nn.Module, gain: float, generator: torch.Generator | None) -> None:
    for layer in network.modules():
        if isinstance(layer, Linear | Conv2d):
            orthogonal_(layer.weight, gain, generator=generator)
            if layer.bias is not None:
                zeros_(layer.bias)
