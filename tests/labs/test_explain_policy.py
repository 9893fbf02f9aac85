"""What the lab `explain_policy` plays, that its trial tells good orders from bad ones, and that its rules are known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import agents
import explain
from foundations.streams import Streams
from labs.drawings.explain_policy import NAMES, film_frames
from labs.explain_policy import (
    HAND_MADE,
    Config,
    Pusher,
    gather,
    keep_states,
    one_episode,
    policy_of,
)

CONFIG = Config(samples=300, film_steps=25)
RULE = explain.TwoActions(explain.BlackBox(explain.LinearRule(np.array(HAND_MADE), np.zeros(4))))


@pytest.fixture(scope="module")
def states():
    return gather(RULE, Streams(0))


def test_the_rule_written_by_hand_balances_the_pole():
    assert agents.evaluate(Pusher(RULE), "CartPole-v1", episodes=5, seed=0).mean == 500


def test_gathered_states_are_those_of_a_policy_that_also_recovers(states):
    assert states.shape == (2_000, 4)
    assert np.abs(states[:, 2]).max() < 0.42  # radians: no pole lies down
    assert states[:, 2].std() > 0.01


@pytest.mark.slow
def test_an_episode_has_a_picture_and_an_explanation_for_each_step(states):
    along, frames = one_episode(RULE, explain.Background(states, names=NAMES), CONFIG)
    assert len(along.predictions) == len(frames) == 25
    film = film_frames(frames, along, RULE, most=5)
    assert film.shape[0] == 5
    assert film.dtype == np.uint8
    assert (film[0] != film[4]).any()


def test_the_named_number_turns_more_pushes_than_a_random_one(states):
    background = explain.Background(states, names=NAMES)
    found = RULE.explain(states[:60], background, samples=300, seed=0)
    turned = RULE.turning(found, background, draws=24, seed=0)
    named, random = turned.named.mean(axis=0), turned.random.mean(axis=(0, 1))
    assert named[0] == random[0] == 0
    assert named[1] > 2 * random[1]
    assert named[4] == pytest.approx(random[4])


def test_values_are_played_by_their_own_threshold(states):
    class Values(torch.nn.Module):
        def forward(self, rows):
            score = rows @ torch.tensor(HAND_MADE)
            return torch.stack([100 - score, 100 + score], dim=1)

    values = explain.TwoActions.of_values(Values(), ("left", "right"))
    assert (values.quantity, values.threshold) == ("Q(right) - Q(left)", 0.0)
    np.testing.assert_array_equal(
        Pusher(values).act(states[:50], np.zeros(50, bool)), Pusher(RULE).act(states[:50], np.zeros(50, bool))
    )


def test_kept_states_are_read_back(states, tmp_path):
    import pandas as pd

    keep_states(states, tmp_path / "background.csv")
    table = pd.read_csv(tmp_path / "background.csv")
    assert tuple(table.columns) == NAMES
    np.testing.assert_allclose(table.to_numpy(), states)


@pytest.mark.parametrize(("name", "quantity"), [("ppo", "P(right)"), ("sb3-dqn", "Q(right) - Q(left)")])
def test_the_agent_of_a_finished_run_is_read_by_what_its_network_answers(name, quantity):
    assert policy_of(SimpleNamespace(name=name, module=torch.nn.Linear(4, 2))).quantity == quantity
