"""The blocks of `foundations` beside torch's own: forward and backward, optimizers, whole training steps, feeding.

How it is measured: `pairs.py`. Run it on an otherwise idle machine:

    python benchmarks/foundations_speed.py                  # about two minutes
    python benchmarks/foundations_speed.py --device cuda
    python benchmarks/foundations_speed.py --only Adam LeNet-5 --check
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from pairs import BLOCK, MakePairs, Pair, main
from passes import forward_and_backward, training_step
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import foundations
from foundations.streams import Streams

FOREACH, FUSED, FEED = 0.95, 1.05, 1.5
"""Limits: times of optimizers, of fused ones, at most; images/s by the learner's feed, at least."""
BATCH = 64


def block_pairs(device: torch.device) -> list[Pair]:
    """Each layer beside its twin of torch.nn."""
    noise = torch.Generator().manual_seed(0)

    def pair(name: str, ours: nn.Module, torchs: nn.Module, *shape: int) -> Pair:
        x = torch.randn(shape, generator=noise).to(device)
        sizes = " x ".join(map(str, shape))
        passes = (forward_and_backward(layer.to(device), x) for layer in (ours, torchs))
        return Pair(f"{name}, {sizes}", "block", *passes, BLOCK)

    return [
        pair("linear 256 -> 256", foundations.Linear(256, 256), nn.Linear(256, 256), 128, 256),
        pair("convolution 16 -> 32, 3x3", foundations.Conv2d(16, 32, 3), nn.Conv2d(16, 32, 3), 32, 16, 14, 14),
        pair("batch norm", foundations.BatchNorm(32), nn.BatchNorm2d(32), 32, 32, 14, 14),
        pair("layer norm", foundations.LayerNorm(256), nn.LayerNorm(256), 128, 256),
        pair("dropout", foundations.Dropout(0.5), nn.Dropout(0.5), 128, 1024),
        cross_entropy_pair(device),
    ]


def cross_entropy_pair(device: torch.device) -> Pair:
    """From logits to their gradient."""
    logits = torch.randn(256, 100, device=device).requires_grad_()
    labels = torch.randint(0, 100, (256,), device=device)
    return Pair(
        "cross-entropy, 256 x 100",
        "block",
        lambda: foundations.losses.cross_entropy_from_logits(logits, labels).backward(),
        lambda: F.cross_entropy(logits, labels).backward(),
        BLOCK,
    )


def torch_mlp() -> nn.Module:
    """784-256-10 out of torch.nn."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def torch_lenet() -> nn.Module:
    """LeNet-5 out of torch.nn, pooled before each ReLU as ours is."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(6, 16, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def step_pairs(device: torch.device) -> list[Pair]:
    """Whole training steps: our network, loss and optimizer beside torch's, the optimizers' defaults."""
    images = torch.rand(BATCH, 1, 28, 28, device=device)
    labels = torch.randint(0, 10, (BATCH,), device=device)

    def pair(name: str, ours: nn.Module, torchs: nn.Module) -> Pair:
        ours, torchs = ours.to(device), torchs.to(device)
        own = foundations.Adam(ours.parameters(), lr=1e-4)
        reference = torch.optim.Adam(torchs.parameters(), lr=1e-4, foreach=True)
        cross_entropy = foundations.losses.cross_entropy_from_logits
        own_step = training_step(own, lambda: cross_entropy(ours(images), labels))
        reference_step = training_step(reference, lambda: F.cross_entropy(torchs(images), labels))
        return Pair(f"{name} step, batch {BATCH}", "training step", own_step, reference_step, BLOCK)

    return [
        pair("MLP 784-256-10", foundations.MLP((784, 256, 10)), torch_mlp()),
        pair("LeNet-5", foundations.LeNet5(), torch_lenet()),
    ]


def optimizer_pairs(device: torch.device) -> list[Pair]:
    """One step over the ten tensors of LeNet-5, beside torch's foreach and fused implementations."""
    kinds: list[tuple[str, type[torch.optim.Optimizer], type[torch.optim.Optimizer], dict[str, Any]]] = [
        ("SGD", foundations.SGD, torch.optim.SGD, {}),
        ("SGD, momentum", foundations.SGD, torch.optim.SGD, {"momentum": 0.9}),
        ("RMSProp", foundations.RMSProp, torch.optim.RMSprop, {}),
        ("AdaGrad", foundations.AdaGrad, torch.optim.Adagrad, {}),
        ("Adam", foundations.Adam, torch.optim.Adam, {}),
        ("AdamW", foundations.AdamW, torch.optim.AdamW, {}),
    ]
    pairs = []
    for name, own, reference, options in kinds:
        for kind, ours, theirs, limit in (
            ("optimizer", {}, {"foreach": True}, FOREACH),
            ("fused optimizer", {"fused": True}, {"fused": True}, FUSED),
        ):
            try:
                steps = stepper(own, device, **options, **ours), stepper(reference, device, **options, **theirs)
            except (TypeError, RuntimeError, foundations.InputError):
                continue  # torch knows no fused kernel of it, or none on this device
            pairs.append(Pair(f"{name}{', fused' if limit == FUSED else ''}", kind, *steps, limit))
    return pairs


def stepper(made: Callable[..., torch.optim.Optimizer], device: torch.device, **options: Any) -> Callable[[], None]:
    """The step of an optimizer with fixed gradients; the first, which makes its state, is taken."""
    noise = torch.Generator().manual_seed(0)
    weights = [nn.Parameter(each.detach().clone().to(device)) for each in torch_lenet().parameters()]
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=noise).to(device)
    optimizer = made(weights, lr=1e-6, **options)
    optimizer.step()
    return optimizer.step


class Digits(Dataset[tuple[Tensor, int]]):
    """One image at a time through PIL and float, as torchvision's MNIST with ToTensor and Normalize does it."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images[:, 0], labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return normalise(to_tensor(Image.fromarray(self.images[index].numpy()))), int(self.labels[index])


def to_tensor(picture: Image.Image) -> Tensor:
    """Bytes (height, width) of a picture to floats (1, height, width) in [0, 1]."""
    pixels = torch.from_numpy(np.array(picture, np.uint8, copy=True)).view(picture.size[1], picture.size[0], 1)
    return pixels.permute((2, 0, 1)).contiguous().to(torch.float32).div(255)


def normalise(image: Tensor, mean: float = 0.1307, std: float = 0.3081) -> Tensor:
    """(x - mean) / std, channel by channel, with the check for a std of 0."""
    means, deviations = torch.as_tensor([mean], dtype=image.dtype), torch.as_tensor([std], dtype=image.dtype)
    if (deviations == 0).any():
        raise ValueError("std is 0")
    return image.clone().sub_(means.view(-1, 1, 1)).div_(deviations.view(-1, 1, 1))


def feed_pair(device: torch.device) -> Pair:
    """The same LeNet-5 and optimizer, fed by `SupervisedLearner` from one tensor, and by a DataLoader item by item."""
    noise = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (20_000, 1, 28, 28), dtype=torch.uint8, generator=noise)
    labels = torch.randint(0, 10, (20_000,), generator=noise)
    networks: list[nn.Module] = [foundations.LeNet5().to(device) for _ in range(2)]
    ours, theirs = (network.to(memory_format=torch.channels_last) for network in networks)  # type: ignore[call-overload]
    learner = foundations.SupervisedLearner(
        ours,
        foundations.Adam(ours.parameters(), lr=1e-4, fused=True),
        foundations.losses.cross_entropy_from_logits,
        images.to(device),
        labels.to(device),
        batch_size=BATCH,
        streams=Streams(0),
        prepare=lambda batch, generator: batch.to(torch.float32).sub_(255 * 0.1307).div_(255 * 0.3081),
    )
    updates = learner.learn()
    loop = item_by_item(theirs, DataLoader(Digits(images, labels), BATCH, shuffle=True, drop_last=True), device)
    name = f"LeNet-5, images/s, beside a DataLoader, batch {BATCH}"
    return Pair(name, "feeding", lambda: next(updates), lambda: next(loop), FEED, least=True)


def item_by_item(network: nn.Module, loader: DataLoader[Any], device: torch.device) -> Iterator[None]:
    """The usual loop."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    while True:
        for x, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(network(x.to(device)), labels.to(device)).backward()
            optimizer.step()
            yield


MAKERS: tuple[MakePairs, ...] = (block_pairs, step_pairs, optimizer_pairs, lambda device: [feed_pair(device)])

if __name__ == "__main__":
    sys.exit(main("foundations_speed", __doc__, MAKERS, rounds=300, turn=0.005))
