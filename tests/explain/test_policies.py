"""Actions explained: known rules are recovered, probabilities and Q-values alike; series along an episode."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from scipy.stats import spearmanr

from agents.networks import ActorCritic
from agents.spaces import describe_actions, describe_observations
from explain.background import Background
from explain.blackbox import BlackBox
from explain.planted import LinearRule, random_slopes
from explain.policies import explain_action, explain_episode
from explain.tabular import explain_row
from foundations.errors import InputError

NAMES = ("position", "velocity", "angle", "angular velocity")
SIZES = np.array([1.0, 0.5, 0.1, 0.4])
STATES = np.random.default_rng(0).normal(size=(500, 4)) * SIZES + np.array([0.2, 0, 0, 0])
SAMPLES = 500


def rule(slopes):
    """Slopes per standard deviation."""
    return LinearRule(np.asarray(slopes) / STATES.std(0), STATES.mean(0))


RULE = rule([0.2, 0.5, 2.0, 1.0])


@pytest.mark.parametrize("seed", range(30))
def test_a_linear_rule_is_recovered_with_signs_and_ranks(seed):
    slopes = random_slopes(4, np.random.default_rng(seed))
    for state in STATES[seed : seed + 3]:
        found = explain_action(BlackBox(rule(slopes)), state, STATES, samples=2000, seed=seed)
        np.testing.assert_array_equal(np.sign(found.weights[1]), np.sign(slopes))
        np.testing.assert_array_equal(np.argsort(np.abs(found.weights[1])), np.argsort(np.abs(slopes)))


def test_what_a_policy_does_not_look_at_gets_next_to_no_weight():
    found = explain_action(BlackBox(rule([0, 1.5, 0, 0])), STATES[0], STATES, names=NAMES, samples=5000, seed=0)
    assert found.top(1, 1)[0][0] == "velocity"
    assert np.abs(found.weights[1][[0, 2, 3]]).max() < 0.05 * found.weights[1][1]


def test_the_preferred_action_comes_first_and_two_actions_mirror_each_other():
    for state in STATES[:10]:
        found = explain_action(BlackBox(RULE), state, STATES, samples=SAMPLES, seed=0)
        assert found.kind == "action"
        assert found.labels[0] == RULE(state[None])[0].argmax()
        np.testing.assert_allclose(found.weights[0], -found.weights[1], atol=1e-12)


def test_q_values_are_explained_with_the_best_action_first():
    slopes = np.array([[1.0, 0, 0, 0], [0, -3, 0, 0], [0, 0, 40, 0]])
    box = BlackBox(lambda states: states @ slopes.T, outputs="values", names=("a", "b", "c"))
    state = np.array([0.5, -1.0, 0.01, 0.0])
    found = explain_action(box, state, STATES, names=NAMES, samples=2000, seed=0)
    assert found.labels == (1, 0, 2)
    for action in range(3):
        np.testing.assert_allclose(found.weights[action], slopes[action] * STATES.std(0), rtol=0.02, atol=0.01)
        assert found.r2[action] > 0.99


def test_it_equals_the_explanation_of_a_row():
    settings = {"samples": SAMPLES, "seed": 5, "count": None}
    row = explain_row(BlackBox(RULE), STATES[3], STATES, names=NAMES, **settings)
    action = explain_action(BlackBox(RULE), STATES[3], STATES, names=NAMES, **settings)
    for label in (0, 1):
        np.testing.assert_array_equal(action.weights[label], row.weights[label])


def test_an_agents_network_is_explained_in_its_own_precision_and_left_as_it_was():
    inputs, actions = describe_observations(Box(-1, 1, (4,))), describe_actions(Discrete(3))
    network = ActorCritic(inputs, actions, generator=torch.Generator().manual_seed(0))
    policy = torch.nn.Sequential(network.encoder, network.actor, torch.nn.Softmax(dim=1))
    found = explain_action(BlackBox(policy), STATES[0].astype(np.float32), STATES, samples=SAMPLES, seed=0)
    assert sorted(found.labels) == [0, 1, 2]
    assert policy.training
    assert sum(found.predictions.values()) == pytest.approx(1, abs=1e-6)


def test_an_episode_is_explained_as_each_of_its_states():
    background = Background(STATES, names=NAMES)
    found = explain_episode(BlackBox(RULE), STATES[:6], background, label=1, samples=SAMPLES, seed=2)
    assert found.weights.shape == found.contributions.shape == (6, 4)
    for step, state in enumerate(STATES[:6]):
        alone = explain_action(BlackBox(RULE), state, background, samples=SAMPLES, seed=2)
        np.testing.assert_allclose(found.weights[step], alone.weights[1], atol=1e-12)
        np.testing.assert_allclose(found.contributions[step], alone.contributions(1), atol=1e-12)
        assert found.predictions[step] == pytest.approx(alone.predictions[1], abs=1e-12)
    np.testing.assert_allclose(found.predictions, RULE(STATES[:6])[:, 1])


def test_contributions_follow_the_state_along_an_episode():
    steps = np.zeros((50, 4)) + STATES.mean(0)
    steps[:, 2] = STATES[:, 2].mean() + SIZES[2] * np.sin(np.linspace(0, 6, 50))  # the pole swings
    found = explain_episode(BlackBox(RULE), steps, STATES, label=1, names=NAMES, samples=SAMPLES, seed=0)
    assert spearmanr(found.contributions[:, 2], steps[:, 2]).statistic > 0.95
    assert np.abs(found.contributions[:, 2]).max() > 5 * np.abs(found.contributions[:, [0, 1, 3]]).max()


def test_the_least_sure_step_is_the_one_nearest_the_threshold():
    surest_right = np.tile(STATES.mean(0), (6, 1))
    surest_right[:, 2] += SIZES[2] * np.array([3.0, 0.05, 2.0, 2.5, 1.5, 1.0])  # all push right: the median is sure
    found = explain_episode(BlackBox(RULE), surest_right, STATES, label=1, names=NAMES, samples=SAMPLES, seed=0)
    assert found.notable() == {
        "lowest answer": 1, "second lowest": 5, "least sure": 1, "second highest": 3, "highest answer": 0,
    }  # fmt: skip
    assert found.row(1)["angle"].startswith(f"{surest_right[1, 2]:.3g} adds ")
    assert found.row(1)["policy"] == round(float(found.predictions[1]), 4)


def test_an_episode_becomes_a_table_and_a_figure():
    found = explain_episode(BlackBox(RULE), STATES[:6], STATES, label=0, names=NAMES, samples=SAMPLES, seed=2)
    frame = found.to_frame()
    assert len(frame) == 24
    assert list(frame["feature"][:4]) == list(NAMES)
    assert frame["weight"][5] == found.weights[1, 1]
    above, below = found.figure().axes
    assert len(below.get_legend().get_texts()) == 4
    assert above.get_title(loc="left")


@pytest.mark.parametrize(
    ("state", "background", "settings", "message"),
    [
        (STATES[0, :3], STATES, {}, r"observation shape=\(3,\): must be \(4,\)"),
        (STATES[:2], STATES, {}, r"observation shape=\(2, 4\)"),
        (np.full(4, np.nan), STATES, {}, "row='4 NaN or infinite values'"),
        (STATES[0], np.zeros((5, 3, 8, 8)), {}, "images are for explain_image"),
        (STATES[0], STATES[:1], {}, "at least 2 rows"),
        (STATES[0], STATES, {"names": NAMES[:2]}, "number of names=2: must be 4"),
        (STATES[0], Background(STATES), {"names": NAMES}, "it has its own"),
        (STATES[0], STATES, {"samples": 1}, "samples=1"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_clear_line(state, background, settings, message):
    with pytest.raises(InputError, match=message) as caught:
        explain_action(BlackBox(RULE), state, background, **{"samples": 50, "seed": 0, **settings})
    assert "\n" not in str(caught.value)


def test_an_episode_of_the_wrong_shape_or_of_no_such_action_is_refused():
    box = BlackBox(RULE)
    with pytest.raises(InputError, match=r"observations shape=\(4,\): must be \(steps, 4\)"):
        explain_episode(box, STATES[0], STATES, label=1, seed=0)
    with pytest.raises(InputError, match=r"observations shape=\(0, 4\)"):
        explain_episode(box, STATES[:0], STATES, label=1, seed=0)
    with pytest.raises(InputError, match=r"labels=\(2,\)"):
        explain_episode(box, STATES[:2], STATES, label=2, samples=50, seed=0)


def test_a_policy_that_is_no_black_box_is_refused():
    with pytest.raises(InputError, match=r"must be an explain.BlackBox\(policy\)"):
        explain_action(RULE, STATES[0], STATES, seed=0)
