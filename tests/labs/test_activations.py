"""What the lab of activations says about slopes, and how it counts silent units."""

from types import SimpleNamespace

import pytest
import torch
from states import assert_resumes_exactly

from foundations.hidden_layers import gradients_sent_back, silent_share
from foundations.streams import Streams
from labs import activations


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("identity", "never", "never"),
        ("relu", 0.01, "never"),
        ("leaky_relu", "never", "never"),
        ("tanh", -2.99, 2.99),  # 1 - tanh^2 = 0.01 at atanh(sqrt 0.99) = 2.993
        ("sigmoid", -4.58, 4.58),  # s (1 - s) = 0.01 at log((1 + r) / (1 - r)), r = sqrt 0.96
        ("elu", -4.6, "never"),  # e^z = 0.01 at -4.605
    ],
)
def test_saturation_begins_where_the_slope_falls_to_a_hundredth(name, low, high):
    row = activations.traits(name)
    assert row["saturated below"] == low
    assert row["saturated above"] == high


def test_linear_layers_send_the_gradient_back_whole():
    network = activations.build((20, *[400] * 6, 10), "identity", 1.0, 0.0, Streams(0)).double()
    back = gradients_sent_back(network, torch.zeros(2, 20, dtype=torch.float64), Streams(0).torch("sent"))
    assert len(back) == 6
    assert back[-1] == pytest.approx(1)
    assert back[0] == pytest.approx(1, abs=0.15)


def test_a_sigmoid_at_zero_takes_three_quarters_of_the_gradient_at_each_layer():
    network = activations.build((20, *[400] * 6, 10), "sigmoid", 1.0, 0.0, Streams(0)).double()
    for parameter in network.parameters():
        parameter.data.mul_(1e-3)
    back = gradients_sent_back(network, torch.zeros(2, 20, dtype=torch.float64), Streams(0).torch("sent"))
    assert back[0] ** (1 / 5) == pytest.approx(0.25e-3, rel=0.05)


@pytest.mark.parametrize(("start", "share"), [(-100.0, 1.0), (100.0, 0.0)])
def test_hidden_biases_begin_where_they_are_asked_to(start, share):
    network = activations.build((5, 4, 4, 2), "relu", 1.0, start, Streams(0))
    assert silent_share(network, torch.rand(7, 5)) == share
    assert network.head.bias.count_nonzero() == 0


def test_a_row_tells_the_repeats_of_its_setting_alone():
    values = {
        ("elu", 0.0, 0.1, 0): 0.25,
        ("elu", 0.0, 0.1, 1): 0.75,
        ("elu", 0.0, 1.0, 0): 9.0,
        ("relu", 0.0, 0.1, 0): 9.0,
    }
    row = activations.silent_row({"silent units": values}, "elu", 0.0, 0.1)
    assert (row["silent units"], row["least silent units"], row["most silent units"]) == (0.5, 0.25, 0.75)


def test_a_family_goes_on_exactly_from_its_state(generator):
    run = SimpleNamespace(device=torch.device("cpu"), streams=Streams(0))
    config = activations.Config(width=4, batch_size=4, learning_rates=(0.1, 1.0), repeats=2)
    images, labels = torch.rand(12, 6, generator=generator), torch.arange(12) % 3
    assert_resumes_exactly(lambda: activations.Family(config, "elu", images, labels, run), 3, 1)
