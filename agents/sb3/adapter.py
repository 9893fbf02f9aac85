"""Every algorithm of Stable-Baselines3 as an agent of this package."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import stable_baselines3
import torch
from gymnasium import Space, spaces
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from agents.playing import Player
from agents.sb3.environments import Bridge
from agents.sb3.player import StableBaselinesPlayer
from agents.sb3.randomness import GlobalStreams
from agents.sb3.state import load_model_state, model_state
from agents.spaces import describe_observations
from foundations.errors import InputError, require, require_choice
from foundations.learner import Metrics
from foundations.streams import Streams

ALGORITHMS: dict[str, type[BaseAlgorithm]] = {
    name.lower(): getattr(stable_baselines3, name) for name in ("A2C", "PPO", "DQN", "SAC", "TD3", "DDPG")
}
ACTIONS: dict[str, tuple[type[Space[Any]], ...]] = {
    **dict.fromkeys(("a2c", "ppo"), (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)),
    "dqn": (spaces.Discrete,),
    **dict.fromkeys(("sac", "td3", "ddpg"), (spaces.Box,)),
}
"""What an algorithm can act in."""
POSITIVE = ("learning_rate", "n_steps", "batch_size", "buffer_size", "train_freq", "n_epochs", "clip_range")


class StableBaselines:
    """An algorithm of Stable-Baselines3, driven step by step: one yield is one rollout and its training.

    `settings` are those of the library's class (PPO's `n_steps`, SAC's `tau`, ...). `normalize_observations` and
    `normalize_rewards` put its running normalisation around the environments; `action_noise` is the standard deviation
    of the noise that TD3 and DDPG explore with, in actions scaled to [-1, 1]. The settings named by `anneal`
    (`learning_rate`, `clip_range`) fall in a straight line to 0 at the end.

    Yields `environment_steps`, `episode/return` and `episode/length` (raw rewards) where episodes ended, and what the
    library logs under its own names (`train/loss`, ...). At each yield the state is whole. The global random streams,
    from which the library draws, are lent to it while it works and are left as they were.

    Raises: InputError for an unknown algorithm or setting, environments that it cannot act in or that reset only in the
        next step, negative rates, a batch larger than the buffer.
    Source: Raffin et al. 2021, JMLR 22(268).
    """

    def __init__(
        self,
        algorithm: str,
        environments: VectorEnv[Any, Any, Any],
        *,
        total_steps: int,
        streams: Streams,
        device: torch.device | str = "cpu",
        normalize_observations: bool = False,
        normalize_rewards: bool = False,
        action_noise: float = 0.0,
        anneal: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        require_choice("algorithm", algorithm, ALGORITHMS)
        require(total_steps >= 1, "total_steps", total_steps, "at least 1")
        require(action_noise >= 0, "action_noise", action_noise, "at least 0")
        _require_actions(algorithm, environments.single_action_space)
        _require_settings(settings, anneal)
        self.algorithm, self.total_steps = algorithm, total_steps
        self.action_noise = action_noise if algorithm in ("td3", "ddpg") else 0.0
        if self.action_noise:
            numbers = environments.single_action_space.shape or ()
            settings = {
                "action_noise": NormalActionNoise(np.zeros(numbers), np.full(numbers, action_noise)),
                **settings,
            }
        settings |= {name: LinearSchedule(settings[name], 0.0, 1.0) for name in anneal}
        seed = int(streams.numpy("stable-baselines3").integers(2**31))
        self._bridge = Bridge(environments, int(streams.numpy("environments").integers(2**31)))
        around = _normalized(self._bridge, normalize_observations, normalize_rewards, settings.get("gamma", 0.99))
        kind = describe_observations(environments.single_observation_space).kind
        policy = settings.pop("policy", "CnnPolicy" if kind == "image" else "MlpPolicy")
        self._global_streams = GlobalStreams(seed, torch.device(device))
        with self._global_streams.lent():
            self.model = _build(
                algorithm, {"policy": policy, "env": around, "seed": seed, "device": device, **settings}
            )
            self.model.set_logger(Logger(None, []))
            # Resets the environments and the counters; the callback that it returns does nothing.
            _, self._callback = self.model._setup_learn(total_steps)
        self._require_batch()

    @property
    def steps_per_update(self) -> int:
        """Environment steps between two yields."""
        model = self.model
        if isinstance(model, OnPolicyAlgorithm):
            return model.n_steps * model.n_envs
        return int(cast(Any, model).train_freq.frequency) * model.n_envs

    @property
    def updates(self) -> int:
        """Yields until `total_steps` are taken."""
        return math.ceil(self.total_steps / self.steps_per_update)

    @property
    def environment_steps(self) -> int:
        """Steps taken, of all environments."""
        return self.model.num_timesteps

    @property
    def resumed_exactly(self) -> bool:
        """Whether the environments go on where they were saved; false once they had to be reset in loading."""
        return self._bridge.interaction.resumed_exactly

    def learn(self) -> Iterator[Metrics]:
        """Yield the metrics of each rollout and its training, until `total_steps` are taken."""
        while self.model.num_timesteps < self.total_steps:
            with self._global_streams.lent():
                self._collect_and_train()
            yield self._metrics()

    def _collect_and_train(self) -> None:
        """One turn of the loop in the library's own `learn`."""
        model = self.model
        assert model.env is not None
        if isinstance(model, OnPolicyAlgorithm):
            model.collect_rollouts(model.env, self._callback, model.rollout_buffer, n_rollout_steps=model.n_steps)
            model._update_current_progress_remaining(model.num_timesteps, self.total_steps)
            model.train()
            return
        assert isinstance(model, OffPolicyAlgorithm)
        assert model.replay_buffer is not None
        frequency = cast(Any, model.train_freq)
        taken = model.collect_rollouts(
            model.env,
            self._callback,
            train_freq=frequency,
            replay_buffer=model.replay_buffer,
            action_noise=model.action_noise,
            learning_starts=model.learning_starts,
        )
        if model.num_timesteps > model.learning_starts:
            gradient_steps = model.gradient_steps if model.gradient_steps >= 0 else taken.episode_timesteps
            if gradient_steps > 0:
                model.train(gradient_steps=gradient_steps, batch_size=model.batch_size)

    def _metrics(self) -> dict[str, float | torch.Tensor]:
        logged = {name: float(value) for name, value in self.model.logger.name_to_value.items()}
        # The library's word for "no variance to explain" is NaN: nothing went wrong, there is nothing to say.
        known = {name: value for name, value in logged.items() if not math.isnan(value) or "explained" not in name}
        self.model.logger.name_to_value.clear()
        self.model.logger.name_to_count.clear()
        return {"environment_steps": float(self.environment_steps), **self._bridge.interaction.finished(), **known}

    def player(self, *, greedy: bool, stream: np.random.Generator) -> Player:
        """A player of the agent as it is now: later learning does not reach it; normalisation is frozen in it."""
        epsilon = float(getattr(self.model, "exploration_rate", 0.0))
        return StableBaselinesPlayer(self.model, greedy, stream, epsilon=epsilon, noise=self.action_noise)

    def save(self, path: Path | str) -> None:
        """Save for plain Stable-Baselines3: `PPO.load(path)` and so on.

        Normalisation, where there is some, goes beside it, as `NAME.normalizer.pkl` for `VecNormalize.load`.
        """
        path = Path(path)
        self.model.save(path)
        normalizer = self.model.get_vec_normalize_env()
        if normalizer is not None:
            normalizer.save(str(path.with_suffix(".normalizer.pkl")))

    def state_dict(self) -> dict[str, Any]:
        """The model with its optimizers, replay and counters, the environments, and its view of the global streams."""
        return {
            "algorithm": self.algorithm,
            "model": model_state(self.model),
            "environments": self._bridge.interaction.state_dict(),
            "streams": self._global_streams.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`: exactly where the environments could be saved, else see `resumed_exactly`.

        Raises: InputError for the state of another algorithm.
        """
        same = state["algorithm"] == self.algorithm
        require(same, "algorithm", self.algorithm, f"{state['algorithm']!r}, whose state this is")
        load_model_state(self.model, state["model"])
        self._bridge.interaction.load_state_dict(state["environments"])
        self._global_streams.load_state_dict(state["streams"])
        if not self.resumed_exactly:
            self._begin_again()

    def _begin_again(self) -> None:
        """The environments had to be reset: what the model remembers of where they stood is not true any more."""
        env = self.model.env
        assert env is not None
        self.model._last_obs = cast(NDArray[Any], env.reset())
        self.model._last_episode_starts = np.ones(env.num_envs, np.bool_)
        normalizer = self.model.get_vec_normalize_env()
        if normalizer is not None:
            self.model._last_original_obs = normalizer.get_original_obs()

    def _require_batch(self) -> None:
        batch, room = getattr(self.model, "batch_size", None), getattr(self.model, "buffer_size", None)
        if batch is not None and room is not None:
            require(batch <= room, "batch_size", batch, f"at most buffer_size={room}")


def _build(algorithm: str, settings: dict[str, Any]) -> BaseAlgorithm:
    try:
        return ALGORITHMS[algorithm](**settings)
    except (TypeError, ValueError, AssertionError) as error:
        problem = str(error).partition("\n")[0].replace("__init__() ", "")
        raise InputError(f"settings of {algorithm}: {problem}") from error


def _normalized(bridge: Bridge, observations: bool, rewards: bool, discount: float) -> VecEnv:
    if not (observations or rewards):
        return bridge
    return VecNormalize(bridge, norm_obs=observations, norm_reward=rewards, gamma=discount)


def _require_actions(algorithm: str, space: Space[Any]) -> None:
    allowed = ACTIONS[algorithm]
    names = " or ".join(each.__name__ for each in allowed)
    require(isinstance(space, allowed), "action space", space, f"{names} for {algorithm}")


def _require_settings(settings: Mapping[str, Any], anneal: Sequence[str]) -> None:
    for name in anneal:
        number = isinstance(settings.get(name), int | float)
        require(number, "anneal", name, "the name of a setting that is given as a number")
    for name in POSITIVE:
        value = settings.get(name)
        if isinstance(value, int | float):
            require(value > 0, name, value, "above 0")
    frequency = settings.get("train_freq", 1)
    require(isinstance(frequency, int), "train_freq", frequency, "a number of steps")
