"""What the lab of bandits refuses."""

import pytest

from foundations.errors import InputError
from labs.bandits import Config, main


def test_too_few_rounds_and_impossible_arms_are_refused():
    with pytest.raises(InputError, match=r"rounds=199: must be at least 200"):  # 100 would be one look: no growth
        main(Config(rounds=199), None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"probabilities=1.5: must be above 0 and below 1"):
        main(Config(arms=(0.5, 1.5)), None)  # type: ignore[arg-type]
