import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv
from states import assert_resumes_exactly

from agents.environments import make_environments
from agents.evaluation import evaluate
from agents.playing import Agent
from agents.ppo import PPO, clipped_loss, clipped_slope
from agents.rollouts import collect
from foundations.errors import InputError
from foundations.streams import Streams

SMALL = {"total_steps": 512, "rollout_steps": 16, "batch_size": 32, "epochs": 2, "hidden": (8,)}


def cartpole(seed=0, **settings):
    return PPO(make_environments("CartPole-v1", 4), **{**SMALL, **settings}, streams=Streams(seed))


def plain(metrics):
    return [{name: float(value) for name, value in each.items()} for each in metrics]


class Bodies(gymnasium.Env):
    """Any spaces; the reward is 1 where the first number of the action is as wanted."""

    def __init__(self, observation_space, action_space):
        self.observation_space, self.action_space = observation_space, action_space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self._draw(), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.time += 1
        return self._draw(), float(np.ravel(action)[0] > 0), False, self.time == 6, {}

    def _draw(self):
        self.observation_space.seed(int(self.np_random.integers(1000)))
        return self.observation_space.sample()


def test_the_clipped_loss_by_hand():
    """Only ratios that still gain may move: 0.5 upwards for what was good, 1.5 downwards for what was bad."""
    ratios, advantages = torch.tensor([1.5, 0.5, 1.5, 0.5]), torch.tensor([1.0, 1, -1, -1])
    assert clipped_loss(ratios, advantages, 0.2).item() == pytest.approx(-(1.2 + 0.5 - 1.5 - 0.8) / 4)
    assert clipped_slope(ratios, advantages, 0.2).tolist() == pytest.approx([0, -0.5 / 4, 1.5 / 4, 0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_clipped_slope_is_the_derivative_of_the_loss(dtype, generator):
    log_ratios = (0.3 * torch.randn(200, generator=generator, dtype=dtype)).requires_grad_()
    advantages = torch.randn(200, generator=generator, dtype=dtype)
    (wanted,) = torch.autograd.grad(clipped_loss(log_ratios.exp(), advantages, 0.2), log_ratios)
    torch.testing.assert_close(clipped_slope(log_ratios.detach().exp(), advantages, 0.2), wanted)


@pytest.mark.parametrize("settings", [{}, {"entropy_weight": 0.1, "value_weight": 0.3}])
def test_a_step_follows_the_gradient_of_the_whole_loss(settings):
    agent = cartpole(epochs=1, batch_size=64, max_norm=1e9, **settings)
    batch, _ = agent._batch(collect(agent.interaction, agent.actor, 16))
    policy, values = (of(batch.features(agent.network)) for of in (agent.network.policy, agent.network.value))
    ratios = (policy.log_prob(batch.actions) - batch.log_probs).exp()
    loss = clipped_loss(ratios, batch.advantages, 0.2)
    loss = loss + agent.value_weight * (values - batch.returns).square().mean()
    wanted = torch.autograd.grad(loss - agent.entropy_weight * policy.entropy().mean(), agent.parameters)
    agent._improve(batch, 0.2)
    torch.testing.assert_close([weight.grad for weight in agent.parameters], list(wanted))


def test_it_is_an_agent():
    assert isinstance(cartpole(), Agent)


def test_same_seed_same_run():
    first, second, other = (plain(cartpole(seed).learn()) for seed in (0, 0, 1))
    assert first == second != other


@pytest.mark.parametrize(
    "settings",
    [{}, {"memory": "lstm"}, {"normalize_observations": True, "normalize_rewards": True}],
    ids=["plain", "memory", "normalized"],
)
def test_resuming_is_exact(settings):
    assert_resumes_exactly(lambda: cartpole(**settings), 3)


def test_it_ends_within_its_steps_and_counts_no_resets():
    agent = cartpole()
    *_, last = agent.learn()
    assert last["environment_steps"] == agent.interaction.environment_steps <= SMALL["total_steps"]
    assert last["environment_steps"] < agent.updates * 16 * 4


def test_a_player_keeps_its_weights_while_the_agent_learns_on():
    agent = cartpole(normalize_observations=True)
    learning = agent.learn()
    next(learning)
    observations, started = np.float32([[0.1, 0.2, 0.3, 0.4]] * 4), np.ones(4, bool)
    player = agent.player(greedy=True, stream=np.random.default_rng(0))
    before = player.network.actor(torch.from_numpy(player.to_network(observations)))
    for _ in learning:
        pass
    after = player.network.actor(torch.from_numpy(player.to_network(observations)))
    assert torch.equal(before, after)
    assert player.act(observations, started).shape == (4,)


@pytest.mark.parametrize("memory", [None, "gru"])
@pytest.mark.parametrize(
    ("observed", "acted"),
    [
        (spaces.Box(-1, 1, (3,)), spaces.Box(-2, 2, (2,))),
        (spaces.Discrete(5), spaces.MultiDiscrete([2, 3])),
        (spaces.Box(0, 255, (12, 12, 3), np.uint8), spaces.Discrete(2, start=1)),
    ],
    ids=["continuous", "multi-discrete", "image"],
)
def test_every_kind_of_space_is_learned_in(observed, acted, memory):
    environments = SyncVectorEnv([lambda: Bodies(observed, acted)] * 4)
    agent = PPO(environments, **{**SMALL, "total_steps": 128}, memory=memory, streams=Streams(0))
    before = [weight.clone() for weight in agent.parameters]
    assert all(np.isfinite(value) for each in plain(agent.learn()) for value in each.values())
    assert not any(torch.equal(old, new) for old, new in zip(before, agent.parameters, strict=True))


def test_continuous_actions_find_the_rewarded_side():
    environments = SyncVectorEnv([lambda: Bodies(spaces.Box(-1, 1, (3,)), spaces.Box(-2, 2, (2,)))] * 4)
    settings = {"total_steps": 4_096, "rollout_steps": 32, "batch_size": 128, "epochs": 5, "learning_rate": 1e-2}
    *_, last = plain(PPO(environments, **settings, hidden=(16,), streams=Streams(0)).learn())
    assert last["episode/return"] > 5  # of 6; chance has 3


@pytest.mark.slow
def test_it_learns_cartpole():
    settings = {"rollout_steps": 64, "batch_size": 128, "epochs": 8, "learning_rate": 2.5e-3, "lam": 0.9, "gamma": 0.99}
    agent = PPO(make_environments("CartPole-v1", 8), total_steps=40_000, **settings, streams=Streams(0))
    for _ in agent.learn():
        pass
    assert evaluate(agent, "CartPole-v1", episodes=20, seed=1).mean >= 475


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"batch_size": 65},
            r"batch_size=65: must be between 1 and 64, the steps of a rollout \(16 x 4 environments\)",
        ),
        ({"learning_rate": -1e-3}, "learning_rate=-0.001: must be a finite number above 0"),
        ({"clip": 0.0}, "clip=0.0: must be above 0"),
        ({"gamma": 1.1}, "gamma=1.1: must be between 0 and 1"),
        ({"entropy_weight": -0.1}, "entropy_weight=-0.1: must be at least 0"),
        ({"total_steps": 63}, "total_steps=63: must be at least 64"),
        ({"epochs": 0}, "epochs=0: must be at least 1"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        cartpole(**settings)


def test_a_space_that_no_network_knows_is_refused():
    environments = SyncVectorEnv([lambda: Bodies(spaces.Box(-1, 1, (3,)), spaces.Dict({"a": spaces.Discrete(2)}))] * 4)
    with pytest.raises(InputError, match=r"action space=.*must be Discrete"):
        PPO(environments, **SMALL, streams=Streams(0))
