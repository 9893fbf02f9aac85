"""Variational autoencoders: an encoder that says which latents an image may come from, a decoder that draws from them.

The latent is N(0, I) before the image is seen, and q(z|x) = N(mean(x), diag exp(log_variance(x))) after. Both networks
climb a lower bound on log p(x) (see `generative.bounds`).
Source: Kingma & Welling 2013, arXiv:1312.6114; Rezende et al. 2014, arXiv:1401.4082.
"""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foundations.errors import InputError, require, require_choice
from foundations.losses import binary_cross_entropy_from_logits

Likelihood = Literal["bernoulli", "gaussian"]
"""p(x|z): each pixel a coin, for pixels that are 0 or 1; or a normal with one learned variance for all pixels."""

CODE = 6.0
"""The number at the label's place in its code: loud enough to be learned before the latent has come to repeat it."""


class VAE(nn.Module):
    """Any encoder and decoder as a variational autoencoder; with `classes`, one that is told the label (conditional).

    The encoder answers with 2 latent_size numbers a sample, mean and log-variance; the decoder with logits of pixels
    (bernoulli) or with their means (gaussian, whose log-variance is `noise_log_variance`). A conditional VAE gives the
    label as a one-hot code to both: beside a row of numbers, or as constant planes beside an image's channels.

    Shapes: x (batch, *), reshaped to (batch, *shape); labels (batch); z (..., batch, latent_size); outputs
    (..., batch, *shape).
    Raises: InputError for impossible settings, networks of other widths, labels that are missing or not asked for.
    Source: Kingma & Welling 2013, arXiv:1312.6114; conditional: Sohn et al. 2015; one learned variance: Rybkin et al.
    2020, arXiv:2006.13202.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        shape: Sequence[int],
        latent_size: int,
        likelihood: Likelihood = "bernoulli",
        classes: int = 0,
    ) -> None:
        super().__init__()
        require(len(shape) >= 1 and min(shape) >= 1, "shape", tuple(shape), "that of a sample, sizes of at least 1")
        require(latent_size >= 1, "latent_size", latent_size, "at least 1")
        require_choice("likelihood", likelihood, get_args(Likelihood))
        require(classes == 0 or classes >= 2, "classes", classes, "0 (not conditional), or at least 2")
        self.encoder, self.decoder = encoder, decoder
        self.shape, self.latent_size, self.classes = tuple(shape), latent_size, classes
        self._count = math.prod(shape)
        self.likelihood: Likelihood = likelihood
        self.noise_log_variance = nn.Parameter(torch.zeros(())) if likelihood == "gaussian" else None

    def encode(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x): (batch, *) -> (batch, latent_size) each."""
        x, code = self._shaped(x), self._code(labels, len(x))
        numbers: Tensor = self.encoder(x if code is None else _beside(x, code))
        wanted = (len(x), 2 * self.latent_size)
        if numbers.shape != wanted:
            raise InputError(f"encoder output shape={tuple(numbers.shape)}: must be {wanted}, means and log-variances")
        mean, log_variance = numbers.chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits or means of the pixels: (..., batch, latent_size) -> (..., batch, *shape)."""
        lead = z.shape[:-1]
        if z.dim() < 2 or z.shape[-1] != self.latent_size:
            raise InputError(f"z shape={tuple(z.shape)}: must be (..., batch, {self.latent_size})")
        code = self._code(labels, lead[-1])
        if code is not None:
            z = torch.cat([z, code.expand(*lead, self.classes)], dim=-1)
        outputs: Tensor = self.decoder(z.flatten(0, -2) if z.dim() > 2 else z)  # one long batch of all latents
        if outputs.shape[1:].numel() != self._count:
            raise InputError(f"decoder output shape={tuple(outputs.shape)}: must be (batch, *) to make {self.shape}")
        return outputs.view(lead + self.shape)

    def log_prob(self, x: Tensor, outputs: Tensor) -> Tensor:
        """The nats log p(x|z), summed over the pixels: x (batch, *), outputs (..., batch, *shape) -> (..., batch).

        bernoulli: sum x log p + (1 - x) log(1 - p), p = sigma(output); x must be 0 or 1 (nothing checks it here).
        gaussian: -sum ((x - output)^2 / s + log s + log 2 pi) / 2, s the variance; a density, so it may be above 0.
        """
        x = self._shaped(x)
        if self.noise_log_variance is None:
            each = binary_cross_entropy_from_logits(outputs, x.expand_as(outputs), reduction="none")
        else:
            log_variance = self.noise_log_variance
            each = (x - outputs).square() * ((-log_variance).exp() / 2) + (log_variance + math.log(2 * math.pi)) / 2
        return -each.flatten(-len(self.shape)).sum(-1)

    def expected(self, outputs: Tensor) -> Tensor:
        """The mean image that outputs of the decoder stand for, in [0, 1]. Shapes: kept."""
        return outputs.sigmoid() if self.likelihood == "bernoulli" else outputs.clamp(0, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Each image as the decoder draws it from its posterior's mean: (batch, *) -> (batch, *shape), in [0, 1]."""
        return self.expected(self.decode(self.encode(x, labels)[0], labels))

    def _shaped(self, x: Tensor) -> Tensor:
        if x.shape[1:] == self.shape:
            return x
        if x.dim() < 2 or x.shape[1:].numel() != self._count:
            raise InputError(f"x shape={tuple(x.shape)}: must be (batch, *) with {self._count} numbers a sample")
        return x.reshape(len(x), *self.shape)

    def _code(self, labels: Tensor | None, count: int) -> Tensor | None:
        """The labels as codes (batch, classes): 6 in the label's place, else 0."""
        if not self.classes:
            require(labels is None, "labels", "given", "None: the VAE is not conditional (classes=0)")
            return None
        if labels is None:
            raise InputError(
                f"labels=None: must be given, (batch) numbers from 0 to {self.classes - 1}: conditional VAE"
            )
        require(labels.shape == (count,), "labels shape", tuple(labels.shape), f"({count},), one an image")
        require_labels(labels, self.classes)
        return CODE * F.one_hot(labels, self.classes).to(next(self.parameters()).dtype)


def reparameterize(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """A draw z = mean + exp(log_variance / 2) noise, through which the gradient reaches mean and log-variance.

    Shapes: mean and log_variance (batch, latent), noise ~ N(0, I) (..., batch, latent) -> (..., batch, latent).
    """
    return mean + (log_variance / 2).exp() * noise


def require_labels(labels: Tensor, classes: int) -> None:
    """Raise InputError unless labels are class numbers from 0 to classes - 1."""
    require(labels.dtype == torch.int64, "labels dtype", labels.dtype, "torch.int64, the numbers of the classes")
    least, most = labels.min().item(), labels.max().item()
    require(least >= 0 and most < classes, "labels", f"{least} to {most}", f"from 0 to {classes - 1}")


def _beside(x: Tensor, code: Tensor) -> Tensor:
    """The code beside each row (batch, features), or as planes beside the channels (batch, channels, *)."""
    if x.dim() > 2:
        code = code.view(*code.shape, *[1] * (x.dim() - 2)).expand(-1, -1, *x.shape[2:])
    return torch.cat([x, code], dim=1)
