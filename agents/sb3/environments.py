"""Gymnasium's vector environments as Stable-Baselines3 wants them: ends flagged, final observations in the infos."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from agents.interaction import Interaction
from foundations.errors import InputError

Array = NDArray[Any]


class Bridge(VecEnv):
    """An `Interaction` seen as a Stable-Baselines3 `VecEnv`.

    At an end the observation is already the next episode's first; the final one is in `terminal_observation`, and
    `TimeLimit.truncated` says that it was a time limit alone. The environments are seeded by the interaction, once:
    `reset` gives the observations that it stands at.
    Raises: InputError for environments that reset only in the next step.
    Source: Raffin et al. 2021, JMLR 22(268).
    """

    def __init__(self, environments: VectorEnv[Any, Any, Any], seed: int) -> None:
        if environments.metadata.get("autoreset_mode") is not AutoresetMode.SAME_STEP:
            wanted = "AutoresetMode.SAME_STEP for Stable-Baselines3; make_environments(..., autoreset='same_step')"
            raise InputError(f"autoreset_mode={environments.metadata.get('autoreset_mode')!r}: must be {wanted}")
        self.interaction = Interaction(environments, seed)
        super().__init__(environments.num_envs, environments.single_observation_space, environments.single_action_space)

    def reset(self) -> Array:
        """Where the environments stand."""
        return self.interaction.observations.copy()

    def step_async(self, actions: Array) -> None:
        """Keep the actions."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Take them."""
        step = self.interaction.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for place in np.flatnonzero(step.ended).tolist():
            cut = bool(step.truncated[place] and not step.terminated[place])
            infos[place] = {"terminal_observation": step.next_observations[place], "TimeLimit.truncated": cut}
        return self.interaction.observations.copy(), step.rewards.astype(np.float32), step.ended, infos

    def close(self) -> None:
        """Close the environments."""
        self.interaction.environments.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The attribute of the vector environment, for each that is asked for."""
        value = getattr(self.interaction.environments, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refused: the environments stay as they were made."""
        raise NotImplementedError("set_attr: make the environments with these settings instead")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **settings: Any) -> list[Any]:
        """Refused: environments side by side have no methods of their own."""
        raise NotImplementedError(f"{method_name}: call it on `interaction.environments`")

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        """No wrapper of a single environment is around these."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[Array | None]:
        """None: films are made of one environment (`agents.film`)."""
        return [None] * self.num_envs
