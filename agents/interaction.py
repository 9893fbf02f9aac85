"""What happens between an agent and its environments, told without the traps of automatic resets.

A vector environment resets by itself, and says in `metadata["autoreset_mode"]` when. NEXT_STEP: the step after an end
ignores the action, has reward 0 and returns the next episode's first observation: it joins two episodes and is nobody's
experience. SAME_STEP: the step of the end returns the next episode's first observation already, and the final one only
in `info["final_obs"]`. `Interaction` makes both look the same: `next_observations` is always what the action led to.
"""

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.utils import EzPickle
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from torch import Tensor

from foundations.errors import InputError, require

Array = NDArray[Any]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of all environments; arrays (environments, ...), kept by nobody else."""

    observations: Array
    """What the actions were chosen at."""
    actions: Array
    rewards: NDArray[np.float64]
    next_observations: Array
    """What the actions led to: at an episode's end its FINAL observation, never the next one's first."""
    terminated: Flags
    """The episode came to its end: nothing follows that could be worth something."""
    truncated: Flags
    """The episode was cut (time limit): what would have followed has a value."""
    valid: Flags
    """False for a step that only reset its environment: it belongs in no buffer, loss, statistic or count."""
    started: Flags
    """An episode begins with `observations`."""
    infos: dict[str, Any]
    """What the environments say beside, as they give it."""

    @property
    def ended(self) -> Flags:
        """Terminated or truncated."""
        return self.terminated | self.truncated


class Interaction:
    """Steps through vector environments, seeded once, at the start.

    Attributes: `observations` (environments, ...) to act at now, `started` (environments) where they begin an episode,
    `environment_steps` and `episodes`, the valid steps and the ended episodes of all environments so far.

    Raises: InputError for environments that do not say how they reset, or do not reset by themselves, and for
        observations that are not one array.
    """

    def __init__(self, environments: VectorEnv[Any, Any, Any], seed: int) -> None:
        require(seed >= 0, "seed", seed, "an integer >= 0")
        self.environments, self.seed = environments, seed
        self._next_step = _resets_at_next_step(environments)
        space = environments.single_observation_space
        plain = isinstance(space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary)
        require(plain, "observation space", space, "one array; wrap it in gymnasium.wrappers.FlattenObservation")
        self.environment_steps = self.episodes = 0
        self._exact = True
        self._ended: list[tuple[float, int]] = []
        self._begin(seed)

    def _begin(self, *entropy: int) -> None:
        """First observations. The seed is hashed: neighbouring runs of neighbouring seeds share no environment's."""
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        observations, _ = self.environments.reset(seed=seed)
        count = self.environments.num_envs
        self.observations: Array = np.array(observations, order="C")
        self.started: Flags = np.ones(count, np.bool_)
        self._resetting: Flags = np.zeros(count, np.bool_)
        self._returns = np.zeros(count)
        self._lengths = np.zeros(count, np.int64)

    def step(self, actions: Array) -> Step:
        """Act once everywhere. Shapes: actions (environments, ...), as the action space wants them."""
        observations, started, resetting = self.observations, self.started, self._resetting
        after, gained, terminations, truncations, infos = self.environments.step(actions)
        # Copies: an environment may use its arrays again.
        self.observations = next_observations = np.array(after, order="C")
        rewards = np.array(gained, np.float64)
        terminated, truncated = np.array(terminations, np.bool_), np.array(truncations, np.bool_)
        ended = terminated | truncated
        some_ended = np.count_nonzero(ended) > 0
        self._returns += rewards
        self._lengths += 1
        valid = ~resetting
        if self._next_step:
            self._forget(resetting)
            self.started, self._resetting = resetting, ended
        else:
            if some_ended:
                next_observations = self._with_final(ended, infos)
            self.started = ended
        self.environment_steps += int(np.count_nonzero(valid))
        if some_ended:
            self._count(ended)
        return Step(observations, actions, rewards, next_observations, terminated, truncated, valid, started, infos)

    def _with_final(self, ended: Flags, infos: Mapping[str, Any]) -> Array:
        """The observations, those of ended episodes replaced by the final ones."""
        if "final_obs" not in infos:
            raise InputError("info['final_obs'] is missing: environments that reset in the same step must give it")
        final = infos["final_obs"][ended]
        if any(
            _overwritten(self.environments, index, final[i]) for i, index in enumerate(np.flatnonzero(ended).tolist())
        ):
            raise InputError(
                "final observations are lost: the environment uses one array again and again, and its reset wrote over "
                "them; make the environments with autoreset='next_step'"
            )
        led_to = self.observations.copy()
        led_to[ended] = np.stack(final)
        return led_to

    def _forget(self, resetting: Flags) -> None:
        if np.count_nonzero(resetting):
            self._returns[resetting] = 0
            self._lengths[resetting] = 0

    def _count(self, ended: Flags) -> None:
        self._ended += zip(self._returns[ended].tolist(), self._lengths[ended].tolist(), strict=True)
        self.episodes += int(np.count_nonzero(ended))
        self._forget(ended)

    def finished(self) -> dict[str, float]:
        """Mean return (of raw rewards) and length of the episodes that ended since the last call; {} if none did."""
        if not self._ended:
            return {}
        mean = np.mean(self._ended, axis=0)
        self._ended = []
        return {"episode/return": float(mean[0]), "episode/length": float(mean[1])}

    @property
    def resumed_exactly(self) -> bool:
        """Whether the environments go on where they were saved; false once they had to be reset in loading."""
        return self._exact

    def state_dict(self) -> dict[str, Any]:
        """Counters, running episodes, and the environments themselves where they can be pickled.

        As with any pickle, load environments only from where you trust.
        """
        return {
            "environments": _pickled(self.environments),
            "observations": torch.from_numpy(self.observations.copy()),
            "started": torch.from_numpy(self.started.copy()),
            "resetting": torch.from_numpy(self._resetting.copy()),
            "returns": torch.from_numpy(self._returns.copy()),
            "lengths": torch.from_numpy(self._lengths.copy()),
            "ended": list(self._ended),
            "environment_steps": self.environment_steps,
            "episodes": self.episodes,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`: exactly where it holds the environments.

        Else they are reset with a seed of their own, from the first seed and the steps so far; the episodes that were
        running are dropped.
        """
        count, saved = self.environments.num_envs, len(state["started"])
        require(saved == count, "environments", count, f"{saved}, as many as were saved")
        self.environment_steps, self.episodes = state["environment_steps"], state["episodes"]
        self._ended = [(each[0], each[1]) for each in state["ended"]]
        if state["environments"] is None:
            self._exact = False
            self._begin(self.seed, self.environment_steps)
            return
        self.environments = pickle.loads(state["environments"].numpy().tobytes())
        self.observations, self.started = state["observations"].numpy().copy(), state["started"].numpy().copy()
        self._resetting = state["resetting"].numpy().copy()
        self._returns, self._lengths = state["returns"].numpy().copy(), state["lengths"].numpy().copy()


def _resets_at_next_step(environments: VectorEnv[Any, Any, Any]) -> bool:
    mode = environments.metadata.get("autoreset_mode")
    allowed = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)
    require(mode in allowed, "metadata['autoreset_mode']", mode, "AutoresetMode.NEXT_STEP or AutoresetMode.SAME_STEP")
    return mode is AutoresetMode.NEXT_STEP


def _overwritten(environments: VectorEnv[Any, Any, Any], index: int, final: Any) -> bool:
    """Whether `SyncVectorEnv`, which copies no final observation, has the reset's in the same memory."""
    first = getattr(environments.unwrapped, "_env_obs", None)
    return first is not None and isinstance(final, np.ndarray) and np.may_share_memory(final, first[index])


def _pickled(environments: VectorEnv[Any, Any, Any]) -> Tensor | None:
    """The environments as bytes (n), or None where their state cannot be had."""
    singles = (each.unwrapped for each in getattr(environments.unwrapped, "envs", ()))
    if any(isinstance(each, EzPickle) for each in singles):  # keeps the settings, not the state
        return None
    buffer = io.BytesIO()
    try:
        cloudpickle.dump(environments, buffer)
    except Exception:  # whatever its parts raise: pygame surfaces, sockets, simulators
        return None
    return torch.frombuffer(bytearray(buffer.getbuffer()), dtype=torch.uint8)
