"""Tabular agents: each update by hand, learning held against the optimum, exact resume."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from states import assert_resumes_exactly

from agents.environments import make_one
from agents.playing import Agent, Player
from agents.tabular import SARSA, Comparison, DoubleQLearning, ExpectedSARSA, QLearning, exact_model
from agents.tabular.recipes import RECIPES, compare
from agents.tabular.states import States
from foundations.errors import InputError
from foundations.schedules import linear_decay
from foundations.streams import Streams

KINDS = (QLearning, SARSA, ExpectedSARSA, DoubleQLearning)
LAKE = "FrozenLake-v1"


def agent(kind=QLearning, name=LAKE, seed=0, **settings):
    return kind(make_one(name, disable_env_checker=True), streams=Streams(seed), **settings)


def with_values(kind, **settings):
    """gamma 0.5, alpha 0.1; in state 1 the actions are worth 1, 5, 2 and 0."""
    made = agent(kind, gamma=0.5, learning_rate=0.1, **settings)
    made.table[1][:] = [1.0, 5.0, 2.0, 0.0]
    made.table[0][2] = 3.0
    return made


# --- one transition by hand: from state 0 by action 2 (worth 3) to state 1, reward 2 ----------------------------------


def test_q_learning_moves_towards_the_best_of_what_follows():
    made = with_values(QLearning, epsilon=0.0)
    assert made.update(0, 2, 2.0, 1, False) == 1
    assert made.table[0][2] == pytest.approx(3 + 0.1 * (2 + 0.5 * 5 - 3))


def test_sarsa_moves_towards_the_action_that_it_takes_next():
    made = with_values(SARSA, epsilon=1.0)
    taken = made.update(0, 2, 2.0, 1, False)
    assert made.table[0][2] == pytest.approx(3 + 0.1 * (2 + 0.5 * [1.0, 5.0, 2.0, 0.0][taken] - 3))
    assert {with_values(SARSA, epsilon=1.0, seed=seed).update(0, 2, 2.0, 1, False) for seed in range(20)} == {
        0,
        1,
        2,
        3,
    }


def test_expected_sarsa_moves_towards_the_mean_of_what_it_may_do():
    made = with_values(ExpectedSARSA, epsilon=0.4)
    made.update(0, 2, 2.0, 1, False)
    assert made.table[0][2] == pytest.approx(3 + 0.1 * (2 + 0.5 * (0.6 * 5 + 0.4 * 2) - 3))


def test_double_q_learning_takes_the_action_from_one_table_and_its_value_from_the_other():
    made = with_values(DoubleQLearning, epsilon=0.0)
    made.other[1][:] = [9.0, 4.0, 0.0, 0.0]
    made.other[0][2] = 1.0
    made.update(0, 2, 2.0, 1, False)
    first = made.table[0][2], made.other[0][2]
    learned_in_the_first = pytest.approx((3 + 0.1 * (2 + 0.5 * 4 - 3), 1.0))
    learned_in_the_other = pytest.approx((3.0, 1 + 0.1 * (2 + 0.5 * 1 - 1)))
    assert first in (learned_in_the_first, learned_in_the_other)


@pytest.mark.parametrize("kind", KINDS)
def test_behind_an_end_there_is_nothing_to_come(kind):
    made = with_values(kind)
    if kind is DoubleQLearning:
        made.other = [list(row) for row in made.table]
    made.update(0, 2, 2.0, 1, True)
    assert 3 + 0.1 * (2 - 3) in (made.table[0][2], getattr(made, "other", made.table)[0][2])


def test_the_step_shrinks_with_each_visit_of_the_pair():
    made = agent(gamma=0.0, learning_rate=1.0, visit_power=1.0)
    for reward in (1.0, 0.0, 0.0, 1.0):
        made.update(0, 1, reward, 1, False)
    assert made.table[0][1] == pytest.approx(0.5)  # with alpha = 1 / n: the plain mean


def test_both_rates_follow_their_schedules_over_the_episodes():
    settings = {"epsilon": 0.8, "learning_rate": 0.4, "episodes": 3}
    made = agent(**settings, epsilon_schedule=linear_decay(4), learning_rate_schedule=linear_decay(8))
    next(made.learn())  # episodes 0, 1, 2
    assert made.epsilon == pytest.approx(0.8 * 0.5)
    assert made.learning_rate == pytest.approx(0.4 * 0.75)


def test_equal_values_are_chosen_all_alike_and_the_best_else():
    made = agent(epsilon=0.0)
    made.table[0][:] = [1.0, 0.0, 1.0, 0.0]
    chosen = [made.act(0) for _ in range(200)]
    assert set(chosen) == {0, 2}
    assert 60 < chosen.count(0) < 140


def test_exploration_takes_every_action_alike():
    made = agent(epsilon=0.5)
    made.table[0][:] = [9.0, 0.0, 0.0, 0.0]
    counts = np.bincount([made.act(0) for _ in range(4000)], minlength=4) / 4000
    assert counts == pytest.approx([0.625, 0.125, 0.125, 0.125], abs=0.03)


class Biased(gymnasium.Env):
    """Sutton and Barto's example 6.7: right ends for 0; left leads to ten actions that pay N(-0.1, 1) and end."""

    observation_space = spaces.Discrete(2)
    action_space = spaces.Discrete(10)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = 0
        return 0, {}

    def step(self, action):
        if self.state == 0 and action < 5:  # left, as likely as right
            self.state = 1
            return 1, 0.0, False, False, {}
        return self.state, 0.0 if self.state == 0 else self.np_random.normal(-0.1, 1), True, False, {}


def test_double_q_learning_overestimates_less():
    def value_of_left(kind, seed):
        made = kind(Biased(), streams=Streams(seed), gamma=1.0, learning_rate=0.1, epsilon=1.0, episodes=400)
        next(made.learn())
        return made.values[0, :5].mean()

    single, double = ([value_of_left(kind, seed) for seed in range(20)] for kind in (QLearning, DoubleQLearning))
    assert np.mean(single) > 0.05  # the truth is -0.1
    assert np.mean(double) < 0


# --- learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("name", "episodes"), [("frozen_lake", 8_000), ("cliff_walking", 2_000), ("taxi", 4_000)])
def test_learned_policies_are_within_two_percent_of_the_optimum(name, episodes):
    recipe = RECIPES[name]
    comparison = compare(recipe, episodes=episodes, looks=1, seeds=1, streams=Streams(0))
    next(comparison.learn())
    assert {method: rows[-1][0] < 2 for method, rows in comparison.gaps.items()} == dict.fromkeys(comparison.gaps, True)


def test_on_the_cliff_sarsa_keeps_away_from_the_edge_and_earns_more_while_it_explores():
    from agents.tabular.recipes import EDGE

    comparison = compare(EDGE, episodes=500, looks=2, seeds=3, streams=Streams(0))
    updates = comparison.learn()
    next(updates), next(updates)
    assert max(comparison.gaps["q_learning"][-1]) == 0  # the shortest way, along the edge
    assert min(comparison.gaps["sarsa"][-1]) > 10  # a longer way
    assert np.mean(comparison.returns["sarsa"][-1]) > np.mean(comparison.returns["q_learning"][-1]) + 10


def test_the_late_return_is_the_mean_of_the_second_half():
    comparison = compare(RECIPES["cliff_walking"], episodes=4, looks=4, seeds=2, streams=Streams(0))
    comparison.returns["sarsa"] = [[-9.0, -9.0], [-9.0, -9.0], [-1.0, -2.0], [-3.0, -4.0]]
    assert comparison.late_return("sarsa") == -2.5


def test_a_player_reaches_what_the_table_promises():
    made = agent(QLearning, "CliffWalking-v1", gamma=1.0, learning_rate=1.0, episodes=300, epsilon=0.1)
    next(made.learn())
    player, environment = made.player(greedy=True, stream=np.random.default_rng(0)), make_one("CliffWalking-v1")
    assert isinstance(made, Agent)
    assert isinstance(player, Player)
    observation, total, over = environment.reset(seed=0)[0], 0.0, False
    while not over:
        action = player.act(np.array([observation]), np.zeros(1, bool))[0]
        observation, reward, over, _, _ = environment.step(int(action))
        total += reward
    assert total == -13


def test_a_player_is_not_reached_by_later_learning():
    made = agent()
    player = made.player(greedy=True, stream=np.random.default_rng(0))
    before = player.act(np.arange(16), np.zeros(16, bool))
    made.table[3][:] = [0.0, 0.0, 0.0, 9.0]
    assert np.array_equal(player.act(np.arange(16), np.zeros(16, bool)), before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [LAKE, "Blackjack-v1"])
def test_resuming_is_exact(kind, name):
    settings = {"episodes": 20, "epsilon_schedule": linear_decay(60), "visit_power": 0.6}
    straight, resumed = assert_resumes_exactly(lambda: agent(kind, name, **settings), 1, 2)
    assert np.array_equal(resumed.values, straight.values)


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    runs = [agent(seed=seed, episodes=30) for seed in (1, 1, 2)]
    steps = [next(each.learn())["environment_steps"] for each in runs]
    assert steps[0] == steps[1] != steps[2]


def test_a_comparison_resumes_exactly_with_its_curves():
    recipe = RECIPES["cliff_walking"]
    straight, resumed = assert_resumes_exactly(
        lambda: compare(recipe, episodes=40, looks=4, seeds=1, streams=Streams(0)), 2, 2
    )
    assert resumed.returns == straight.returns
    assert resumed.gaps == straight.gaps


# --- states and bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(5, start=2),
        spaces.MultiDiscrete([3, 4]),
        spaces.Tuple((spaces.Discrete(3), spaces.Discrete(2, start=1), spaces.Discrete(4))),
    ],
)
def test_every_observation_has_a_number_of_its_own(space):
    states = States(space)
    space.seed(0)
    seen = {str(each): states.one(each) for each in (space.sample() for _ in range(500))}
    assert len(set(seen.values())) == len(seen) == states.count
    assert set(seen.values()) == set(range(states.count))


def test_observations_of_many_environments_have_the_same_numbers():
    space = spaces.Tuple((spaces.Discrete(3), spaces.Discrete(4)))
    states, pairs = States(space), [(2, 1), (0, 3), (1, 1)]
    assert states.many(tuple(np.array(part) for part in zip(*pairs, strict=True))).tolist() == [
        states.one(pair) for pair in pairs
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.0}, r"learning_rate=0.0: must be above 0 and at most 1"),
        ({"learning_rate": 1.5}, r"learning_rate=1.5: must be above 0 and at most 1"),
        ({"epsilon": -0.1}, r"epsilon=-0.1: must be between 0 and 1"),
        ({"gamma": 1.01}, r"gamma=1.01: must be between 0 and 1"),
        ({"visit_power": 2.0}, r"visit_power=2.0: must be between 0 and 1"),
        ({"episodes": 0}, r"episodes=0: must be at least 1"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        agent(**settings)


def test_spaces_that_no_table_holds_are_refused_with_advice():
    with pytest.raises(InputError, match=r"observation space .*: a table takes Discrete.*DQN"):
        agent(name="CartPole-v1")
    with pytest.raises(InputError, match=r"action space=.*Discrete for a table"):
        agent(name="Pendulum-v1")


def test_an_unknown_environment_is_refused_with_near_names():
    with pytest.raises(InputError, match=r"environment='FrozenLak-v1'.*did you mean 'FrozenLake-v1'"):
        agent(name="FrozenLak-v1")


def test_a_comparison_without_agents_and_more_looks_than_episodes_are_refused():
    with pytest.raises(InputError, match="at least one agent"):
        Comparison({}, exact_model(make_one(LAKE)), 0.9)
    with pytest.raises(InputError, match=r"looks=9: must be from 1 to 5"):
        compare(RECIPES["taxi"], episodes=5, looks=9, seeds=1, streams=Streams(0))
