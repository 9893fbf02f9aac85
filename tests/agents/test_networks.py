import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents.distributions import Categorical, DiagonalGaussian, MultiCategorical
from agents.networks import ActorCritic, FastTanh, QNetwork, encoder
from agents.spaces import describe_actions, describe_observations
from foundations.errors import InputError

FLAT = describe_observations(spaces.Box(-1, 1, (4,)))
IMAGE = describe_observations(spaces.Box(0, 255, (3, 40, 30), np.uint8))
TWO = describe_actions(spaces.Discrete(2))


def actor_critic(actions=TWO, inputs=FLAT, **settings):
    return ActorCritic(inputs, actions, generator=torch.Generator().manual_seed(0), **settings)


@pytest.mark.parametrize(
    ("space", "kind", "shape"),
    [
        (spaces.Discrete(3), Categorical, (5,)),
        (spaces.MultiDiscrete([2, 3]), MultiCategorical, (5, 2)),
        (spaces.Box(-2, 2, (4,)), DiagonalGaussian, (5, 4)),
    ],
)
def test_each_kind_of_action_has_its_distribution(space, kind, shape, generator):
    network = actor_critic(describe_actions(space))
    policy = network.policy(network.features(torch.zeros(5, 4))[0])
    assert isinstance(policy, kind)
    assert policy.sample(generator).shape == shape


def test_the_fast_tanh_is_tanh(assert_twins, generator):
    assert_twins(FastTanh(), torch.nn.Tanh(), 3 * torch.randn(4, 50, generator=generator))


def test_values_are_one_a_row():
    network = actor_critic()
    assert network.value(network.features(torch.zeros(5, 4))[0]).shape == (5,)


def test_at_first_all_actions_are_about_as_likely():
    network = actor_critic()
    policy = network.policy(network.features(torch.randn(100, 4, generator=torch.Generator().manual_seed(0)))[0])
    assert policy.entropy().min() > 0.999 * np.log(2)


def test_images_of_any_size_become_a_row_of_features():
    for shape in ((3, 40, 30), (84, 84, 1), (5, 5, 4)):
        inputs = describe_observations(spaces.Box(0, 255, shape, np.uint8))
        network, width = encoder(inputs)
        assert network(torch.zeros(2, *inputs.shape)).shape == (2, width)


def test_policy_and_value_share_no_dense_layer():
    network = actor_critic()
    network.value(network.features(torch.ones(5, 4))[0]).sum().backward()
    assert all(parameter.grad is None for parameter in network.actor.parameters())


@pytest.mark.parametrize("memory", ["gru", "lstm"])
def test_a_start_empties_the_memory(memory, generator):
    network = actor_critic(memory=memory)
    observations, state = torch.randn(6, 2, 4, generator=generator), network.first_state(2)
    started = torch.zeros(6, 2, dtype=torch.bool)
    started[3, 0] = True
    whole, _ = network.features(observations, started, state)
    anew, _ = network.features(observations[3:, :1], torch.zeros(3, 1, dtype=torch.bool), network.first_state(1))
    torch.testing.assert_close(whole[3:, :1], anew)


@pytest.mark.parametrize("memory", ["gru", "lstm"])
def test_a_memory_in_pieces_is_that_of_the_whole(memory, generator):
    network = actor_critic(memory=memory)
    observations, started = torch.randn(6, 2, 4, generator=generator), torch.zeros(6, 2, dtype=torch.bool)
    whole, end = network.features(observations, started, network.first_state(2))
    first, state = network.features(observations[:2], started[:2], network.first_state(2))
    second, after = network.features(observations[2:], started[2:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(after, end)


@pytest.mark.parametrize("memory", ["gru", "lstm"])
def test_the_memory_is_that_of_the_recurrent_layer(memory, generator):
    network = actor_critic(memory=memory)
    x, started = torch.randn(6, 2, 4, generator=generator), torch.zeros(6, 2, dtype=torch.bool)
    shown, _ = network.features(x, started, network.first_state(2))
    torch.testing.assert_close(shown, network.memory(x.transpose(0, 1))[0].transpose(0, 1))


@pytest.mark.parametrize("hidden", [(16,), (16, 8)])
def test_duelling_values_are_the_states_plus_centred_advantages(hidden, generator):
    network = QNetwork(FLAT, TWO, hidden=hidden, duelling=True, generator=generator)
    x = torch.randn(5, 4, generator=generator)
    shared = network.trunk(x)
    torch.testing.assert_close(network(x).mean(dim=1, keepdim=True), network.value(shared))
    advantages = network.advantage(shared)
    torch.testing.assert_close(network(x)[:, 0] - network(x)[:, 1], advantages[:, 0] - advantages[:, 1])


@pytest.mark.parametrize("duelling", [False, True])
@pytest.mark.parametrize("inputs", [FLAT, IMAGE])
def test_values_of_actions_are_the_same_in_numpy(inputs, duelling, generator):
    network = QNetwork(inputs, TWO, hidden=(16, 8), duelling=duelling, generator=generator)
    x = torch.randn(5, *inputs.shape, generator=generator)
    np.testing.assert_allclose(network.numpy_forward()(x.numpy()), network(x).detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory": "rnn"}, "memory='rnn': must be one of gru, lstm"),
        ({"hidden": ()}, r"hidden=\(\): must be one or more widths"),
        ({"activation": "rleu"}, "did you mean 'relu'"),
    ],
)
def test_impossible_networks_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        actor_critic(**settings)
