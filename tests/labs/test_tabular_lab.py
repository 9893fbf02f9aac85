"""What the lab of tabular agents shows."""

import pytest
from unwatched import Unwatched

from agents.environments import make_one
from labs.drawings.tabular import METHODS, Grid
from labs.tabular import Config, main


@pytest.mark.parametrize("name", ["FrozenLake-v1", "CliffWalking-v1"])
def test_the_map_leads_where_the_environment_goes(name):
    settings = {"is_slippery": False}
    environment = make_one(name, **settings)
    grid = Grid.of(environment.unwrapped)
    rows, columns = grid.letters.shape
    for state in range(rows * columns):
        if grid.letters.flat[state] not in "FS":
            continue
        for action in range(4):
            ((_, following, _, _),) = environment.unwrapped.P[state][action]
            right, up = grid.sides[action]
            row = min(max(state // columns - up, 0), rows - 1)
            column = min(max(state % columns + right, 0), columns - 1)
            if grid.letters[row, column] != "H" or name == "FrozenLake-v1":
                assert following == row * columns + column


@pytest.mark.slow
@pytest.mark.parametrize(("env", "shown"), [("taxi", 2), ("blackjack", 2), ("cliff_walking", 4)])
def test_each_environment_is_drawn_and_what_falls_short_is_said(env, shown):
    run = Unwatched()
    main(Config(env=env, repetitions=1, episodes=60, looks=3), run)
    assert len(run.figures) == shown
    assert len(run.tables["policies"]) == len(METHODS)
    short = [method for method in METHODS if run.values[f"gap_percent/worst/{method}"] > 2]
    assert len(run.notes) == len(short) > 0
