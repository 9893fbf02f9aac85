import io

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from states import saved_and_loaded

from agents.buffers import PrioritizedReplay, Replay, SumTree, without_repeats
from agents.environments import make_environments
from agents.interaction import Interaction, Step
from foundations.errors import InputError

OBSERVATION, ACTION = Box(-100, 100, (1,), np.float32), Discrete(10)
FLAGS = {"terminated": False, "truncated": False, "valid": True}


def step(at, *, reward=0.0, to=None, **flags):
    """A step of environments at `at`, one number each; flags are of all or of each."""
    at = np.atleast_1d(np.array(at, np.float32))
    to = at + 1 if to is None else np.atleast_1d(np.array(to, np.float32))
    each = {name: np.broadcast_to(flags.get(name, value), at.shape).copy() for name, value in FLAGS.items()}
    rewards = np.broadcast_to(np.array(reward, np.float64), at.shape).copy()
    started = np.zeros(at.shape, np.bool_)
    return Step(at[:, None], at.astype(np.int64) % 10, rewards, to[:, None], **each, started=started, infos={})


def held(replay):
    """All that is held, oldest first: (observation, action, return, next observation, discount)."""
    filled = replay.state_dict()["filled"]
    columns = [filled[name].flatten().tolist() for name in ("observations", "actions", "returns")]
    columns += [filled[name].flatten().tolist() for name in ("next_observations", "discounts")]
    return [pytest.approx(row) for row in zip(*columns, strict=True)]


def filled(kind=Replay, count=4, capacity=4, **settings):
    replay = kind(capacity, OBSERVATION, ACTION, **settings)
    for place in range(count):
        replay.add(step(place))
    return replay


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_a_step_is_kept_with_its_reward_and_discount():
    replay = Replay(4, OBSERVATION, ACTION, gamma=0.9)
    replay.add(step(3, reward=2, to=5))
    assert held(replay) == [(3, 3, 2, 5, 0.9)]


def test_nothing_is_worth_anything_after_termination():
    replay = Replay(4, OBSERVATION, ACTION, gamma=0.9)
    replay.add(step(3, terminated=True))
    assert held(replay) == [(3, 3, 0, 4, 0)]


def test_a_time_limit_keeps_the_value_of_what_follows():
    replay = Replay(4, OBSERVATION, ACTION, gamma=0.9)
    replay.add(step(3, truncated=True))
    assert held(replay) == [(3, 3, 0, 4, 0.9)]


@pytest.mark.parametrize("n_step", [1, 3])
def test_a_step_that_only_resets_is_never_kept(n_step):
    replay = Replay(8, OBSERVATION, ACTION, environments=2, n_step=n_step)
    replay.add(step([10, 20], truncated=[True, False]))
    replay.add(step([11, 21], valid=[False, True]))
    replay.add(step([30, 22], truncated=True))
    assert sorted(row.expected[0] for row in held(replay)) == [10, 20, 21, 22, 30]


@pytest.mark.parametrize("autoreset", ["next_step", "same_step"])
@pytest.mark.parametrize("n_step", [1, 4])
def test_no_transition_joins_two_episodes(autoreset, n_step):
    """A pole that stands near 0 at the start moves by less than 0.05 a step: a reset would be a leap of the angle."""
    play = Interaction(make_environments("CartPole-v1", 3, autoreset=autoreset), seed=0)
    replay = Replay(2_000, Box(-9, 9, (4,), np.float32), Discrete(2), environments=3, n_step=n_step)
    stream = np.random.default_rng(0)
    while play.environment_steps < 1_000:
        replay.add(play.step(stream.integers(2, size=3)))
    kept = replay.state_dict()["filled"]
    leaps = (kept["next_observations"] - kept["observations"])[:, 2].abs()
    assert play.episodes > 30
    assert leaps.max() < 0.07 * n_step
    if n_step == 1:
        assert len(replay) == play.environment_steps


def test_the_oldest_are_overwritten():
    replay = filled(count=6)
    assert sorted(row.expected[0] for row in held(replay)) == [2, 3, 4, 5]


def test_more_environments_than_room_leave_the_last():
    replay = Replay(2, OBSERVATION, ACTION, environments=3)
    replay.add(step([1, 2, 3]))
    assert sorted(row.expected[0] for row in held(replay)) == [2, 3]


def test_observations_of_float64_are_kept_in_half_the_room():
    replay = Replay(4, Box(-1, 1, (1,), np.float64), ACTION)
    assert replay.state_dict()["filled"]["observations"].dtype == torch.float32


# --- n steps ----------------------------------------------------------------------------------------------------------


def test_a_return_sums_n_discounted_rewards():
    replay = Replay(4, OBSERVATION, ACTION, n_step=3, gamma=0.5)
    for place, reward in enumerate((1, 2, 4)):
        replay.add(step(place, reward=reward))
    assert held(replay) == [(0, 0, 1 + 2 / 2 + 4 / 4, 3, 0.125)]


def test_a_return_stops_at_termination_and_nothing_follows():
    replay = Replay(8, OBSERVATION, ACTION, n_step=3, gamma=0.5)
    replay.add(step(0, reward=1))
    replay.add(step(1, reward=2, terminated=True))
    replay.add(step(50, reward=100))
    assert sorted(row.expected for row in held(replay)) == [(0, 0, 2, 2, 0), (1, 1, 2, 2, 0)]


def test_a_return_stops_at_a_time_limit_and_is_worth_what_would_follow_there():
    replay = Replay(8, OBSERVATION, ACTION, n_step=3, gamma=0.5)
    replay.add(step(0, reward=1))
    replay.add(step(1, reward=2, truncated=True))
    replay.add(step(9, valid=False))
    replay.add(step(50, reward=100))
    assert sorted(row.expected for row in held(replay)) == [(0, 0, 2, 2, 0.25), (1, 1, 2, 2, 0.5)]


def test_returns_of_side_by_side_environments_do_not_mix():
    replay = Replay(8, OBSERVATION, ACTION, environments=2, n_step=2, gamma=0.5)
    replay.add(step([0, 100], reward=[1, 10]))
    replay.add(step([1, 101], reward=[1, 10], terminated=[True, False]))
    rows = sorted(row.expected for row in held(replay))
    assert rows == [(0, 0, 1.5, 2, 0), (1, 1, 1, 2, 0), (100, 0, 15, 102, 0.25)]


# --- drawing ----------------------------------------------------------------------------------------------------------


def test_uniform_sampling_draws_each_as_often():
    replay, stream = filled(count=4), np.random.default_rng(0)
    drawn = np.concatenate([replay.sample(4, stream).indices for _ in range(5_000)])
    assert np.bincount(drawn) / len(drawn) == pytest.approx([0.25] * 4, abs=0.01)


def test_priorities_set_how_often_each_is_drawn():
    replay, stream = filled(PrioritizedReplay, alpha=0.5), np.random.default_rng(0)
    replay.update(np.arange(4), np.array([1.0, -4.0, 9.0, 16.0]))
    drawn = np.concatenate([replay.sample(4, stream).indices for _ in range(5_000)])
    assert np.bincount(drawn) / len(drawn) == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.01)


def test_importance_weights_undo_the_drawing():
    replay = filled(PrioritizedReplay, alpha=1.0)
    replay.update(np.arange(4), np.array([1.0, 1.0, 2.0, 4.0]))
    batch = replay.sample(4, np.random.default_rng(0), beta=1.0)
    priorities = np.array([1.0, 1.0, 2.0, 4.0])[batch.indices]
    assert batch.weights == pytest.approx(priorities.min() / priorities, rel=1e-5)


def test_beta_zero_weighs_all_alike():
    replay = filled(PrioritizedReplay)
    replay.update(np.arange(4), np.array([1.0, 1.0, 2.0, 4.0]))
    assert (replay.sample(4, np.random.default_rng(0), beta=0.0).weights == 1).all()


def test_what_is_new_is_as_likely_as_the_most_surprising():
    replay, stream = filled(PrioritizedReplay, count=3, alpha=1.0), np.random.default_rng(0)
    replay.update(np.arange(3), np.array([1.0, 2.0, 5.0]))
    replay.add(step(3))
    drawn = np.concatenate([replay.sample(4, stream).indices for _ in range(5_000)])
    assert np.bincount(drawn) / len(drawn) == pytest.approx(np.array([1, 2, 5, 5]) / 13, abs=0.01)


def test_a_sum_tree_finds_what_a_running_sum_finds():
    values, stream = np.random.default_rng(0).random(1_000), np.random.default_rng(1)
    tree = SumTree(1_000)
    tree.update(np.arange(1_000), values)
    targets = stream.random(500) * tree.total
    assert tree.total == pytest.approx(values.sum())
    assert (tree.find(targets) == np.searchsorted(np.cumsum(values), targets, side="right")).all()


def test_a_sum_tree_never_finds_what_has_no_priority():
    tree = SumTree(5)
    tree.update(np.array([1, 3]), np.array([0.1, 0.2]))
    assert set(tree.find(np.linspace(0, tree.total * (1 + 1e-12), 101)).tolist()) == {1, 3}


def test_a_sum_tree_of_one_finds_it():
    tree = SumTree(1)
    tree.update(np.array([0]), np.array([2.0]))
    assert tree.find(np.array([0.0, 1.9])).tolist() == [0, 0]


@given(arrays(np.int64, st.integers(1, 40), elements=st.integers(0, 19)))
def test_without_repeats_every_number_is_there_once_and_found_again(indices):
    kept, places = without_repeats(indices, 20)
    assert sorted(indices[kept]) == sorted(set(indices.tolist()))
    assert (indices[kept][places] == indices).all()


# --- going on ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Replay, PrioritizedReplay])
def test_a_loaded_replay_goes_on_as_if_never_stopped(kind):
    settings = {"capacity": 6, "n_step": 3}
    straight = filled(kind, count=5, **settings)
    loaded = kind(6, OBSERVATION, ACTION, n_step=3)
    loaded.load_state_dict(saved_and_loaded(straight.state_dict()))
    for replay in (straight, loaded):
        for place in range(5, 12):
            replay.add(step(place, reward=place, terminated=place == 8))
    samples = [replay.sample(4, np.random.default_rng(0)) for replay in (straight, loaded)]
    assert all((left == right).all() for left, right in zip(*samples, strict=True))


def test_a_saved_replay_is_as_large_as_what_it_holds():
    file = io.BytesIO()
    torch.save(filled(count=10, capacity=1_000_000).state_dict(), file)
    assert file.tell() < 20_000


# --- bad input --------------------------------------------------------------------------------------------------------


def test_a_batch_larger_than_what_is_held_is_refused():
    with pytest.raises(InputError, match=r"^batch_size=5: must be from 1 to the 4 transitions held$"):
        filled().sample(5, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"capacity": 0}, "capacity=0: must be at least 1"),
        ({"n_step": 0}, "n_step=0: must be at least 1"),
        ({"gamma": 1.1}, r"gamma=1\.1: must be between 0 and 1"),
        ({"alpha": -0.1}, r"alpha=-0\.1: must be between 0"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        PrioritizedReplay(**{"capacity": 4, "observation": OBSERVATION, "action": ACTION, **settings})


def test_more_than_there_is_room_for_is_not_loaded():
    with pytest.raises(InputError, match=r"^capacity=2: must be at least the 4 saved ones$"):
        Replay(2, OBSERVATION, ACTION).load_state_dict(filled().state_dict())


def test_images_are_kept_as_bytes():
    space = gym.spaces.Box(0, 255, (8, 8, 3), np.uint8)
    assert Replay(4, space, ACTION).state_dict()["filled"]["observations"].dtype == torch.uint8
