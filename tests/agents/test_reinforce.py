import numpy as np
import pytest
import torch
from states import assert_resumes_exactly

from agents.environments import make_environments
from agents.evaluation import evaluate
from agents.playing import Agent
from agents.reinforce import REINFORCE
from foundations.errors import InputError
from foundations.streams import Streams

SMALL = {"total_steps": 1_500, "hidden": (8,)}


def cartpole(seed=0, **settings):
    return REINFORCE(make_environments("CartPole-v1", 4), **{**SMALL, **settings}, streams=Streams(seed))


def plain(metrics):
    return [{name: float(value) for name, value in each.items()} for each in metrics]


def test_it_is_an_agent():
    assert isinstance(cartpole(), Agent)


def test_same_seed_same_run():
    first, second, other = (plain(cartpole(seed).learn()) for seed in (0, 0, 1))
    assert first == second != other


def test_resuming_is_exact():
    assert_resumes_exactly(cartpole, 5)


def test_each_update_has_an_end_from_every_environment():
    agent = cartpole()
    for number, metrics in enumerate(agent.learn(), start=1):
        assert metrics["episode/length"] > 0
        assert agent.interaction.episodes >= 4 * number


def test_what_paid_becomes_likelier(scripted):
    """One step an episode, rewards 1, 10, 100, ...: without a baseline the gradient pushes what paid above the mean."""
    agent = REINFORCE(scripted("same_step", (1,), (1,)), total_steps=2, learning_rate=0.1, baseline=False,
                      streams=Streams(0))  # fmt: skip
    agent.interaction.environments.envs[1].episode = 3  # the second environment pays a thousand times as much
    agent.actor.choose = lambda observations, started: np.array([0, 1])  # and only there is action 1 taken
    observations = torch.tensor([[0.0, 0.0]])
    before = agent.network.policy(agent.network.features(observations)[0]).log_prob(torch.tensor([1])).item()
    next(agent.learn())
    after = agent.network.policy(agent.network.features(observations)[0]).log_prob(torch.tensor([1])).item()
    assert after > before


@pytest.mark.slow
@pytest.mark.parametrize("baseline", [True, False])
def test_it_learns_cartpole(baseline):
    agent = REINFORCE(make_environments("CartPole-v1", 8), total_steps=100_000, baseline=baseline, streams=Streams(0))
    for _ in agent.learn():
        pass
    assert evaluate(agent, "CartPole-v1", episodes=20, seed=1).mean >= 200


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": -1e-3}, "learning_rate=-0.001: must be a finite number above 0"),
        ({"gamma": 2.0}, "gamma=2.0: must be between 0 and 1"),
        ({"total_steps": 0}, "total_steps=0: must be at least 1"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        cartpole(**settings)
