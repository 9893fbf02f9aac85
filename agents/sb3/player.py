"""A frozen copy of what a Stable-Baselines3 model has learned."""

import copy
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy

from agents.sb3.randomness import GlobalStreams

Array = NDArray[Any]


class StableBaselinesPlayer:
    """Acts with a copy of the model's policy.

    Greedy: the library's `deterministic`. Else actions are drawn as in training: from the policy's distribution, at
    random with probability `epsilon` (DQN), or with normal noise (TD3, DDPG). Normalisation is frozen.
    """

    def __init__(
        self, model: BaseAlgorithm, greedy: bool, stream: np.random.Generator, *, epsilon: float, noise: float
    ) -> None:
        self._greedy, self._stream, self._epsilon, self._noise = greedy, stream, epsilon, noise
        self._global_streams = GlobalStreams(int(stream.integers(2**31)), model.device)
        with self._global_streams.lent():  # a new policy draws weights, only to lose them
            self._policy = _frozen(model.policy)
        normalizer = model.get_vec_normalize_env()
        normalizes = normalizer is not None and normalizer.norm_obs
        self._normalizer = copy.deepcopy(normalizer) if normalizes else None  # without environments, as when pickled

    def act(self, observations: Array, started: NDArray[np.bool_]) -> Array:
        """Shapes: observations (environments, ...), actions (environments, ...)."""
        if self._normalizer is not None:
            observations = np.asarray(self._normalizer.normalize_obs(observations))
        if self._greedy:
            return self._policy.predict(observations, deterministic=True)[0]
        with self._global_streams.lent():
            actions, _ = self._policy.predict(observations, deterministic=False)
        return self._explored(actions)

    def _explored(self, actions: Array) -> Array:
        """`actions`, with what training adds beyond the policy's own distribution."""
        space = self._policy.action_space
        if self._epsilon and isinstance(space, spaces.Discrete):
            at_random = space.start + self._stream.integers(space.n, size=len(actions))
            return np.where(self._stream.random(len(actions)) < self._epsilon, at_random, actions)
        if self._noise:
            noise = self._stream.normal(0.0, self._noise, actions.shape)
            scaled = np.clip(self._policy.scale_action(actions) + noise, -1, 1)
            return self._policy.unscale_action(scaled).astype(actions.dtype)
        return actions


def _frozen(policy: BasePolicy) -> BasePolicy:
    """A copy by way of the constructor: a policy in training holds tensors that cannot be copied."""
    fresh = type(policy)(**policy._get_constructor_parameters())
    fresh.load_state_dict(policy.state_dict())
    fresh.to(policy.device).set_training_mode(False)
    if getattr(policy, "use_sde", False):
        fresh.reset_noise(1)  # type: ignore[operator]  # only policies with state-dependent noise have it
    return fresh
