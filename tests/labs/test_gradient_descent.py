import numpy as np
import pytest
import torch

from foundations.errors import InputError
from foundations.streams import Streams
from labs.gradient_descent import START, Config, Descent, Problem, main


@pytest.fixture(scope="module")
def problem() -> Problem:
    return Problem()


def _descend(way: Descent, updates: int) -> Descent:
    for _ in zip(range(updates), way.learn(), strict=False):
        pass
    return way


def test_the_full_batch_reaches_the_closed_form_to_a_millionth(problem):
    way = _descend(Descent(problem, problem.best_rate, len(problem.x), Streams(0)), 30)
    assert way.distances[-1] < 1e-6
    assert tuple(way.path[0]) == START


@pytest.mark.parametrize(("share", "grows"), [(0.99, False), (1.01, True)])
def test_the_full_batch_is_stable_just_below_two_over_the_largest_curvature(problem, share, grows):
    way = _descend(Descent(problem, share * problem.stable_below, len(problem.x), Streams(0)), 200)
    assert (way.distances[-1] > way.distances[100]) == grows
    assert way.distances[-1] / way.distances[-2] == pytest.approx(
        problem.shrinks_by(share * problem.stable_below), 1e-3
    )


def test_the_excess_loss_is_the_loss_above_that_of_the_closed_form(problem):
    weights = torch.tensor([[0.3, -0.7]], dtype=torch.float64)
    loss = (problem.x @ weights.T - problem.y).square().mean().item()
    assert problem.excess(weights.numpy())[0] == pytest.approx(loss - problem.least_loss)


def test_a_constant_rate_stops_near_its_floor_and_a_decaying_one_gets_below_it(problem):
    constant = _descend(Descent(problem, 0.05, 1, Streams(0)), 4_000).distances[-2_000:]
    schedule = lambda step: 1 / (1 + step / 100)  # noqa: E731
    decaying = _descend(Descent(problem, 0.05, 1, Streams(0), schedule), 4_000).distances[-2_000:]
    floor = problem.noise_floor(0.05, 1)
    assert np.sqrt((constant**2).mean()) == pytest.approx(floor, rel=0.25)
    assert np.sqrt((decaying**2).mean()) < floor / 5


def test_resuming_is_exact_and_keeps_the_path(problem):
    straight, first, resumed = (Descent(problem, 0.05, 32, Streams(0)) for _ in range(3))
    _descend(straight, 40)
    _descend(first, 15)
    resumed.load_state_dict(first.state_dict())
    _descend(resumed, 25)
    assert np.array_equal(resumed.path, straight.path)


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(InputError, match=r"^batch_size=1000: .*442"):
        main(Config(batch_size=1_000), None)  # type: ignore[arg-type]
