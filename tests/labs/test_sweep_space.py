"""The space of a sweep: what the command line may say, and what the lab takes."""

import math
from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundations.errors import InputError
from labs.kit.lab import load
from labs.kit.sweeps.samplers import sampler_of
from labs.kit.sweeps.space import parse

CONFIG = load(str(Path(__file__).parent / "sweep_lab.py")).config_type


def suggestions(space, sampler: str, count: int = 40, points: int = 3) -> list[dict]:
    study = optuna.create_study(sampler=sampler_of(sampler, seed=0, space=space, points=points))
    found = []
    for _ in range(count):
        trial = study.ask()
        found.append(space.suggest(trial))
        study.tell(trial, len(found))
    return found


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("learning_rate=log(1e-5,1e-2)", "learning_rate=log(1e-05,0.01)"),
        ("learning-rate = log( 1e-5 , 1e-2 )", "learning_rate=log(1e-05,0.01)"),
        ("dropout=(0,0.5)", "dropout=uniform(0,0.5)"),
        ("steps=int(32,256,32)", "steps=int(32,256,32)"),
        ("steps=intlog(2,64)", "steps=intlog(2,64)"),
        ("way=[plain,momentum]", "way=[plain,momentum]"),
        ("sizes=[[8],[16,8]]", "sizes=[[8],[16,8]]"),
    ],
)
def test_a_dimension_is_written_in_one_way(text, written):
    (dimension,) = parse([text], CONFIG).values()
    assert str(dimension) == written


@settings(max_examples=30)
@given(low=st.floats(1e-8, 1e3), factor=st.floats(1.001, 1e6))
def test_what_is_written_is_read_as_the_same(low, factor):
    space = parse([f"learning_rate=log({low!r},{low * factor!r})"], CONFIG)
    assert parse(space.texts, CONFIG)["learning_rate"] == space["learning_rate"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning_rat=log(1e-5,1e-2)", "did you mean 'learning_rate'?"),
        ("seed=[0,1]", "seed: is no setting to search"),
        ("learning_rate", "must be NAME=a range such as"),
        ("learning_rate=1e-3", "must be NAME=a range such as"),
        ("learning_rate=lg(1e-5,1e-2)", "did you mean 'log'?"),
        ("learning_rate=log(1e-2,1e-5)", "first end is below the second"),
        ("learning_rate=log(0,1)", "above 0"),
        ("learning_rate=uniform(a,b)", "two numbers"),
        ("learning_rate=uniform(0,inf)", "two numbers"),
        ("learning_rate=uniform(-1,1)", "does not fit the setting: learning_rate=-1.0"),
        ("learning_rate=log(1e-3,1,2)", "int(low,high,step)"),
        ("steps=log(1,100)", "for whole numbers write int(low,high)"),
        ("steps=int(1.5,4)", "whole numbers"),
        ("steps=int(0,4)", "greater than or equal to 1"),
        ("steps=int(1,9,0)", "whole numbers"),
        ("dropout=uniform(0,2)", "less than or equal to 1"),
        ("way=[plain,wild]", "'plain' or 'momentum'"),
        ("way=[plain]", "at least two values"),
        ("way=[plain,plain]", "at least two values"),
    ],
)
def test_a_space_that_does_not_fit_is_refused_in_one_line(text, said):
    with pytest.raises(InputError) as refused:
        parse([text], CONFIG)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_setting_given_twice_is_refused():
    with pytest.raises(InputError, match="given once"):
        parse(["steps=int(1,3)", "steps=int(4,6)"], CONFIG)


@pytest.mark.parametrize("sampler", ["random", "tpe", "genetic", "cmaes", "grid"])
def test_every_sampler_stays_within_the_space(sampler):
    texts = ["learning_rate=log(1e-4,1e-1)", "steps=int(4,20,4)", "way=[plain,momentum]", "sizes=[[8],[16,8]]"]
    for found in suggestions(parse(texts, CONFIG), sampler, 15):
        assert 1e-4 <= found["learning_rate"] <= 1e-1
        assert found["steps"] in range(4, 21, 4)
        assert found["way"] in ("plain", "momentum")
        assert found["sizes"] in ([8], [16, 8])


@pytest.mark.parametrize("sampler", ["random", "tpe", "genetic", "cmaes", "grid"])
def test_the_same_seed_chooses_the_same(sampler):
    space = parse(["learning_rate=log(1e-4,1e-1)", "dropout=(0,1)"], CONFIG)
    assert suggestions(space, sampler, 12) == suggestions(space, sampler, 12)


def test_no_two_trials_of_a_random_search_are_alike():
    found = suggestions(parse(["learning_rate=log(1e-4,1e-1)"], CONFIG), "random")
    assert len({each["learning_rate"] for each in found}) == len(found)


def test_a_grid_has_each_point_once():
    space = parse(["learning_rate=log(1e-4,1e-2)", "way=[plain,momentum]"], CONFIG)
    found = suggestions(space, "grid", 6)
    rates = sorted(each["learning_rate"] for each in found if each["way"] == "plain")
    assert rates == pytest.approx([1e-4, 1e-3, 1e-2])
    assert len({tuple(each.values()) for each in found}) == 6


def test_the_largest_grid_fits_the_trials():
    space = parse(["learning_rate=log(1e-4,1e-2)", "dropout=(0,1)", "way=[plain,momentum]"], CONFIG)
    points = space.largest_grid(50)
    assert points == 5
    assert math.prod(map(len, space.grid(points).values())) == 50


def test_a_grid_that_needs_more_trials_is_refused():
    space = parse(["learning_rate=log(1e-4,1e-2)", "dropout=(0,1)"], CONFIG)
    with pytest.raises(InputError, match="trials=3: must be at least 4, the smallest grid"):
        space.largest_grid(3)


def test_cmaes_refuses_a_space_without_numbers():
    with pytest.raises(InputError, match="at least two settings with ranges"):
        sampler_of("cmaes", seed=0, space=parse(["way=[plain,momentum]"], CONFIG))


@pytest.mark.parametrize("sampler", ["tpe", "genetic", "cmaes"])
def test_what_was_found_steers_the_search(sampler):
    """The later half of the trials lies nearer to the best than the first ten."""
    space = parse(["dropout=(0,1)", "learning_rate=uniform(0.001,1)"], CONFIG)
    study = optuna.create_study(sampler=sampler_of(sampler, seed=3, space=space))
    distances = []
    for _ in range(60):
        trial = study.ask()
        found = space.suggest(trial)
        distances.append((found["dropout"] - 0.3) ** 2 + (found["learning_rate"] - 0.7) ** 2)
        study.tell(trial, distances[-1])
    assert sorted(distances[30:])[15] < 0.5 * sorted(distances[:10])[5]
