import math
from typing import Any

import pytest
from states import assert_resumes_exactly

import foundations
from foundations.errors import InputError
from labs.kit.lab import load
from labs.kit.run import Run
from labs.kit.sweeps.samplers import sampler_of
from labs.kit.sweeps.search import Search
from labs.kit.sweeps.space import parse
from labs.tune_mnist import SPACE, WAYS, Config, Task, Tuned, compare, split, trials_to

LAB = load("labs.tune_mnist")


def a_search(
    way: str = "bayesian", *, objective=lambda settings: abs(math.log10(settings["learning_rate"]) + 1)
) -> Search:
    space = parse(SPACE, Tuned)
    return Search(space.suggest, objective, sampler_of(WAYS[way], seed=3, space=space, points=3))


def go(search: Search, trials: int) -> list[dict[str, float]]:
    return [dict(metrics) for _, metrics in zip(range(trials), search.learn(), strict=False)]


@pytest.mark.parametrize("way", WAYS)
def test_a_search_goes_on_behind_its_trials_exactly_as_it_would_have(way):
    straight, resumed = assert_resumes_exactly(lambda: a_search(way), 14, 13)
    assert [trial.params for trial in resumed.trials] == [trial.params for trial in straight.trials]
    assert resumed.values() == straight.values()


def test_a_grid_visits_each_of_its_points_once():
    search = a_search("grid")
    go(search, 27)
    assert len({tuple(trial.params.items()) for trial in search.trials}) == 27


@pytest.mark.parametrize("way", ["bayesian", "genetic"])
def test_what_learns_from_its_trials_looks_where_it_was_good(way):
    search = a_search(way)
    go(search, 64)
    values = search.values()
    assert sum(values[-16:]) < 0.7 * sum(values[:16])


def test_a_value_that_is_not_finite_is_a_failure_and_never_the_best():
    search = a_search("random", objective=lambda settings: math.nan if settings["momentum"] < 0.5 else 1.0)
    metrics = go(search, 12)
    assert {} in metrics or {"best": 1.0} in metrics
    assert set(search.values()) == {1.0, math.inf}
    assert search.best_settings()["momentum"] >= 0.5


def test_a_search_in_which_all_failed_has_no_best_settings():
    search = a_search(objective=lambda settings: math.inf)
    go(search, 2)
    with pytest.raises(InputError, match="trials=2: must be"):
        search.best_settings()


@pytest.fixture
def task(place) -> Task:
    settings = {"data": "digits", "training_images": 300, "validation_images": 100, "epochs": 1}
    run = Run(LAB, Config(**settings))
    return Task(run.config, run.load_images("digits"), (300, 100), run, 0)


def test_all_ways_are_judged_by_the_same_training(task):
    settings = {"learning_rate": 0.1, "momentum": 0.9, "batch_size": 32}
    assert task.error(settings) == task.error(dict(settings)) != task.error({**settings, "learning_rate": 1e-3})


def test_no_image_is_both_learned_from_and_held_out(task):
    learned = {image.numpy().tobytes() for image in task.inputs}
    held_out = {image.numpy().tobytes() for image in task.validation[0]}
    assert not learned & held_out


def found(values: list[list[float]]) -> list[Search]:
    """A search for each repetition, which found these values one after the other."""
    searches = []
    for each in values:
        left = iter(each)
        searches.append(a_search("random", objective=lambda settings, left=left: next(left)))
        go(searches[-1], len(each))
    return searches


def test_trials_are_counted_until_a_way_is_near_the_best_of_all():
    searches = {"random": found([[3.0, 2.0, 1.0], [3.0, 2.0, 2.0]]), "grid": found([[5.0, 1.05, 4.0], [9.0, 9.0, 1.0]])}
    assert trials_to(searches, "random") == [3, None]
    assert trials_to(searches, "grid") == [2, 3]


@pytest.fixture
def said() -> tuple[Any, dict]:
    """A run that notes what it is told, and what it was told."""
    told: dict = {"notes": []}

    class Told:
        streams = foundations.Streams(0)
        note = staticmethod(told["notes"].append)
        table = staticmethod(lambda name, rows: told.update({name: rows}))

    return Told(), told


def test_a_planted_difference_is_found_and_a_planted_tie_is_not(said):
    run, told = said
    chance = [5.0, 6.0, 7.0, 5.5, 6.5]
    ways = {"random": chance, "bayesian": [each - 1 for each in chance], "grid": [5.5, 5.5, 7.5, 5.0, 6.6]}
    compare({way: found([[value] for value in values]) for way, values in ways.items()}, run)
    assert [row["verdict"] for row in told["against_random_search"]] == ["better", "within chance"]
    assert told["notes"] == ["the difference from random search is within chance for: grid"]


def test_with_two_repetitions_nothing_is_ranked(said):
    run, told = said
    compare({way: found([[1.0], [2.0]]) for way in WAYS}, run)
    assert "against_random_search" not in told
    assert told["notes"] == ["fewer than 3 repetitions: the differences between the ways may all be chance"]


def test_of_fewer_images_than_asked_for_both_parts_get_their_share_and_the_run_says_so(said):
    run, told = said
    assert split(Config(training_images=3_000, validation_images=1_000), 2_000, run) == (1_500, 500)
    assert told["notes"] == ["2,000 images, fewer than asked for: trials learn from 1,500, 500 judge them"]


def test_data_too_small_for_the_largest_batch_are_refused(said):
    with pytest.raises(InputError, match="data='mnist': must be of more than 300 training images"):
        split(Config(), 300, said[0])
