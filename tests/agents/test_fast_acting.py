import numpy as np
import pytest
import torch
from torch import nn

from agents.fast_acting import draw_category, draw_normal, numpy_forward
from foundations.activations import GELU
from foundations.layers import Linear
from foundations.networks.mlp import MLP
from foundations.optimizers import Adam


def assert_same(module, x):
    with torch.no_grad():
        wanted = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(numpy_forward(module)(x), wanted, rtol=1e-5, atol=1e-6)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "identity", "gelu"])
def test_the_result_is_the_modules(activation, x, generator):
    assert_same(MLP((4, 16, 16, 3), activation, generator=generator), x)


def test_sequences_without_biases_are_known_too(x, generator):
    assert_same(nn.Sequential(nn.Identity(), Linear(4, 2, bias=False, generator=generator)), x)


def test_training_in_place_is_seen_at_once(x, generator):
    network = MLP((4, 16, 2), generator=generator)
    forward, optimizer = numpy_forward(network), Adam(network.parameters(), 0.1, fused=True)
    before = forward(x)
    network(torch.from_numpy(x)).square().mean().backward()
    optimizer.step()
    with torch.no_grad():
        np.testing.assert_allclose(forward(x), network(torch.from_numpy(x)).numpy(), rtol=1e-5, atol=1e-6)
    assert not np.allclose(forward(x), before)


def test_loaded_weights_are_seen_at_once(x, generator):
    network, other = MLP((4, 8, 2), generator=generator), MLP((4, 8, 2), generator=generator)
    forward = numpy_forward(network)
    network.load_state_dict(other.state_dict())
    np.testing.assert_array_equal(forward(x), numpy_forward(other)(x))


def test_inputs_are_left_as_they_are(x, generator):
    kept = x.copy()
    numpy_forward(nn.Sequential(MLP((4, 8, 2), generator=generator), GELU()))(x)
    numpy_forward(MLP((4, 8, 2), generator=generator))(x)
    np.testing.assert_array_equal(x, kept)


def test_categories_are_drawn_as_often_as_they_are_likely():
    p = np.array([0.1, 0.6, 0.3])
    drawn = draw_category(np.tile(np.log(p), (20_000, 1)), np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(drawn) / 20_000, p, atol=0.02)


def test_normals_have_their_mean_and_deviation():
    mean, log_std = np.float32([-1, 2]), np.log(np.float32([0.5, 3]))
    drawn = draw_normal(np.tile(mean, (20_000, 1)), log_std, np.random.default_rng(0))
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.1)
    np.testing.assert_allclose(drawn.std(axis=0), np.exp(log_std), rtol=0.05)
