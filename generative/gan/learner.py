"""Training of a generative adversarial network: a generator makes images, a discriminator tells them from real ones."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from foundations.averaging import ExponentialMovingAverage, has_batch_norm, recompute_batch_norm
from foundations.batches import Batches
from foundations.errors import require, require_choice
from foundations.learner import Metrics
from foundations.optimizers import Adam
from foundations.schedules import linear_decay
from foundations.streams import Streams
from generative.gan.losses import discriminator_loss, non_saturating_loss
from generative.gan.networks import dcgan_discriminator, dcgan_generator, dense_discriminator, dense_generator
from generative.latent import Latent

Model = Literal["dense", "dcgan"]
"""The 2014 network of dense layers, or the convolutional one."""

Precision = Literal["float32", "bf16"]
"""bf16 multiplies matrices with 8 bits of precision: faster on hardware that knows it, and no longer the same maths."""

NEGLIGIBLE = 1e-12
"""A gradient of a logit that changes no weight: float32 rounds sums of gradients more coarsely."""

MEASURING_BATCHES, MEASURING_SIZE = 20, 100
"""How many latents batch norm's statistics are measured on before sampling."""


class GAN:
    """The two-player game min over G, max over D of E log D(x) + E log(1 - D(G(z))), z ~ N(0, I), one update a player.

    Both players use Adam, its learning rate falling in a straight line to 0 at `steps`, where learning ends; the
    discriminator's is `discriminator_pace` times the generator's (Heusel et al. 2017, arXiv:1706.08500). Samples come
    from the running average of the generator's weights. Label smoothing is one-sided. All that is random comes from
    `streams`.

    Shapes: images bytes (n, channels, height, width), 0 to 255, on the networks' device; the generator makes the same
    shape from latents (batch, latent.width), in [-1, 1]; the discriminator answers with logits (batch, 1).
    Yields: `loss/generator`, `loss/discriminator` (nats), and the discriminator's mean belief that an image is real,
    on real ones (`discriminator/real`) and on made ones (`discriminator/fake`); 1/2 where it must guess.
    Raises: InputError for images of another type and for impossible settings.
    Source: Goodfellow et al. 2014, arXiv:1406.2661.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        images: Tensor,
        *,
        latent: Latent,
        batch_size: int,
        steps: int,
        learning_rate: float,
        discriminator_pace: float,
        betas: tuple[float, float],
        label_smoothing: float,
        ema_decay: float,
        precision: Precision,
        streams: Streams,
    ) -> None:
        require(images.dtype == torch.uint8, "images dtype", images.dtype, "torch.uint8, bytes from 0 to 255")
        require(steps >= 1, "steps", steps, "at least 1")
        require(batch_size >= 2, "batch_size", batch_size, "at least 2, since batch norm compares samples")
        require(discriminator_pace > 0, "discriminator_pace", discriminator_pace, "above 0")
        require(0 <= label_smoothing < 1, "label_smoothing", label_smoothing, "at least 0 and below 1")
        require_choice("precision", precision, get_args(Precision))
        self.generator, self.discriminator = generator.train(), discriminator.train()
        self.average = ExponentialMovingAverage(generator, ema_decay)
        self.generator_optimizer = Adam(generator.parameters(), learning_rate, betas, fused=True)
        discriminator_rate = learning_rate * discriminator_pace
        self.discriminator_optimizer = Adam(discriminator.parameters(), discriminator_rate, betas, fused=True)
        self.images, self.latent, self.label_smoothing = images, latent, label_smoothing
        self.step, self.steps = 0, steps
        self._schedule = linear_decay(steps)
        self._learning_rates = {
            self.generator_optimizer: learning_rate,
            self.discriminator_optimizer: discriminator_rate,
        }
        self._precision, self._streams = precision, streams
        self._noise = streams.torch("noise", images.device)
        self._batches = Batches(len(images), batch_size, streams.torch("batches", images.device))
        self._measured_at = -1
        self._judges_each_alone = not has_batch_norm(discriminator)

    def learn(self) -> Iterator[Metrics]:
        """Yield the metrics of each update of both players, until there were `steps` of them."""
        while self.step < self.steps:
            self._set_learning_rates(self._schedule(self.step))
            real = to_signed(self.images[self._batches.next()])
            metrics = self._leave_gradients(real)
            self.generator_optimizer.step()
            self.discriminator_optimizer.step()
            self.average.update()
            self.step += 1
            yield metrics

    def _leave_gradients(self, real: Tensor) -> Metrics:
        """Leave in each player's weights the gradient of its own loss, both from one look at the images.

        Real and made images pass the discriminator apart, so that its batch norm never mixes them.
        """
        with self._autocast():
            fake = self.generator(self.latents(len(real), self._noise))
            shown = fake.detach().requires_grad_()  # the discriminator's gradients end here, the generator's begin
            real_logits, fake_logits = single(self.discriminator(real)), single(self.discriminator(shown))
        generator_loss = non_saturating_loss(fake_logits)
        judging_loss = discriminator_loss(real_logits, fake_logits, label_smoothing=self.label_smoothing)
        back = self._back_at_once if self._judges_each_alone else self._back_in_turn
        self.generator_optimizer.zero_grad()
        self.discriminator_optimizer.zero_grad()
        fake.backward(back(generator_loss, judging_loss, real_logits, fake_logits, shown))
        return {
            "loss/generator": generator_loss.detach(),
            "loss/discriminator": judging_loss.detach(),
            "discriminator/real": real_logits.detach().sigmoid().mean(),
            "discriminator/fake": fake_logits.detach().sigmoid().mean(),
        }

    def _back_in_turn(
        self, generator_loss: Tensor, judging_loss: Tensor, real_logits: Tensor, fake_logits: Tensor, shown: Tensor
    ) -> Tensor:
        """The gradient of the generator's loss at the images `shown`; that of the other in the discriminator's weights.

        The generator's flows through the discriminator, whose own weights get none of it.
        """
        (pull,) = torch.autograd.grad(generator_loss, shown, retain_graph=True)
        judging_loss.backward(inputs=list(self.discriminator.parameters()))
        return pull

    def _back_at_once(
        self, generator_loss: Tensor, judging_loss: Tensor, real_logits: Tensor, fake_logits: Tensor, shown: Tensor
    ) -> Tensor:
        """The same from one pass back, for a discriminator that judges each image by itself.

        One logit an image: whatever the loss, its gradient at image i is dL/dlogit_i times the same dlogit_i/dimage_i.
        So the discriminator's loss is passed back, and at the images rescaled to the generator's, image by image. An
        image that the discriminator's loss does not look at is given a weight too small to matter, to be rescaled too.
        """
        wanted = (real_logits, fake_logits)
        on_real, on_fake = torch.autograd.grad(judging_loss, wanted, retain_graph=True)
        (of_generator,) = torch.autograd.grad(generator_loss, fake_logits, retain_graph=True)
        on_fake = torch.where(on_fake.abs() < NEGLIGIBLE, NEGLIGIBLE, on_fake)
        weights = list(self.discriminator.parameters())
        torch.autograd.backward(wanted, (on_real, on_fake), inputs=[*weights, shown])
        assert shown.grad is not None
        return shown.grad * (of_generator / on_fake).view(-1, *[1] * (shown.dim() - 1)).to(shown.dtype)

    def latents(self, count: int, stream: torch.Generator) -> Tensor:
        """`count` latents from `stream`: (count, latent.width)."""
        return self.latent.draw(count, stream, self.images.device)

    @torch.no_grad()
    def sample(self, latents: Tensor, *, batch_size: int = 500) -> Tensor:
        """Images of the averaged generator, in evaluation mode; training is left as it was.

        The images depend on the latents and the step alone, not on what was sampled before.
        Shapes: latents (n, latent.width) -> images (n, channels, height, width), float32 in [0, 1].
        Raises: InputError for latents of another shape.
        """
        shape, wanted = tuple(latents.shape), f"(n, {self.latent.width}) with n >= 1"
        require(
            latents.dim() == 2 and min(shape) >= 1 and shape[1] == self.latent.width, "latents shape", shape, wanted
        )
        generator = self.averaged_generator()
        return torch.cat([from_signed(generator(part)) for part in latents.split(batch_size)])

    def averaged_generator(self) -> nn.Module:
        """The generator to keep: averaged weights, and batch norm's statistics measured with these very weights."""
        if self._measured_at != self.step:
            stream = self._streams.torch("batch norm", self.images.device)
            batches = (self.latents(MEASURING_SIZE, stream) for _ in range(MEASURING_BATCHES))
            recompute_batch_norm(self.average.module, batches)
            self._measured_at = self.step
        return self.average.module

    def state_dict(self) -> dict[str, Any]:
        """Players, their optimizers, the average, the place in the data and the stream of noise."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return {**parts, "noise": self._noise.get_state(), "step": self.step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self._noise.set_state(state["noise"].cpu())
        self.step, self._measured_at = state["step"], -1

    def _parts(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
            "average": self.average,
            "batches": self._batches,
        }

    def _set_learning_rates(self, factor: float) -> None:
        for optimizer, learning_rate in self._learning_rates.items():
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * factor

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.images.device.type, torch.bfloat16, enabled=self._precision == "bf16")


def single(logits: Tensor) -> Tensor:
    """`logits` in single precision at least, whatever the networks computed in: losses want their digits."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def to_signed(images: Tensor) -> Tensor:
    """Bytes 0 .. 255 to floats in [-1, 1], where tanh ends; each pixel's channels side by side, as kernels like it."""
    return (images / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def from_signed(images: Tensor) -> Tensor:
    """Floats in [-1, 1] to [0, 1]."""
    return ((images.float() + 1) / 2).clamp(0, 1)


def build_gan(
    model: Model,
    images: Tensor,
    *,
    steps: int,
    streams: Streams,
    latent_size: int = 64,
    categories: int = 0,
    channels: int = 64,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    discriminator_pace: float = 1.0,
    betas: tuple[float, float] = (0.5, 0.999),
    label_smoothing: float = 0.0,
    ema_decay: float = 0.999,
    precision: Precision = "float32",
    device: torch.device | str = "cpu",
) -> GAN:
    """The GAN named `model`, fresh, to learn from `images`: bytes (n, 1, 28, 28).

    Latents have `latent_size` numbers of noise and a code of `categories` (see `Latent`). `channels` is the width of a
    DCGAN's outer convolutions; the dense model has none.
    Raises: InputError for an unknown model, for images of another kind and for impossible settings.
    """
    require_choice("model", model, get_args(Model))
    latent = Latent(latent_size, categories)
    require(channels >= 1, "channels", channels, "at least 1")
    require(images.shape[1:] == (1, 28, 28), "images shape", tuple(images.shape), "(n, 1, 28, 28)")
    weights = streams.torch("weights")
    if model == "dense":
        generator, discriminator = dense_generator(latent.width, weights), dense_discriminator(weights)
    else:
        generator, discriminator = (
            dcgan_generator(latent.width, weights, channels=channels),
            dcgan_discriminator(weights, channels=channels),
        )
    for player in (generator, discriminator):
        player.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's hints lack it
    return GAN(
        generator,
        discriminator,
        images.to(device),
        latent=latent,
        batch_size=batch_size,
        steps=steps,
        learning_rate=learning_rate,
        discriminator_pace=discriminator_pace,
        betas=betas,
        label_smoothing=label_smoothing,
        ema_decay=ema_decay,
        precision=precision,
        streams=streams,
    )
