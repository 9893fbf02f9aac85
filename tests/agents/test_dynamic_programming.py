"""Dynamic programming, held against problems that are solved by hand and against each other."""

import numpy as np
import pytest

from agents.dynamic_programming import (
    Model,
    action_values,
    evaluate_policy,
    greedy,
    likeliest_path,
    model_of,
    policy_iteration,
    value_iteration,
)
from agents.environments import make_one
from agents.tabular import blackjack_model, exact_model
from foundations.errors import InputError

# In state 0: action 0 stays and pays 1, action 1 ends half of the time and pays 4 then. State 1 is never left, for 0.
TABLE = {
    0: {0: [(1.0, 0, 1.0, False)], 1: [(0.5, 0, 4.0, True), (0.5, 1, 0.0, False)]},
    1: {0: [(1.0, 1, 0.0, False)], 1: [(1.0, 1, 0.0, True)]},
}
START = np.array([1.0, 0.0])


@pytest.fixture
def small() -> Model:
    return model_of(TABLE, START)


def test_the_hand_solved_problem_is_worth_what_the_better_action_pays(small):
    patient, hasty = value_iteration(small, 0.9), value_iteration(small, 0.2)
    assert patient.values == pytest.approx([10.0, 0.0], abs=1e-8)  # 1 / (1 - 0.9)
    assert patient.policy[0] == 0
    assert hasty.values == pytest.approx([2.0, 0.0])  # 0.5 x 4, more than 1 / (1 - 0.2)
    assert hasty.policy[0] == 1


def test_action_values_count_nothing_behind_an_end(small):
    found = action_values(small, np.array([7.0, 3.0]), 0.5)
    assert found == pytest.approx(np.array([[1 + 3.5, 2 + 0.5 * 0.5 * 3], [1.5, 0.0]]))


def test_the_value_of_a_mixed_policy_solves_its_own_equation(small):
    # V(0) = 1/2 (1 + 0.9 V(0)) + 1/2 (2 + 0.45 V(1)), V(1) = 0
    values = evaluate_policy(small, np.full((2, 2), 0.5), 0.9)
    assert values == pytest.approx([1.5 / (1 - 0.45), 0.0])


def test_with_a_horizon_the_value_is_that_of_so_many_steps(small):
    assert evaluate_policy(small, np.array([0, 0]), 1.0, horizon=5) == pytest.approx([5.0, 0.0])


def test_without_discount_a_policy_that_never_ends_is_refused_and_named(small):
    with pytest.raises(InputError, match=r"gamma=1: must be below 1, .* from state 0; or give a horizon"):
        evaluate_policy(small, np.array([0, 1]), 1.0)


def test_without_discount_values_that_grow_for_ever_are_refused(small):
    with pytest.raises(InputError, match="give a smaller gamma"):
        value_iteration(small, 1.0, limit=50)


def test_a_limit_of_no_sweeps_is_refused(small):
    with pytest.raises(InputError, match=r"limit=0: must be at least 1 sweep"):
        value_iteration(small, 0.9, limit=0)


@pytest.mark.parametrize(
    ("name", "gamma"),
    [
        ("FrozenLake-v1", 0.99),
        ("FrozenLake8x8-v1", 0.95),
        ("CliffWalking-v1", 1.0),
        ("Taxi-v4", 0.99),
        ("Blackjack-v1", 1),
    ],
)
def test_value_and_policy_iteration_agree(name, gamma):
    model = exact_model(make_one(name))
    by_values, by_policies = value_iteration(model, gamma, tolerance=1e-12), policy_iteration(model, gamma)
    assert by_policies.values == pytest.approx(by_values.values, abs=1e-8)
    assert evaluate_policy(model, by_values.policy, gamma) == pytest.approx(by_values.values, abs=1e-8)


def test_the_shortest_way_along_the_cliff_takes_thirteen_steps():
    model = exact_model(make_one("CliffWalking-v1"))
    assert model.at_start(value_iteration(model, 1.0).values) == -13


def test_the_likeliest_path_along_the_cliff_leads_from_the_start_to_the_goal():
    model = exact_model(make_one("CliffWalking-v1"))
    assert likeliest_path(model, value_iteration(model, 1.0).policy).tolist() == [36, *range(24, 36), 47]


def test_a_path_that_goes_round_in_circles_ends_before_its_first_state_comes_again(small):
    assert likeliest_path(small, np.array([0, 1])).tolist() == [0]
    up = np.zeros(48, int)  # along the cliff: to the upper wall, and no further
    assert likeliest_path(exact_model(make_one("CliffWalking-v1")), up).tolist() == [36, 24, 12, 0]


def test_the_optimum_of_the_lake_is_what_gymnasium_says():
    model = exact_model(make_one("FrozenLake-v1"))
    policy = value_iteration(model, 0.9999).policy
    assert model.at_start(evaluate_policy(model, policy, 1.0, horizon=100)) == pytest.approx(0.74, abs=0.01)


def test_the_greedy_policy_takes_the_first_of_equal_actions_whatever_the_rounding():
    assert greedy(np.array([[1.0, 1.0 + 1e-14], [0.0, 1.0]])).tolist() == [0, 1]


# --- Blackjack --------------------------------------------------------------------------------------------------------


def _state(total: int, card: int, ace: int) -> int:
    return (total * 11 + card) * 2 + ace


def _outcomes(model: Model, state: int, action: int) -> dict[float, float]:
    """Reward -> probability."""
    chances: dict[float, float] = {}
    pairs = zip(model.rewards[state, action], model.probabilities[state, action], strict=True)
    for reward, chance in pairs:
        chances[float(reward)] = chances.get(float(reward), 0.0) + float(chance)
    return {reward: chance for reward, chance in chances.items() if chance}


def test_sticking_on_twelve_wins_as_often_as_the_dealer_goes_bust():
    model = blackjack_model()
    # Known for an endless deck and a dealer who stands on all 17: shows 6, 42.32 % bust; shows 10, 21.21 %.
    assert _outcomes(model, _state(12, 6, 0), 0)[1.0] == pytest.approx(0.4232, abs=1e-4)
    assert _outcomes(model, _state(12, 10, 0), 0)[1.0] == pytest.approx(0.2121, abs=1e-4)


def test_hitting_on_hard_sixteen_busts_with_eight_cards_of_thirteen():
    assert _outcomes(blackjack_model(), _state(16, 5, 0), 1)[-1.0] == pytest.approx(8 / 13)


def test_an_ace_that_would_bust_counts_one():
    model = blackjack_model()
    soft = _state(13, 5, 1)
    reached = {int(each) for each, p in zip(model.next_states[soft, 1], model.probabilities[soft, 1], strict=True) if p}
    assert _state(13, 5, 0) in reached  # ace, two, then a ten
    assert _state(14, 5, 1) in reached  # ace, two, then an ace
    assert not model.terminated[soft, 1].any()


@pytest.mark.parametrize(("rules", "wins"), [({"sab": True}, 1.0), ({"sab": False, "natural": True}, 1.5)])
def test_a_natural_is_paid_by_the_rules(rules, wins):
    model = blackjack_model(**rules)
    natural = 32 * 11 * 2 + 10  # the dealer shows a ten
    outcomes = _outcomes(model, natural, 0)
    assert outcomes[wins] >= 1 - 1 / 13 - 0.04
    assert model.observed[natural] == _state(21, 10, 1)
    if rules["sab"]:
        assert outcomes[wins] == pytest.approx(12 / 13)  # all but the dealer's own natural


def test_the_optimum_of_blackjack_is_sutton_and_bartos():
    solution = value_iteration(blackjack_model(), 1.0)
    for card in range(1, 11):
        hard = next(total for total in range(12, 22) if solution.policy[_state(total, card, 0)] == 0)
        soft = next(total for total in range(12, 22) if solution.policy[_state(total, card, 1)] == 0)
        assert hard == (13 if card in (2, 3) else 12 if card in (4, 5, 6) else 17)
        assert soft == (19 if card in (1, 9, 10) else 18)


@pytest.mark.slow
def test_the_model_of_blackjack_is_worth_what_the_environment_pays():
    environment, model = make_one("Blackjack-v1", disable_env_checker=True), blackjack_model()
    policy = value_iteration(model, 1.0).policy
    expected, paid = model.at_start(evaluate_policy(model, policy, 1.0)), []
    environment.reset(seed=0)
    for _ in range(20_000):
        (total, card, ace), _ = environment.reset()
        over = False
        while not over:
            (total, card, ace), reward, over, _, _ = environment.step(int(policy[_state(total, card, ace)]))
        paid.append(reward)
    assert np.mean(paid) == pytest.approx(expected, abs=4 * np.std(paid) / len(paid) ** 0.5)


# --- bad input --------------------------------------------------------------------------------------------------------


def test_probabilities_outside_their_bounds_or_of_another_sum_are_refused():
    with pytest.raises(InputError, match=r"probabilities='-0.5 to 1.5': must be between 0 and 1"):
        model_of({0: {0: [(1.5, 0, 0.0, True), (-0.5, 0, 0.0, True)]}}, np.ones(1))
    with pytest.raises(InputError, match=r"sum of probabilities=0.9: must be 1"):
        model_of({0: {0: [(0.9, 0, 0.0, True)]}}, np.ones(1))


def test_a_state_that_is_none_is_refused():
    with pytest.raises(InputError, match=r"next_states='1 to 1': must be from 0 to 0"):
        model_of({0: {0: [(1.0, 1, 0.0, True)]}}, np.ones(1))


def test_policies_of_another_shape_or_with_unknown_actions_are_refused(small):
    with pytest.raises(InputError, match=r"policy shape=\(3,\): must be \(2,\) or \(2, 2\)"):
        evaluate_policy(small, np.zeros(3, int), 0.9)
    with pytest.raises(InputError, match="actions from 0 to 1"):
        evaluate_policy(small, np.array([0, 2]), 0.9)


def test_an_environment_without_a_model_is_refused():
    with pytest.raises(InputError, match="others have no model"):
        exact_model(make_one("CartPole-v1"))
