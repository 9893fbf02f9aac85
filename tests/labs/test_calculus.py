"""What the lab of derivatives says of them."""

import pytest

from labs.calculus import PRECISIONS, Config, errors_by_step, slopes_of


@pytest.fixture(scope="module")
def slopes() -> dict[str, float]:
    return slopes_of(errors_by_step(Config(points=200, steps_per_decade=4)))


@pytest.mark.parametrize("name", PRECISIONS)
def test_truncation_falls_with_the_square_of_the_step_and_rounding_grows_with_its_inverse(name, slopes):
    assert slopes[f"truncation_slope_{name}"] == pytest.approx(2, abs=0.05)
    assert slopes[f"rounding_slope_{name}"] == pytest.approx(-1, abs=0.05)


@pytest.mark.parametrize("name", PRECISIONS)
def test_the_best_step_lies_near_the_cube_root_of_the_rounding_error(name, slopes):
    middle = PRECISIONS[name][1] ** (1 / 3)
    assert middle / 4 < slopes[f"best_step_{name}"] < 4 * middle
