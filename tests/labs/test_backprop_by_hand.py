"""What the lab builds and checks before it trains."""

import numpy as np
import pytest
import torch

from foundations.scratch import relative_error
from foundations.streams import Streams
from labs.backprop_by_hand import Config, as_torch, build_network, check_gradients
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


@pytest.mark.parametrize("model", CONFIGS)
def test_the_model_that_is_kept_says_what_the_network_says(model, digits):
    network = build_network(CONFIGS[model], digits, Streams(0))
    x = digits.test_images[:20] / 255
    with torch.no_grad():
        np.testing.assert_allclose(network.predict(x.numpy()), as_torch(network)(x).numpy(), atol=1e-5)
