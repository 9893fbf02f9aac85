"""Images per second of the dense GAN, beside the plain training loop of the usual tutorial: equal float32 maths.

Both train the same two networks with the same losses, batch and optimizer on bytes of MNIST's size; segments of the two
alternate (A B A B ...), so that a change in the machine's mood touches both, and the medians are compared. Run it on an
otherwise idle machine:

    python benchmarks/gan_throughput.py --threads 2
    python benchmarks/gan_throughput.py --threads 2 --precision bf16    # adds our own in half precision
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from foundations.streams import Streams
from generative.gan.learner import GAN, build_gan

BATCH, LATENT = 64, 100
RESULTS = Path(__file__).parent / "results" / "gan_throughput.json"


class TutorialDigits(Dataset[Tensor]):
    """One image at a time through PIL and float, as torchvision's MNIST with ToTensor and Normalize does it."""

    def __init__(self, images: Tensor) -> None:
        self.images = images[:, 0]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        picture = Image.fromarray(self.images[index].numpy())
        tensor = torch.from_numpy(np.array(picture, copy=True))[None].to(torch.float32).div(255)
        return tensor.clone().sub_(torch.tensor([0.5]).view(-1, 1, 1)).div_(torch.tensor([0.5]).view(-1, 1, 1))


def tutorial(images: Tensor) -> Iterator[None]:
    """The plain loop: torch.nn, torch.optim.Adam as it comes, a DataLoader, a sigmoid and its cross-entropy."""
    slope = 0.2
    generator = nn.Sequential(
        *(nn.Linear(LATENT, 256), nn.LeakyReLU(slope)),
        *(nn.Linear(256, 512), nn.BatchNorm1d(512), nn.LeakyReLU(slope)),
        *(nn.Linear(512, 1024), nn.BatchNorm1d(1024), nn.LeakyReLU(slope)),
        *(nn.Linear(1024, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))),
    )
    discriminator = nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(784, 1024), nn.LeakyReLU(slope)),
        *(nn.Linear(1024, 512), nn.LeakyReLU(slope)),
        *(nn.Linear(512, 256), nn.LeakyReLU(slope)),
        *(nn.Linear(256, 1), nn.Sigmoid()),
    )
    generator_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    loss = nn.BCELoss()
    loader = DataLoader(TutorialDigits(images), batch_size=BATCH, shuffle=True, drop_last=True)
    real_label, fake_label = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
    while True:
        for real in loader:
            generator_optimizer.zero_grad()
            fake = generator(torch.randn(BATCH, LATENT))
            generator_loss = loss(discriminator(fake), real_label)
            generator_loss.backward()
            generator_optimizer.step()
            discriminator_optimizer.zero_grad()
            real_loss = loss(discriminator(real), real_label)
            fake_loss = loss(discriminator(fake.detach()), fake_label)
            discriminator_loss = real_loss + fake_loss
            discriminator_loss.backward()
            discriminator_optimizer.step()
            generator_loss.item(), discriminator_loss.item()
            yield


def ours(images: Tensor, precision: str) -> GAN:
    """The project's dense GAN at the same settings; its running average of weights is on, as always."""
    return build_gan(
        "dense",
        images,
        steps=10**6,
        batch_size=BATCH,
        latent_size=LATENT,
        learning_rate=2e-4,
        precision=precision,
        streams=Streams(0),
    )


def read_metrics(gan: GAN) -> Iterator[None]:
    """Train, reading every metric as the labs do."""
    for metrics in gan.learn():
        for value in metrics.values():
            float(value)
        yield


def images_per_second(updates: Iterator[None], steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        next(updates)
    return steps * BATCH / (time.perf_counter() - start)


def measure(contenders: dict[str, Callable[[], Iterator[None]]], rounds: int, steps: int) -> dict[str, list[float]]:
    """Images/s of each contender in each round, after a warm-up that does not count."""
    running = {name: start() for name, start in contenders.items()}
    for updates in running.values():
        images_per_second(updates, max(steps // 4, 1))
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, updates in running.items():
            speeds[name].append(images_per_second(updates, steps))
    return speeds


def report(speeds: dict[str, list[float]], arguments: argparse.Namespace) -> dict[str, object]:
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    base = medians["plain loop"]
    print(f"dense GAN, batch {BATCH}, {torch.get_num_threads()} torch threads, {arguments.rounds} rounds")
    print(f"{'':24}{'images/s':>10}{'lowest':>10}{'highest':>10}{'ratio':>8}")
    for name, values in speeds.items():
        print(f"{name:24}{medians[name]:10,.0f}{min(values):10,.0f}{max(values):10,.0f}{medians[name] / base:8.2f}")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": processor(),
            "threads": torch.get_num_threads(),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "settings": {"batch_size": BATCH, "rounds": arguments.rounds, "steps_per_segment": arguments.steps},
        "images_per_second": {name: [round(value, 1) for value in values] for name, values in speeds.items()},
        "median": {name: round(value, 1) for name, value in medians.items()},
        "ratio_to_plain_loop": {name: round(value / base, 3) for name, value in medians.items()},
    }


def processor() -> str:
    """The processor's name, and what it knows of vectors."""
    return f"{platform.processor() or platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="torch threads")
    parser.add_argument("--rounds", type=int, default=9, help="segments of each contender")
    parser.add_argument("--steps", type=int, default=150, help="updates in a segment")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32", help="bf16: measure it as well")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    images = torch.randint(0, 256, (60_000, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    contenders: dict[str, Callable[[], Iterator[None]]] = {
        "plain loop": lambda: tutorial(images),
        "generative, float32": lambda: read_metrics(ours(images, "float32")),
    }
    if arguments.precision == "bf16":
        contenders["generative, bf16"] = lambda: read_metrics(ours(images, "bf16"))
    figures = report(measure(contenders, arguments.rounds, arguments.steps), arguments)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
