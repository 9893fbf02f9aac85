"""Training of an autoencoder: what goes in may be corrupted, what comes out is compared with what it was."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from foundations.batches import Batches
from foundations.errors import InputError, require
from foundations.evaluation import Validation
from foundations.learner import Metrics
from foundations.losses import mean_squared_error
from foundations.schedules import Schedule, constant
from foundations.streams import Streams, generators_of
from generative.autoencoders.hardships import Change, Sparsity, add_noise
from generative.autoencoders.networks import Autoencoder
from generative.pixels import in_unit_range


class AutoencoderLearner:
    """Mini-batch training: theta moves against the gradient of mean |x' - x|^2 / pixels, x' = decode(encode(c(x))).

    - `corrupt`, c, changes what goes in alone: the network has to put it right.
    - `code_noise` s adds N(0, s^2) to every number of the code before it is decoded: what lies closer together than
      that must then look alike (Poole et al. 2014, arXiv:1406.1831).
    - `sparsity` of the codes is added to the loss.
    - `schedule` gives the factor on the optimizer's learning rates at each step.
    - `validation` images are reconstructed, as they are, after every `validate_every`-th update.

    Shapes: images (n, *), bytes, which count as 0 to 1, or finite floats of any range; on the network's device.
    Yields: `loss/training` (squared error a pixel), `loss/sparsity` where asked for, and now and then
    `validation/loss`; endless.
    Raises: InputError for images of other types, not-a-number, a reconstruction of another shape, a penalty that is not
    finite at the start, and a batch larger than the data.
    Source: Vincent et al. 2010, JMLR 11 (denoising); Goodfellow et al. 2016, Deep Learning, chapter 14.
    """

    def __init__(
        self,
        autoencoder: Autoencoder,
        optimizer: torch.optim.Optimizer,
        images: Tensor,
        *,
        batch_size: int,
        streams: Streams,
        corrupt: Change | None = None,
        code_noise: float = 0.0,
        sparsity: Sparsity | None = None,
        schedule: Schedule | None = None,
        validation: Tensor | None = None,
        validate_every: int = 500,
    ) -> None:
        self.autoencoder, self.optimizer, self.images = autoencoder, optimizer, images
        require(0 <= code_noise < math.inf, "code_noise", code_noise, "at least 0 and finite")
        self.step = 0
        self.batches = Batches(len(images), batch_size, streams.torch("batches", images.device))
        self._corrupt, self._code_noise, self._sparsity = corrupt, code_noise, sparsity
        self._schedule = schedule or constant()
        self._noise = streams.torch("noise", images.device)
        self._learning_rates = [group["lr"] for group in optimizer.param_groups]
        for name, given in (("images", images), ("validation", validation)):
            if given is not None:
                _require_images(name, given, images)
        self._validation = None
        if validation is not None:
            self._validation = Validation(validation, validation, validate_every, scale=in_unit_range)
        self._first_look(images[:2])

    def learn(self) -> Iterator[Metrics]:
        """Yield the metrics of each update."""
        self.autoencoder.train()
        while True:
            for group, learning_rate in zip(self.optimizer.param_groups, self._learning_rates, strict=True):
                group["lr"] = learning_rate * self._schedule(self.step)
            metrics = self._leave_gradients(in_unit_range(self.images[self.batches.next()]))
            self.optimizer.step()
            self.step += 1
            if self._validation and self.step % self._validation.every == 0:
                metrics |= self._validation.measure(self.autoencoder, _error)
            yield metrics

    def _leave_gradients(self, wanted: Tensor) -> dict[str, float | Tensor]:
        """Leave in the weights the gradient of the loss over the images `wanted`."""
        given = self._corrupt(wanted, self._noise) if self._corrupt else wanted
        codes = self.autoencoder.encode(given)
        shaken = add_noise(codes, self._noise, std=self._code_noise) if self._code_noise else codes
        loss = mean_squared_error(self.autoencoder.decode(shaken), wanted)
        metrics: dict[str, float | Tensor] = {"loss/training": loss.detach()}
        if self._sparsity:
            penalty = self._sparsity(codes)
            metrics["loss/sparsity"] = penalty.detach()
            loss = loss + penalty
        self.optimizer.zero_grad()
        loss.backward()
        return metrics

    @torch.no_grad()
    def _first_look(self, images: Tensor) -> None:
        """Refuse what could not be trained, before it is. Raises: InputError."""
        self.autoencoder.eval()
        codes = self.autoencoder.encode(in_unit_range(images))
        shape, made = tuple(images.shape[1:]), tuple(self.autoencoder.decode(codes).shape[1:])
        require(made == shape, "reconstruction shape", (len(images), *made), f"{(len(images), *shape)}, the images'")
        if self._sparsity and not self._sparsity(codes).isfinite():
            raise InputError("sparsity penalty=nan: must be finite; KL sparsity wants codes in (0, 1), as of a Sigmoid")

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimizer, the place in the data, every random stream."""
        return {
            **{name: part.state_dict() for name, part in self._parts().items()},
            "noise": self._noise.get_state(),
            "masks": [generator.get_state() for generator in generators_of(self.autoencoder)],
            "step": self.step,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, exactly."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self._noise.set_state(state["noise"].cpu())
        for generator, saved in zip(generators_of(self.autoencoder), state["masks"], strict=True):
            generator.set_state(saved.cpu())
        self.step = state["step"]

    def _parts(self) -> dict[str, Any]:
        return {"autoencoder": self.autoencoder, "optimizer": self.optimizer, "batches": self.batches}


def _error(reconstruction: Tensor, images: Tensor) -> Tensor:
    return mean_squared_error(reconstruction, in_unit_range(images))


def _require_images(name: str, given: Tensor, images: Tensor) -> None:
    kind = given.dtype == torch.uint8 or given.is_floating_point()
    require(kind, f"{name} dtype", given.dtype, "torch.uint8, bytes from 0 to 255, or floating point")
    require(len(given) >= 1, name, len(given), "at least 1 image")
    alike = given.shape[1:] == images.shape[1:]
    require(alike, f"{name} shape", tuple(given.shape), f"(n, {', '.join(map(str, images.shape[1:]))})")
    finite = not given.is_floating_point() or bool(given.isfinite().all())
    require(finite, name, "NaN or infinity", "finite; fill or drop what is missing first")
