import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from states import assert_resumes_exactly

from agents.a2c import A2C
from agents.environments import make_environments
from agents.evaluation import evaluate
from agents.playing import Agent
from agents.ppo import PPO
from agents.reinforce import REINFORCE
from foundations.errors import InputError
from foundations.streams import Streams

SMALL = {"total_steps": 800, "rollout_steps": 5, "hidden": (8,)}


def cartpole(seed=0, **settings):
    return A2C(make_environments("CartPole-v1", 4), **{**SMALL, **settings}, streams=Streams(seed))


def plain(metrics):
    return [{name: float(value) for name, value in each.items()} for each in metrics]


class Constant(gymnasium.Env):
    """A reward of 1 at every step, cut by a time limit, which the observation does not tell."""

    observation_space = spaces.Box(-1, 1, (1,))
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.time = 0
        return np.ones(1, np.float32), {}

    def step(self, action):
        self.time += 1
        return np.ones(1, np.float32), 1.0, False, self.time == 5, {}


LEARNERS = {
    "reinforce": lambda environments: REINFORCE(
        environments, total_steps=6_000, gamma=0.8, learning_rate=0.03, hidden=(8,), streams=Streams(0)
    ),
    "a2c": lambda environments: A2C(
        environments, total_steps=6_000, gamma=0.8, learning_rate=0.02, hidden=(8,), streams=Streams(0)
    ),
    "ppo": lambda environments: PPO(
        environments,
        total_steps=3_000,
        rollout_steps=12,
        batch_size=48,
        epochs=10,
        gamma=0.8,
        learning_rate=0.02,
        hidden=(8,),
        streams=Streams(0),
    ),
}


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("learner", LEARNERS)
def test_a_constant_reward_is_worth_1_over_1_minus_gamma_whatever_the_time_limit(learner, mode):
    agent = LEARNERS[learner](SyncVectorEnv([Constant] * 4, autoreset_mode=mode))
    for _ in agent.learn():
        pass
    value = agent.network.value(agent.network.features(torch.ones(1, 1))[0])
    assert value.item() == pytest.approx(1 / (1 - 0.8), rel=0.05)


def test_it_is_an_agent():
    assert isinstance(cartpole(), Agent)


def test_same_seed_same_run():
    first, second, other = (plain(cartpole(seed).learn()) for seed in (0, 0, 1))
    assert first == second != other


def test_resuming_is_exact():
    assert_resumes_exactly(cartpole, 17)


@pytest.mark.parametrize("settings", [{"memory": "gru"}, {"normalize_observations": True, "normalize_rewards": True}])
def test_memory_and_normalisation_are_switches(settings):
    agent = cartpole(**settings)
    assert all(np.isfinite(value) for each in plain(agent.learn()) for value in each.values())


@pytest.mark.slow
def test_it_learns_cartpole():
    settings = {"total_steps": 150_000, "rollout_steps": 16, "lam": 0.95, "learning_rate": 3e-3}
    agent = A2C(make_environments("CartPole-v1", 16), **settings, streams=Streams(0))
    for _ in agent.learn():
        pass
    assert evaluate(agent, "CartPole-v1", episodes=20, seed=1).mean >= 300


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rollout_steps": 1}, "rollout_steps=1: must be at least 2"),
        ({"learning_rate": -1e-3}, "learning_rate=-0.001: must be a finite number above 0"),
        ({"lam": 1.1}, "lam=1.1: must be between 0 and 1"),
        ({"total_steps": 19}, "total_steps=19: must be at least 20"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        cartpole(**settings)
