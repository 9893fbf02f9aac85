import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from foundations.errors import InputError
from foundations.networks import GoogLeNet, Inception


def _count(network):
    return sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize(
    ("options", "weights"),
    [({}, 6_624_904), ({"auxiliary": True}, 13_004_888), ({"variant": "original"}, 6_998_552)],
)
def test_googlenet_has_the_published_number_of_weights(options, weights):
    with torch.device("meta"):
        assert _count(GoogLeNet(**options)) == weights


@settings(max_examples=20)
@given(st.lists(st.integers(1, 5), min_size=6, max_size=6), st.integers(1, 9), st.integers(1, 9))
def test_inception_keeps_the_size_and_lays_its_four_paths_side_by_side(sizes, height, width):
    block = Inception(3, tuple(sizes)).eval()
    wanted = sizes[0] + sizes[2] + sizes[4] + sizes[5]
    assert block.out_channels == wanted
    assert block(torch.zeros(2, 3, height, width)).shape == (2, wanted, height, width)


def test_inception_agrees_with_its_four_paths_by_hand(generator):
    block = Inception(3, (2, 3, 4, 1, 2, 5), variant="original", generator=generator)
    w = list(block.parameters())
    x = torch.randn(2, 3, 6, 6, generator=generator)

    def conv(x, index, padding=0):
        return torch.relu(F.conv2d(x, w[index], w[index + 1], padding=padding))

    paths = conv(x, 0), conv(conv(x, 2), 4, 1), conv(conv(x, 6), 8, 2), conv(F.max_pool2d(x, 3, 1, 1), 10)
    torch.testing.assert_close(block(x), torch.cat(paths, dim=1))


@pytest.mark.parametrize(("variant", "side"), [("original", 5), ("batch_norm", 3)])
def test_the_large_kernel_is_five_in_the_paper_and_three_with_batch_norm(variant, side):
    block = Inception(3, (1, 1, 1, 1, 1, 1), variant=variant)
    assert block.paths["large"][1][0].kernel_size == (side, side)


@pytest.mark.parametrize("image_side", [28, 224])
def test_blocks_see_the_sizes_of_the_paper(image_side):
    sides = {}
    with torch.device("meta"):
        network = GoogLeNet(image_side=image_side)
        x = torch.zeros(1, 3, image_side, image_side)
        for name, layer in network.body.named_children():
            x = layer(x)
            sides[name] = x.shape[-1]
    assert (sides["inception3b"], sides["inception4e"], sides["inception5b"]) == (28, 14, 7)


def test_all_three_classifiers_of_googlenet_give_logits_and_reach_the_first_layer(generator):
    network = GoogLeNet(10, 1, width=0.1, image_side=28, auxiliary=True, generator=generator)
    logits = network.all_logits(torch.rand(2, 1, 28, 28, generator=generator))
    assert [each.shape for each in logits] == [(2, 10)] * 3
    first = next(network.parameters())
    for each in logits:
        (slope,) = torch.autograd.grad(each.square().sum(), first, retain_graph=True)
        assert slope.norm() > 0


def test_the_first_of_all_logits_is_what_forward_gives(generator):
    network = GoogLeNet(10, 1, width=0.1, image_side=28, auxiliary=True, generator=generator).eval()
    images = torch.rand(2, 1, 28, 28, generator=generator)
    torch.testing.assert_close(network.all_logits(images)[0], network(images))


def test_googlenet_without_auxiliary_classifiers_says_so():
    network = GoogLeNet(10, 1, width=0.1, image_side=28)
    with pytest.raises(InputError, match="auxiliary=False: must be True"):
        network.all_logits(torch.zeros(2, 1, 28, 28))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"variant": "v2"}, "variant='v2'"),
        ({"auxiliary": True, "image_side": 32}, "auxiliary=True"),
        ({"classes": -1}, "classes=-1"),
        ({"dropout": -0.1}, "p=-0.1"),
    ],
)
def test_googlenet_refuses_impossible_settings(settings, named):
    with pytest.raises(InputError, match=named), torch.device("meta"):
        GoogLeNet(**settings)


@pytest.mark.parametrize("sizes", [(1, 2, 3), (1, 2, 3, 4, 5, 0)])
def test_inception_refuses_what_is_not_six_sizes(sizes):
    with pytest.raises(InputError, match="sizes="):
        Inception(3, sizes)


def test_googlenet_refuses_images_of_other_channels():
    with pytest.raises(InputError, match="input shape"):
        GoogLeNet(10, 1, width=0.1, image_side=28)(torch.zeros(1, 3, 28, 28))
