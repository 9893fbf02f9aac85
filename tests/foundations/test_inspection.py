import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from foundations.convolution import Conv2d, ConvTranspose2d
from foundations.errors import InputError
from foundations.inspection import count_multiply_adds, count_parameters, summary
from foundations.layers import Dropout, Linear
from foundations.networks import AlexNet, CifarResNet, GoogLeNet, LeNet5, resnet18, resnet50
from foundations.normalization import BatchNorm


def test_lenets_multiply_adds_are_those_of_layer_arithmetic():
    c1, c3 = 28 * 28 * 6 * 25, 10 * 10 * 16 * 6 * 25
    dense = 400 * 120 + 120 * 84 + 84 * 10
    assert count_multiply_adds(LeNet5(), torch.zeros(1, 1, 28, 28)) == c1 + c3 + dense == 416_520


@pytest.mark.parametrize(
    ("make", "published"),
    [(resnet18, 1.814e9), (resnet50, 4.089e9), (GoogLeNet, 1.498e9), (lambda: AlexNet(variant="one_gpu"), 714.2e6)],
)
def test_multiply_adds_of_the_great_networks_are_the_published_ones(make, published):
    with torch.device("meta"):
        assert count_multiply_adds(make(), torch.zeros(1, 3, 224, 224)) == pytest.approx(published, rel=1e-3)


@settings(max_examples=30)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.sampled_from([1, 2]), st.integers(1, 3))
def test_multiply_adds_agree_with_torchs_counter(kernel, stride, channels, groups, batch):
    network = nn.Sequential(
        Conv2d(2 * channels, 2 * channels, kernel, stride, padding=1, groups=groups),
        nn.Conv2d(2 * channels, 3, kernel),
        ConvTranspose2d(3, 5, kernel, stride),
        nn.ConvTranspose2d(5, 4, kernel, stride),
        nn.Flatten(2),
        nn.LazyLinear(3),
        Linear(3, 2),
    )
    x = torch.zeros(batch, 2 * channels, 13, 12)
    network(x)  # the lazy layer learns its size
    with FlopCounterMode(display=False) as counter:
        network(x)
    assert count_multiply_adds(network, x) * 2 * batch == counter.get_total_flops()


def test_multiply_adds_are_for_one_sample_whatever_the_batch():
    network = LeNet5()
    assert count_multiply_adds(network, torch.zeros(5, 1, 28, 28)) == count_multiply_adds(
        network, torch.zeros(1, 1, 28, 28)
    )


def test_parameters_that_layers_share_count_once():
    layer = Linear(3, 3)
    network = nn.Sequential(layer, nn.Sequential(layer), nn.Linear(3, 3))
    network[2].weight = layer.weight
    assert count_parameters(network) == 12 + 3
    assert summary(network, torch.zeros(1, 3)).parameters == 12 + 3


def test_a_layer_used_twice_works_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = Linear(3, 3)

        def forward(self, x):
            return self.layer(self.layer(x))

    assert count_multiply_adds(Twice(), torch.zeros(1, 3)) == 18


def test_frozen_weights_are_left_out_where_trainable_ones_are_asked_for():
    network = nn.Sequential(Linear(3, 4), Linear(4, 2))
    network[0].requires_grad_(False)
    assert (count_parameters(network), count_parameters(network, trainable=True)) == (26, 10)


def test_summary_tells_each_layers_name_kind_shape_and_weights():
    table = summary(nn.Sequential(Conv2d(1, 4, 3), nn.Flatten(), Linear(16, 2)), torch.zeros(5, 1, 4, 4))
    rows = [(each.name, each.kind, each.output_shape, each.parameters, each.multiply_adds) for each in table.layers]
    assert rows == [
        ("0", "Conv2d", (5, 4, 2, 2), 40, 144),
        ("1", "Flatten", (5, 16), 0, 0),
        ("2", "Linear", (5, 2), 34, 32),
    ]


@pytest.mark.parametrize("make", [lambda: CifarResNet(8, width=0.5), lambda: GoogLeNet(9, width=0.1, auxiliary=True)])
def test_the_rows_of_a_summary_add_up_to_all_weights(make):
    with torch.device("meta"):
        network = make()
        found = summary(network, torch.zeros(1, 3, 224, 224))
    assert found.parameters == sum(row.parameters for row in found.layers) == count_parameters(network)


def test_weights_of_a_module_beside_its_parts_are_a_row_too():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2))
            self.inner = Linear(2, 2)

        def forward(self, x):
            return self.scale * self.inner(x)

    found = summary(Scaled(), torch.zeros(1, 2))
    assert {each.name: each.parameters for each in found.layers} == {"inner": 6, "(network)": 2}


def test_layers_that_the_example_does_not_reach_are_told_as_such():
    network = GoogLeNet(10, 1, width=0.1, image_side=28, auxiliary=True)
    text = str(summary(network, torch.zeros(1, 1, 28, 28)))
    assert all("not reached" in line for line in text.splitlines() if "auxiliary" in line)


def test_summary_prints_a_table_with_aligned_lines_and_the_total():
    lines = str(summary(LeNet5(), torch.zeros(1, 1, 28, 28))).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == ["layer", "kind", "output", "shape", "parameters", "multiply-adds"]
    assert lines[-1].split() == ["total", "61,706", "416,520"]


def test_layers_that_give_several_tensors_show_the_first():
    found = summary(nn.Sequential(nn.LSTM(3, 4)), torch.zeros(2, 5, 3))
    assert found.layers[0].output_shape == (2, 5, 4)


def test_summary_of_a_network_of_two_inputs():
    found = summary(nn.Bilinear(3, 4, 2), torch.zeros(1, 3), torch.zeros(1, 4))
    assert found.layers[0].output_shape == (1, 2)


def test_summary_leaves_the_network_as_it_was():
    network = nn.Sequential(Linear(3, 4), BatchNorm(4), Dropout())
    network[1].eval()  # a frozen part
    running = network[1].running_mean.clone()
    summary(network, torch.ones(2, 3))
    assert (network.training, network[1].training, network[2].training) == (True, False, True)
    assert torch.equal(network[1].running_mean, running)
    assert not network[0]._forward_hooks


def test_summary_of_a_network_that_fails_leaves_no_hooks():
    network = nn.Sequential(Linear(3, 4))
    with pytest.raises(InputError):
        summary(network, torch.ones(2, 5))
    assert not network[0]._forward_hooks
    assert network.training


@pytest.mark.parametrize("example", [(), (torch.zeros(0, 3),)])
def test_summary_refuses_an_empty_example(example):
    with pytest.raises(InputError, match="example"):
        summary(Linear(3, 2), *example)
