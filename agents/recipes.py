"""Settings at which each agent learns each environment of classic control, and the scores that the zoo published.

The settings of Stable-Baselines3's agents are the zoo's; ours begin at the zoo's and differ where that learned better.
Source: Raffin 2020, RL Baselines3 Zoo, github.com/DLR-RM/rl-baselines3-zoo (hyperparams, benchmark.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import agents

if TYPE_CHECKING:
    import torch

    from foundations.streams import Streams

IDS = {
    "acrobot": "Acrobot-v1",
    "mountain_car": "MountainCar-v0",
    "mountain_car_continuous": "MountainCarContinuous-v0",
    "pendulum": "Pendulum-v1",
    "lunar_lander": "LunarLander-v3",
}
"""Gymnasium's ids."""


class Published(NamedTuple):
    """One run of the zoo: mean and deviation of the returns of its greedy episodes, after so many steps."""

    mean: float
    deviation: float
    steps: int

    @property
    def floor(self) -> float:
        """One deviation below the mean: what counts as reached."""
        return self.mean - self.deviation


PUBLISHED: dict[str, dict[str, Published]] = {
    "acrobot": {
        "ppo": Published(-73.5, 18.2, 1_000_000),
        "dqn": Published(-76.6, 11.8, 100_000),
        "a2c": Published(-83.4, 17.2, 500_000),
    },
    "mountain_car": {
        "ppo": Published(-110.4, 19.5, 1_000_000),
        "dqn": Published(-100.8, 9.9, 120_000),
        "a2c": Published(-111.3, 24.1, 1_000_000),
    },
    "mountain_car_continuous": {
        "ppo": Published(88.3, 2.6, 20_000),
        "a2c": Published(91.2, 0.3, 100_000),
        "sac": Published(94.7, 1.1, 50_000),
    },
    "pendulum": {
        "ppo": Published(-172.2, 104.2, 100_000),
        "a2c": Published(-163.0, 103.2, 1_000_000),
        "sac": Published(-157.0, 88.7, 20_000),
        "td3": Published(-151.9, 90.2, 20_000),
    },
    "lunar_lander": {  # of version 2: version 3 corrects the wind, which is off here
        "ppo": Published(242.1, 31.8, 1_000_000),
        "dqn": Published(154.4, 79.2, 100_000),
        "a2c": Published(155.8, 80.4, 200_000),
    },
}
"""Environment -> algorithm -> score."""


@dataclass(frozen=True)
class Recipe:
    """How an agent learns an environment: steps in the quick and in the full preset, environments side by side."""

    quick_steps: int
    full_steps: int
    environments: int
    settings: Mapping[str, Any]


def _recipe(quick_steps: int, full_steps: int, environments: int, **settings: Any) -> Recipe:
    return Recipe(quick_steps, full_steps, environments, settings)


NORMALIZED = {"normalize_observations": True, "normalize_rewards": True}
STEADY = {"anneal": True, "average_decay": 0.999, "hidden": (128, 128)}
"""Deep Q-learning that comes to rest."""

# fmt: off
OWN: dict[str, dict[str, Recipe]] = {
    "acrobot": {
        "ppo": _recipe(
            200_000, 1_000_000, 16, **NORMALIZED,
            rollout_steps=128, batch_size=256, epochs=4, gamma=0.99, lam=0.94, learning_rate=1e-3,
        ),
        "dqn": _recipe(
            60_000, 100_000, 8, **STEADY, n_step=6, learning_rate=1e-3, train_every=64, gradient_steps=32,
            target_every=128, gamma=0.99, exploration_share=0.12, final_epsilon=0.1,
        ),
        "a2c": _recipe(300_000, 500_000, 16, **NORMALIZED, learning_rate=1e-3),
    },
    "mountain_car": {
        "ppo": _recipe(
            500_000, 1_000_000, 16, **NORMALIZED,
            rollout_steps=16, batch_size=64, epochs=4, gamma=0.99, lam=0.98, learning_rate=3e-4,
        ),
        "dqn": _recipe(
            120_000, 120_000, 8, **STEADY, n_step=6, learning_rate=2e-3, train_every=64, gradient_steps=32,
            target_every=256, gamma=0.98, exploration_share=0.3, final_epsilon=0.07,
        ),
        "a2c": _recipe(1_000_000, 1_000_000, 16, **NORMALIZED),
    },
    "mountain_car_continuous": {
        "ppo": _recipe(
            400_000, 1_000_000, 64, **NORMALIZED,
            rollout_steps=256, batch_size=1_024, epochs=4, gamma=0.999, lam=0.95, learning_rate=1e-3,
            entropy_weight=0.01,
        ),
    },
    "pendulum": {
        "ppo": _recipe(
            100_000, 100_000, 8, normalize_rewards=True, anneal=False,
            rollout_steps=256, batch_size=128, epochs=10, gamma=0.9, lam=0.95, learning_rate=1e-3,
        ),
        "a2c": _recipe(1_000_000, 1_000_000, 8, **NORMALIZED, rollout_steps=8, lam=0.9, gamma=0.9),
    },
    "lunar_lander": {
        "ppo": _recipe(
            600_000, 1_000_000, 16, **NORMALIZED,
            rollout_steps=128, batch_size=256, epochs=4, gamma=0.999, lam=0.98, learning_rate=1e-3,
            entropy_weight=0.01,
        ),
        "dqn": _recipe(
            100_000, 100_000, 4, **STEADY, n_step=3, double=True, learning_rate=1e-3, batch_size=128, train_every=16,
            gradient_steps=12, target_every=256, gamma=0.99, exploration_share=0.12, final_epsilon=0.1,
        ),
        "a2c": _recipe(200_000, 400_000, 8, gamma=0.995, learning_rate=8.3e-4, entropy_weight=1e-5),
    },
}
"""Environment -> agent of this package."""

ZOO: dict[str, dict[str, Recipe]] = {
    "acrobot": {
        "ppo": _recipe(
            300_000, 1_000_000, 16, **NORMALIZED, n_steps=256, gae_lambda=0.94, gamma=0.99, n_epochs=4, ent_coef=0.0,
        ),
        "dqn": _recipe(
            50_000, 100_000, 1, learning_rate=6.3e-4, batch_size=128, buffer_size=50_000, learning_starts=0,
            gamma=0.99, target_update_interval=250, train_freq=4, gradient_steps=-1, exploration_fraction=0.12,
            exploration_final_eps=0.1, policy_kwargs={"net_arch": [256, 256]},
        ),
        "a2c": _recipe(300_000, 500_000, 16, **NORMALIZED, ent_coef=0.0),
    },
    "mountain_car": {
        "ppo": _recipe(
            400_000, 1_000_000, 16, **NORMALIZED, n_steps=16, gae_lambda=0.98, gamma=0.99, n_epochs=4, ent_coef=0.0,
        ),
        "dqn": _recipe(
            120_000, 120_000, 1, learning_rate=4e-3, batch_size=128, buffer_size=10_000, learning_starts=1_000,
            gamma=0.98, target_update_interval=600, train_freq=16, gradient_steps=8, exploration_fraction=0.2,
            exploration_final_eps=0.07, policy_kwargs={"net_arch": [256, 256]},
        ),
        "a2c": _recipe(500_000, 1_000_000, 16, **NORMALIZED, ent_coef=0.0),
    },
    "mountain_car_continuous": {
        "ppo": _recipe(
            20_000, 20_000, 1, **NORMALIZED, batch_size=8, n_steps=8, gamma=0.9999, learning_rate=7.77e-5,
            ent_coef=0.00429, clip_range=0.1, n_epochs=10, gae_lambda=0.9, max_grad_norm=5.0, vf_coef=0.19,
            use_sde=True, policy_kwargs={"log_std_init": -3.29, "ortho_init": False},
        ),
        "a2c": _recipe(
            100_000, 100_000, 4, **NORMALIZED, n_steps=100, ent_coef=0.0, use_sde=True, sde_sample_freq=16,
            policy_kwargs={"log_std_init": 0.0, "ortho_init": False},
        ),
        "sac": _recipe(
            20_000, 50_000, 1, learning_rate=3e-4, buffer_size=50_000, batch_size=512, ent_coef=0.1, tau=0.01,
            train_freq=32, gradient_steps=32, gamma=0.9999, learning_starts=0, use_sde=True,
            policy_kwargs={"log_std_init": -3.67, "net_arch": [64, 64]},
        ),
    },
    "pendulum": {
        "ppo": _recipe(
            100_000, 100_000, 4, n_steps=1_024, gae_lambda=0.95, gamma=0.9, n_epochs=10, ent_coef=0.0,
            learning_rate=1e-3, clip_range=0.2, use_sde=True, sde_sample_freq=4,
        ),
        "a2c": _recipe(
            300_000, 1_000_000, 8, **NORMALIZED, n_steps=8, gae_lambda=0.9, gamma=0.9, ent_coef=0.0, vf_coef=0.4,
            learning_rate=7e-4, anneal=("learning_rate",), use_sde=True,
            policy_kwargs={"log_std_init": -2, "ortho_init": False},
        ),
        "sac": _recipe(6_000, 20_000, 1, learning_rate=1e-3),
        "td3": _recipe(
            15_000, 20_000, 1, gamma=0.98, buffer_size=200_000, learning_starts=10_000, action_noise=0.1,
            learning_rate=1e-3, policy_kwargs={"net_arch": [400, 300]},
        ),
    },
    "lunar_lander": {
        "ppo": _recipe(
            300_000, 1_000_000, 16, n_steps=1_024, batch_size=64, gae_lambda=0.98, gamma=0.999, n_epochs=4,
            ent_coef=0.01,
        ),
        "dqn": _recipe(
            50_000, 100_000, 1, learning_rate=6.3e-4, batch_size=128, buffer_size=50_000, learning_starts=0,
            gamma=0.99, target_update_interval=250, train_freq=4, gradient_steps=-1, exploration_fraction=0.12,
            exploration_final_eps=0.1, policy_kwargs={"net_arch": [256, 256]},
        ),
        "a2c": _recipe(
            200_000, 200_000, 8, gamma=0.995, n_steps=5, learning_rate=8.3e-4, anneal=("learning_rate",),
            ent_coef=1e-5,
        ),
    },
}
"""Environment -> algorithm of Stable-Baselines3, at the zoo's settings."""

CART_POLE: dict[str, Recipe] = {
    "reinforce": _recipe(150_000, 400_000, 8, gamma=0.99, learning_rate=1e-2),
    "a2c": _recipe(
        200_000, 500_000, 16, rollout_steps=16, gamma=0.99, lam=0.95, learning_rate=2e-3, entropy_weight=0.01,
        activation="relu",
    ),
    "ppo": _recipe(
        100_000, 100_000, 8, rollout_steps=64, batch_size=128, epochs=8, gamma=0.99, lam=0.9, learning_rate=2.5e-3,
        clip=0.2,
    ),
    "dqn": _recipe(
        60_000, 100_000, 8, **STEADY, n_step=6, learning_rate=2e-3, train_every=64, gradient_steps=32,
        target_every=128,
    ),
    "sb3-ppo": _recipe(
        100_000, 100_000, 8, n_steps=32, batch_size=256, gae_lambda=0.8, gamma=0.98, n_epochs=20, ent_coef=0.0,
        learning_rate=1e-3, clip_range=0.2, anneal=("learning_rate", "clip_range"),
    ),
    "sb3-dqn": _recipe(
        50_000, 50_000, 1, learning_rate=2.3e-3, batch_size=64, buffer_size=100_000, learning_starts=1_000,
        gamma=0.99, target_update_interval=10, train_freq=256, gradient_steps=128, exploration_fraction=0.16,
        exploration_final_eps=0.04, policy_kwargs={"net_arch": [256, 256]},
    ),
    "sb3-a2c": _recipe(150_000, 500_000, 8, ent_coef=0.0),
}
"""Agent -> how it learns CartPole-v1, ours and Stable-Baselines3's."""
# fmt: on


def make_agent(
    agent: str,
    environment: str,
    recipe: Recipe,
    *,
    total_steps: int,
    streams: "Streams",
    device: "torch.device | str" = "cpu",
) -> Any:
    """A fresh `agent` ("ppo", "sb3-ppo", ...) that learns Gymnasium's `environment` for `total_steps` steps.

    Raises: InputError for settings that the agent refuses.
    """
    common = {"total_steps": total_steps, "streams": streams, "device": device, **recipe.settings}
    if agent.startswith("sb3-"):
        environments = agents.make_environments(environment, recipe.environments, autoreset="same_step")
        return agents.StableBaselines(agent.removeprefix("sb3-"), environments, **common)
    kind: Any = {"reinforce": agents.REINFORCE, "a2c": agents.A2C, "ppo": agents.PPO, "dqn": agents.DQN}[agent]
    return kind(agents.make_environments(environment, recipe.environments), **common)


def recipe_of(environment: str, agent: str) -> Recipe | None:
    """How `agent` ("ppo", "sb3-ppo", ...) learns `environment`, if it can."""
    table = ZOO if agent.startswith("sb3-") else OWN
    return table[environment].get(agent.removeprefix("sb3-"))


def agents_of(environment: str) -> list[str]:
    """Who can learn `environment`."""
    return [*OWN[environment], *(f"sb3-{name}" for name in ZOO[environment])]
