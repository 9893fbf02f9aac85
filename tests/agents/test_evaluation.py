import gymnasium
import numpy as np
import pytest

import agents.evaluation
from agents.environments import make_environments
from agents.evaluation import evaluate
from foundations.errors import InputError


class Still:
    """Always does the same, and remembers what it was shown."""

    def __init__(self, action=0):
        self.action, self.starts, self.first = action, [], None

    def act(self, observations, started):
        self.first = observations.copy() if self.first is None else self.first
        self.starts.append(started.copy())
        return np.full(len(observations), self.action)


@pytest.fixture
def on_scripts(scripted, monkeypatch):
    """`evaluate` on environments of scripted lengths."""

    def play(*scripts, player=None, **settings):
        def make(_, count, **__):
            assert count == len(scripts)
            return scripted("next_step", *scripts)

        monkeypatch.setattr(agents.evaluation, "make_environments", make)
        settings = {"episodes": len(scripts), "seed": 0, "environments": len(scripts), **settings}
        return evaluate(player or Still(), "Scripted", **settings)

    return play


def test_each_environment_plays_its_share_however_short_the_others_are(on_scripts):
    found = on_scripts((1,), (9,), episodes=6)
    # The first to finish would have been six episodes of length 1.
    assert found.lengths.tolist() == [1, 1, 1, 9, 9, 9]


def test_what_cannot_be_shared_evenly_goes_to_the_first_environments(on_scripts):
    found = on_scripts((1,), (2,), (4,), episodes=5)
    assert found.lengths.tolist() == [1, 1, 2, 2, 4]


def test_returns_are_sums_of_raw_rewards(on_scripts):
    found = on_scripts((2, 3), episodes=3)
    assert found.returns.tolist() == [2, 30, 200]
    assert found.mean == pytest.approx(232 / 3)
    assert found.std == pytest.approx(np.std([2, 30, 200]))


def test_success_is_the_share_that_the_environment_says(on_scripts):
    assert on_scripts((1,), episodes=3).success == pytest.approx(2 / 3)  # episodes 0 and 2


def test_success_is_the_share_that_reaches_the_threshold(on_scripts):
    assert on_scripts((1,), episodes=4, reward_threshold=100).success == 0.5


def test_success_is_unknown_where_nothing_tells_of_it():
    assert evaluate(Still(), "CartPole-v1", episodes=2, seed=0).success is None


def test_players_are_told_where_episodes_begin(on_scripts):
    player = Still()
    on_scripts((2,), episodes=2, player=player)
    assert np.concatenate(player.starts).tolist() == [True, False, False, True, False]  # the third only resets


def test_the_same_seed_gives_the_same_episodes_another_gives_others():
    one, again, other = (
        evaluate(Still(1), "Acrobot-v1", episodes=4, seed=seed, max_episode_steps=80) for seed in (0, 0, 1)
    )
    assert np.array_equal(one.returns, again.returns)
    assert one.lengths.shape == other.lengths.shape
    players = [Still() for _ in range(2)]
    for player, seed in zip(players, (0, 1), strict=True):
        evaluate(player, "CartPole-v1", episodes=4, seed=seed)
    assert not np.array_equal(players[0].first, players[1].first)


def test_no_more_environments_than_episodes_are_made():
    player = Still()
    evaluate(player, "CartPole-v1", episodes=3, seed=0)
    assert player.first.shape == (3, 4)


def test_the_interval_holds_the_mean_and_narrows_with_episodes():
    class Drawn:
        stream = np.random.default_rng(0)

        def act(self, observations, started):
            return self.stream.integers(0, 2, len(observations))

    few, many = (evaluate(Drawn(), "CartPole-v1", episodes=episodes, seed=0) for episodes in (10, 200))
    for each in (few, many):
        assert each.interval[0] < each.mean < each.interval[1]
    assert many.interval[1] - many.interval[0] < few.interval[1] - few.interval[0]


class Learner:
    """An agent that never learns; its players tell how they were asked for."""

    def __init__(self):
        self.asked = []

    def learn(self):
        yield {}

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass

    def player(self, *, greedy, stream):
        self.asked.append((greedy, stream.random()))
        return Still()


def test_an_agent_plays_greedily_or_not_with_a_stream_from_the_seed():
    agent = Learner()
    for greedy, seed in ((True, 0), (False, 0), (False, 1)):
        evaluate(agent, "CartPole-v1", episodes=1, seed=seed, greedy=greedy)
    assert [greedy for greedy, _ in agent.asked] == [True, False, False]
    assert agent.asked[0][1] == agent.asked[1][1] != agent.asked[2][1]


def test_evaluation_leaves_the_training_environments_alone():
    environments = make_environments("CartPole-v1", 2)
    before = environments.reset(seed=0)[0]
    evaluate(Still(), "CartPole-v1", episodes=2, seed=0)
    assert np.array_equal(environments.state.T.astype(np.float32), before)


def test_an_episode_that_never_ends_is_refused_with_the_way_out(on_scripts, monkeypatch):
    monkeypatch.setattr(agents.evaluation, "LONGEST", 50)
    with pytest.raises(InputError, match="max_episode_steps=1000"):
        on_scripts((10_000,), episodes=1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"episodes": 0}, "episodes=0: must be at least 1"),
        ({"environments": 0}, "environments=0: must be at least 1"),
        ({"environment": "CartPol-v1"}, "did you mean 'CartPole-v1'"),
    ],
)
def test_bad_input_is_refused_clearly(settings, said):
    with pytest.raises(InputError) as caught:
        evaluate(Still(), **{"environment": "CartPole-v1", "episodes": 1, "seed": 0, **settings})
    assert said in str(caught.value)


def test_scripts_are_environments_that_pass_gymnasiums_checks(scripted):
    single = scripted("next_step", (3,)).envs[0]
    assert isinstance(single, gymnasium.Env)
    assert single.observation_space.contains(single.reset(seed=0)[0])
