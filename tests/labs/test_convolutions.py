"""What the lab of convolutions says about geometry."""

import torch

from foundations.streams import Streams
from labs import convolutions


def test_a_patch_of_the_stated_field_gives_one_answer_and_one_more_for_each_stride():
    layers = convolutions.build(convolutions.Config(), 10, Streams(0))[:4]
    for places in (1, 2):
        side = convolutions.FIELD + (places - 1) * convolutions.STRIDE
        assert layers(torch.zeros(1, 1, side, side)).shape == (1, 16, places, places)
        assert layers(torch.zeros(1, 1, side + 1, side + 1)).shape == (1, 16, places, places)


def test_the_photograph_is_in_colour_and_in_range():
    image = convolutions.photograph()
    assert image.shape == (1, 3, 213, 320)
    assert image.min() >= 0
    assert 0.5 < image.max() <= 1


def test_every_size_in_the_table_is_the_formulas():
    found = {row["layer"]: (row["1 x 28 x 28 becomes"], row["weights"]) for row in convolutions.sizes()}
    assert found["convolution 3x3, stride 2, padding 1"] == ("1 x 14 x 14", 10)
    assert found["convolution 5x5, 8 kernels"] == ("8 x 24 x 24", 208)
    assert found["average pooling 3x3, stride 2"] == ("1 x 13 x 13", 0)
    assert found["average pooling 3x3, stride 2, rounded up"] == ("1 x 14 x 14", 0)
