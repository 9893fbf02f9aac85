import numpy as np
import pytest
import torch

from agents.acting import Actor
from agents.interaction import Interaction
from agents.networks import ActorCritic
from agents.rollouts import Batch, batch_of, collect, collect_to_ends, explained_variance, look, standardized
from agents.spaces import describe_actions, describe_observations

BOTH = pytest.mark.parametrize("autoreset", ["next_step", "same_step"])


def actor_in(environments, memory=None):
    inputs = describe_observations(environments.single_observation_space)
    actions = describe_actions(environments.single_action_space)
    generator = torch.Generator().manual_seed(0)
    network = ActorCritic(inputs, actions, hidden=(8,), memory=memory, generator=generator)
    return Actor(network, environments.num_envs, greedy=False, stream=np.random.default_rng(0))


def play(environments, steps, memory=None):
    actor = actor_in(environments, memory)
    return actor, collect(Interaction(environments, 0), actor, steps)


def batch(actor, rollout):
    """Its advantages are the number of the episode, its returns that of the step."""
    episode, time = np.moveaxis(rollout.observations, -1, 0)
    return batch_of(rollout, look(actor, rollout), episode, time)


@BOTH
def test_a_rollout_never_learns_from_a_step_that_joins_two_episodes(scripted, autoreset):
    _, rollout = play(scripted(autoreset, (2, 3), (1,)), 12)
    before, after = rollout.observations[rollout.valid], rollout.next_observations[rollout.valid]
    np.testing.assert_array_equal(before[:, 0], after[:, 0])
    np.testing.assert_array_equal(before[:, 1] + 1, after[:, 1])


def test_the_rows_of_a_batch_are_the_valid_steps(scripted):
    actor, rollout = play(scripted("next_step", (2, 3), (1,)), 12)
    found = batch(actor, rollout)
    assert len(found) == rollout.valid.sum() < rollout.valid.size
    torch.testing.assert_close(found.observations, torch.stack([found.advantages, found.returns], dim=1))


def test_episodes_run_on_from_rollout_to_rollout(scripted):
    environments = scripted("same_step", (5,))
    actor, interaction = actor_in(environments), Interaction(environments, 0)
    assert collect(interaction, actor, 3).observations[:, 0, 1].tolist() == [0, 1, 2]
    assert collect(interaction, actor, 3).observations[:, 0, 1].tolist() == [3, 4, 0]


@BOTH
def test_playing_to_the_ends_keeps_one_end_an_environment(scripted, autoreset):
    environments = scripted(autoreset, (2, 3), (4,), (1,))
    rollout = collect_to_ends(Interaction(environments, 0), actor_in(environments))
    assert len(rollout) == 4
    assert rollout.valid.sum(axis=0).tolist() == [2, 4, 1]
    assert (rollout.valid & rollout.ended).sum(axis=0).tolist() == [1, 1, 1]


@pytest.mark.parametrize("memory", [None, "gru", "lstm"])
def test_log_probabilities_are_those_of_the_policy_that_acted(scripted, memory):
    actor, rollout = play(scripted("next_step", (2, 3), (4,)), 9, memory)
    found = batch(actor, rollout)
    policy = actor.network.policy(found.features(actor.network))
    torch.testing.assert_close(policy.log_prob(found.actions), found.log_probs)


@pytest.mark.parametrize("memory", [None, "gru", "lstm"])
def test_the_value_of_what_came_next_is_that_of_the_next_step(scripted, memory):
    actor, rollout = play(scripted("next_step", (2, 3), (4,)), 9, memory)
    seen, goes_on = look(actor, rollout), ~rollout.ended[:-1] & rollout.valid[:-1]
    np.testing.assert_allclose(seen.next_values[:-1][goes_on], seen.values[1:][goes_on], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("memory", [None, "lstm"])
def test_minibatches_hold_every_row_once(scripted, memory, generator):
    actor, rollout = play(scripted("next_step", (2, 3), (4,), (1,), (7,)), 12, memory)
    whole = batch(actor, rollout)
    parts = list(whole.minibatches(10, generator))
    assert len(parts) > 1
    rows = [tuple(row) for part in parts for row in zip(*(each.tolist() for each in targets(part)), strict=True)]
    wanted = [tuple(row) for row in zip(*(each.tolist() for each in targets(whole)), strict=True)]
    assert sorted(rows) == sorted(wanted)


@pytest.mark.parametrize("memory", [None, "lstm"])
def test_features_and_targets_of_a_minibatch_belong_together(scripted, memory, generator):
    actor, rollout = play(scripted("next_step", (2, 3), (4,), (1,), (7,)), 12, memory)
    for part in batch(actor, rollout).minibatches(10, generator):
        policy = actor.network.policy(part.features(actor.network))
        torch.testing.assert_close(policy.log_prob(part.actions), part.log_probs)


def targets(part: Batch):
    return part.actions, part.log_probs, part.advantages, part.returns


def test_standardizing_looks_at_valid_steps_alone():
    valid = np.array([[True, True], [True, False]])
    found = standardized(np.array([[1.0, 2], [3, 1e6]], np.float32), valid)
    assert found[valid].mean() == pytest.approx(0, abs=1e-6)
    assert found[valid].std() == pytest.approx(1)


def test_explained_variance_of_a_perfect_and_of_a_constant_forecast():
    returns = np.array([1.0, 2, 3])
    assert explained_variance(returns, returns) == 1
    assert explained_variance(np.ones(3), returns) == 0
    assert explained_variance(np.ones(3), np.ones(3)) == 0
