"""What a model of latents knows of log p(x): lower bounds to learn from, an estimate to judge by. In nats per image.

With z = mean + exp(log_variance / 2) noise, noise ~ N(0, I), for q(z|x) = N(mean, diag exp(log_variance)):

    log p(x) >= L_k = E log (1/k) sum_i w_i,  w_i = p(x|z_i) p(z_i) / q(z_i|x),  L_1 = ELBO <= L_2 <= ... -> log p(x)
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from foundations.errors import InputError, require
from foundations.modes import evaluation_mode

ACTIVE_VARIANCE = 0.01
"""A latent unit is active where its posterior mean varies more than this from image to image (Burda et al. 2015)."""
ACTIVE_SHARE = 0.1
"""Where fewer of the units are active, the posterior has collapsed."""
LEAST_KL = 1.0
"""Nats an image, all units together: with less, the posterior has collapsed, however many units are active.

The mean divergence is the most that a latent can say about its image, on average: I(x; z) <= mean KL. With less than
1 nat it does not even tell e = 2.7 equally likely kinds of images apart.
"""


class LatentModel(Protocol):
    """What an estimate asks of a model: the posterior, the decoder, log p(x|z)."""

    def encode(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x): (batch, latent) each."""
        ...

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """What p(x|z) is made of: (..., batch, latent) -> (..., batch, *shape)."""
        ...

    def log_prob(self, x: Tensor, outputs: Tensor) -> Tensor:
        """The logarithm of p(x|z), of what `decode` gave: (..., batch)."""
        ...


def standard_normal_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """D(N(mean, e^l) || N(0, 1)) = (e^l + mean^2 - 1 - l) / 2 of each latent unit, l = log sigma^2.

    Shapes: both the same, kept; their sum over the units is the divergence of the whole latent.
    Source: Kingma & Welling 2013, arXiv:1312.6114, appendix B.
    """
    if mean.shape != log_variance.shape:
        raise InputError(f"log_variance shape={tuple(log_variance.shape)}: must be {tuple(mean.shape)}, the mean's")
    return (log_variance.exp() + mean.square() - 1 - log_variance) / 2


def elbo(log_likelihood: Tensor, kl: Tensor, *, beta: float = 1.0, free_bits: float = 0.0) -> Tensor:
    """The ELBO, mean log p(x|z) - beta sum_j max(free_bits, mean KL_j), means over the batch.

    It bounds log p(x) from below for beta = 1 and free_bits = 0. beta > 1 asks for simpler latents (Higgins et al.
    2017); below `free_bits` nats a unit's divergence costs nothing more, so that none is given up early.
    Shapes: log_likelihood (..., batch) of one latent an image or more, kl (batch, latent); scalar.
    Raises: InputError for a negative beta or free_bits.
    Source: Kingma & Welling 2013, arXiv:1312.6114; free bits: Kingma et al. 2016, arXiv:1606.04934.
    """
    require(0 <= beta < math.inf, "beta", beta, "at least 0 and finite")
    require(0 <= free_bits < math.inf, "free_bits", free_bits, "at least 0 nats and finite")
    each = kl.mean(0)
    cost = each.clamp(min=free_bits).sum() if free_bits else each.sum()
    return torch.sub(log_likelihood.mean(), cost, alpha=beta)


def log_weights(log_likelihood: Tensor, z: Tensor, noise: Tensor, log_variance: Tensor, *, beta: float = 1.0) -> Tensor:
    """Each log w = log p(x|z) + beta (log p(z) - log q(z|x)), the bracket being sum (noise^2 + l - z^2) / 2.

    Shapes: log_likelihood (k, batch), z and noise (k, batch, latent), log_variance l (batch, latent) -> (k, batch).
    """
    return log_likelihood + beta / 2 * (noise.square() + log_variance - z.square()).sum(-1)


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """L_k = log (1/k) sum_i w_i = logsumexp_i(log w_i) - log k, one number an image.

    In expectation it grows with k from the ELBO (k = 1) to log p(x): say the k beside the figure.
    Shapes: (k, batch) -> (batch). Raises: InputError for k < 1.
    Source: Burda et al. 2015, arXiv:1509.00519.
    """
    require(log_weights.dim() == 2, "log_weights shape", tuple(log_weights.shape), "(k, batch)")
    require(len(log_weights) >= 1, "k", len(log_weights), "at least 1 sample an image")
    return log_weights.logsumexp(0) - math.log(len(log_weights))


@dataclass(frozen=True, eq=False)
class ElboTerms:
    """What the ELBO of images is made of: log p(x|z) (n), each unit's divergence and posterior mean (n, latent)."""

    log_likelihood: Tensor
    kl: Tensor
    means: Tensor

    def metrics(self) -> dict[str, float]:
        """Means over the images: bound, reconstruction and kl in nats per image, and the number of active units."""
        return {
            "bound": float(elbo(self.log_likelihood, self.kl)),
            "reconstruction": float(self.log_likelihood.mean()),
            "kl": float(self.kl.sum(1).mean()),
            "active_units": float(active_units(self.means)),
        }


@torch.no_grad()
def elbo_terms(
    vae: LatentModel, x: Tensor, labels: Tensor | None = None, *, generator: torch.Generator, batch_size: int = 500
) -> ElboTerms:
    """The ELBO's terms for all of `x`, one latent an image drawn from `generator`; in evaluation mode.

    Shapes: x (n, *), as the model takes it; labels (n). Raises: InputError for no images.
    """
    require(len(x) >= 1, "images", len(x), "at least 1")
    found = []
    with evaluation_mode(vae):
        for part, of_part in _parts(x, labels, batch_size):
            mean, log_variance = vae.encode(part, of_part)
            z = mean + (log_variance / 2).exp() * _randn(mean.shape, mean, generator)
            log_likelihood = vae.log_prob(part, vae.decode(z, of_part))
            found.append((log_likelihood, standard_normal_kl(mean, log_variance), mean))
    return ElboTerms(*(torch.cat(each) for each in zip(*found, strict=True)))


@torch.no_grad()
def log_likelihood(
    vae: LatentModel,
    x: Tensor,
    labels: Tensor | None = None,
    *,
    samples: int = 5000,
    generator: torch.Generator,
    pixels_at_once: int = 2**20,
) -> Tensor:
    """Estimates of log p(x) (given the label, of a conditional model) by L_k with k = `samples` latents an image.

    The estimate lies below log p(x) on average, and comes the nearer the larger k is. About `pixels_at_once` at most
    are decoded at once, whatever k: images and latents come in parts.
    Shapes: x (n, *), as the model takes it; labels (n) -> (n), nats.
    Raises: InputError for samples < 1 and for no images.
    Source: Burda et al. 2015, arXiv:1509.00519, section 5.
    """
    require(samples >= 1, "samples", samples, "at least 1 latent an image")
    require(len(x) >= 1, "images", len(x), "at least 1")
    rows = max(1, pixels_at_once // x[0].numel())
    at_once = min(samples, rows)
    with evaluation_mode(vae):
        found = [
            _log_mean_weight(vae, part, of_part, samples, at_once, generator)
            for part, of_part in _parts(x, labels, max(1, rows // at_once))
        ]
    return torch.cat(found)


def _log_mean_weight(
    vae: LatentModel, x: Tensor, labels: Tensor | None, samples: int, at_once: int, generator: torch.Generator
) -> Tensor:
    """The estimate for each of a few images, `at_once` latents after another."""
    mean, log_variance = vae.encode(x, labels)
    spread = (log_variance / 2).exp()
    total = torch.full_like(mean[:, 0], -math.inf)
    for start in range(0, samples, at_once):
        noise = _randn((min(at_once, samples - start), *mean.shape), mean, generator)
        z = mean + spread * noise
        weights = log_weights(vae.log_prob(x, vae.decode(z, labels)), z, noise, log_variance)
        total = torch.logaddexp(total, weights.logsumexp(0))
    return total - math.log(samples)


def active_units(means: Tensor) -> int:
    """How many latent units say something of the image: those with Var_x(E_q[z_j | x]) > 0.01.

    Shapes: posterior means (n, latent) of n images. Raises: InputError for fewer than two images.
    Source: Burda et al. 2015, arXiv:1509.00519, section 5.2.
    """
    require(means.dim() == 2 and len(means) >= 2, "means shape", tuple(means.shape), "(n, latent) with n >= 2")
    return int((means.var(0) > ACTIVE_VARIANCE).sum())


def posterior_collapsed(active: float, latent_size: int, kl: float) -> bool:
    """Whether the decoder ignores the latent: too few units are active, or all of them together say next to nothing.

    Too few are less than a tenth (so none, of up to ten); next to nothing is a `kl` of all units below 1 nat an image
    (the mean over the images), since means that barely vary can count as active.
    """
    return active < ACTIVE_SHARE * latent_size or kl < LEAST_KL


def _parts(x: Tensor, labels: Tensor | None, size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    for start in range(0, len(x), size):
        chosen = slice(start, start + size)
        yield x[chosen], None if labels is None else labels[chosen]


def _randn(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)
