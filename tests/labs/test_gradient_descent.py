import pytest

from foundations.errors import InputError
from labs.gradient_descent import Config, load, main


def test_the_measures_and_the_progression_are_standardised():
    problem = load()
    for values in (problem.x, problem.y):
        assert values.mean(0).abs().max() < 1e-12
        assert values.square().mean(0).tolist() == pytest.approx([1] * values.shape[1])


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(InputError, match=r"^batch_size=1000: .*442"):
        main(Config(batch_size=1_000), None)  # type: ignore[arg-type]
