"""Agents that play bandits: regret, budgets, bids at auctions, exact resume."""

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from states import assert_resumes_exactly

from agents.bandits import (
    UCB1,
    BanditAgent,
    BetaThompson,
    BiddingAgent,
    Budget,
    EpsilonGreedy,
    FixedBidAgent,
    FixedBidder,
    LinearEpsilonGreedy,
    LinearThompson,
    LinUCB,
    PacedBidder,
    Pacing,
    play_day,
    share_of_optimum,
    without_budget,
)
from agents.envs.ad_bidding import AdBiddingVectorEnv
from agents.envs.marketing import MarketingVectorEnv
from agents.envs.multi_armed import MultiArmedVectorEnv
from agents.envs.recommender import RecommenderVectorEnv
from agents.interaction import Interaction
from agents.playing import Agent, Player
from foundations.errors import InputError
from foundations.streams import Streams

AT_ONCE = {"autoreset_mode": AutoresetMode.SAME_STEP}


def stream(seed=0):
    return np.random.default_rng(seed)


def play(agent, updates):
    learning = agent.learn()
    for _ in range(updates):
        metrics = next(learning)
    return metrics


def test_regret_is_what_the_environment_says_of_the_arms_that_were_pulled():
    machines = MultiArmedVectorEnv(3, probabilities=(0.2, 0.9), **AT_ONCE)
    agent = BanditAgent(machines, UCB1(3, 2, stream()), streams=Streams(0), rounds=50)
    metrics = play(agent, 2)
    assert agent.regret == pytest.approx(0.7 * agent.pulls[:, 0])
    assert metrics["regret/total"] == pytest.approx(agent.regret.mean())
    assert metrics["environment_steps"] == 300


def test_thompson_and_ucb1_find_the_best_arm_and_random_tries_go_on_losing():
    lost = {}
    for name, policy in {
        "thompson": BetaThompson(40, 3, stream()),
        "ucb1": UCB1(40, 3, stream()),
        "random": EpsilonGreedy(40, 3, stream(), epsilon=1),
    }.items():
        machines = MultiArmedVectorEnv(40, probabilities=(0.2, 0.5, 0.8), **AT_ONCE)
        agent = BanditAgent(machines, policy, streams=Streams(0), rounds=500)
        play(agent, 1)
        lost[name] = agent.regret.mean()
    assert lost["thompson"] < 20
    assert lost["ucb1"] < 60
    assert lost["random"] == pytest.approx(500 * 0.3, rel=0.1)


def test_linucb_and_linear_thompson_beat_epsilon_greedy_at_recommending():
    lost = {}
    for kind in (LinUCB, LinearThompson, LinearEpsilonGreedy):
        users = RecommenderVectorEnv(20, world=None, **AT_ONCE)
        agent = BanditAgent(users, kind(20, 10, 5, stream()), streams=Streams(0), rounds=2000)
        play(agent, 1)
        lost[kind] = agent.regret.mean()
    assert max(lost[LinUCB], lost[LinearThompson]) < 0.8 * lost[LinearEpsilonGreedy]


def marketing_agent(pacing=True, runs=10):
    customers = MarketingVectorEnv(runs, world=None, **AT_ONCE)
    budget = Budget(customers.costs, Pacing(runs, 1000)) if pacing else None
    policy = LinearThompson(runs, 4, 4, stream())
    return BanditAgent(customers, policy, streams=Streams(0), rounds=1000, context=without_budget, budget=budget)


def test_with_pacing_the_budget_brings_more_conversions():
    paced, unpaced = marketing_agent(), marketing_agent(pacing=False)
    play(paced, 3), play(unpaced, 3)
    paced_share, unpaced_share = (agent.shares_of_optimum()[-1].mean() for agent in (paced, unpaced))
    assert paced_share > 0.9
    assert paced_share > unpaced_share + 0.15


def test_shares_of_the_optimum_are_what_was_expected_of_each_campaign():
    agent = marketing_agent(runs=2)
    agent.curve = [np.array([10.0, 0.0]), np.array([10.0, 50.0])]
    agent.interaction.environments.optimum = np.array([0.1, 0.2])
    assert agent.shares_of_optimum() == pytest.approx(np.array([[0.9, 1.0], [1.0, 0.75]]))


def test_a_policy_sees_the_segment_and_not_the_money():
    assert without_budget(np.array([[0, 1, 0.5, 0.25]], np.float32)).tolist() == [[0, 1]]


def bidding(kind=BiddingAgent, days=1, runs=6, **settings):
    auctions = AdBiddingVectorEnv(runs, world=None, rounds=400, budget=5.0, **AT_ONCE)
    return kind(auctions, streams=Streams(0), **settings)


def test_learned_values_with_pacing_beat_the_best_fixed_bid():
    learned, fixed = bidding(), bidding(FixedBidAgent, bids=np.geomspace(0.01, 0.3, 30))
    play(learned, 8), play(fixed, 8)
    shares = []
    for agent in (learned, fixed):
        days = [play_day(agent.player(greedy=True, stream=stream()), agent.interaction) for _ in range(3)]
        shares.append(np.mean([day["clicks"].sum(0) / day["optimum"] for day in days]))
    assert shares[0] > 1.05 * shares[1]


def test_bidders_spend_the_same_days_in_the_same_worlds():
    learned, fixed = bidding(), bidding(FixedBidAgent, bids=[0.05])
    play(learned, 2), play(fixed, 2)
    assert np.array_equal(learned.interaction.environments.rivals, fixed.interaction.environments.rivals)


def test_a_paced_bidder_bids_the_value_over_the_price_of_money():
    clicks = LinUCB(1, 1, 2, stream())
    clicks.weights[0, 0] = [0.2, 0.6]
    seen = np.array([[0.5, 0.5, 1.0, 1.0]], np.float32)
    assert PacedBidder(clicks, None, 1.0, price=4.0).act(seen, np.array([True])) == pytest.approx(np.array([[0.1]]))
    assert PacedBidder(clicks, None, 0.05, price=4.0).act(seen, np.array([True])) == pytest.approx(np.array([[0.05]]))


def test_the_share_counts_clicks_to_expect_of_the_best_in_hindsight():
    assert share_of_optimum(np.array([0.75, 0.1, 0.0]), np.array([1.5, 0.2, 0.0])) == pytest.approx([0.5, 0.5, 0])


def test_a_second_day_begins_with_all_its_money_whatever_the_reset():
    for mode in (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP):
        auctions = AdBiddingVectorEnv(2, world=None, rounds=50, budget=0.5, autoreset_mode=mode)
        interaction = Interaction(auctions, 0)
        days = [play_day(FixedBidder(1.0), interaction) for _ in range(2)]
        assert [day["money"][0].tolist() for day in days] == [[1, 1], [1, 1]]
        assert [day["money"].shape for day in days] == [(51, 2), (51, 2)]


def test_hindsight_is_refused_where_the_next_day_is_not_drawn_yet():
    auctions = AdBiddingVectorEnv(2, world=None, rounds=50)  # NEXT_STEP
    with pytest.raises(InputError, match=r"autoreset_mode=.*must be AutoresetMode.SAME_STEP"):
        FixedBidAgent(auctions, [0.05], streams=Streams(0))


def test_who_loses_an_auction_learns_nothing_of_the_user():
    agent = bidding()
    agent.bidder.highest_bid = 0.0  # never wins
    before = agent.bidder.clicks.inverse.copy()
    metrics = play(agent, 1)
    assert metrics["spent"] == 0
    assert np.array_equal(agent.bidder.clicks.inverse, before)


def recommender_agent():
    users = RecommenderVectorEnv(2, world=None, rounds=30)  # NEXT_STEP: some steps only reset
    return BanditAgent(users, LinearThompson(2, 10, 5, stream()), streams=Streams(0), rounds=20)


@pytest.mark.parametrize(
    "make",
    [recommender_agent, lambda: marketing_agent(runs=2), lambda: bidding(runs=2),
     lambda: bidding(FixedBidAgent, runs=2, bids=[0.03, 0.06])],
    ids=["recommender", "marketing", "bidding", "fixed bid"],
)  # fmt: skip
def test_resuming_is_exact(make):
    assert_resumes_exactly(make, 1, 2)


def test_steps_that_only_reset_are_no_rounds():
    agent = recommender_agent()
    play(agent, 3)
    assert agent.policy.rounds == 60
    assert agent.interaction.environment_steps == 120


def test_the_same_seed_gives_the_same_run():
    assert play(recommender_agent(), 3) == play(recommender_agent(), 3)


def test_bandits_are_agents_and_their_players_keep_what_they_know():
    agent = recommender_agent()
    play(agent, 2)
    player = agent.player(greedy=True, stream=stream())
    assert isinstance(agent, Agent)
    assert isinstance(player, Player)
    users = agent.interaction.observations
    wanted = agent.policy.estimates(users.astype(float)).argmax(1)
    play(agent, 5)
    assert np.array_equal(player.act(users, np.zeros(2, bool)), wanted)


def test_what_one_run_knows_serves_any_number_of_environments():
    users = RecommenderVectorEnv(1)
    agent = BanditAgent(users, LinUCB(1, 10, 5, stream()), streams=Streams(0), rounds=50)
    play(agent, 1)
    player = agent.player(greedy=True, stream=stream())
    many = Interaction(RecommenderVectorEnv(7), 0)
    assert player.act(many.observations, many.started).shape == (7,)


def test_a_fixed_bid_is_one_for_all_or_one_for_each():
    seen = np.zeros((2, 4), np.float32)
    assert FixedBidder(0.5).act(seen, np.zeros(2, bool)).tolist() == [[0.5], [0.5]]
    assert FixedBidder(np.array([0.5, 0.25])).act(seen, np.zeros(2, bool)).tolist() == [[0.5], [0.25]]


def test_a_policy_of_other_runs_or_arms_than_the_environments_is_refused():
    machines = MultiArmedVectorEnv(3, probabilities=(0.2, 0.9))
    with pytest.raises(InputError, match=r"Discrete\(4\), an action for each arm"):
        BanditAgent(machines, UCB1(3, 4, stream()), streams=Streams(0))
    with pytest.raises(InputError, match=r"runs=2: must be 3 environments"):
        BanditAgent(machines, UCB1(2, 2, stream()), streams=Streams(0))


def test_no_bids_to_choose_from_are_refused():
    with pytest.raises(InputError, match=r"bids=\[\]: must be at least one"):
        bidding(FixedBidAgent, bids=[])
