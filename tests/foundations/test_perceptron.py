import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import linear_model
from states import assert_resumes_exactly

from foundations.errors import InputError
from foundations.learner import Learner
from foundations.perceptron import Perceptron

CORNERS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
AND, OR, XOR = (torch.tensor(labels) for labels in ([0, 0, 0, 1], [0, 1, 1, 1], [0, 1, 1, 0]))


def clouds(seed: int = 0, distance: float = 6.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two round clouds of three features each."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (80,), generator=generator)
    points = torch.randn(80, 3, generator=generator, dtype=torch.float64)
    return points + distance * labels[:, None] / 3**0.5 + 1, labels


def learn(perceptron: Perceptron, epochs: int = 200) -> list[float]:
    return [metrics["errors"] for metrics in itertools.islice(perceptron.learn(), epochs)]


@pytest.mark.parametrize("labels", [AND, OR], ids=["and", "or"])
def test_it_learns_and_as_well_as_or_and_then_rests(labels):
    perceptron = Perceptron(CORNERS, labels)
    errors = learn(perceptron)
    assert errors[-1] == 0
    assert len(errors) < 20
    assert torch.equal(perceptron.predict(CORNERS), labels)


def test_it_never_learns_xor():
    perceptron = Perceptron(CORNERS, XOR)
    assert min(learn(perceptron)) >= 1
    assert (perceptron.predict(CORNERS) == XOR).double().mean() <= 0.75


def test_a_mistake_moves_the_weights_by_the_sample_and_a_right_answer_by_nothing():
    perceptron = Perceptron(torch.tensor([[2.0, 3.0], [-1.0, -1.0]]), torch.tensor([1, 0]), learning_rate=0.5)
    assert learn(perceptron, 1) == [1]  # the first lies on the line, which is not above 0; the second is right then
    assert (perceptron.weight.tolist(), perceptron.bias.item()) == ([1, 1.5], 0.5)


@pytest.mark.parametrize("learning_rate", [1.0, 0.1])
@pytest.mark.parametrize("distance", [6.0, 1.0], ids=["apart", "mixed"])
@given(st.integers(0, 20))
def test_weights_are_those_of_scikit_learn_for_the_same_order_start_and_rate(distance, learning_rate, seed):
    points, labels = clouds(seed, distance)
    start = torch.randn(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    own = Perceptron(points, labels, learning_rate=learning_rate)
    own.weight.copy_(start)
    epochs = len(learn(own, 5))
    twin = linear_model.Perceptron(eta0=learning_rate, shuffle=False, max_iter=epochs, tol=None)
    twin.fit(points.numpy(), labels.numpy(), coef_init=start[None].numpy(), intercept_init=[0.0])
    torch.testing.assert_close(own.weight, torch.from_numpy(twin.coef_[0]))
    torch.testing.assert_close(own.bias, torch.tensor(twin.intercept_[0]))


def test_decisions_are_those_of_scikit_learn_on_classes_that_a_plane_parts(generator):
    points, labels = clouds()
    own = Perceptron(points, labels, generator=generator)
    assert learn(own)[-1] == 0
    twin = linear_model.Perceptron(tol=None, random_state=0).fit(points.numpy(), labels.numpy())
    assert torch.equal(own.predict(points), torch.from_numpy(twin.predict(points.numpy())))


@given(st.integers(0, 50), st.floats(0.01, 10))
def test_on_parted_classes_it_makes_no_more_mistakes_than_novikoffs_bound(seed, learning_rate):
    points, labels = clouds(seed, distance=12.0)
    errors = sum(learn(Perceptron(points, labels, learning_rate=learning_rate)))
    homogeneous = torch.cat([points, torch.ones(80, 1, dtype=torch.float64)], 1)
    signed = homogeneous * (2 * labels[:, None] - 1)
    middle = -(points[labels == 1].mean(0) ** 2).sum() / 2 + (points[labels == 0].mean(0) ** 2).sum() / 2
    plane = torch.cat([points[labels == 1].mean(0) - points[labels == 0].mean(0), middle[None]])
    margin = (signed @ plane / plane.norm()).min()
    assert margin > 0
    assert errors <= (homogeneous.norm(dim=1).max() / margin) ** 2


def test_resuming_from_a_file_is_exact(generator):
    points, labels = clouds(distance=1.0)
    straight, resumed = assert_resumes_exactly(
        lambda: Perceptron(points, labels, generator=torch.Generator().manual_seed(0)), 4, 5
    )
    assert isinstance(straight, Learner)
    assert torch.equal(resumed.weight, straight.weight)


def test_one_that_rests_rests_after_a_resume_too():
    rested, resumed = (Perceptron(CORNERS, AND) for _ in range(2))
    learn(rested)
    resumed.load_state_dict(rested.state_dict())
    assert learn(resumed) == []


POINTS, LABELS = torch.zeros(4, 2), torch.tensor([0, 1, 0, 1])
BAD = {
    "labels=[1]: must be 0 and 1, both": lambda: Perceptron(POINTS, torch.ones(4, dtype=torch.int64)),
    "labels=[0, 1, 2]": lambda: Perceptron(POINTS, torch.tensor([0, 1, 2, 1])),
    "labels shape=(3,)": lambda: Perceptron(POINTS, LABELS[:3]),
    "labels dtype=torch.float32": lambda: Perceptron(POINTS, LABELS.float()),
    "inputs shape=(4,)": lambda: Perceptron(POINTS[:, 0], LABELS),
    "inputs shape=(0, 2)": lambda: Perceptron(POINTS[:0], LABELS[:0]),
    "inputs dtype=torch.int64": lambda: Perceptron(POINTS.long(), LABELS),
    "inputs='NaN or infinity": lambda: Perceptron(POINTS / 0, LABELS),
    "learning_rate=0": lambda: Perceptron(POINTS, LABELS, learning_rate=0),
    "learning_rate=nan": lambda: Perceptron(POINTS, LABELS, learning_rate=float("nan")),
    "input shape=(4, 3)": lambda: Perceptron(POINTS, LABELS).predict(torch.zeros(4, 3)),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_refused_by_name(message):
    with pytest.raises(InputError) as caught:
        BAD[message]()
    assert str(caught.value).startswith(message)
