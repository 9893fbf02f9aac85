"""What the lab of bidding compares."""

from types import SimpleNamespace

import numpy as np

from foundations.streams import Streams
from labs.ad_bidding import BIDDERS, Config, build
from labs.ad_bidding import test as play_test_days

SMALL = Config(worlds=3, auctions=60, budget=0.8, training_days=2, test_days=2)


def test_all_bidders_are_tested_on_the_same_days_with_the_same_budget_and_learn_nothing_there():
    run = SimpleNamespace(streams=Streams(0))
    learners = build(SMALL, run)
    for agent in learners.values():
        updates = agent.learn()
        next(updates), next(updates)
    before = learners["both"].state_dict()["clicks"]["statistics"]["weights"]
    days = {name: play_test_days(name, learners, SMALL, run) for name in BIDDERS}
    for each in zip(*days.values(), strict=True):
        assert all(np.array_equal(day["optimum"], each[0]["optimum"]) for day in each)
        assert all((day["money"][0] == 1).all() and (day["money"][-1] >= 0).all() for day in each)
    assert np.array_equal(learners["both"].bidder.clicks.weights, before.numpy())
