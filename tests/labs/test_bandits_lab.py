"""What the lab of bandits computes from what the agents went through."""

import numpy as np
import pytest

from foundations.errors import InputError
from labs.bandits import Config, growth, main, segment


def test_growth_is_the_slope_over_the_logarithm_of_the_rounds():
    rounds = np.arange(1, 101)
    assert growth(3 * np.log(rounds)[:, None] + np.array([5.0, 7.0])) == pytest.approx(3)


def test_a_policy_sees_the_segment_and_not_the_money():
    assert segment(np.array([[0, 1, 0.5, 0.25]], np.float32)).tolist() == [[0, 1]]


def test_too_few_rounds_and_impossible_arms_are_refused():
    with pytest.raises(InputError, match=r"rounds=50: must be at least 100"):
        main(Config(rounds=50), None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"probabilities=1.5: must be above 0 and below 1"):
        main(Config(arms=(0.5, 1.5)), None)  # type: ignore[arg-type]
