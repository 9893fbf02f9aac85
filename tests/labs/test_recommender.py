"""What the lab of recommendation compares."""

from types import SimpleNamespace

import numpy as np
import pytest

from foundations.errors import InputError
from foundations.streams import Streams
from labs.recommender import LEARNERS, LOOK, Config, build, main, row


def test_every_policy_meets_the_same_worlds_and_users():
    run = SimpleNamespace(streams=Streams(0))
    agents = [build(name, Config(worlds=2), run) for name in LEARNERS]
    worlds = [agent.interaction.environments for agent in agents]
    assert all(np.array_equal(each.appeal, worlds[0].appeal) for each in worlds)
    assert all(np.array_equal(each.users, worlds[0].users) for each in worlds)


def test_the_table_tells_what_was_missed_in_all_and_lately():
    curve = LOOK * np.arange(1.0, 9.0)[:, None] * np.array([0.1, 0.3])
    curves = {"epsilon": curve + 1, "linucb": curve}
    told = row("linucb", curves)
    assert told["clicks missed of 800 users"] == "160 ± 80"
    assert told["lately, of 100 users"] == "20.00"
    assert told["better than epsilon-greedy in"] == "100% of the worlds"


def test_too_few_users_are_refused():
    with pytest.raises(InputError, match=r"users=10: must be at least 1000"):
        main(Config(users=10), None)  # type: ignore[arg-type]
