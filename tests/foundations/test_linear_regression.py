import numpy as np
import pytest
import torch
from states import assert_resumes_exactly

from foundations.errors import InputError
from foundations.linear_regression import Descent, LeastSquares
from foundations.streams import Streams

START = (-0.6, 1.1)


@pytest.fixture(scope="module")
def problem() -> LeastSquares:
    """Two standardised features that hang together, and a target with as much noise as signal."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(442, 2)) @ np.array([[1.0, 0.5], [0.0, 0.9]])
    y = x @ np.array([0.4, 0.35]) + 0.7 * rng.normal(size=442)
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    return LeastSquares(torch.from_numpy(x), torch.from_numpy(y).unsqueeze(1))


def _descend(way: Descent, updates: int) -> Descent:
    for _ in zip(range(updates), way.learn(), strict=False):
        pass
    return way


def test_the_full_batch_reaches_the_closed_form_to_a_millionth(problem):
    way = _descend(Descent(problem, START, problem.best_rate, len(problem.x), Streams(0)), 30)
    assert way.distances[-1] < 1e-6
    assert tuple(way.path[0]) == START


@pytest.mark.parametrize(("share", "grows"), [(0.99, False), (1.01, True)])
def test_the_full_batch_is_stable_just_below_two_over_the_largest_curvature(problem, share, grows):
    way = _descend(Descent(problem, START, share * problem.stable_below, len(problem.x), Streams(0)), 200)
    assert (way.distances[-1] > way.distances[100]) == grows
    assert way.distances[-1] / way.distances[-2] == pytest.approx(
        problem.shrinks_by(share * problem.stable_below), 1e-3
    )


def test_the_excess_loss_is_the_loss_above_that_of_the_closed_form(problem):
    weights = torch.tensor([[0.3, -0.7]], dtype=torch.float64)
    loss = (problem.x @ weights.T - problem.y).square().mean().item()
    assert problem.excess(weights.numpy())[0] == pytest.approx(loss - problem.least_loss)


def test_a_constant_rate_stops_near_its_floor_and_a_decaying_one_gets_below_it(problem):
    constant = _descend(Descent(problem, START, 0.05, 1, Streams(0)), 4_000).distances[-2_000:]
    schedule = lambda step: 1 / (1 + step / 100)  # noqa: E731
    decaying = _descend(Descent(problem, START, 0.05, 1, Streams(0), schedule), 4_000).distances[-2_000:]
    floor = problem.noise_floor(0.05, 1)
    assert np.sqrt((constant**2).mean()) == pytest.approx(floor, rel=0.25)
    assert np.sqrt((decaying**2).mean()) < floor / 5


def test_resuming_is_exact_and_keeps_the_path(problem):
    straight, resumed = assert_resumes_exactly(lambda: Descent(problem, START, 0.05, 32, Streams(0)), 15, 25)
    assert np.array_equal(resumed.path, straight.path)


def test_the_first_loss_is_that_of_the_start(problem):
    way = Descent(problem, START, 0.05, len(problem.x), Streams(0))
    first = next(way.learn())["loss/training"].item()
    assert first - problem.least_loss == pytest.approx(problem.excess(np.array(START)), abs=1e-12)


def test_the_closed_form_solves_the_normal_equations(problem):
    x, y = problem.x.numpy(), problem.y[:, 0].numpy()
    np.testing.assert_allclose(x.T @ x @ problem.best, x.T @ y, rtol=1e-10)


def test_the_best_rate_shrinks_steepest_and_flattest_direction_alike_with_more_than_two_weights():
    x = torch.diag(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    problem = LeastSquares(x, torch.ones(3, 1, dtype=torch.float64))
    factors = 1 - problem.best_rate * problem.curvatures
    assert factors[0] == pytest.approx(-factors[-1])
    assert problem.shrinks_by(problem.best_rate) == pytest.approx(factors[0])


X = torch.eye(3, 2, dtype=torch.float64)
Y = torch.ones(3, 1, dtype=torch.float64)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LeastSquares(X[0], Y), r"x shape=\(2,\): must be \(n, d\)"),
        (lambda: LeastSquares(X, Y[:, 0]), r"y shape=\(3,\): must be \(3, 1\)"),
        (lambda: LeastSquares(X.float(), Y), "x dtype=torch.float32: must be float64"),
        (lambda: LeastSquares(torch.ones_like(X), Y), "rank of x=1: must be 2"),
        (lambda: Descent(LeastSquares(X, Y), (1.0,), 0.1, 3, Streams(0)), r"start=\(1.0,\): must be 2 numbers"),
        (lambda: Descent(LeastSquares(X, Y), (1.0, 1.0), 0.1, 4, Streams(0)), "batch_size=4"),
    ],
)
def test_data_that_do_not_fit_are_refused_by_name(call, message):
    with pytest.raises(InputError, match=message):
        call()
