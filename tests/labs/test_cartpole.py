"""That every agent goes through the lab of the pole, and what it says of them."""

import json

import numpy as np
import pytest
from unwatched import Unwatched

from agents.evaluation import Evaluation
from agents.recipes import CART_POLE, make_agent
from foundations.errors import InputError
from foundations.streams import Streams
from labs import cartpole
from labs.cartpole import ENVIRONMENT, LOOK_EVERY, Config, Result, first_solved, tell
from labs.kit.lab import load
from labs.kit.launch import execute


class Balanced(Unwatched):
    """A run with two looks at every agent, the second of which finds the pole balanced."""

    def history(self, name):
        values = {"greedy/return": [300.0, 480.0], "greedy/steps": [2e3, 4e3], "speed/learning_seconds": [0.1, 0.2]}
        return [4, 8], values["/".join(name.split("/")[-2:])]


def result(agent, seed, mean):
    returns = np.full(20, mean)
    return Result(agent, seed, f"{agent}_{seed}/", None, Evaluation(returns, returns.astype(int), float(mean >= 475)))


def test_every_agent_has_a_recipe_and_is_looked_at():
    assert list(LOOK_EVERY) == list(CART_POLE)


@pytest.mark.parametrize("name", CART_POLE)
def test_every_agent_can_be_built(name):
    learner = make_agent(name, ENVIRONMENT, CART_POLE[name], total_steps=2_048, streams=Streams(0))
    assert learner.updates >= 1
    assert callable(learner.player(greedy=True, stream=np.random.default_rng(0)).act)


def test_the_first_look_that_solved_it_counts():
    assert first_solved(result("ppo", 0, 500.0), Balanced()) == (4e3, 0.2)


def test_the_summary_has_the_middle_and_the_worst_of_the_runs():
    run = Balanced()
    tell([result("ppo", seed, mean) for seed, mean in enumerate((500.0, 490.0, 480.0))], Config(), run)
    assert run.values["return/ppo"] == 490
    assert run.values["return/ppo_worst"] == 480
    assert run.values["steps_to_475/ppo"] == 4e3
    assert not run.notes


def test_a_run_that_falls_short_is_said():
    run = Balanced()
    tell([result("sb3-a2c", 3, 100.0), result("sb3-a2c", 4, 500.0)], Config(), run)
    assert run.notes == ["sb3-a2c: below 475 in the end with seed 3; more --steps may help"]


def test_too_few_steps_are_refused_before_anyone_learns():
    with pytest.raises(InputError, match="steps=1023: must be at least 1,024"):
        cartpole.main(Config(agent="all", steps=1_023), None)


@pytest.mark.slow
def test_two_agents_from_two_seeds_end_in_one_table_and_one_film(place, monkeypatch):
    monkeypatch.setattr(cartpole, "LOOK_EVERY", {name: LOOK_EVERY[name] for name in ("reinforce", "a2c")})
    settings = {"agent": "all", "repetitions": 2, "steps": 1_024, "episodes": 5}
    assert execute(load("labs.cartpole"), Config(preset="smoke", **settings)) == 0
    (folder,) = (place / "mlruns" / "runs").iterdir()
    rows = json.loads((folder / "tables" / "over_seeds.json").read_text())["data"]
    assert [row[0] for row in rows] == ["reinforce", "a2c"]
    assert (folder / "figures" / "learning.png").stat().st_size > 0
    assert (folder / "films" / "cartpole.gif").stat().st_size > 0
