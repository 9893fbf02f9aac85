"""Train a GAN on handwritten digits, and let a fixed judge say how good the made ones are.

A generator draws digits from noise; a discriminator tells them from real ones; each learns from the other (Goodfellow
et al. 2014, arXiv:1406.2661): with dense layers, with convolutions, told which digit to draw, or with a Wasserstein
critic. The run shows sample grids from one fixed noise and a film of them, ways from digit to digit, both losses and
the discriminator's answers; and Inception Score, Frechet distance, precision and recall beside known yardsticks.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge, Interval

import generative
import labs.kit as kit
from foundations.errors import require
from labs.drawings import gan_mnist as drawings

if TYPE_CHECKING:
    from torch import Tensor

    from labs.kit.data import ImageData

topic = "generative models"
best = ("frechet_distance", "min", "final_samples", "reference_images")
FEWEST = 320
"""The judge compares no fewer images than this: five for each of its 64 features."""
Looks = Annotated[int, Ge(FEWEST)]
Below1 = Annotated[float, Interval(ge=0, lt=1)]
COMPARED = ("frechet_distance", "inception_score", "precision", "recall")
BANDWIDTHS = (0.1, 0.13, 0.16, 0.2, 0.25, 0.3)
"""Of the Parzen window, in units of the pixels' range 0 to 1."""
STEPS = 10
"""On a way from one digit to the next."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: mnist, digits, or a folder of 28x28 grey images in one sub-folder a class."""
    model: Literal["dcgan", "dense", "conditional", "wgan_gp"] = "dcgan"
    """dcgan: convolutional. dense: that of 2014. conditional: told which digit to draw. wgan_gp: Wasserstein critic."""
    loss: Literal["own", "non_saturating", "minimax", "least_squares", "hinge", "wasserstein"] = "own"
    """What the players minimise. own: the model's own, wasserstein for wgan_gp and non_saturating for the others."""
    penalty: Literal["own", "none", "gradient", "r1"] = "own"
    """Price on the discriminator's slope, not to be had with batch norm. own: gradient for wgan_gp, else none."""
    norm: Literal["own", "batch", "spectral", "none"] = "own"
    """What bounds the discriminator's layers. own: batch for dcgan and conditional, else none."""
    critic_steps: kit.Count | None = None
    """Steps of the discriminator for one of the generator; None: the model's own, 5 for wgan_gp, else 1."""
    channels: kit.Count | None = None
    """Width of the outer convolutions; twice as many inside. More is slower for each step, and better in the end. None:
    what suits model and preset."""
    latent_size: kit.Count = 16
    """Numbers of noise that a digit is drawn from."""
    categories: Annotated[int, Ge(0)] = 10
    """Kinds that a digit's noise comes in, unlabelled, so that shapes need not melt together; 0: none."""
    steps: kit.Count | None = None
    """Updates of the generator; None: what suits model and preset."""
    batch_size: Annotated[int, Ge(2)] = 64
    """Real images a step; as many are made."""
    learning_rate: kit.Rate | None = None
    """Adam's step size at the beginning; it falls in a straight line to 0. None: the model's own."""
    discriminator_pace: kit.Rate | None = None
    """The discriminator's learning rate as a multiple of the generator's. None: what suits model and preset."""
    label_smoothing: Below1 = 0.0
    """Real images are labelled 1 minus this (one-sided), where the loss has labels."""
    ema_decay: Below1 = 0.999
    """Memory of the averaged generator, from which samples are drawn."""
    precision: Literal["float32", "bf16"] = "float32"
    """bf16 is faster where the hardware knows it, and other maths."""
    show_every: kit.Count | None = None
    """Steps between sample grids; None: a thirtieth of the run."""
    judge_every: kit.Count | None = None
    """Steps between looks of the judge; None: a sixth of the run."""
    judged_samples: Looks = 2_000
    """Samples that each look takes; few samples raise the Frechet distance a little."""
    final_samples: Looks = 10_000
    """Samples that the final figures take."""
    reference_images: Looks = 60_000
    """Training images, at most, that samples are compared with."""

    useful_threads: ClassVar[int] = 1
    presets: ClassVar[kit.Presets] = {
        "smoke": {
            "show_every": 10,
            "judge_every": 30,
            "judged_samples": 400,
            "final_samples": 1_000,
            "reference_images": 2_000,
        },
        "full": {},
    }


LENGTHS = {
    "smoke": {"dcgan": 30, "conditional": 30, "dense": 30, "wgan_gp": 10},
    "quick": {"dcgan": 3_000, "conditional": 3_000, "dense": 6_000, "wgan_gp": 1_300},
    "full": {"dcgan": 8_000, "conditional": 8_000, "dense": 40_000, "wgan_gp": 5_000},
}
"""Steps by preset and model: a Wasserstein step takes longest, since the critic learns five times in it."""
CHANNELS = {"smoke": 32, "quick": 32, "full": 64}
"""By preset; the Wasserstein model has half as many, and so twice the steps in the same time."""
SLOWER = 0.5
"""The discriminator's pace where it is a wide one with batch norm."""


def main(config: Config, run: kit.Run) -> None:
    """Train, show, judge."""
    digits = _load(config, run)
    steps = config.steps or LENGTHS[config.preset][config.model]
    gan = _build(config, run, digits, steps)
    if not digits.are_digits:
        run.note("the judge knows digits only: its figures mean nothing for these images")
    reference = digits.train_images[: config.reference_images]
    assessor = generative.Assessor(generative.load_judge(run.device), reference)
    shown = gan.latents(64, run.streams.torch("shown", run.device))
    judged = gan.latents(config.final_samples, run.streams.torch("judged", run.device))

    run.images("samples", gan.sample(shown))  # before the first step: what an untrained generator draws
    for _ in run.follow(gan, steps=steps, examples_per_step=config.batch_size * gan.critic_steps):
        if run.every(config.show_every or -(-steps // 30)):
            run.images("samples", gan.sample(shown))
        if run.every(config.judge_every or -(-steps // 6)):
            look = assessor.assess(gan.sample(judged[: config.judged_samples]))
            run.log({f"judge/{name}": value for name, value in asdict(look).items() if "count" not in name})

    samples = gan.sample(judged)
    _judge(config, run, assessor, samples, digits)
    _compare_with_history(run, digits, samples)
    if config.model == "conditional" and digits.are_digits:
        _hold_to_what_was_asked(gan, run, assessor, samples, judged)
    run.figure("real_and_made", drawings.draw_side_by_side(digits.test_images[:64], samples[:64]))
    if gan.latent.categories:
        made, asked = gan.sample(_of_each_category(gan, run)), config.model == "conditional"
        names = digits.class_names if asked else [f"category {number}" for number in range(gan.latent.categories)]
        run.figure("asked" if asked else "categories", drawings.draw_categories(made, names, asked=asked))
    run.figure("interpolation", drawings.draw_ways(gan.sample(_ways(shown[:16])), STEPS))
    run.film("samples")
    run.model("generator", gan.averaged_generator(), shown)


def _build(config: Config, run: kit.Run, digits: "ImageData", steps: int) -> "generative.GAN":
    wide = config.preset == "full" and config.model in ("dcgan", "conditional")
    return generative.build_gan(
        config.model,
        digits.train_images,
        digits.train_labels,
        channels=config.channels or CHANNELS[config.preset] // (2 if config.model == "wgan_gp" else 1),
        latent_size=config.latent_size,
        categories=config.categories,
        steps=steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        discriminator_pace=config.discriminator_pace or (SLOWER if wide else 1.0),
        loss=None if config.loss == "own" else config.loss,
        penalty=None if config.penalty == "own" else config.penalty,
        norm=None if config.norm == "own" else config.norm,
        critic_steps=config.critic_steps,
        label_smoothing=config.label_smoothing,
        ema_decay=config.ema_decay,
        precision=config.precision,
        streams=run.streams,
        device=run.device,
    )


def _load(config: Config, run: kit.Run) -> "ImageData":
    """The images to learn from. Raises: InputError, before anything is trained, where they do not suit."""
    digits = run.load_images(config.data)
    digits.require_grey(config.data)
    for part, images in (("training", digits.train_images), ("test", digits.test_images)):
        enough = f"of {FEWEST} {part} images at least, for the judge, not {len(images)}"
        require(len(images) >= FEWEST, "data", config.data, enough)
    return digits


def _judge(
    config: Config, run: kit.Run, assessor: "generative.Assessor", samples: "Tensor", digits: "ImageData"
) -> None:
    """The final figures, beside the yardsticks and what the looks on the way could reach; alarms."""
    made, test_images = assessor.assess(samples), digits.test_images[: config.final_samples]
    copying = assessor.nearest_training_distance(samples[:1000])
    copying_floor = assessor.nearest_training_distance(test_images[:1000])
    yardsticks = generative.yardsticks(assessor, test_images, run.streams.torch("yardsticks"))
    real = yardsticks["real test images"]
    looked_at = assessor.assess(test_images[: config.judged_samples])
    fewer = f"real test images, {looked_at.count:,}, as in the looks on the way"
    rows = {"made by this run": made, **yardsticks, fewer: looked_at}
    run.table("judge", [{"images": name, **_readable(asdict(each))} for name, each in rows.items()])
    short = {name: round(getattr(made, name), 3) for name in COMPARED}
    run.table("comparison", [{"model": config.model, **_readable(short), "seconds": round(run.seconds)}])
    run.summary(
        {
            "inception_score": made.inception_score,
            "frechet_distance": made.frechet_distance,
            "precision": made.precision,
            "recall": made.recall,
            "frechet_distance_real": real.frechet_distance,
            "precision_real": real.precision,
            "recall_real": real.recall,
            "smallest_class_share": made.smallest_class_share,
            "nearest_training_distance": copying,
            "nearest_training_distance_real": copying_floor,
            "speed/seconds": run.seconds,
        }
    )
    if digits.are_digits:
        for alarm in generative.alarms.alarms(made, real, copying=copying, real_copying=copying_floor):
            run.note(alarm)


def _compare_with_history(run: kit.Run, digits: "ImageData", samples: "Tensor") -> None:
    """The figure of 2014, beside that of as many real images: not to rank models by (see `generative.parzen`)."""
    from generative.parzen import choose_bandwidth, parzen_log_likelihood

    apart = min(500, len(digits.train_images) // 2)
    parts = digits.train_images[:apart], digits.test_images[:500], digits.train_images[apart:][: len(samples)]
    validation, test, real = (images.to(samples.device) / 255 for images in parts)
    figures = {}
    for name, images in (("", samples[: len(real)]), ("_real", real)):
        bandwidth = choose_bandwidth(images, validation, BANDWIDTHS)
        figures[f"parzen_log_likelihood{name}"] = parzen_log_likelihood(images, test, bandwidth).mean().item()
    run.summary(figures)
    called = zip(("made by this run", "as many real ones"), figures.values(), strict=True)
    nats = "Parzen window, nats (not to rank by: poor images can beat real ones, Theis et al. 2016)"
    run.table("history", [{"images": name, nats: f"{value:.0f}"} for name, value in called])


def _hold_to_what_was_asked(
    gan: "generative.GAN", run: kit.Run, assessor: "generative.Assessor", samples: "Tensor", latents: "Tensor"
) -> None:
    """How often the judge reads the digit that was asked for."""
    asked = latents[:, gan.latent.size :].argmax(dim=1)
    right = assessor.classes(samples) == asked
    shares = [right[asked == digit].double().mean().item() for digit in range(gan.latent.categories)]
    run.table("asked", [{"digit asked for": digit, "read as it": f"{share:.1%}"} for digit, share in enumerate(shares)])
    share = right.double().mean().item()
    run.summary({"asked_digit_share": share})
    if share < 0.9:
        run.note(f"disobedient: the judge reads the digit asked for in {share:.1%} of the samples only")


def _of_each_category(gan: "generative.GAN", run: kit.Run) -> "Tensor":
    """Latents of ten images of each category, the categories below each other: what each has become."""
    import torch

    chosen = torch.arange(gan.latent.categories, device=run.device).repeat_interleave(10)
    return gan.latent.draw_of(chosen, run.streams.torch("categories", run.device))


def _ways(ends: "Tensor") -> "Tensor":
    """Latents of steps on an arc from each latent of `ends` to the one after it, a way a row."""
    import torch

    pairs = zip(ends[::2], ends[1::2], strict=True)
    return torch.cat([generative.interpolate(start, end, STEPS, spherical=True) for start, end in pairs])


def _readable(figures: dict[str, float]) -> dict[str, float]:
    return {name.replace("_", " "): round(value, 4) for name, value in figures.items()}


if __name__ == "__main__":
    kit.launch(main)
