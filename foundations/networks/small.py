"""A small convolutional network, and where batch norm, dropout and spatial dropout stand in it."""

import torch
from torch import nn

from foundations.activations import ReLU
from foundations.convolution import Conv2d
from foundations.errors import require
from foundations.layers import Dropout, Flatten, Linear, SpatialDropout
from foundations.networks.common import require_network
from foundations.normalization import BatchNorm
from foundations.pooling import MaxPool2d

SIDE = 28


def small_conv_net(
    classes: int = 10,
    *,
    channels: int = 8,
    units: int = 128,
    batch_norm: bool = False,
    spatial_dropout: float = 0.0,
    dropout: float = 0.0,
    generator: torch.Generator | None = None,
    dropout_generator: torch.Generator | None = None,
) -> nn.Sequential:
    """Two convolutions of 5x5, of `channels` and twice as many maps, each pooled 2x2; a dense layer; the logits.

    Batch norm stands behind each convolution and behind the dense layer, before ReLU. Spatial dropout drops whole maps
    behind each pooled ReLU, dropout `units` behind the dense one; both are probabilities, and 0 leaves them out.
    First weights come from `generator`, masks from `dropout_generator`: the weights are the same whatever is added.
    Shapes: grey images (batch, 1, 28, 28) -> (batch, classes).
    Raises: InputError for sizes below 1, and probabilities outside [0, 1).
    Source: dropout: Srivastava et al. 2014, JMLR 15; spatial: Tompson et al. 2015, arXiv:1411.4280; batch norm: Ioffe &
    Szegedy 2015, arXiv:1502.03167.
    """
    require_network(classes, channels, width=1.0, image_side=SIDE)
    require(units >= 1, "units", units, "at least 1")

    def block(into: int, out: int) -> list[nn.Module]:
        layers: list[nn.Module] = [Conv2d(into, out, 5, generator=generator)]
        layers += [BatchNorm(out)] if batch_norm else []
        layers += [MaxPool2d(2), ReLU()]
        return layers + ([SpatialDropout(spatial_dropout, generator=dropout_generator)] if spatial_dropout else [])

    dense = Linear(2 * channels * 4 * 4, units, generator=generator)  # 28 -> 24 -> 12 -> 8 -> 4 pixels a side
    norm = [BatchNorm(units)] if batch_norm else []
    dropped = [Dropout(dropout, generator=dropout_generator)] if dropout else []
    head = Linear(units, classes, generator=generator)
    parts = [*block(1, channels), *block(channels, 2 * channels), Flatten(), dense, *norm, ReLU(), *dropped, head]
    return nn.Sequential(*parts)
