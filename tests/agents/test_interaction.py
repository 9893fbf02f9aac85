import time

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from states import saved_and_loaded

from agents.environments import make_environments
from agents.interaction import Interaction
from foundations.errors import InputError

BOTH = pytest.mark.parametrize("autoreset", ["next_step", "same_step"])


def steps(interaction, count, action=0):
    actions = np.full(interaction.environments.num_envs, action)
    return [interaction.step(actions) for _ in range(count)]


def valid_rows(found, name, environment=0):
    """What `name` held at the valid steps of one environment."""
    return [np.asarray(getattr(step, name))[environment].tolist() for step in found if step.valid[environment]]


@BOTH
@pytest.mark.parametrize("truncates", [False, True])
def test_next_observations_at_an_end_are_the_final_ones(scripted, autoreset, truncates):
    found = steps(Interaction(scripted(autoreset, (2, 3), truncates=truncates), 0), 6)
    led_to = valid_rows(found, "next_observations")
    assert led_to[:5] == [[0, 1], [0, 2], [1, 1], [1, 2], [1, 3]]


@BOTH
def test_no_valid_step_joins_two_episodes(scripted, autoreset):
    found = steps(Interaction(scripted(autoreset, (2, 3), (1,), (4, 1)), 0), 20)
    for environment in range(3):
        before = valid_rows(found, "observations", environment)
        after = valid_rows(found, "next_observations", environment)
        assert all(a[0] == b[0] and a[1] == b[1] + 1 for b, a in zip(before, after, strict=True))


@BOTH
def test_both_autoresets_show_the_same_experience(scripted, autoreset):
    found = steps(Interaction(scripted(autoreset, (2, 3), truncates=True), 0), 12)
    reference = steps(Interaction(scripted("same_step", (2, 3), truncates=True), 0), 12)
    for name in ("observations", "rewards", "next_observations", "terminated", "truncated", "started"):
        rows = valid_rows(found, name)
        assert rows == valid_rows(reference, name)[: len(rows)]


def test_a_reset_step_under_next_step_is_not_valid(scripted):
    found = steps(Interaction(scripted("next_step", (2, 1)), 0), 7)
    assert [bool(step.valid[0]) for step in found] == [True, True, False, True, False, True, True]


def test_every_step_under_same_step_is_valid(scripted):
    assert all(step.valid.all() for step in steps(Interaction(scripted("same_step", (2, 1)), 0), 7))


@BOTH
def test_started_marks_the_first_step_of_each_episode(scripted, autoreset):
    found = steps(Interaction(scripted(autoreset, (2, 3)), 0), 9)
    firsts = [before[1] == 0 for before in valid_rows(found, "observations")]
    assert valid_rows(found, "started") == firsts


@BOTH
def test_terminated_and_truncated_are_told_apart(scripted, autoreset):
    for truncates in (False, True):
        ends = [each for each in steps(Interaction(scripted(autoreset, (2,), truncates=truncates), 0), 5) if each.ended]
        assert ends
        assert all(bool(each.truncated) == truncates != bool(each.terminated) for each in ends)


@BOTH
def test_environment_steps_count_valid_steps_of_all_environments(scripted, autoreset):
    interaction = Interaction(scripted(autoreset, (2, 3), (5,)), 0)
    found = steps(interaction, 11)
    assert interaction.environment_steps == sum(int(step.valid.sum()) for step in found)


@BOTH
def test_finished_gives_mean_return_and_length_of_ended_episodes_once(scripted, autoreset):
    interaction = Interaction(scripted(autoreset, (2, 3), (50,)), 0)
    while interaction.episodes < 2:
        steps(interaction, 1)
    # Rewards are 1 in the first episode and 10 in the second: returns 2 and 30, lengths 2 and 3.
    assert interaction.finished() == {"episode/return": 16.0, "episode/length": 2.5}
    assert interaction.finished() == {}


@BOTH
def test_environments_are_seeded_once(scripted, autoreset):
    interaction = Interaction(scripted(autoreset, (1,), (1,)), 0)
    steps(interaction, 6)
    first, *later = interaction.environments.envs[0].seeds
    assert first is not None
    assert later
    assert set(later) == {None}


def test_neighbouring_seeds_share_no_environment():
    one, other = (Interaction(make_environments("FrozenLake-v1", 4), seed) for seed in (0, 1))
    seeds = [{each.unwrapped.np_random_seed for each in found.environments.envs} for found in (one, other)]
    assert not seeds[0] & seeds[1]


@pytest.mark.parametrize("name", ["CartPole-v1", "Acrobot-v1", "FrozenLake-v1"])
def test_the_same_seed_gives_the_same_steps(name):
    runs = [steps(Interaction(make_environments(name, 3), 5), 30, action=1) for _ in range(2)]
    for left, right in zip(*runs, strict=True):
        assert np.array_equal(left.next_observations, right.next_observations)


@BOTH
def test_kept_observations_do_not_change_where_the_environment_uses_its_buffer_again(scripted, autoreset):
    interaction = Interaction(scripted(autoreset, (9,), copy=False), 0)
    found = steps(interaction, 5)
    assert [step.observations[0].tolist() for step in found] == [[0, time] for time in range(5)]
    assert [step.next_observations[0].tolist() for step in found] == [[0, time + 1] for time in range(5)]


def test_final_observations_that_the_reset_overwrote_are_refused(scripted):
    with pytest.raises(InputError, match=r"autoreset='next_step'"):
        steps(Interaction(scripted("same_step", (2,), reuses=True), 0), 2)


def test_an_array_used_again_does_no_harm_under_next_step(scripted):
    found = steps(Interaction(scripted("next_step", (2, 3), reuses=True), 0), 4)
    assert valid_rows(found, "next_observations") == [[0, 1], [0, 2], [1, 1]]


def test_rewards_are_of_double_precision():
    assert steps(Interaction(make_environments("CartPole-v1", 2), 0), 1)[0].rewards.dtype == np.float64


@pytest.mark.parametrize("mode", [AutoresetMode.DISABLED, "sometimes", None])
def test_environments_that_do_not_say_how_they_reset_are_refused(scripted, mode):
    environments = scripted("next_step", (2,))
    environments.metadata = {"autoreset_mode": mode}
    with pytest.raises(InputError, match="autoreset_mode"):
        Interaction(environments, 0)


def test_same_step_without_final_observations_is_refused(scripted):
    class Forgetful(SyncVectorEnv):
        def step(self, actions):
            return (*super().step(actions)[:4], {})

    full = scripted("same_step", (1,))
    forgetful = Forgetful(full.env_fns, autoreset_mode=AutoresetMode.SAME_STEP)
    with pytest.raises(InputError, match="final_obs"):
        steps(Interaction(forgetful, 0), 1)


def test_observations_of_several_arrays_are_refused():
    with pytest.raises(InputError, match=r"observation space=Tuple.*FlattenObservation"):
        Interaction(make_environments("Blackjack-v1", 2), 0)


@pytest.mark.parametrize(
    ("name", "autoreset"),
    [
        ("CartPole-v1", "next_step"),
        ("CartPole-v1", "same_step"),
        ("Acrobot-v1", "same_step"),
        ("MountainCar-v0", "next_step"),
        ("Taxi-v4" if "Taxi-v4" in gymnasium.registry else "Taxi-v3", "next_step"),
    ],
)
def test_a_loaded_interaction_goes_on_bit_equal(name, autoreset):
    straight = Interaction(make_environments(name, 3, autoreset=autoreset), 0)
    steps(straight, 37, action=1)
    loaded = Interaction(make_environments(name, 3, autoreset=autoreset), 99)
    loaded.load_state_dict(saved_and_loaded(straight.state_dict()))
    assert loaded.resumed_exactly
    for left, right in zip(steps(straight, 60), steps(loaded, 60), strict=True):
        for array in ("observations", "rewards", "next_observations", "terminated", "truncated", "valid", "started"):
            assert np.array_equal(getattr(left, array), getattr(right, array)), array
    assert straight.finished() == loaded.finished()
    assert (straight.environment_steps, straight.episodes) == (loaded.environment_steps, loaded.episodes)


def test_saving_does_not_disturb(scripted):
    plain, saved = (Interaction(make_environments("CartPole-v1", 3), 0) for _ in range(2))
    steps(plain, 10)
    steps(saved, 10)
    saved.state_dict()
    for left, right in zip(steps(plain, 30), steps(saved, 30), strict=True):
        assert np.array_equal(left.next_observations, right.next_observations)


class Unpicklable(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 1, (1,), np.float64)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.np_random.random(1), {}

    def step(self, action):
        return self.np_random.random(1), 1.0, False, False, {}

    def __getstate__(self):
        raise TypeError("cannot be pickled")


class SettingsOnly(gymnasium.utils.EzPickle, Unpicklable):
    """Pickles without a word, but only what it was made of."""

    __getstate__ = gymnasium.utils.EzPickle.__getstate__


@pytest.mark.parametrize("kind", [Unpicklable, SettingsOnly])
def test_environments_that_do_not_pickle_are_reset_and_it_is_said(kind):
    def fresh(seed=3):
        return Interaction(SyncVectorEnv([kind, kind]), seed)

    stopped = fresh()
    steps(stopped, 5)
    state = saved_and_loaded(stopped.state_dict())
    assert state["environments"] is None
    one, again = fresh(), fresh()
    first = one.observations
    for each in (one, again):
        each.load_state_dict(state)
    assert not one.resumed_exactly
    assert one.environment_steps == 10
    assert one.started.all()
    assert not np.array_equal(one.observations, first)  # a seed of their own
    assert np.array_equal(one.observations, again.observations)


def test_loading_into_another_number_of_environments_is_refused():
    state = Interaction(make_environments("CartPole-v1", 3), 0).state_dict()
    with pytest.raises(InputError, match="environments=2: must be 3"):
        Interaction(make_environments("CartPole-v1", 2), 0).load_state_dict(state)


@BOTH
@pytest.mark.parametrize("name", ["CartPole-v1", "Acrobot-v1", "FrozenLake-v1"])
def test_environments_reset_as_asked(name, autoreset):
    environments = make_environments(name, 2, autoreset=autoreset)
    assert environments.metadata["autoreset_mode"].name.lower() == autoreset


def test_the_form_for_many_is_taken_where_it_takes_the_settings():
    assert not isinstance(make_environments("CartPole-v1", 2), SyncVectorEnv)
    assert not isinstance(make_environments("Pendulum-v1", 2, g=9.81, max_episode_steps=7), SyncVectorEnv)
    assert isinstance(make_environments("CartPole-v1", 2, autoreset="same_step"), SyncVectorEnv)
    assert isinstance(make_environments("Pendulum-v1", 2, render_mode="rgb_array"), SyncVectorEnv)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("cartpol-v1", {}, "did you mean 'CartPole-v1'"),
        ("LunarLander-v2", {}, "did you mean 'LunarLander-v3'"),
        ("no_such_module:Thing-v0", {}, "module 'no_such_module' was not found"),
        ("CartPole-v1", {"gravitation": 3}, "must be settings of CartPole-v1"),
        ("CartPole-v1", {"count": 0}, "count=0: must be at least 1"),
        ("CartPole-v1", {"autoreset": "same_stp"}, "did you mean 'same_step'"),
    ],
)
def test_bad_input_is_refused_clearly(name, settings, said):
    with pytest.raises(InputError) as caught:
        make_environments(name, **{"count": 2, **settings})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    def missing(*_, **__):
        raise gymnasium.error.DependencyNotInstalled("Box2D is not installed")

    monkeypatch.setattr(gymnasium, "make_vec", missing)
    with pytest.raises(InputError, match=r"pip install 'deep-learning-labs\[box2d\]'"):
        make_environments("LunarLander-v3", 1)


@pytest.mark.slow
def test_a_step_costs_little_more_than_the_environments():
    environments = make_environments("CartPole-v1", 8)
    actions = np.random.default_rng(0).integers(0, 2, (1000, 8))
    interaction = Interaction(environments, 0)

    def cost(step):
        began = time.process_time()
        for each in actions:
            step(each)
        return (time.process_time() - began) / len(actions)

    rounds = [(cost(environments.step), cost(interaction.step)) for _ in range(9)]
    assert min(own for _, own in rounds) - min(bare for bare, _ in rounds) < 20e-6
