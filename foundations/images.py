"""Images stored as bytes: what a network takes of them, how a classifier of them learns, and how often it is right."""

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from foundations.augmentation import random_affine
from foundations.errors import InputError
from foundations.evaluation import accuracy, evaluate
from foundations.losses import cross_entropy_from_logits
from foundations.schedules import warmup_cosine
from foundations.streams import Streams
from foundations.training import Prepare, SupervisedLearner

Network = TypeVar("Network", bound=nn.Module)


def scaled(images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Bytes 0 .. 255 as floats in [0, 1]: a `scale` for `predict`, and a `prepare` for learners that draws nothing.

    Shapes: any, kept. Raises: InputError for what is not torch.uint8.
    """
    if images.dtype != torch.uint8:
        raise InputError(f"images dtype={images.dtype}: must be torch.uint8, values from 0 to 255")
    return images / 255


def augmented(*, degrees: float = 0, scale: float = 0, shift: float = 0) -> Prepare:
    """A `prepare` for learners: bytes to [0, 1], each image turned, scaled and shifted anew (see `random_affine`)."""

    def prepare(images: Tensor, generator: torch.Generator) -> Tensor:
        return random_affine(scaled(images), generator, degrees=degrees, scale=scale, shift=shift)

    return prepare


def channels_last(network: Network, device: torch.device | str) -> Network:
    """Move `network` to `device` with the channels of a pixel side by side in memory; gives it.

    The values are the same; convolutions on a CPU are a tenth to a fifth faster.
    """
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's hints lack it
    return network


def image_classifier(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    *,
    batch_size: int,
    steps: int,
    warmup: int | None = None,
    streams: Streams,
    **options: Any,
) -> SupervisedLearner:
    """The usual learner of a classifier: cross-entropy; the learning rate rises for `warmup` steps, then falls to 0.

    It rises for a tenth of the `steps` unless given, and falls along a cosine up to their end. `options` are those of
    `SupervisedLearner`; among them `prepare` (here `scaled`; see `augmented`), `loss` and `schedule` replace the usual.
    Shapes: images (n, ...), bytes; labels (n), class numbers; both on the network's device.
    Raises: InputError as `SupervisedLearner` and `warmup_cosine`.
    """
    schedule = warmup_cosine(steps // 10 if warmup is None else warmup, steps)
    chosen = {"loss": cross_entropy_from_logits, "prepare": scaled, "schedule": schedule} | options
    return SupervisedLearner(
        network, optimizer, inputs=images, targets=labels, batch_size=batch_size, streams=streams, **chosen
    )


def image_accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of `images` that `network` takes for what they are, in evaluation mode; its mode is put back.

    Shapes: images (n, ...), bytes; labels (n). They may lie on another device than the network.
    Raises: InputError for no images, and where they and the labels differ in number.
    """
    place = next(network.parameters()).device
    return evaluate(network, images.to(place), labels.to(place), {"accuracy": accuracy}, scale=scaled)["accuracy"]
