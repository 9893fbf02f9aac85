"""Batch normalisation, for vectors, sequences and images alike."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foundations.errors import require
from foundations.layers import Body, TwoBodies


class BatchNorm(TwoBodies):
    """Batch normalisation: y = (x - mean) / sqrt(variance + eps) * weight + bias, for each channel by itself.

    In training, mean and variance are those of the batch over all but the channel dimension, and the running ones move
    towards them: running = (1 - momentum) running + momentum batch, the variance there with the unbiased n / (n - 1).
    With `momentum` None the running ones are plain averages over all batches. Evaluation uses the running ones.
    Real and made samples in one batch share their statistics: a GAN's discriminator takes them in separate passes.

    Shapes: x (batch, channels, *), kept; weight, bias, running_mean, running_var (channels).
    Raises: InputError for another number of channels, and in training for a single value a channel.
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
        require(eps > 0, "eps", eps, "above 0")
        require(momentum is None or 0 <= momentum <= 1, "momentum", momentum, "between 0 and 1, or None for averages")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def equations(self, x: Tensor) -> Tensor:
        """Centre, scale, then let the network choose its own centre and scale."""
        mean, variance = self._batch_statistics(x) if self.training else (self.running_mean, self.running_var)
        channel = (1, -1) + (1,) * (x.dim() - 2)  # (channels) as (1, channels, 1, ...)
        normal = (x - mean.view(channel)) / torch.sqrt(variance.view(channel) + self.eps)
        return normal * self.weight.view(channel) + self.bias.view(channel)

    def _batch_statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        others = [dim for dim in range(x.dim()) if dim != 1]
        mean = x.mean(others, keepdim=True)
        # The mean of centred squares: E[x^2] - E[x]^2 would lose all its digits where the mean is large.
        variance = (x - mean).square().mean(others)
        count = x.numel() / self.num_features
        with torch.no_grad():
            self.running_mean.lerp_(mean.flatten(), self._update_rate())
            self.running_var.lerp_(variance * count / (count - 1), self._update_rate())
        return mean.flatten(), variance

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
        fits = x.dim() >= 2 and x.shape[1] == self.num_features
        require(fits, "input shape", tuple(x.shape), f"(batch, {self.num_features}, ...)")
        if self.training:
            several = x.numel() > self.num_features
            require(
                several, "input shape", tuple(x.shape), "more than one value a channel in training; raise the batch"
            )
            self.num_batches_tracked.add_(1)
        return super().forward(x)

    def reset_running_stats(self) -> None:
        """Forget the running mean and variance, as if no batch had been seen."""
        self.running_mean.zero_()
        self.running_var.fill_(1)
        self.num_batches_tracked.zero_()

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"
