import random

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3.common.vec_env import VecNormalize
from states import assert_resumes_exactly

from agents.environments import make_environments
from agents.playing import Agent
from agents.sb3 import StableBaselines
from agents.sb3.adapter import ALGORITHMS
from agents.sb3.environments import Bridge
from agents.sb3.randomness import GlobalStreams
from foundations.errors import InputError
from foundations.streams import Streams

TINY = {
    "ppo": {"n_steps": 32, "batch_size": 32, "n_epochs": 2},
    "a2c": {"n_steps": 8},
    "dqn": {"learning_starts": 20, "batch_size": 8, "train_freq": 8, "gradient_steps": 2, "buffer_size": 100},
    "sac": {"learning_starts": 16, "batch_size": 8, "train_freq": 8, "buffer_size": 100},
    "td3": {"learning_starts": 16, "batch_size": 8, "train_freq": 8, "buffer_size": 100, "action_noise": 0.1},
    "ddpg": {"learning_starts": 16, "batch_size": 8, "train_freq": 8, "buffer_size": 100, "action_noise": 0.1},
}
CONTINUOUS = ("sac", "td3", "ddpg")


def make(algorithm, *, environment=None, count=2, seed=0, total_steps=160, **settings):
    environment = environment or ("Pendulum-v1" if algorithm in CONTINUOUS else "CartPole-v1")
    environments = make_environments(environment, count, autoreset="same_step")
    settings = {"policy_kwargs": {"net_arch": [16]}, **TINY[algorithm], **settings}
    return StableBaselines(algorithm, environments, total_steps=total_steps, streams=Streams(seed), **settings)


def trained(agent, updates=None):
    for _, _ in zip(range(updates or agent.updates), agent.learn(), strict=False):
        pass
    return agent


def weights(agent):
    return torch.cat([each.detach().flatten() for each in agent.model.policy.parameters()])


# --- learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_is_an_agent_that_learns_and_acts(algorithm):
    agent = make(algorithm)
    before = weights(agent)
    metrics = list(agent.learn())
    assert isinstance(agent, Agent)
    assert len(metrics) == agent.updates
    assert metrics[-1]["environment_steps"] == agent.environment_steps >= 160
    assert any(name.startswith("train/") and "loss" in name for name in metrics[-1])
    assert not torch.equal(weights(agent), before)
    observations = agent._bridge.reset()
    for greedy in (True, False):
        player = agent.player(greedy=greedy, stream=np.random.default_rng(0))
        actions = player.act(observations, np.ones(2, np.bool_))
        assert all(agent.model.action_space.contains(action) for action in actions)


def test_returns_are_those_of_whole_episodes():
    agent = make("ppo", environment="Pendulum-v1", total_steps=1_000, n_steps=250, batch_size=50)
    metrics = list(agent.learn())
    lengths = [each["episode/length"] for each in metrics if "episode/length" in each]
    assert lengths == [200.0] * len(lengths)
    assert len(lengths) == 2
    assert all(-2_000 < each["episode/return"] < 0 for each in metrics if "episode/return" in each)


@pytest.mark.slow
def test_ppo_learns_to_hold_a_pole():
    settings = {"n_steps": 128, "batch_size": 256, "learning_rate": 1e-3, "policy_kwargs": {"net_arch": [32]}}
    metrics = list(make("ppo", count=8, total_steps=10_240, n_epochs=8, **settings).learn())
    assert metrics[-1]["episode/return"] > 100


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    runs = [weights(trained(make("ppo", seed=seed))) for seed in (0, 0, 1)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_a_player_is_not_reached_by_later_learning():
    agent = make("ppo")
    player, observations = agent.player(greedy=True, stream=np.random.default_rng(0)), np.zeros((2, 4), np.float32)
    before = player._policy.get_distribution(torch.zeros(2, 4)).distribution.logits
    trained(agent)
    after = player._policy.get_distribution(torch.zeros(2, 4)).distribution.logits
    assert torch.equal(before, after)
    assert player.act(observations, np.ones(2, np.bool_)).shape == (2,)


def test_what_others_draw_globally_is_not_disturbed():
    def drawn():
        return random.random(), np.random.random(), torch.rand(1).item()  # noqa: NPY002

    GlobalStreams(3, torch.device("cpu"))._write(GlobalStreams(3, torch.device("cpu"))._own)
    wanted = drawn()
    GlobalStreams(3, torch.device("cpu"))._write(GlobalStreams(3, torch.device("cpu"))._own)
    agent = trained(make("dqn"))
    agent.player(greedy=False, stream=np.random.default_rng(0)).act(np.zeros((2, 4), np.float32), np.ones(2, np.bool_))
    assert drawn() == wanted


# --- our environments, their environments -----------------------------------------------------------------------------


class Counting(gym.Env):
    """Observes how many steps it has taken; ends after 3, cut in every second episode."""

    observation_space = gym.spaces.Box(0, 100, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self):
        self.episode, self.steps = -1, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.steps = self.episode + 1, 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.steps += 1
        end = self.steps == 3
        observation = np.full(1, self.steps, np.float32)
        return observation, 1.0, end and self.episode % 2 == 0, end and self.episode % 2 == 1, {}


def counting(count=1):
    mode = gym.vector.AutoresetMode.SAME_STEP
    return gym.vector.SyncVectorEnv([Counting for _ in range(count)], autoreset_mode=mode)


def walked(bridge, steps=6):
    for _ in range(steps):
        bridge.step_async(np.zeros(bridge.num_envs, np.int64))
        yield bridge.step_wait()


def test_an_end_shows_the_next_first_observation_and_keeps_the_final_one():
    observations, rewards, dones, infos = zip(*walked(Bridge(counting(), 0)), strict=True)
    assert np.ravel(observations).tolist() == [1, 2, 0, 1, 2, 0]
    assert np.ravel(dones).tolist() == [False, False, True] * 2
    assert np.ravel(rewards).tolist() == [1] * 6
    assert infos[2][0]["terminal_observation"].tolist() == infos[5][0]["terminal_observation"].tolist() == [3]


def test_only_a_time_limit_is_called_truncated():
    _, _, _, infos = zip(*walked(Bridge(counting(), 0)), strict=True)
    assert [info[0].get("TimeLimit.truncated") for info in infos] == [None, None, False, None, None, True]


def test_the_replay_holds_no_step_that_joins_episodes():
    agent = StableBaselines(
        "dqn", counting(2), total_steps=80, streams=Streams(0), policy_kwargs={"net_arch": [8]}, **TINY["dqn"]
    )
    replay = trained(agent).model.replay_buffer
    assert (replay.next_observations - replay.observations)[: replay.size()].ravel().tolist() == [1] * 80


def test_environments_that_reset_in_the_next_step_are_refused():
    environments = make_environments("CartPole-v1", 2)
    with pytest.raises(InputError, match=r"^autoreset_mode=.*SAME_STEP for Stable-Baselines3; make_environments"):
        StableBaselines("ppo", environments, total_steps=100, streams=Streams(0))


# --- normalisation ----------------------------------------------------------------------------------------------------


def test_a_player_normalises_as_the_agent_did_when_it_was_made():
    agent = trained(make("ppo", normalize_observations=True, normalize_rewards=True), 2)
    player, living = agent.player(greedy=True, stream=np.random.default_rng(0)), agent.model.get_vec_normalize_env()
    mean = living.obs_rms.mean.copy()
    trained(agent)
    player.act(np.full((2, 4), 50, np.float32), np.ones(2, np.bool_))
    assert not (living.obs_rms.mean == mean).all()
    assert (player._normalizer.obs_rms.mean == mean).all()


def test_episode_returns_stay_raw_where_rewards_are_normalised():
    agent = make("ppo", normalize_rewards=True)
    metrics = [each for each in agent.learn() if "episode/return" in each]
    assert all(each["episode/return"] == each["episode/length"] for each in metrics)


# --- going on ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        ("ppo", {}),
        ("ppo", {"normalize_observations": True, "normalize_rewards": True}),
        ("dqn", {"buffer_size": 60}),
        ("a2c", {"environment": "Pendulum-v1", "use_sde": True}),
        ("sac", {}),
        ("td3", {}),
    ],
)
def test_a_resumed_run_ends_with_the_same_bits(algorithm, settings):
    settings = {"total_steps": 400, **settings}
    straight, resumed = assert_resumes_exactly(lambda: make(algorithm, **settings), 3)
    stopped = trained(make(algorithm, **settings), 3)
    assert not torch.equal(weights(stopped), weights(straight))
    assert resumed.resumed_exactly
    assert torch.equal(weights(resumed), weights(straight))
    assert resumed.environment_steps == straight.environment_steps


def test_the_state_of_another_algorithm_is_refused():
    with pytest.raises(InputError, match=r"^algorithm='a2c': must be 'ppo', whose state this is$"):
        make("a2c").load_state_dict(make("ppo").state_dict())


@pytest.mark.parametrize("algorithm", ["ppo", "dqn", "sac"])
def test_what_is_saved_loads_in_plain_stable_baselines3(algorithm, tmp_path):
    agent = trained(make(algorithm))
    agent.save(tmp_path / "agent.zip")
    plain = getattr(stable_baselines3, algorithm.upper()).load(tmp_path / "agent.zip")
    observations = agent._bridge.reset()
    actions = agent.player(greedy=True, stream=np.random.default_rng(0)).act(observations, np.ones(2, np.bool_))
    assert (plain.predict(observations, deterministic=True)[0] == actions).all()


def test_normalisation_is_saved_beside_the_model(tmp_path):
    agent = trained(make("ppo", normalize_observations=True))
    agent.save(tmp_path / "agent.zip")
    bridge = Bridge(make_environments("CartPole-v1", 2, autoreset="same_step"), 0)
    loaded = VecNormalize.load(str(tmp_path / "agent.normalizer.pkl"), bridge)
    assert (loaded.obs_rms.mean == agent.model.get_vec_normalize_env().obs_rms.mean).all()


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "settings", "message"),
    [
        ("dqn", {"environment": "Pendulum-v1"}, r"^action space=Box.*: must be Discrete for dqn$"),
        ("sac", {"environment": "CartPole-v1"}, r"^action space=Discrete\(2\): must be Box for sac$"),
        ("ppo", {"learning_rate": -1.0}, r"^learning_rate=-1\.0: must be above 0$"),
        ("dqn", {"batch_size": 101}, r"^batch_size=101: must be at most buffer_size=100$"),
        ("ppo", {"gama": 0.9}, r"^settings of ppo: .*unexpected keyword argument 'gama'"),
        ("dqn", {"train_freq": (1, "episode")}, r"^train_freq=\(1, 'episode'\): must be a number of steps$"),
        ("td3", {"action_noise": -0.1}, r"^action_noise=-0\.1: must be at least 0$"),
    ],
)
def test_impossible_settings_are_refused(algorithm, settings, message):
    with pytest.raises(InputError, match=message):
        make(algorithm, **settings)


def test_an_unknown_algorithm_is_refused_with_the_nearest():
    environments = make_environments("CartPole-v1", 1, autoreset="same_step")
    with pytest.raises(InputError, match=r"algorithm='ppo2': .* did you mean 'ppo'\?"):
        StableBaselines("ppo2", environments, total_steps=100, streams=Streams(0))
