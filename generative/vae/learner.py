"""Training of a variational autoencoder on images: what each step looks at, which bound it climbs."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from foundations.batches import Batches
from foundations.distributed import average_gradients, gathered, require_shares, share_of, sharing, world
from foundations.errors import InputError, require, require_choice
from foundations.initializers import glorot_uniform_, zeros_
from foundations.layers import Linear
from foundations.learner import Metrics
from foundations.modes import evaluation_mode
from foundations.networks import MLP
from foundations.optimizers import Adam
from foundations.schedules import Schedule, cosine, linear_warmup
from foundations.streams import Streams, generators_of
from foundations.training import Precision
from generative.bounds import (
    elbo,
    elbo_terms,
    importance_weighted_bound,
    log_weights,
    standard_normal_kl,
)
from generative.precision import half_precision
from generative.vae.model import VAE, Likelihood, reparameterize, require_labels

Objective = Literal["elbo", "importance_weighted"]
"""The bound that is climbed: with the divergence in closed form, or L_k from k weighted latents an image."""

Binarization = Literal["dynamic", "static", "none"]
"""Grey g in [0, 1] becomes 1 with probability g, drawn anew at each look (dynamic) or once (static); none: kept."""

DARKEST = 1e-3
"""Pixels that are never lit begin as lit with this probability, not 0, whose logit is infinite."""


def require_binary(x: Tensor) -> None:
    """Raise InputError unless all pixels are 0 or 1: other numbers have no Bernoulli probability."""
    grey = x[(x != 0) & (x != 1)]
    if grey.numel():
        raise InputError(f"pixel={grey[0].item():.3g}: must be 0 or 1 for the bernoulli likelihood; binarize() first")


def binarize(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each byte b becomes 1 with probability b / 255, else 0: floats, of the same shape.

    Source: Salakhutdinov & Murray 2008, ICML.
    """
    # b > r for r uniform in 0 .. 254: as drawing a float below b / 255, with a quarter of the memory.
    shape, device = images.shape, images.device
    return (images > torch.randint(255, shape, generator=generator, dtype=torch.uint8, device=device)).float()


def doubling(samples: int, single_steps: int, steps: int) -> Callable[[int], int]:
    """From the step to a number of samples: 1 for `single_steps`, then 2, 4, ... up to `samples`, for as long each.

    With `single_steps` = 0 all `samples` from the first step.
    """
    if single_steps == 0 or samples == 1:
        return lambda step: samples
    levels, left = (samples - 1).bit_length(), steps - single_steps  # 2, 4, ..., samples

    def count(step: int) -> int:
        return 1 if step < single_steps else min(samples, 2 ** (1 + (step - single_steps) * levels // left))

    return count


class VAELearner:
    """Climbs a bound on log p(x) by Adam, from images as bytes.

    - `objective` "elbo" averages `samples` latents an image; "importance_weighted" climbs L_k, k = `samples`. Either
      way an image is encoded once. The first `single_steps` draw one latent, which costs little; from there the number
      doubles at equal intervals, up to `samples` for the last of them.
    - `beta` is the divergence's weight, reached in a straight line over the first `warmup` steps; under
      `free_bits` nats a unit's divergence is free (ELBO only).
    - `schedule` gives the factor on the learning rate; a cosine down to 0 at `steps`, where learning ends, if None.
    - `precision` "bf16" multiplies the networks' matrices in 8 bits of precision; the bound keeps those of the weights.
    - `validation`, images and labels (None without), is looked at after every `validate_every` steps, binarized once.

    Yields: `nats/bound` (ELBO or L_k, at beta = 1 and without free bits), `nats/reconstruction` (log p(x|z)) and
    `nats/kl`, per image; `beta` while it warms up; of the validation images the ELBO's `validation/bound`,
    `validation/reconstruction`, `validation/kl` and `validation/active_units`.
    Raises: InputError for images that are no bytes, grey ones under a Bernoulli likelihood that are not binarized,
    labels that are missing, and impossible settings.
    Source: see `bounds`.
    """

    def __init__(
        self,
        vae: VAE,
        images: Tensor,
        labels: Tensor | None = None,
        *,
        steps: int,
        streams: Streams,
        objective: Objective = "elbo",
        samples: int = 1,
        single_steps: int = 0,
        beta: float = 1.0,
        warmup: int = 0,
        free_bits: float = 0.0,
        binarization: Binarization = "dynamic",
        batch_size: int = 100,
        learning_rate: float = 1e-3,
        schedule: Schedule | None = None,
        precision: Precision = "float32",
        validation: tuple[Tensor, Tensor | None] | None = None,
        validate_every: int = 1000,
    ) -> None:
        require(steps >= 1, "steps", steps, "at least 1")
        require(samples >= 1, "samples", samples, "at least 1 latent an image")
        require(0 <= single_steps < steps, "single_steps", single_steps, f"from 0 to below steps={steps}")
        require(0 <= beta < math.inf, "beta", beta, "at least 0 and finite")
        require(0 <= free_bits < math.inf, "free_bits", free_bits, "at least 0 nats and finite")
        require(validate_every >= 1, "validate_every", validate_every, "at least 1 step")
        require_choice("objective", objective, get_args(Objective))
        require_choice("binarization", binarization, get_args(Binarization))
        require_choice("precision", precision, get_args(Precision))
        only_elbo = "0 for the importance-weighted bound, whose divergence is not in closed form"
        require(objective == "elbo" or free_bits == 0, "free_bits", free_bits, only_elbo)
        coins = "none for the gaussian likelihood, which models grey"
        require(vae.likelihood == "bernoulli" or binarization == "none", "binarization", binarization, coins)
        self.vae, self.image_shape = vae.train(), tuple(images.shape[1:])
        self.objective, self.samples, self.binarization = objective, samples, binarization
        self._samples_at = doubling(samples, single_steps, steps)
        self.beta, self.free_bits, self._half = beta, free_bits, precision == "bf16"
        self.step, self.steps = 0, steps
        self.optimizer = Adam(vae.parameters(), learning_rate, maximize=True, fused=True)
        self._learning_rate, self._schedule = learning_rate, schedule or cosine(steps)
        self._warmup, self._warmup_steps = linear_warmup(warmup), warmup
        self._streams, device = streams, images.device
        self._coins, self._noise = streams.torch("binarization", device), streams.torch("noise", device)
        self.images, self.labels = self._stored(images, labels, self._coins), labels
        self._batches = Batches(len(images), batch_size, streams.torch("batches", device))
        require_shares("batch_size", batch_size)
        self._masks = generators_of(vae)
        self._validation, self._validate_every = validation, validate_every
        if validation:
            once = streams.torch("validation binarization", device)
            stored = self._stored(*validation, once)
            self._validation = binarize(stored, once) if binarization == "dynamic" else stored, validation[1]

    def learn(self) -> Iterator[Metrics]:
        """Yield the metrics of each update, until there were `steps` of them."""
        self.vae.train()
        while self.step < self.steps:
            self.optimizer.param_groups[0]["lr"] = self._learning_rate * self._schedule(self.step)
            chosen = self._batches.next()
            metrics = self._leave_gradients(self._look(chosen), None if self.labels is None else self.labels[chosen])
            self.optimizer.step()
            self.step += 1
            if self._validation and self.step % self._validate_every == 0:
                metrics |= self._validate(*self._validation)
            yield metrics

    def _leave_gradients(self, x: Tensor, labels: Tensor | None) -> dict[str, float | Tensor]:
        """Leave in the weights the gradient of the bound over the images `x`, encoded once and decoded k times."""
        beta = self.beta * self._warmup(self.step)
        samples = self._samples_at(self.step)
        several = (samples,) if samples > 1 or self.objective == "importance_weighted" else ()
        shape = (*several, len(x), self.vae.latent_size)
        noise = share_of(torch.randn(shape, generator=self._noise, device=x.device), dim=-2)  # ([k,] batch, latent)
        x, labels = share_of(x), None if labels is None else share_of(labels)
        with sharing(*self._masks), half_precision(x, on=self._half):
            mean, log_variance = (each.to(x.dtype) for each in self.vae.encode(x, labels))  # (batch, latent)
            z = reparameterize(mean, log_variance, noise)  # ([k,] batch, latent)
            outputs = self.vae.decode(z, labels).to(x.dtype)  # ([k,] batch, *shape): the bound wants all its digits
            log_likelihood = self.vae.log_prob(x, outputs)  # ([k,] batch)
        kl = standard_normal_kl(mean, log_variance)
        if self.objective == "elbo":
            bound = elbo(log_likelihood, self._mean_to_free(kl), beta=beta, free_bits=self.free_bits)
        else:
            bound = importance_weighted_bound(log_weights(log_likelihood, z, noise, log_variance, beta=beta)).mean()
        self.optimizer.zero_grad()
        bound.backward()
        with torch.no_grad():
            reconstruction, divergence = log_likelihood.mean(), kl.sum() / len(x)
            if self.objective == "elbo":
                bound = reconstruction - divergence
            elif beta != 1:
                bound = importance_weighted_bound(log_weights(log_likelihood, z, noise, log_variance)).mean()
        measured = {"nats/bound": bound.detach(), "nats/reconstruction": reconstruction, "nats/kl": divergence}
        metrics = average_gradients(self.vae.parameters(), measured)
        return metrics | ({"beta": beta} if self.step < self._warmup_steps else {})

    def _mean_to_free(self, kl: Tensor) -> Tensor:
        """The divergences that free bits look at: the mean over all processes' shares, as one row."""
        return gathered(kl.mean(0)).mean(0, keepdim=True) if self.free_bits and world().size > 1 else kl

    def _stored(self, images: Tensor, labels: Tensor | None, coins: torch.Generator) -> Tensor:
        """`images` as the VAE takes them, still bytes: 0 .. 255, or 0 and 1 where they are binarized once."""
        require(images.dtype == torch.uint8, "images dtype", images.dtype, "torch.uint8, bytes from 0 to 255")
        shape, wanted = tuple(images.shape), math.prod(self.vae.shape)
        require(
            len(images) >= 1 and images[0].numel() == wanted, "images shape", shape, f"(n, *), {wanted} pixels each"
        )
        asked_for = "given exactly where the VAE is conditional (classes >= 2)"
        require((labels is None) == (self.vae.classes == 0), "labels", labels if labels is None else "given", asked_for)
        if labels is not None:
            require(len(labels) == len(images), "labels", len(labels), f"as many as the {len(images)} images")
            require_labels(labels, self.vae.classes)
        stored = images.reshape(-1, *self.vae.shape)
        if self.binarization == "none" and self.vae.likelihood == "bernoulli":
            for part in stored.split(10_000):
                require_binary(part / 255)
        return binarize(stored, coins).to(torch.uint8) if self.binarization == "static" else stored

    def _look(self, chosen: Tensor) -> Tensor:
        """The images `chosen` as this step sees them: floats, 0 or 1 where they are binarized."""
        images = self.images[chosen]
        if self.binarization == "none":
            return images / 255
        return binarize(images, self._coins) if self.binarization == "dynamic" else images.float()

    def _validate(self, images: Tensor, labels: Tensor | None) -> dict[str, float]:
        """The same draws at every look, so that figures differ by what was learned alone."""
        x = images / 255 if self.binarization == "none" else images.float()
        same = self._streams.torch("validation noise", x.device)
        terms = elbo_terms(self.vae, x, labels, generator=same)
        return {f"validation/{name}": value for name, value in terms.metrics().items()}

    @torch.no_grad()
    def sample(self, latents: Tensor, labels: Tensor | None = None, *, batch_size: int = 500) -> Tensor:
        """The mean images that the decoder draws from `latents`, in evaluation mode.

        Shapes: latents (n, latent_size), labels (n) -> images (n, *), as those learned from, floats in [0, 1].
        Raises: InputError for latents of another width, and for labels missing or not asked for.
        """
        given = [None] * -(-len(latents) // batch_size) if labels is None else labels.split(batch_size)
        with evaluation_mode(self.vae):
            parts = zip(latents.split(batch_size), given, strict=True)
            drawn = [self.vae.expected(self.vae.decode(part, of_part)) for part, of_part in parts]
        return torch.cat(drawn).view(-1, *self.image_shape)

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimizer, the place in the data, every random stream."""
        return {
            **{name: part.state_dict() for name, part in self._parts().items()},
            **{name: stream.get_state() for name, stream in self._drawn_from().items()},
            "masks": [generator.get_state() for generator in generators_of(self.vae)],
            "step": self.step,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        for name, stream in self._drawn_from().items():
            stream.set_state(state[name].cpu())
        for generator, saved in zip(generators_of(self.vae), state["masks"], strict=True):
            generator.set_state(saved.cpu())
        self.step = state["step"]

    def _parts(self) -> dict[str, Any]:
        return {"vae": self.vae, "optimizer": self.optimizer, "batches": self._batches}

    def _drawn_from(self) -> dict[str, torch.Generator]:
        return {"noise": self._noise, "binarization": self._coins}


def build_vae(
    images: Tensor,
    labels: Tensor | None = None,
    *,
    steps: int,
    streams: Streams,
    hidden: Sequence[int] = (200, 200),
    activation: str = "tanh",
    latent_size: int = 50,
    likelihood: Likelihood = "bernoulli",
    device: torch.device | str = "cpu",
    **settings: Any,
) -> VAELearner:
    """A fresh VAE of dense layers, to learn from `images` (bytes); conditional where it is given `labels`.

    The encoder has `hidden` layers, the decoder the same in reverse. First weights are Glorot's, large enough for the
    latent to matter from the first step (units that say nothing early are given up); the decoder's last bias is the
    mean image. The defaults are the network of one stochastic layer of Burda et al. 2015, arXiv:1509.00519.
    `settings` are those of `VAELearner`.
    Raises: InputError for impossible settings.
    """
    require(images.dtype == torch.uint8, "images dtype", images.dtype, "torch.uint8, bytes from 0 to 255")
    require(images.dim() >= 2 and len(images) >= 1, "images shape", tuple(images.shape), "(n, *) with n >= 1")
    require(labels is None or len(labels) >= 1, "labels", 0, "one an image")
    classes = 0 if labels is None else int(labels.max()) + 1
    pixels, weights = images[0].numel(), streams.torch("weights")
    encoder = MLP((pixels + classes, *hidden, 2 * latent_size), activation, generator=weights)
    decoder = MLP((latent_size + classes, *reversed(hidden), pixels), activation, generator=weights)
    vae = VAE(encoder, decoder, shape=(pixels,), latent_size=latent_size, likelihood=likelihood, classes=classes)
    for layer in vae.modules():
        if isinstance(layer, Linear):
            glorot_uniform_(layer.weight, generator=weights)
            zeros_(layer.bias)  # type: ignore[arg-type]  # an MLP's layers have one
    _begin_at_the_mean(vae, decoder.head.bias, images.flatten(1))
    settings.setdefault("binarization", "dynamic" if likelihood == "bernoulli" else "none")
    labels = None if labels is None else labels.to(device)
    return VAELearner(vae.to(device), images.to(device), labels, steps=steps, streams=streams, **settings)


@torch.no_grad()
def _begin_at_the_mean(vae: VAE, bias: Tensor | None, rows: Tensor) -> None:
    """Let the decoder's last bias be the mean image, and the gaussian variance the pixels' about it."""
    assert bias is not None
    mean = rows.sum(0, dtype=torch.float64).div(255 * len(rows)).float()  # without a copy of all images as floats
    bias.copy_(torch.logit(mean, DARKEST) if vae.likelihood == "bernoulli" else mean)
    if vae.noise_log_variance is not None:
        spread = (rows[:: max(1, len(rows) // 1000)] / 255 - mean).square().mean()
        vae.noise_log_variance.copy_(spread.clamp(min=DARKEST**2).log())
