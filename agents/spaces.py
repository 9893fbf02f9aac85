"""What a network must know of an environment's spaces: what goes in, what comes out, how each is converted."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from gymnasium import Space, spaces
from numpy.typing import NDArray

from foundations.errors import InputError

Array = NDArray[Any]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Inputs:
    """What a network is fed with: `kind` says which encoder fits, `shape` what one observation becomes.

    - "flat": numbers, as they are; shape (features).
    - "index": one of n (or one of several n_i): one-hot codes side by side; shape (sum of n_i).
    - "image": from the space's bounds to [0, 1], channels first; shape (channels, height, width).
    """

    kind: Literal["flat", "index", "image"]
    shape: tuple[int, ...]
    space: Space[Any]

    @property
    def features(self) -> int:
        """Numbers in one observation."""
        return math.prod(self.shape)

    def to_network(self, observations: Array) -> Floats:
        """Observations as the environments give them, as the network takes them.

        Shapes: (..., *space.shape) -> (..., *shape), any batch dimensions in front.
        """
        observations = np.asarray(observations)
        batch = observations.shape[: observations.ndim - len(self.space.shape or ())]
        if self.kind == "index":
            return _one_hot(observations.reshape(*batch, math.prod(self.space.shape or ())), self.space)
        if self.kind == "image":
            return _scaled_image(observations, self.space)
        return observations.reshape(*batch, *self.shape).astype(np.float32, copy=False)


@dataclass(frozen=True)
class Actions:
    """What a network decides.

    - "discrete": one of `sizes[0]`; a network's choice has no dimension of its own.
    - "multi_discrete": several choices at once, the i-th of `sizes[i]`.
    - "continuous": `count` numbers, in the network's scale from -1 to 1.
    """

    kind: Literal["discrete", "multi_discrete", "continuous"]
    sizes: tuple[int, ...]
    """Choices, for each; empty for continuous actions."""
    count: int
    """Choices or numbers in one action."""
    space: Space[Any]

    @property
    def outputs(self) -> int:
        """Numbers that a head gives: the logits of all choices, or the mean of each number."""
        return sum(self.sizes) or self.count

    def to_environment(self, actions: Array) -> Array:
        """A network's actions as the environment takes them.

        Choices count from the space's start. Numbers are clipped to [-1, 1], which becomes the space's bounds
        [low, high]: a' = low + (a + 1) (high - low) / 2; without finite bounds they are clipped to those there are.
        Shapes: discrete (...) -> (...); others (..., count) -> (..., *space.shape).
        """
        actions = np.asarray(actions)
        if isinstance(self.space, spaces.Discrete):
            chosen: Array = (actions + self.space.start).astype(self.space.dtype)
            return chosen
        batch = actions.shape[:-1]
        actions = actions.reshape(*batch, *(self.space.shape or ()))
        if isinstance(self.space, spaces.Box):
            return _to_bounds(actions, self.space)
        start = self.space.start if isinstance(self.space, spaces.MultiDiscrete) else 0
        return (actions + start).astype(self.space.dtype)


def describe_observations(space: Space[Any]) -> Inputs:
    """What a network needs to read a single environment's observations.

    An image is a box of bytes with two axes or of bounded numbers with three; its channels are the shorter of the
    first and the last.

    Raises: InputError for dictionaries, tuples, texts, graphs and the like.
    """
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        return Inputs("index", (sum(_sizes(space)),), space)
    if isinstance(space, spaces.MultiBinary):
        return Inputs("flat", (math.prod(space.shape),), space)
    if not isinstance(space, spaces.Box):
        raise InputError(
            f"observation space={space}: must be Box, Discrete, MultiDiscrete or MultiBinary; "
            "wrap the environment in gymnasium.wrappers.FlattenObservation"
        )
    bounded = np.isfinite(space.low).all() and np.isfinite(space.high).all()
    if (len(space.shape) == 3 and bounded) or (len(space.shape) == 2 and space.dtype == np.uint8):
        return Inputs("image", _image_shape(space), space)
    return Inputs("flat", (math.prod(space.shape),), space)


def describe_actions(
    space: Space[Any], allowed: tuple[str, ...] = ("discrete", "multi_discrete", "continuous")
) -> Actions:
    """What a network needs to act in a single environment, for an agent that takes actions of the `allowed` kinds.

    Raises: InputError for a space that no network of ours acts in, and for one that this agent does not take.
    """
    described = _actions(space)
    if described is None or described.kind not in allowed:
        raise InputError(f"action space={space}: must be {' or '.join(map(_in_words, allowed))} for this agent")
    return described


def _actions(space: Space[Any]) -> Actions | None:
    if isinstance(space, spaces.Discrete):
        return Actions("discrete", _sizes(space), 1, space)
    if isinstance(space, spaces.MultiDiscrete):
        return Actions("multi_discrete", _sizes(space), len(_sizes(space)), space)
    if isinstance(space, spaces.MultiBinary):
        count = math.prod(space.shape)
        return Actions("multi_discrete", (2,) * count, count, space)
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
        return Actions("continuous", (), math.prod(space.shape), space)
    return None


def _in_words(kind: str) -> str:
    names = {"discrete": "Discrete", "multi_discrete": "MultiDiscrete or MultiBinary", "continuous": "Box of floats"}
    return f"{names[kind]} ({kind})"


def _sizes(space: "spaces.Discrete | spaces.MultiDiscrete") -> tuple[int, ...]:
    """How many values each entry may take."""
    if isinstance(space, spaces.Discrete):
        return (int(space.n),)
    return tuple(int(n) for n in space.nvec.ravel())


def _one_hot(observations: Array, space: Space[Any]) -> Floats:
    """Codes side by side. Shapes: (..., entries) -> (..., sum of the entries' sizes)."""
    if not isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        raise TypeError(space)
    sizes = np.asarray(_sizes(space))
    first = np.concatenate(([0], np.cumsum(sizes)[:-1])) - np.ravel(space.start)
    codes = np.zeros((*observations.shape[:-1], int(sizes.sum())), np.float32)
    np.put_along_axis(codes, observations.astype(np.int64) + first, 1.0, axis=-1)
    return codes


def _channels_last(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[-1] < shape[0]


def _image_shape(space: spaces.Box) -> tuple[int, int, int]:
    if len(space.shape) == 2:
        return (1, *space.shape)
    first, second, third = space.shape
    return (third, first, second) if _channels_last(space.shape) else (first, second, third)


def _scaled_image(observations: Array, space: Space[Any]) -> Floats:
    """(x - low) / (high - low), channels first. Shapes: (..., *space.shape) -> (..., channels, height, width)."""
    if not isinstance(space, spaces.Box):
        raise TypeError(space)
    low, high = np.float32(space.low.min()), np.float32(space.high.max())
    images = observations.astype(np.float32)
    if low:
        images -= low
    images *= 1 / (high - low)
    if len(space.shape) == 2:
        return images[..., None, :, :]
    return np.moveaxis(images, -1, -3) if _channels_last(space.shape) else images


def _to_bounds(actions: Array, space: spaces.Box) -> Array:
    bounded = np.isfinite(space.low).all() and np.isfinite(space.high).all()
    if bounded:
        actions = space.low + (np.clip(actions, -1, 1) + 1) * (0.5 * (space.high - space.low))
    clipped: Array = np.clip(actions, space.low, space.high).astype(space.dtype)  # rounding may leave the bounds
    return clipped
