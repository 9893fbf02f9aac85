"""Train a GAN on handwritten digits, and let a fixed judge say how good the made ones are.

A generator draws digits from noise; a discriminator tells them from real ones; each learns from the other (Goodfellow
et al. 2014, arXiv:1406.2661). The run shows sample grids from one fixed noise and a film of them, both losses, what the
discriminator believes, and Inception Score and Frechet distance beside yardsticks of known quality.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge, Interval

import generative
import labs.kit as kit
from foundations.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from labs.kit.data import ImageData

topic = "generative models"
FEWEST = 320
"""The judge compares no fewer images than this: five for each of its 64 features."""
Looks = Annotated[int, Ge(FEWEST)]
Below1 = Annotated[float, Interval(ge=0, lt=1)]


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: mnist, digits, or a folder of 28x28 grey images in one sub-folder a class."""
    model: Literal["dcgan", "dense"] = "dcgan"
    """dcgan: convolutional, good within minutes. dense: the network of 2014, which needs far longer."""
    channels: kit.Count = 32
    """Width of the outer convolutions; twice as many inside. More is slower for each step, and better in the end."""
    latent_size: kit.Count = 16
    """Numbers of noise that a digit is drawn from."""
    categories: Annotated[int, Ge(0)] = 10
    """Kinds that a digit's noise comes in, unlabelled, so that shapes need not melt into each other; 0: none."""
    steps: kit.Count = 3_000
    """Updates of each player."""
    batch_size: Annotated[int, Ge(2)] = 64
    """Real images a step; as many are made."""
    learning_rate: kit.Rate = 1e-3
    """Adam's step size at the beginning; it falls in a straight line to 0. The dense model wants 2e-4."""
    discriminator_pace: kit.Rate = 1.0
    """The discriminator's learning rate as a multiple of the generator's; below 1 a wide one stays within reach."""
    label_smoothing: Below1 = 0.0
    """Real images are labelled 1 minus this (one-sided)."""
    ema_decay: Below1 = 0.999
    """Memory of the averaged generator, from which samples are drawn."""
    precision: Literal["float32", "bf16"] = "float32"
    """bf16 is faster where the hardware knows it, and other maths."""
    show_every: kit.Count = 100
    """Steps between sample grids."""
    judge_every: kit.Count = 500
    """Steps between looks of the judge."""
    judged_samples: Looks = 2_000
    """Samples that each look takes; few samples raise the Frechet distance a little."""
    final_samples: Looks = 10_000
    """Samples that the final figures take."""
    reference_images: Looks = 60_000
    """Training images, at most, that samples are compared with."""

    useful_threads: ClassVar[int] = 1
    presets: ClassVar[kit.Presets] = {
        "smoke": {
            "steps": 30,
            "show_every": 10,
            "judge_every": 30,
            "judged_samples": 400,
            "final_samples": 1_000,
            "reference_images": 2_000,
        },
        "full": {"channels": 64, "steps": 8_000, "discriminator_pace": 0.5, "show_every": 200, "judge_every": 1_500},
    }


def main(config: Config, run: kit.Run) -> None:
    """Train, show, judge."""
    digits = _load(config, run)
    reference = digits.train_images[: config.reference_images]
    gan = generative.build_gan(
        config.model,
        digits.train_images,
        channels=config.channels,
        latent_size=config.latent_size,
        categories=config.categories,
        steps=config.steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        discriminator_pace=config.discriminator_pace,
        label_smoothing=config.label_smoothing,
        ema_decay=config.ema_decay,
        precision=config.precision,
        streams=run.streams,
        device=run.device,
    )
    if digits.class_names != tuple("0123456789"):
        run.note("the judge knows digits only: its figures mean nothing for these images")
    assessor = generative.Assessor(generative.load_judge(run.device), reference)
    shown = gan.latents(64, run.streams.torch("shown", run.device))
    judged = gan.latents(config.final_samples, run.streams.torch("judged", run.device))

    run.images("samples", gan.sample(shown))  # before the first step: what an untrained generator draws
    for _ in run.follow(gan, steps=config.steps, examples_per_step=config.batch_size):
        if run.every(config.show_every):
            run.images("samples", gan.sample(shown))
        if run.every(config.judge_every):
            look = assessor.assess(gan.sample(judged[: config.judged_samples]))
            run.log({f"judge/{name}": value for name, value in asdict(look).items() if name != "count"})

    samples = gan.sample(judged)
    _judge(run, assessor, samples, digits.test_images[: config.final_samples])
    run.figure("real_and_made", _side_by_side(digits.test_images[:64], samples[:64]))
    if config.categories:  # one row a category: what it has become, unlabelled
        run.images("categories", gan.sample(_of_each_category(gan, run)), columns=10)
    run.film("samples")
    run.model("generator", gan.averaged_generator(), shown)


def _load(config: Config, run: kit.Run) -> "ImageData":
    """The images to learn from. Raises: InputError, before anything is trained, where they do not suit."""
    digits = run.load_images(config.data)
    for part, images in (("training", digits.train_images), ("test", digits.test_images)):
        count, channels, height, width = images.shape
        if (channels, height, width) != (1, 28, 28):
            kind = "grey" if channels == 1 else "coloured"
            raise InputError(f"data={config.data!r}: {kind} images of {width}x{height} pixels; must be grey, 28x28")
        if count < FEWEST:
            raise InputError(f"data={config.data!r}: {count} {part} images; must be at least {FEWEST}, for the judge")
    return digits


def _judge(run: kit.Run, assessor: "generative.Assessor", samples: "Tensor", test_images: "Tensor") -> None:
    """The final figures, beside the yardsticks; alarms for a collapse and for copying."""
    made = assessor.assess(samples)
    copying = assessor.nearest_training_distance(samples[:1000])
    copying_floor = assessor.nearest_training_distance(test_images[:1000])
    yardsticks = generative.yardsticks(assessor, test_images, run.streams.torch("yardsticks"))
    rows = {"made by this run": made, **yardsticks}
    run.table("judge", [{"images": name, **_readable(asdict(each))} for name, each in rows.items()])
    run.summary(
        {
            "inception_score": made.inception_score,
            "frechet_distance": made.frechet_distance,
            "frechet_distance_real": yardsticks["real test images"].frechet_distance,
            "smallest_class_share": made.smallest_class_share,
            "nearest_training_distance": copying,
            "nearest_training_distance_real": copying_floor,
        }
    )
    if made.smallest_class_share < 0.02:
        run.note(f"mode collapse: the rarest digit makes up {made.smallest_class_share:.1%} of the samples, not 10 %")
    if copying < copying_floor / 2:
        run.note(f"copying: samples lie {copying:.2f} from a training image, real test digits {copying_floor:.2f}")


def _of_each_category(gan: "generative.GAN", run: kit.Run) -> "Tensor":
    """Latents of ten images of each category, the categories below each other: what each has become."""
    import torch

    kinds, stream = gan.latent.categories, run.streams.torch("categories", run.device)
    noise = torch.randn(10 * kinds, gan.latent.size, generator=stream, device=run.device)
    return gan.latent.of_category(noise, torch.arange(kinds, device=run.device).repeat_interleave(10))


def _readable(figures: dict[str, float]) -> dict[str, float]:
    return {name.replace("_", " "): round(value, 4) for name, value in figures.items()}


def _side_by_side(real: "Tensor", made: "Tensor") -> "Figure":
    """Real images beside made ones, 8 x 8 each."""
    from matplotlib import pyplot as plt

    figure, both = plt.subplots(1, 2, figsize=(9, 4.8))
    for axes, title, images in zip(both, ("real (test set)", "made"), (real / 255, made), strict=True):
        axes.imshow(kit.figures.grid(images, 8), cmap="gray", vmin=0, vmax=255)
        axes.set_title(title)
        axes.axis("off")
    return figure


if __name__ == "__main__":
    kit.launch(main)
