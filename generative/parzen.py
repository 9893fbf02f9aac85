"""Parzen-window log-likelihood: how the first adversarial networks were compared, kept as history.

Do not rank models by it. In hundreds of dimensions it would need astronomically many samples to come near the true
likelihood; with any that can be had, mere cluster centres of the training images beat the training images themselves
(Theis et al. 2016, arXiv:1511.01844, on Parzen windows).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from foundations.errors import require

FEWEST = 100
"""Fewer samples make no density worth the name."""


def parzen_log_likelihood(samples: Tensor, test: Tensor, bandwidth: float, *, batch_size: int = 500) -> Tensor:
    """The log-density in nats of each x of `test`, one Gaussian of deviation `bandwidth` standing round each sample.

    log p(x) = log sum_i exp(-|x - s_i|^2 / 2 h^2) - log n - d/2 log(2 pi h^2), with n samples of d numbers. A density
    of numbers, here pixels in [0, 1]: it may be above 0, and is not to be compared with bounds on bytes or bits.
    Shapes: samples (n, *), test (m, *), both floats -> (m), float64.
    Raises: InputError for fewer than 100 samples, other shapes, bytes, and a bandwidth that is not above 0.
    Source: Parzen 1962; for generators Breuleux et al. 2011, Goodfellow et al. 2014, arXiv:1406.2661, table 1.
    """
    return _log_likelihoods(samples, test, [bandwidth], batch_size)[0]


def choose_bandwidth(samples: Tensor, validation: Tensor, candidates: Sequence[float]) -> float:
    """That of `candidates` under which `validation` is likeliest on average: real images, and none of the test's.

    Shapes: samples (n, *), validation (m, *). Raises: as `parzen_log_likelihood`, and for no candidates.
    Source: Goodfellow et al. 2014, arXiv:1406.2661, section 5.
    """
    require(len(candidates) >= 1, "candidates", list(candidates), "at least one bandwidth")
    means = _log_likelihoods(samples, validation, candidates, 500).mean(dim=1)
    return candidates[int(means.argmax())]


def _log_likelihoods(samples: Tensor, test: Tensor, bandwidths: Sequence[float], batch_size: int) -> Tensor:
    """One row a bandwidth, from one look at all distances: (bandwidths, m)."""
    require(samples.shape[1:] == test.shape[1:], "test shape", tuple(test.shape), f"(m, *{tuple(samples.shape[1:])})")
    require(len(samples) >= FEWEST, "samples", len(samples), f"at least {FEWEST}")
    for name, images in (("samples", samples), ("test", test)):
        require(images.is_floating_point(), f"{name} dtype", images.dtype, "floating point; divide bytes by 255")
    for bandwidth in bandwidths:
        require(bandwidth > 0, "bandwidth", bandwidth, "above 0")
    points, centre = samples.flatten(start_dim=1), samples.flatten(start_dim=1).mean(dim=0)
    parts = [
        _log_kernels(torch.cdist(part - centre, points - centre).double(), bandwidths, points.shape[1])
        for part in test.flatten(start_dim=1).split(batch_size)
    ]
    return torch.cat(parts, dim=1)


def _log_kernels(distances: Tensor, bandwidths: Sequence[float], dimensions: int) -> Tensor:
    """The mean over all samples of the Gaussian of each bandwidth, in logarithms: (m, n) -> (bandwidths, m)."""
    rows = []
    for bandwidth in bandwidths:
        exponents = distances.square() / (-2 * bandwidth**2)
        volume = dimensions / 2 * math.log(2 * math.pi * bandwidth**2)
        rows.append(exponents.logsumexp(dim=1) - math.log(distances.shape[1]) - volume)
    return torch.stack(rows)
