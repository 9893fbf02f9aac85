"""Training steps of the VAE and the autoencoder beside hand-tuned plain torch, and how long the judge takes.

The peers are the same networks out of torch.nn with the same maths, written as tightly as torch allows: the whole data
as one tensor of bytes, batches by index, fused Adam. For the VAE there is also the loop of the usual tutorial, which
gets its images one by one from a DataLoader and takes Adam as it comes. Where the arithmetic of the network is most of
a step, as on one CPU thread, that loop loses less than where it is not. What its matrix products cost shows in the line
below: the same learner with `precision="bf16"`, which changes nothing but them, beside the same loop in float32; no
longer equal maths. How it is measured: `pairs.py`. Run it on an otherwise idle machine:

    python benchmarks/generative_speed.py                    # about a minute
    python benchmarks/generative_speed.py --only VAE --check
"""

import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from pairs import BLOCK, MakePairs, Pair, main
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import generative
from foundations.learner import Metrics
from foundations.streams import Streams
from foundations.training import Precision
from generative.metrics import frechet_distance, gaussian_of, inception_score

BATCH, LATENT, CODE = 100, 50, 32
COUNT = 60_000
STEPS = 10**6
"""Length of the run that the learners believe in, so that their schedules move as in a real one."""
ONE_BY_ONE = 3.0
"""The dense VAE must see so many times as many images a second as with a DataLoader, at least."""
JUDGED, JUDGE_SECONDS = 10_000, 10.0


def made_images(count: int = COUNT) -> Tensor:
    """Bytes with about as much ink as digits have."""
    noise = torch.Generator().manual_seed(0)
    bytes_ = torch.randint(256, (count, 1, 28, 28), generator=noise, dtype=torch.uint8)
    return bytes_ * (torch.rand(count, 1, 28, 28, generator=noise) < 0.2)


def indices(count: int, batch_size: int, device: torch.device) -> Iterator[Tensor]:
    """Batches of indices, reshuffled every epoch."""
    while True:
        order = torch.randperm(count, device=device)
        yield from order.split(batch_size)[: count // batch_size]


# --- the variational autoencoder --------------------------------------------------------------------------------------


class PlainVAE(nn.Module):
    """784-200-200-(50+50), 50-200-200-784, tanh: that of `build_vae`, out of torch.nn."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *(nn.Linear(784, 200), nn.Tanh(), nn.Linear(200, 200), nn.Tanh(), nn.Linear(200, 2 * LATENT))
        )
        self.decoder = nn.Sequential(
            *(nn.Linear(LATENT, 200), nn.Tanh(), nn.Linear(200, 200), nn.Tanh(), nn.Linear(200, 784))
        )

    def loss(self, x: Tensor) -> Tensor:
        """-ELBO of binary x (batch, 784), in nats, the mean over the batch."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        reconstruction = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
        kl = (log_variance.exp() + mean.square() - 1 - log_variance).sum() / 2
        return (reconstruction + kl) / len(x)


def plain_step(
    network: nn.Module, loss: Callable[[Tensor], Tensor], batches: Iterator[Tensor], *, fused: bool = True
) -> Callable[[], Tensor]:
    """One update by Adam on the next of `batches`."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=fused)

    def step() -> Tensor:
        optimizer.zero_grad()
        value = loss(next(batches))
        value.backward()
        optimizer.step()
        return value.detach()

    return step


def whole_data(images: Tensor) -> Iterator[Tensor]:
    """Binary batches by index, drawn anew at each look."""
    rows = images.flatten(1)
    for chosen in indices(len(rows), BATCH, rows.device):
        grey = rows[chosen]
        yield (torch.rand(grey.shape, device=grey.device) < grey / 255).float()


class OneByOne(Dataset[Tensor]):
    """An image at a time through PIL and float, as torchvision's MNIST with ToTensor does it; then drawn to 0 and 1."""

    def __init__(self, images: Tensor) -> None:
        self.images = images[:, 0].cpu()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        picture = Image.fromarray(self.images[index].numpy())
        grey = torch.from_numpy(np.array(picture, copy=True))[None].to(torch.float32).div(255)
        return torch.bernoulli(grey)


def from_loader(images: Tensor, device: torch.device) -> Iterator[Tensor]:
    """Binary batches from a DataLoader without workers."""
    loader = DataLoader(OneByOne(images), batch_size=BATCH, shuffle=True, drop_last=True)
    while True:
        for batch in loader:
            yield batch.flatten(1).to(device)


def vae_pairs(device: torch.device) -> list[Pair]:
    """The dense VAE beside both loops."""
    images = made_images().to(device)
    ours, half = (next_of(own_vae(images, precision).learn()) for precision in ("float32", "bf16"))
    tight, usual = (PlainVAE().to(device) for _ in range(2))
    step = plain_step(tight, tight.loss, whole_data(images))
    loader_step = plain_step(usual, usual.loss, from_loader(images, device), fused=False)
    name = "dense VAE, images a second against a DataLoader's"
    return [
        Pair(f"dense VAE step, batch {BATCH}", "training step", ours, step, BLOCK),
        Pair(name, "speed", ours, loader_step, ONE_BY_ONE, least=True),
        Pair(f"{name}, ours in bf16", "speed", half, loader_step, ONE_BY_ONE, least=True),
    ]


def own_vae(images: Tensor, precision: Precision) -> generative.VAELearner:
    """The network of `PlainVAE`, to learn from `images` where they are."""
    settings = {"steps": STEPS, "batch_size": BATCH, "latent_size": LATENT, "precision": precision}
    return generative.build_vae(images, streams=Streams(0), device=images.device, **settings)


def next_of(updates: Iterator[Metrics]) -> Callable[[], Metrics]:
    """One update a call."""
    return lambda: next(updates)


# --- autoencoders -----------------------------------------------------------------------------------------------------


def plain_dense() -> nn.Module:
    """784-512-256-32-256-512-784 with batch norm and ReLU: that of `build_autoencoder("dense")`, out of torch.nn."""

    def layer(into: int, out: int) -> list[nn.Module]:
        return [nn.Linear(into, out), nn.BatchNorm1d(out), nn.ReLU()]

    return nn.Sequential(
        *(nn.Flatten(), *layer(784, 512), *layer(512, 256), nn.Linear(256, CODE), nn.BatchNorm1d(CODE)),
        *(*layer(CODE, 256), *layer(256, 512), nn.Linear(512, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28))),
    )


def plain_conv() -> nn.Module:
    """Two convolutions of 16 and 32, and their mirror: that of `build_autoencoder("conv")`, out of torch.nn."""
    down, up = {"kernel_size": 4, "stride": 2, "padding": 1}, {"kernel_size": 4, "stride": 2, "padding": 1}
    return nn.Sequential(
        *(nn.Conv2d(1, 16, **down, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, **down, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(1568, CODE, bias=False), nn.BatchNorm1d(CODE)),
        *(nn.Linear(CODE, 1568, bias=False), nn.BatchNorm1d(1568), nn.ReLU(), nn.Unflatten(1, (32, 7, 7))),
        *(nn.ConvTranspose2d(32, 16, **up, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.ConvTranspose2d(16, 1, **up), nn.Sigmoid()),
    )


def autoencoder_pairs(device: torch.device) -> list[Pair]:
    """The dense and the convolutional autoencoder beside the tight loop, channels last on both sides."""
    images = made_images().to(device)
    pairs = []
    for model, plain in (("dense", plain_dense), ("conv", plain_conv)):
        learner = generative.build_autoencoder(
            model, images, code_size=CODE, steps=STEPS, batch_size=BATCH, streams=Streams(0), device=device
        )
        network = plain().to(device, memory_format=torch.channels_last)
        batches = (images[chosen] / 255 for chosen in indices(len(images), BATCH, device))
        step = plain_step(network, lambda x, network=network: F.mse_loss(network(x), x), batches)
        name = f"{model} autoencoder step, batch {BATCH}"
        pairs.append(Pair(name, "training step", next_of(learner.learn()), step, BLOCK))
    return pairs


# --- the judge --------------------------------------------------------------------------------------------------------


@torch.no_grad()
def judge_seconds() -> float:
    """Wall seconds for Inception Score and Frechet distance of 10,000 images; the real side's Gaussian is known."""
    judge, images = generative.load_judge(), made_images(JUDGED) / 255

    def look() -> tuple[float, Tensor]:
        features = torch.cat([judge.features(part) for part in images.split(500)])
        return inception_score(judge.head(features).softmax(dim=1)), features

    reference = gaussian_of(look()[1])  # the first look warms up as well
    began = time.perf_counter()
    _, features = look()
    frechet_distance(*gaussian_of(features), *reference)
    return time.perf_counter() - began


MAKERS: tuple[MakePairs, ...] = (vae_pairs, autoencoder_pairs)

if __name__ == "__main__":
    status = main("generative_speed", __doc__, MAKERS, rounds=40, turn=0.1)
    taken = judge_seconds()
    verdict = "passes" if taken < JUDGE_SECONDS else "MISSES"
    print(f"\nIS and FD of {JUDGED:,} images on one thread: {taken:.2f} s (limit {JUDGE_SECONDS:g} s), {verdict}")
    sys.exit(1 if "--check" in sys.argv and taken >= JUDGE_SECONDS else status)
