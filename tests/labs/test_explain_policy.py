"""What the lab `explain_policy` plays, that its trial tells good orders from bad ones, and that its rules are known."""

import numpy as np
import pytest

import agents
import explain
from foundations.errors import InputError
from foundations.streams import Streams
from labs.drawings.explain_policy import NAMES, film_frames
from labs.explain_policy import (
    HAND_MADE,
    Config,
    Policy,
    Pusher,
    explain_states,
    finished,
    gather,
    keep_states,
    one_episode,
    rule_policy,
    turning,
)

CONFIG = Config(samples=300, film_steps=25)
RULE = rule_policy(explain.LinearRule(np.array(HAND_MADE), np.zeros(4)))


class FakeRun:
    def __init__(self):
        self.streams = Streams(0)


@pytest.fixture(scope="module")
def states():
    return gather(RULE, FakeRun())


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
    found = explain_states(RULE, states[:60], background, CONFIG)
    turned = turning(RULE, found, background, 0)
    assert turned["explanation"][0] == turned["random"][0] == 0
    assert turned["explanation"][1] > 2 * turned["random"][1]
    assert turned["explanation"][4] == pytest.approx(turned["random"][4])


def test_values_are_explained_against_their_own_threshold(states):
    box = explain.BlackBox(lambda rows: rows @ np.array(HAND_MADE), outputs="values", names=("Q(right) - Q(left)",))
    values = Policy(box, 0, "Q(right) - Q(left)", 0.0)
    np.testing.assert_array_equal(
        Pusher(values).act(states[:50], np.zeros(50, bool)), Pusher(RULE).act(states[:50], np.zeros(50, bool))
    )


def test_kept_states_are_read_back(states, tmp_path):
    import pandas as pd

    keep_states(states, tmp_path / "background.csv")
    table = pd.read_csv(tmp_path / "background.csv")
    assert tuple(table.columns) == NAMES
    np.testing.assert_allclose(table.to_numpy(), states)


def test_an_agent_of_a_run_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="there are no runs"):
        finished("last")
