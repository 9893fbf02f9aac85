"""The problems that the lab sets, and what its models make of them."""

import pytest
import torch
from unwatched import Unwatched

from foundations.errors import InputError
from foundations.streams import Streams
from labs.perceptron import PROBLEMS, Config, accuracy, main, make_problem, train_pair


@pytest.mark.parametrize("name", PROBLEMS)
def test_training_and_test_points_are_drawn_apart(name):
    problem = make_problem(name, Config(points=20), Streams(0))
    assert problem.inputs.shape == problem.test_inputs.shape == (80, 2)
    assert not torch.equal(problem.inputs, problem.test_inputs)


def test_a_batch_larger_than_the_points_is_refused_before_anything_is_trained():
    with pytest.raises(InputError, match="batch_size=50: must be at most 40"):
        main(Config(points=10, batch_size=50), Unwatched())


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("model", ["perceptron", "logistic"])
def test_one_neuron_fails_xor(model, seed):
    pair = train_pair("xor", model, seed, Config(steps=300), Unwatched())
    assert accuracy(pair.problem, pair.own) <= 0.75
    assert accuracy(pair.problem, pair.peer) <= 0.75


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", ["xor", "moons"])
def test_a_hidden_layer_solves_what_one_neuron_cannot(name, seed):
    pair = train_pair(name, "mlp", seed, Config(), Unwatched())
    assert accuracy(pair.problem, pair.own) >= 0.99
