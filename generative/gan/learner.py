"""Training of a generative adversarial network: a generator makes images, a discriminator tells them from real ones."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args

import torch
from torch import Tensor, nn

from foundations.averaging import ExponentialMovingAverage, recompute_batch_norm
from foundations.batches import Batches
from foundations.distributed import require_shares
from foundations.errors import require, require_choice
from foundations.images import channels_last
from foundations.learner import Metrics
from foundations.optimizers import Adam
from foundations.schedules import linear_decay
from foundations.streams import Streams
from foundations.training import Precision
from generative.gan.game import Condition, Game
from generative.gan.models import RECIPES, Model, Norm, build_players
from generative.gan.objectives import Loss, Objective, Slope, objective
from generative.gan.pixels import from_signed, to_signed
from generative.latent import Latent

MEASURING_BATCHES, MEASURING_SIZE = 20, 100
"""How many latents batch norm's statistics are measured on before sampling."""


class GAN:
    """The two-player game min over G, max over D of E log D(x) + E log(1 - D(G(z))), z ~ N(0, I), and its kin.

    `objective` says what each player minimises; a step is one update of the generator.
    With one critic step both players learn from one look at the same images; with more, the discriminator learns that
    often in advance, each time from other images and latents, and the generator then from latents of its own.
    Both players use Adam, its learning rate falling in a straight line to 0 at `steps`, where learning ends; the
    discriminator's is `discriminator_pace` times the generator's (Heusel et al. 2017, arXiv:1706.08500). Samples come
    from the running average of the generator's weights. With `labels` the game is conditional: the code of a latent
    says which class to make, and the discriminator is told it too. All that is random comes from `streams`.

    Shapes: images bytes (n, channels, height, width), 0 to 255, and labels (n), on the networks' device; the generator
    makes the same shape from latents (batch, latent.width), in [-1, 1]; the discriminator answers (batch, 1).
    Yields: `loss/generator`, `loss/discriminator`, `loss/penalty` where there is one, and the discriminator's mean
    answer to real images (`discriminator/real`) and made ones (`discriminator/fake`): where answers are logits, the
    belief that an image is real, 1/2 where it must guess; else the bare score.
    Raises: InputError for images of another type and for impossible settings.
    Source: Goodfellow et al. 2014, arXiv:1406.2661; Arjovsky et al. 2017, arXiv:1701.07875 (critic steps).
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
        objective: Objective,
        ema_decay: float,
        precision: Precision,
        streams: Streams,
        critic_steps: int = 1,
        labels: Tensor | None = None,
    ) -> None:
        require(images.dtype == torch.uint8, "images dtype", images.dtype, "torch.uint8, bytes from 0 to 255")
        require(steps >= 1, "steps", steps, "at least 1")
        require(batch_size >= 2, "batch_size", batch_size, "at least 2, since batch norm compares samples")
        require_shares("batch_size", batch_size)
        require(discriminator_pace > 0, "discriminator_pace", discriminator_pace, "above 0")
        require(critic_steps >= 1, "critic_steps", critic_steps, "at least 1")
        require_choice("precision", precision, get_args(Precision))
        if labels is not None:
            _require_labels(labels, len(images))
            largest, allowed = int(labels.max()), f"at most {latent.categories - 1}, the latents' last category"
            require(largest < latent.categories, "largest label", largest, allowed)
        self.generator, self.discriminator = generator.train(), discriminator.train()
        self.average = ExponentialMovingAverage(generator, ema_decay)
        self.generator_optimizer = Adam(generator.parameters(), learning_rate, betas, fused=True)
        discriminator_rate = learning_rate * discriminator_pace
        self.discriminator_optimizer = Adam(discriminator.parameters(), discriminator_rate, betas, fused=True)
        self.images, self.labels, self.latent = images, labels, latent
        self.game = Game(generator, discriminator, objective, half=precision == "bf16")
        self.critic_steps = critic_steps
        self.step, self.steps = 0, steps
        self._schedule = linear_decay(steps)
        self._learning_rates = [group["lr"] for group in self._groups()]
        self._streams = streams
        self._noise = streams.torch("noise", images.device)
        self._batches = Batches(len(images), batch_size, streams.torch("batches", images.device))
        self._measured_at = -1

    def learn(self) -> Iterator[Metrics]:
        """Yield the metrics of each step, until there were `steps` of them."""
        while self.step < self.steps:
            self._set_learning_rates(self._schedule(self.step))
            metrics = self._update_both() if self.critic_steps == 1 else self._update_apart()
            self.average.update()
            self.step += 1
            yield metrics

    def _update_both(self) -> Metrics:
        """One step of both players, from one look at the same images."""
        metrics = self.game.leave_both(*self._next_look(), self._noise)
        self.generator_optimizer.step()
        self.discriminator_optimizer.step()
        return metrics

    def _update_apart(self) -> Metrics:
        """Steps of the discriminator, each from images of its own, then one of the generator."""
        for _ in range(self.critic_steps):
            real, latents, condition = self._next_look()
            judged = self.game.leave_discriminator(real, latents, condition, self._noise)
            self.discriminator_optimizer.step()
        made = self.game.leave_generator(self._fresh_latents(len(real), condition), condition)
        self.generator_optimizer.step()
        return {**made, **judged}

    def _next_look(self) -> tuple[Tensor, Tensor, Condition]:
        """Real images, as many fresh latents, and what the discriminator is told of both."""
        chosen = self._batches.next()
        condition = () if self.labels is None else (self.labels[chosen],)
        return to_signed(self.images[chosen]), self._fresh_latents(len(chosen), condition), condition

    def _fresh_latents(self, count: int, condition: Condition) -> Tensor:
        return self.latent.draw_of(condition[0], self._noise) if condition else self.latents(count, self._noise)

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

    def _groups(self) -> list[dict[str, Any]]:
        """The parameter groups of both optimizers."""
        return [*self.generator_optimizer.param_groups, *self.discriminator_optimizer.param_groups]

    def _set_learning_rates(self, factor: float) -> None:
        for group, learning_rate in zip(self._groups(), self._learning_rates, strict=True):
            group["lr"] = learning_rate * factor


def _require_labels(labels: Tensor, count: int) -> None:
    require(labels.dtype == torch.int64, "labels dtype", labels.dtype, "torch.int64, the numbers of the classes")
    require(labels.shape == (count,), "labels shape", tuple(labels.shape), f"({count},), one for each image")
    bounds = tuple(int(bound) for bound in labels.aminmax())
    require(0 <= bounds[0] < bounds[1], "labels", bounds, "numbers from 0, of two classes at least")


def build_gan(
    model: Model,
    images: Tensor,
    labels: Tensor | None = None,
    *,
    steps: int,
    streams: Streams,
    latent_size: int = 64,
    categories: int = 0,
    channels: int = 64,
    batch_size: int = 32,
    learning_rate: float | None = None,
    discriminator_pace: float = 1.0,
    betas: tuple[float, float] | None = None,
    loss: Loss | None = None,
    penalty: Slope | None = None,
    norm: Norm | None = None,
    critic_steps: int | None = None,
    label_smoothing: float = 0.0,
    ema_decay: float = 0.999,
    precision: Precision = "float32",
    device: torch.device | str = "cpu",
) -> GAN:
    """The GAN named `model`, fresh, to learn from `images`: bytes (n, 1, 28, 28). What is None is the model's own.

    Latents have `latent_size` numbers of noise and a code of `categories` (see `Latent`). The conditional model's code
    is one of the classes of `labels` (n), int64, which the others do not look at. `channels` is the width of the outer
    convolutions; the dense model has none.
    Raises: InputError for an unknown model, for images of another kind and for impossible settings.
    """
    require_choice("model", model, get_args(Model))
    require(images.shape[1:] == (1, 28, 28), "images shape", tuple(images.shape), "(n, 1, 28, 28)")
    given: dict[str, Any] = {
        "learning_rate": learning_rate,
        "betas": betas,
        "loss": loss,
        "penalty": penalty,
        "norm": norm,
        "critic_steps": critic_steps,
    }
    recipe = replace(RECIPES[model], **{name: value for name, value in given.items() if value is not None})
    told = None
    if model == "conditional":
        require(labels is not None, "labels", labels, "given for the model 'conditional'")
        assert labels is not None
        _require_labels(labels, len(images))
        told, categories = labels.to(device), int(labels.max()) + 1
    latent = Latent(latent_size, categories)
    generator, discriminator = build_players(
        model,
        latent.width,
        streams.torch("weights"),
        channels=channels,
        norm=recipe.norm,
        classes=latent.categories,
    )
    return GAN(
        channels_last(generator, device),
        channels_last(discriminator, device),
        images.to(device),
        labels=told,
        latent=latent,
        batch_size=batch_size,
        steps=steps,
        learning_rate=recipe.learning_rate,
        discriminator_pace=discriminator_pace,
        betas=recipe.betas,
        objective=objective(recipe.loss, penalty=recipe.penalty, label_smoothing=label_smoothing),
        critic_steps=recipe.critic_steps,
        ema_decay=ema_decay,
        precision=precision,
        streams=streams,
    )
