import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import agents.envs
from foundations.errors import InputError

NAMES = list(agents.envs.VECTOR_FORMS)
EVERY = pytest.mark.parametrize("name", NAMES)
TOLERANCE = {"Acrobot-v1": 1e-12, "MountainCar-v0": 1e-12, "MountainCarContinuous-v0": 3e-7, "Pendulum-v1": 1e-12}
"""Of states; the continuous car's are kept in single precision. Observations: one rounding, 3e-7. Rewards: 1e-9."""


def make(name, count=5, **settings):
    return gymnasium.make_vec(name, count, vectorization_mode="vector_entry_point", **settings)


def actions_of(environments, name, time):
    """Random ones; cars are driven with the speed half of the time, so that goals and walls are reached."""
    drawn = environments.action_space.sample()
    if "Car" not in name or time % 2:
        return drawn
    forward = np.sign(environments.state[1])
    return 1.5 * forward[:, None].astype(np.float32) if "Continuous" in name else forward.astype(np.int64) + 1


@EVERY
def test_steps_equal_gymnasiums_from_the_same_states(name):
    count = 10
    environments = make(name, count, max_episode_steps=10**6)
    singles = [gymnasium.make(name, disable_env_checker=True).unwrapped for _ in range(count)]
    environments.reset(seed=0)
    environments.action_space.seed(0)
    precision = np.float32 if name == "MountainCarContinuous-v0" else np.float64
    resets = np.zeros(count, np.bool_)
    found, wanted, ends = [], [], 0
    for time in range(1000):  # 10,000 random steps
        actions = actions_of(environments, name, time)
        before = environments.state.astype(precision)
        seen, rewards, terminated, _, _ = environments.step(actions)
        for index in np.flatnonzero(~resets):
            singles[index].state = before[:, index].copy()
            observation, reward, over, _, _ = singles[index].step(actions[index])
            wanted.append([*observation, reward, *singles[index].state, over])
            found.append([*seen[index], rewards[index], *environments.state[:, index], terminated[index]])
        resets = terminated
        ends += int(terminated.sum())
    found, wanted, size = np.array(found), np.array(wanted), seen.shape[1]
    np.testing.assert_allclose(found[:, :size], wanted[:, :size], rtol=3e-7, atol=3e-7)
    np.testing.assert_allclose(found[:, size], wanted[:, size], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found[:, size + 1 :], wanted[:, size + 1 :], rtol=0, atol=TOLERANCE[name])
    assert ends > 0 or name == "Pendulum-v1"


@EVERY
def test_whole_episodes_equal_gymnasiums(name):
    environments = make(name, 3)
    single = gymnasium.make(name)
    single.reset(seed=0)
    environments.reset(seed=0)
    environments.action_space.seed(1)
    single.unwrapped.state = environments.state[:, 1].copy()
    for _ in range(60):
        actions = environments.action_space.sample()
        seen, rewards, terminated, truncated, _ = environments.step(actions)
        wanted, reward, *over, _ = single.step(actions[1])
        np.testing.assert_allclose(seen[1], wanted, rtol=1e-5, atol=1e-5)
        assert rewards[1] == pytest.approx(reward, rel=1e-5, abs=1e-5)
        assert [terminated[1], truncated[1]] == over


@EVERY
def test_spaces_equal_gymnasiums(name):
    environments, single = make(name), gymnasium.make(name)
    assert environments.single_observation_space == single.observation_space
    assert environments.single_action_space == single.action_space


@EVERY
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_what_is_returned_fits_the_spaces(name, mode):
    environments = make(name, 4, max_episode_steps=7, autoreset_mode=mode)
    seen, info = environments.reset(seed=3)
    assert info == {}
    environments.action_space.seed(0)
    for _ in range(30):
        assert environments.observation_space.contains(seen)
        assert seen.flags.c_contiguous
        seen, rewards, terminated, truncated, info = environments.step(environments.action_space.sample())
        assert rewards.shape == terminated.shape == truncated.shape == (4,)
        assert (rewards.dtype, terminated.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)
        assert isinstance(info, dict)
    environments.close()


@EVERY
def test_seeds_repeat_and_differ(name):
    environments = make(name)
    first, again, other = (environments.reset(seed=seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(np.unique(first, axis=0)) == 5  # each begins elsewhere
    assert not np.array_equal(environments.reset()[0], other)  # no seed: the stream goes on


@EVERY
def test_gymnasiums_time_limit_holds(name):
    assert make(name).max_episode_steps == gymnasium.spec(name).max_episode_steps


@EVERY
def test_truncation_comes_after_as_many_steps_as_allowed(name):
    environments = make(name, 2, max_episode_steps=5)
    environments.reset(seed=0)
    cut = [environments.step(np.zeros_like(environments.action_space.sample()))[3].tolist() for _ in range(11)]
    ends = [4, 10]  # the sixth step resets
    assert cut == [[time in ends] * 2 for time in range(11)]


@EVERY
def test_next_step_resets_with_a_step_of_reward_zero(name):
    environments = make(name, 3, max_episode_steps=4)
    environments.reset(seed=0)
    still = np.zeros_like(environments.action_space.sample())
    for _ in range(4):
        final = environments.step(still)[0]
    begun, rewards, terminated, truncated, info = environments.step(still)
    assert not np.array_equal(begun, final)
    assert np.array_equal(begun, environments._seen(environments.state))
    assert not rewards.any()
    assert not terminated.any()
    assert not truncated.any()
    assert (environments.steps == 0).all()
    assert info == {}


@EVERY
def test_same_step_gives_the_final_observation_beside_the_first_one(name):
    same, next_ = (make(name, 3, max_episode_steps=4, autoreset_mode=mode) for mode in ("SameStep", "NextStep"))
    same.reset(seed=0)
    next_.reset(seed=0)
    still = np.zeros_like(same.action_space.sample())
    for _ in range(4):
        begun, _, _, truncated, info = same.step(still)
        final = next_.step(still)[0]
    assert truncated.all()
    assert np.array_equal(np.stack(info["final_obs"]), final)
    assert info["_final_obs"].all()
    assert not np.array_equal(begun, final)
    assert (same.steps == 0).all()


def test_only_the_ended_environments_are_reset():
    for mode in ("SameStep", "NextStep"):
        cars = make("MountainCar-v0", 3, autoreset_mode=mode)
        cars.reset(seed=0)
        cars.state[:, 1] = 0.49, 0.07
        left = cars.state[:, [0, 2]].copy()
        push = np.ones(3, np.int64)
        for _ in range(2 if mode == "NextStep" else 1):
            _, _, terminated, _, info = cars.step(push)
        assert cars.state[1, 1] == 0
        assert -0.6 <= cars.state[0, 1] <= -0.4
        assert np.abs(cars.state[:, [0, 2]] - left).max() < 0.01
        if mode == "SameStep":
            assert terminated.tolist() == info["_final_obs"].tolist() == [False, True, False]
            assert info["final_obs"][0] is None
            assert info["final_obs"][1][0] > 0.5


@EVERY
def test_returned_arrays_are_never_used_again(name):
    environments = make(name, 3, max_episode_steps=3)
    kept = [environments.reset(seed=0)[0]]
    copies = [kept[0].copy()]
    for _ in range(8):
        found = environments.step(environments.action_space.sample())[:4]
        kept += found
        copies += [each.copy() for each in found]
    for left, right in zip(kept, copies, strict=True):
        assert np.array_equal(left, right)


@pytest.mark.parametrize("name", ["Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0"])
def test_reset_takes_bounds_of_the_first_states(name):
    environments = make(name, 50)
    environments.reset(seed=0, options={"low": -0.05, "high": 0.01})
    assert environments.state.min() >= -0.05 - 1e-7
    assert environments.state.max() <= 0.01
    environments.reset(seed=0)
    assert environments.state[0].min() < -0.05  # the defaults are back


def test_reset_takes_bounds_of_the_pendulums_first_states():
    pendulums = make("Pendulum-v1", 50)
    pendulums.reset(seed=0, options={"x_init": 0.1, "y_init": 0.2})
    assert 0.05 < np.abs(pendulums.state[0]).max() <= 0.1
    assert 0.1 < np.abs(pendulums.state[1]).max() <= 0.2


@pytest.mark.parametrize(
    ("name", "settings"), [("Pendulum-v1", {"g": 3.0}), ("MountainCar-v0", {"goal_velocity": 0.06})]
)
def test_settings_of_gymnasium_are_taken(name, settings):
    environments, single = make(name, 2, **settings), gymnasium.make(name, **settings).unwrapped
    environments.reset(seed=0)
    single.reset(seed=0)
    if name == "MountainCar-v0":
        environments.state[:, 0] = 0.49, 0.05
    single.state = environments.state[:, 0].copy()
    actions = np.full_like(environments.action_space.sample(), 1)
    seen, _, terminated, _, _ = environments.step(actions)
    wanted, _, over, _, _ = single.step(actions[0])
    np.testing.assert_allclose(seen[0], wanted, rtol=1e-6)
    assert terminated[0] == over


@pytest.mark.parametrize("bad", [np.zeros(4, np.int64), np.zeros(5), np.full(5, 3), np.full(5, -1)])
def test_what_is_no_action_is_refused(bad):
    cars = make("MountainCar-v0", 5)
    cars.reset(seed=0)
    with pytest.raises(InputError, match="actions"):
        cars.step(bad)


@pytest.mark.parametrize("settings", [{"max_episode_steps": 0}, {"autoreset_mode": AutoresetMode.DISABLED}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        make("Pendulum-v1", 2, **settings)


def test_gymnasiums_own_vector_form_stays():
    assert "CartPole-v1" not in agents.envs.VECTOR_FORMS
    assert "gymnasium" in str(gymnasium.registry["CartPole-v1"].vector_entry_point)


@pytest.mark.parametrize("name", agents.envs.USES)
def test_the_uses_are_registered(name):
    assert gymnasium.spec(name).entry_point == agents.envs.USES[name]
