import copy

import gymnasium as gym
import numpy as np
import pytest
import torch
from states import assert_resumes_exactly

from agents.dqn import DQN, EpsilonGreedy, next_values, td_targets
from agents.environments import make_environments
from agents.evaluation import evaluate
from agents.fast_learning import ByAutograd, DenseByHand, differentiated
from agents.networks import QNetwork
from agents.playing import Agent
from agents.spaces import describe_actions, describe_observations
from foundations.errors import InputError
from foundations.losses import huber
from foundations.networks.mlp import MLP
from foundations.streams import Streams

SWITCHES = [{"double": True}, {"duelling": True}, {"n_step": 3}, {"prioritized": True}]
TINY = {
    "total_steps": 200,
    "learning_starts": 40,
    "train_every": 20,
    "gradient_steps": 4,
    "batch_size": 8,
    "capacity": 100,
    "hidden": (16,),
}


def make(environment="CartPole-v1", count=2, seed=0, **settings):
    environments = make_environments(environment, count) if isinstance(environment, str) else environment
    return DQN(environments, streams=Streams(seed), **{**TINY, **settings})


def trained(agent, updates=None):
    for _, _ in zip(range(updates or agent.updates), agent.learn(), strict=False):
        pass
    return agent


def weights(network):
    return torch.cat([each.detach().flatten() for each in network.parameters()])


# --- targets ----------------------------------------------------------------------------------------------------------


def test_what_follows_is_worth_its_best_action():
    assert next_values(torch.tensor([[1.0, 3.0], [5.0, 2.0]])).tolist() == [3, 5]


def test_with_double_the_network_chooses_and_the_target_judges():
    target, online = torch.tensor([[1.0, 3.0], [5.0, 2.0]]), torch.tensor([[9.0, 0.0], [8.0, 0.0]])
    assert next_values(target, online).tolist() == [1, 5]


def test_a_target_adds_the_discounted_value_of_what_follows():
    targets = td_targets(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 0.0]), torch.tensor([10.0, 10.0]))
    assert targets.tolist() == [6, 2]


def test_a_column_beside_a_row_is_refused():
    row, column = torch.zeros(4), torch.zeros(4, 1)
    with pytest.raises(InputError, match=r"^following shape=\(4, 1\): must be \(batch,\)"):
        td_targets(row, row, column)


@pytest.mark.parametrize("double", [False, True])
def test_what_was_drawn_several_times_has_the_value_that_each_would_have(double):
    agent = trained(make(double=double), 5)
    drawn = agent.replay.sample(60, np.random.default_rng(0), batches=4)  # of 100
    after = torch.from_numpy(drawn.next_observations)
    wanted = next_values(agent.target(after), agent.network(after) if double else None)
    torch.testing.assert_close(agent._following(drawn), wanted.detach())


class Endless(gym.Env):
    """A reward of 1 for every step; no end but the time limit."""

    observation_space = gym.spaces.Box(-1, 1, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.steps += 1
        return np.zeros(1, np.float32), 1.0, False, self.steps == 5, {}


@pytest.mark.parametrize("n_step", [1, 3])
def test_time_limits_do_not_take_from_a_value(n_step):
    """A reward of 1 for ever is worth 1 / (1 - gamma) = 2."""
    environments = gym.vector.SyncVectorEnv([Endless, Endless])
    settings = {"total_steps": 1_000, "gamma": 0.5, "learning_rate": 0.02, "gradient_steps": 10, "anneal": True}
    agent = trained(make(environments, n_step=n_step, **settings))
    assert agent.network(torch.zeros(1, 1)).tolist()[0] == pytest.approx([2, 2], abs=0.02)


# --- gradients --------------------------------------------------------------------------------------------------------


def q_network(**settings):
    environments = make_environments("CartPole-v1", 1)
    inputs = describe_observations(environments.single_observation_space)
    actions = describe_actions(environments.single_action_space)
    return QNetwork(inputs, actions, generator=torch.Generator().manual_seed(0), **settings), inputs, actions


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_the_written_out_chain_rule_is_autograd(activation, dtype, tolerance, generator):
    network, twin = (q_network(hidden=(16, 8), activation=activation)[0].to(dtype) for _ in range(2))
    x = torch.randn(5, 4, dtype=dtype, generator=generator)
    slopes = torch.randn(5, 2, dtype=dtype, generator=generator)
    by_hand = differentiated(network)
    assert isinstance(by_hand, DenseByHand)
    torch.testing.assert_close(by_hand.forward(x), twin(x).detach(), rtol=tolerance, atol=tolerance)
    by_hand.backward(slopes)
    twin(x).backward(slopes)
    for own, other in zip(network.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "network",
    [q_network(duelling=True)[0], q_network(activation="tanh")[0], MLP((4, 8, 2), "relu", dropout=0.5)],
    ids=["duelling", "tanh", "dropout"],
)
def test_other_networks_are_left_to_autograd(network):
    assert isinstance(differentiated(network), ByAutograd)


@pytest.mark.parametrize("switches", [{}, {"duelling": True}, {"prioritized": True}])
def test_a_step_follows_the_gradient_of_the_huber_loss(switches, generator):
    agent = make(**switches)
    twin = copy.deepcopy(agent.network)
    observations, actions = torch.randn(8, 4, generator=generator), torch.randint(2, (8, 1), generator=generator)
    targets = 3 * torch.randn(8, 1, generator=generator)
    counted = torch.rand(8, 1, generator=generator) if switches.get("prioritized") else None
    agent._descend(observations, actions, targets, counted)
    losses = huber(twin(observations).gather(1, actions), targets, reduction="none")
    (losses if counted is None else counted * losses).mean().backward()
    for own, other in zip(agent.network.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-5, atol=1e-6)


# --- the run ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 8])
def test_targets_and_epsilon_count_environment_steps(count):
    agent = make(count=count, total_steps=400, target_every=100, exploration_share=0.5, final_epsilon=0.1)
    copies, epsilons, target = 0, [], weights(agent.target)
    for metrics in agent.learn():
        copies, target = copies + (not torch.equal(weights(agent.target), target)), weights(agent.target)
        epsilons.append(metrics["exploration/epsilon"])
    assert copies == 4
    assert epsilons[4] == pytest.approx(1 - 0.9 * 100 / 200, abs=0.9 * count / 200)
    assert epsilons[-1] == pytest.approx(0.1)


def test_the_target_is_the_network_of_the_last_copy():
    agent = make(total_steps=60, target_every=20)
    updates = agent.learn()
    next(updates), next(updates)
    before = weights(agent.network)
    next(updates)
    assert torch.equal(weights(agent.target), before)
    assert not torch.equal(weights(agent.network), before)


def test_nothing_is_learned_before_learning_starts():
    agent = make(learning_starts=110)
    before = weights(agent.network)
    metrics = [each for _, each in zip(range(5), agent.learn(), strict=False)]
    assert torch.equal(weights(agent.network), before)
    assert not any("loss/td" in each for each in metrics)


@pytest.mark.parametrize("count", [1, 3])
def test_updates_are_as_many_as_promised(count):
    agent = make(count=count, total_steps=210)
    metrics = list(agent.learn())
    assert len(metrics) == agent.updates == 11
    assert 210 <= metrics[-1]["environment_steps"] < 210 + count


@pytest.mark.parametrize("switches", [{}, *SWITCHES, {"double": True, "prioritized": True, "n_step": 3}])
def test_the_same_seed_gives_the_same_run_and_another_seed_another(switches):
    runs = [weights(trained(make(seed=seed, **switches)).network) for seed in (0, 0, 1)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


@pytest.mark.parametrize("switches", SWITCHES)
def test_each_switch_changes_what_is_learned(switches):
    settings = {"gradient_steps": 20, "learning_rate": 0.02}
    plain, switched = (weights(trained(make(**settings, **more)).network) for more in ({}, switches))
    assert plain.shape != switched.shape or not torch.equal(plain, switched)


@pytest.mark.slow
@pytest.mark.parametrize("switches", [{}, {"double": True, "duelling": True, "n_step": 3, "prioritized": True}])
def test_it_learns_to_hold_a_pole(switches):
    settings = {"total_steps": 12_000, "learning_starts": 500, "train_every": 64, "gradient_steps": 32}
    settings |= {"batch_size": 64, "capacity": 12_000, "hidden": (64, 64), "learning_rate": 1e-3, "anneal": True}
    agent = trained(make(count=8, **settings, target_every=64, exploration_share=0.3, average_decay=0.99, **switches))
    assert evaluate(agent, "CartPole-v1", episodes=20, seed=0).mean > 100  # 22 by chance


def test_it_is_an_agent():
    assert isinstance(make(), Agent)


# --- players ----------------------------------------------------------------------------------------------------------


def test_a_greedy_player_takes_the_best_valued_action():
    agent = trained(make())
    observations = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    actions = agent.player(greedy=True, stream=np.random.default_rng(0)).act(observations, np.zeros(50, np.bool_))
    assert (actions == agent.network(torch.from_numpy(observations)).argmax(dim=1).numpy()).all()


def test_a_share_of_epsilon_explores():
    network, inputs, actions = q_network()
    observations, started = np.zeros((20_000, 4), np.float32), np.zeros(20_000, np.bool_)
    best = EpsilonGreedy(network, inputs, actions, 0.0, np.random.default_rng(0)).act(observations, started)
    chosen = EpsilonGreedy(network, inputs, actions, 0.4, np.random.default_rng(0)).act(observations, started)
    assert (chosen != best).mean() == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("average_decay", [0.0, 0.9])
def test_a_player_is_not_reached_by_later_learning(average_decay):
    agent = make(average_decay=average_decay)
    trained(agent, 5)
    player = agent.player(greedy=True, stream=np.random.default_rng(0))
    observations = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    before = player._values(observations).copy()
    trained(agent)
    assert (player._values(observations) == before).all()


def test_players_of_an_averaging_agent_use_the_average():
    agent = trained(make(average_decay=0.9))
    player = agent.player(greedy=True, stream=np.random.default_rng(0))
    observations = np.ones((1, 4), np.float32)
    wanted = agent.average.module(torch.ones(1, 4)).detach().numpy()
    assert player._values(observations) == pytest.approx(wanted, rel=1e-5)


# --- going on ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("switches", [{"average_decay": 0.9}, *SWITCHES])
def test_a_resumed_run_ends_with_the_same_bits(switches):
    straight, resumed = assert_resumes_exactly(lambda: make(**switches), 6)
    assert straight.update == resumed.update == 10
    assert torch.equal(weights(resumed.network), weights(straight.network))
    assert torch.equal(weights(resumed.target), weights(straight.target))


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"environment": "Pendulum-v1"}, r"^action space=Box.*must be Discrete"),
        ({"batch_size": 101}, r"^batch_size=101: must be between 1 and capacity=100$"),
        ({"learning_rate": -1e-3}, r"^learning_rate=-0\.001: must be a finite number above 0$"),
        ({"learning_rate": float("nan")}, r"^learning_rate=nan: must be"),
        ({"final_epsilon": 1.5}, r"^final_epsilon=1\.5: must be between 0 and 1$"),
        ({"exploration_share": -0.1}, r"^exploration_share=-0\.1: must be between 0 and 1$"),
        ({"gamma": 1.01}, r"^gamma=1\.01: must be between 0 and 1$"),
        ({"target_every": 0}, r"^target_every=0: must be at least 1$"),
        ({"n_step": 0}, r"^n_step=0: must be at least 1$"),
        ({"average_decay": 1.0}, r"^decay=1\.0: must be at least 0 and below 1$"),
        ({"hidden": ()}, r"^hidden=\(\): must be"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        make(**settings)
