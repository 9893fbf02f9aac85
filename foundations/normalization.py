"""Normalisation: over the batch, over each sample, over groups of a sample's channels."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foundations.distributed import gathered, is_sharing, world
from foundations.errors import InputError, require
from foundations.layers import Body, TwoBodies, require_floating


def mean_and_variance(x: Tensor, dims: list[int]) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance over `dims`, which stay as dimensions of size 1."""
    mean = x.mean(dims, keepdim=True)
    # The mean of centred squares: E[x^2] - E[x]^2 would lose all its digits where the mean is large.
    return mean, (x - mean).square().mean(dims, keepdim=True)


class BatchNorm(TwoBodies):
    """Batch normalisation: y = (x - mean) / sqrt(variance + eps) * weight + bias, for each channel by itself.

    In training, mean and variance are those of the batch over all but the channel dimension, and the running ones move
    towards them: running = (1 - momentum) running + momentum batch, the variance there with the unbiased n / (n - 1).
    With `momentum` None the running ones are plain averages over all batches. Evaluation uses the running ones.
    Real and generated samples in one batch share statistics: a GAN's discriminator takes them in separate passes.
    Where several processes share a batch (see `foundations.distributed`), the statistics are those of the whole batch.

    Shapes: x (batch, channels, *), kept; weight, bias, running_mean, running_var (channels).
    Raises: InputError for another number of channels, whole numbers, and in training for a single value a channel.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, *, body: Body = "kernel"
    ) -> None:
        super().__init__(body)
        require(num_features >= 1, "num_features", num_features, "at least 1")
        _require_eps(eps)
        require(momentum is None or 0 <= momentum <= 1, "momentum", momentum, "between 0 and 1, or None for averages")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def equations(self, x: Tensor) -> Tensor:
        """Centre, scale, then let the network choose its own centre and scale."""
        channel = _by_channel(x)
        if self.training:
            mean, variance = self._batch_statistics(x)
        else:
            mean, variance = self.running_mean.view(channel), self.running_var.view(channel)
        normal = (x - mean) / torch.sqrt(variance + self.eps)
        return normal * self.weight.view(channel) + self.bias.view(channel)

    def _batch_statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = mean_and_variance(x, [dim for dim in range(x.dim()) if dim != 1])
        count = x.numel() / self.num_features
        if is_sharing():
            mean, variance, count = *_pooled(mean, variance), count * world().size
        with torch.no_grad():
            self.running_mean.lerp_(mean.flatten(), self._update_rate())
            self.running_var.lerp_(variance.flatten() * count / (count - 1), self._update_rate())
        return mean, variance

    def kernel(self, x: Tensor) -> Tensor:
        """The same in one pass."""
        rate = self._update_rate() if self.training else 0.0
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.training, rate, self.eps
        )

    def _update_rate(self) -> float:
        return 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (batch, channels, *), kept."""
        _require_channels(x, self.num_features)
        if self.training:
            if x.numel() <= self.num_features and not is_sharing():
                allowed = "more than one value a channel in training; raise the batch"
                raise InputError(f"input shape={tuple(x.shape)}: must be {allowed}")
            self.num_batches_tracked.add_(1)
            if is_sharing():  # the kernel sees this process's share alone
                return self.equations(x.to(self.weight.dtype)).to(x.dtype)
        return super().forward(x)

    def reset_running_stats(self) -> None:
        """Forget the running mean and variance, as if no batch had been seen."""
        self.running_mean.zero_()
        self.running_var.fill_(1)
        self.num_batches_tracked.zero_()

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class LayerNorm(TwoBodies):
    """Layer normalisation: y = (x - mean) / sqrt(variance + eps) * weight + bias, for each sample by itself.

    Mean and variance are those of the sample's last dimensions, `normalized_shape`: of all its features, or of each
    place of a sequence (batch, time, features) alone. Nothing is remembered: training and evaluation are the same.

    Shapes: x (*, normalized_shape), kept; weight, bias (normalized_shape).
    Raises: InputError for sizes below 1, an input with other last dimensions, and one of whole numbers.
    Source: Ba et al. 2016, arXiv:1607.06450.
    """

    def __init__(self, normalized_shape: int | Sequence[int], eps: float = 1e-5, *, body: Body = "kernel") -> None:
        super().__init__(body)
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        require(len(shape) > 0 and min(shape) >= 1, "normalized_shape", normalized_shape, "sizes of at least 1")
        _require_eps(eps)
        self.normalized_shape, self.eps = shape, eps
        self.weight = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape))

    def equations(self, x: Tensor) -> Tensor:
        """Centre and scale each sample, then each feature."""
        mean, variance = mean_and_variance(x, list(range(-len(self.normalized_shape), 0)))
        return (x - mean) / torch.sqrt(variance + self.eps) * self.weight + self.bias

    def kernel(self, x: Tensor) -> Tensor:
        """The same in one pass."""
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (*, normalized_shape), kept."""
        if x.shape[-len(self.normalized_shape) :] != self.normalized_shape:
            allowed = f"(..., {', '.join(map(str, self.normalized_shape))})"
            raise InputError(f"input shape={tuple(x.shape)}: must be {allowed}")
        require_floating(x)
        return super().forward(x)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.normalized_shape}, eps={self.eps}"


class GroupNorm(TwoBodies):
    """Group normalisation: y = (x - mean) / sqrt(variance + eps) * weight + bias, for each group of channels.

    Mean and variance are those of one sample over the neighbouring channels of a group and all their places; weight and
    bias are one a channel. No batch is needed, so small ones do no harm. One channel a group,
    `GroupNorm(channels, channels)`, is instance normalisation (Ulyanov et al. 2016, arXiv:1607.08022); one group of all
    channels normalises as `LayerNorm` does.

    Shapes: x (batch, channels, *), kept; weight, bias (channels).
    Raises: InputError unless the groups divide the channels, for another number of channels, whole numbers, and where a
    group has a single value.
    Source: Wu & He 2018, arXiv:1803.08494.
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, *, body: Body = "kernel") -> None:
        super().__init__(body)
        require(num_groups >= 1, "num_groups", num_groups, "at least 1")
        divides = f"a positive multiple of num_groups={num_groups}"
        require(num_channels >= 1 and num_channels % num_groups == 0, "num_channels", num_channels, divides)
        _require_eps(eps)
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def equations(self, x: Tensor) -> Tensor:
        """Centre and scale each group as one row, then each channel."""
        rows = x.reshape(len(x), self.num_groups, -1)  # (batch, groups, channels of a group * places)
        mean, variance = mean_and_variance(rows, [-1])
        normal = ((rows - mean) / torch.sqrt(variance + self.eps)).view(x.shape)
        return normal * self.weight.view(_by_channel(x)) + self.bias.view(_by_channel(x))

    def kernel(self, x: Tensor) -> Tensor:
        """The same in one pass."""
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (batch, channels, *), kept."""
        _require_channels(x, self.num_channels)
        if math.prod(x.shape[1:]) <= self.num_groups:
            raise InputError(f"input shape={tuple(x.shape)}: must be more than one value a group; take fewer groups")
        return super().forward(x)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}"


def _pooled(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Of all processes' equal shares together: variance = mean of the variances + variance of the means."""
    means, variances = gathered(torch.stack([mean, variance])).unbind(1)  # (processes, 1, channels, 1, ...) each
    mean = means.mean(0)
    return mean, variances.mean(0) + (means - mean).square().mean(0)


def _by_channel(x: Tensor) -> tuple[int, ...]:
    """The shape in which a vector (channels) meets x (batch, channels, *)."""
    return (1, -1) + (1,) * (x.dim() - 2)


def _require_eps(eps: float) -> None:
    require(0 < eps < math.inf, "eps", eps, "a finite number above 0")


def _require_channels(x: Tensor, channels: int) -> None:
    if x.dim() < 2 or x.shape[1] != channels:
        raise InputError(f"input shape={tuple(x.shape)}: must be (batch, {channels}, ...)")
    require_floating(x)
