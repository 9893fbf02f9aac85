"""What the lab builds and checks before it trains."""

import pytest

from foundations.scratch import relative_error
from foundations.streams import Streams
from labs.backprop_by_hand import Config, build_network, check_gradients
from labs.kit.data import load_images


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


CONFIGS = {"mlp": Config(hidden=(8, 6)), "cnn": Config(model="cnn", hidden=(8,))}


@pytest.mark.parametrize("model", CONFIGS)
def test_every_array_of_weights_passes_the_gradient_check(model, digits):
    checked = check_gradients(CONFIGS[model], digits, Streams(0))
    assert checked.keys() == build_network(CONFIGS[model], digits, Streams(0)).parameters().keys()
    assert max(relative_error(*pair) for pair in checked.values()) <= 1e-6
