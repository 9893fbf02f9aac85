import inspect
from typing import get_args, get_type_hints

import pytest

import agents
from agents.recipes import IDS, OWN, PUBLISHED, ZOO, agents_of, make_agent, recipe_of
from foundations.errors import InputError
from foundations.streams import Streams
from labs.classic_control import FILM_STEPS, Config, main

EVERYONE = [(environment, agent) for environment in IDS for agent in agents_of(environment)]


def test_every_environment_has_recipes_scores_and_a_film():
    choices = set(get_args(get_type_hints(Config)["env"]))
    assert choices == set(IDS) == set(OWN) == set(ZOO) == set(PUBLISHED) == set(FILM_STEPS)


def test_every_agent_has_a_published_score_to_be_held_against():
    assert all(agent.removeprefix("sb3-") in PUBLISHED[environment] for environment, agent in EVERYONE)
    assert {agent for _, agent in EVERYONE} <= set(get_args(get_type_hints(Config)["agent"]))


@pytest.mark.parametrize(("environment", "agent"), [each for each in EVERYONE if each[0] != "lunar_lander"])
def test_every_recipe_builds_its_agent(environment, agent):
    recipe = recipe_of(environment, agent)
    learner = make_agent(agent, IDS[environment], recipe, total_steps=recipe.quick_steps, streams=Streams(0))
    assert isinstance(learner, agents.Agent)
    assert learner.updates >= 20


@pytest.mark.parametrize("agent", ["ppo", "dqn", "a2c"])
def test_recipes_of_our_agents_hold_only_settings_that_exist(agent):
    known = set(inspect.signature({"ppo": agents.PPO, "dqn": agents.DQN, "a2c": agents.A2C}[agent]).parameters)
    for table in OWN.values():
        assert set(table[agent].settings if agent in table else {}) <= known


def test_the_full_preset_takes_the_published_steps():
    for environment, table in ZOO.items():
        for algorithm, recipe in table.items():
            assert recipe.full_steps == PUBLISHED[environment][algorithm].steps


def test_a_deviation_below_the_published_mean_is_the_floor():
    assert PUBLISHED["mountain_car"]["dqn"].floor == pytest.approx(-110.7, abs=0.1)


def test_an_agent_that_cannot_act_there_is_refused_with_those_that_can():
    with pytest.raises(InputError, match=r"^agent='dqn': must be one that learns pendulum: ppo, a2c, sb3-ppo"):
        main(Config(env="pendulum", agent="dqn"), None)  # type: ignore[arg-type]
