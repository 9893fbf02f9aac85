"""The environments of business: Gymnasium's checks, one run among many, what is paid, the known optimum."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from agents.envs.ad_bidding import AdBidding, AdBiddingVectorEnv, best_clicks
from agents.envs.marketing import Marketing, MarketingVectorEnv, best_rate
from agents.envs.multi_armed import MultiArmed, MultiArmedVectorEnv
from agents.envs.recommender import Recommender, RecommenderVectorEnv
from agents.interaction import Interaction
from foundations.errors import InputError

PAIRS = [
    (Recommender, RecommenderVectorEnv, {"world": None}),
    (Marketing, MarketingVectorEnv, {"world": None}),
    (AdBidding, AdBiddingVectorEnv, {"world": None}),
    (MultiArmed, MultiArmedVectorEnv, {}),
]
SINGLES = [single for single, _, _ in PAIRS]


@pytest.mark.parametrize("single", SINGLES)
def test_gymnasiums_own_checks_pass(single):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        check_env(single(rounds=50), skip_render_check=True)
    assert [str(each.message) for each in said] == []


@pytest.mark.parametrize("name", ["Recommender", "Marketing", "AdBidding"])
def test_they_are_known_to_gymnasium_by_name(name):
    import agents.envs  # noqa: F401

    environment = gymnasium.make(f"labs/{name}-v0", rounds=5)
    environment.reset(seed=0)
    for _ in range(5):
        *_, terminated, truncated, _ = environment.step(environment.action_space.sample())
    assert terminated != truncated


@pytest.mark.parametrize(("single", "many", "settings"), PAIRS)
def test_a_run_among_many_is_what_it_is_alone(single, many, settings):
    together, alone = many(3, rounds=20, **settings), single(rounds=20, **settings)
    observations, _ = together.reset(seed=7)
    observation, _ = alone.reset(seed=9)  # the third
    together.action_space.seed(0)
    for _ in range(45):  # over two ends
        assert np.array_equal(observations[2], observation)
        actions = together.action_space.sample()
        observations, rewards, terminated, truncated, _ = together.step(actions)
        observation, *alone_told, _ = alone.step(actions[2])
        assert [rewards[2], terminated[2], truncated[2]] == alone_told


@pytest.mark.parametrize(("single", "many", "settings"), PAIRS)
def test_both_automatic_resets_show_the_same_episodes(single, many, settings):
    def episodes(mode):
        interaction = Interaction(many(2, rounds=10, autoreset_mode=mode, **settings), 3)
        interaction.environments.action_space.seed(1)
        steps = (interaction.step(interaction.environments.action_space.sample() * 0) for _ in range(33))
        return [step for step in steps if step.valid.all()][:30]

    for left, right in zip(episodes(AutoresetMode.NEXT_STEP), episodes(AutoresetMode.SAME_STEP), strict=True):
        assert np.array_equal(left.observations, right.observations)
        assert np.array_equal(left.next_observations, right.next_observations)
        assert np.array_equal(left.rewards, right.rewards)


def test_a_named_world_is_the_same_for_all_seeds_and_others_differ():
    one, other = RecommenderVectorEnv(2, world=4), RecommenderVectorEnv(2, world=None)
    one.reset(seed=0), other.reset(seed=0)
    first = one.appeal.copy()
    assert np.array_equal(first[0], first[1])
    assert not np.array_equal(other.appeal[0], other.appeal[1])
    one.reset(seed=99)
    assert np.array_equal(one.appeal, first)


def test_the_next_episode_is_in_the_same_world_with_other_users():
    users = RecommenderVectorEnv(1, world=None, rounds=5)
    users.reset(seed=0)
    appeal, first = users.appeal.copy(), users.users.copy()
    users.reset()
    assert np.array_equal(users.appeal, appeal)
    assert not np.array_equal(users.users, first)


def test_clicks_come_as_often_as_the_items_appeal_says():
    users = RecommenderVectorEnv(400, rounds=100)
    users.reset(seed=0)
    clicks, expected = 0.0, 0.0
    for _ in range(100):
        _, rewards, _, _, told = users.step(np.full(400, 3))
        clicks, expected = clicks + rewards.mean(), expected + told["expected"].mean()
    assert clicks == pytest.approx(expected, abs=4 * np.sqrt(100 * 0.25 / 400))


def test_the_best_item_has_no_regret():
    users = RecommenderVectorEnv(5, rounds=50)
    users.reset(seed=0)
    for _ in range(50):
        *_, told = users.step(users.click_probabilities().argmax(1))
        assert (told["regret"] == 0).all()


# --- marketing --------------------------------------------------------------------------------------------------------


def test_offers_are_paid_until_the_money_ends_and_then_are_none():
    campaign = Marketing(budget=2.5, costs=(0.0, 1.0), rounds=5)
    campaign.reset(seed=0)
    paid, left = [], []
    for _ in range(5):
        observation, *_, told = campaign.step(1)
        paid.append(told["cost"])
        left.append(float(observation[-1]))
    assert paid == [1, 1, 0, 0, 0]
    assert left == pytest.approx([0.6, 0.2, 0.2, 0.2, 0.2])


def test_the_best_rate_by_hand_spends_on_who_gains_most_for_the_money():
    # The offer lifts one segment by 0.4, the other by 0.1; money for one customer in two (segments come alike).
    conversion, costs = np.array([[0.1, 0.5], [0.1, 0.2]]), np.array([0.0, 1.0])
    assert best_rate(conversion, costs, 0.5) == pytest.approx((0.5 + 0.1) / 2)
    assert best_rate(conversion, costs, 0.25) == pytest.approx((0.3 + 0.1) / 2)
    assert best_rate(conversion, costs, 0.0) == pytest.approx(0.1)
    assert best_rate(conversion, costs, 9.0) == pytest.approx((0.5 + 0.2) / 2)


# --- bidding ----------------------------------------------------------------------------------------------------------


def test_the_highest_bid_wins_and_pays_the_second():
    auctions = AdBiddingVectorEnv(2, rounds=10)
    auctions.reset(seed=0)
    rivals = auctions.rivals[0]
    bids = np.array([[rivals[0] * 1.5], [rivals[1] * 0.5]], np.float32)
    observations, _, _, _, told = auctions.step(bids)
    assert told["won"].tolist() == [True, False]
    assert told["price"] == pytest.approx([rivals[0], 0.0])
    assert observations[:, -1] == pytest.approx([1 - rivals[0] / 25, 1.0])


def test_who_loses_is_told_no_price_and_gets_no_click():
    auctions = AdBiddingVectorEnv(3, rounds=200)
    auctions.reset(seed=0)
    for _ in range(200):
        _, rewards, _, _, told = auctions.step(np.zeros((3, 1), np.float32))
        assert not rewards.any()
        assert not told["price"].any()
        assert not told["expected"].any()


def test_nobody_spends_more_than_the_budget():
    auctions = AdBiddingVectorEnv(4, budget=0.5, rounds=300)
    auctions.reset(seed=0)
    spent = sum(auctions.step(np.ones((4, 1), np.float32))[4]["price"] for _ in range(299))
    assert (spent <= 0.5).all()
    assert (auctions.money >= 0).all()


def test_the_best_clicks_by_hand_take_the_best_for_their_price_first():
    chances, rivals = np.array([0.3, 0.2, 0.4]), np.array([1.0, 0.5, 4.0])
    assert best_clicks(chances, rivals, 1.5) == pytest.approx(0.5)
    assert best_clicks(chances, rivals, 3.5) == pytest.approx(0.5 + 0.4 / 2)  # half of the last
    assert best_clicks(chances, rivals, 99.0) == pytest.approx(0.9)
    assert best_clicks(chances, rivals, 0.0) == 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Marketing(budget=-1.0), r"budget=-1.0: must be at least 0"),
        (lambda: AdBidding(budget=-0.5), r"budget=-0.5: must be at least 0"),
        (lambda: AdBidding(unrest=-1), r"unrest=-1: must be at least 0"),
        (lambda: AdBidding(highest_bid=0), r"highest_bid=0: must be above 0"),
        (lambda: MultiArmed(probabilities=(0.5, 1.5)), r"probabilities=1.5: must be between 0 and 1"),
        (lambda: MultiArmed(probabilities=(0.5,)), r"probabilities=\(0.5,\): must be at least 2"),
        (lambda: Marketing(costs=(1.0, 2.0)), r"costs=.*0 for the first offer"),
        (lambda: Marketing(segments=1), r"segments=1: must be at least 2"),
        (lambda: Recommender(items=1), r"items=1: must be at least 2"),
        (lambda: Recommender(rounds=0), r"rounds=0: must be at least 1"),
        (lambda: Recommender(world=-1), r"world=-1: must be a seed"),
        (lambda: RecommenderVectorEnv(0), r"num_envs=0: must be at least 1"),
        (lambda: RecommenderVectorEnv(1, autoreset_mode=AutoresetMode.DISABLED), r"NEXT_STEP or SAME_STEP"),
    ],
)
def test_impossible_worlds_are_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()


@pytest.mark.parametrize("single", SINGLES)
def test_a_single_run_does_not_reset_by_itself(single):
    with pytest.raises(InputError, match=r"autoreset_mode=.*must be left out"):
        single(autoreset_mode=AutoresetMode.SAME_STEP)


def test_an_action_that_is_none_is_refused():
    users = Recommender(items=3)
    users.reset(seed=0)
    with pytest.raises(InputError, match=r"action=3: must be in Discrete\(3\)"):
        users.step(3)
