"""Train the judge: a small classifier of digits, by whose eyes the generative models are measured."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import foundations
import generative
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from foundations.training import Prepare

topic = "generative models"
best = ("test/accuracy", "max")


@dataclass(frozen=True)
class Config(kit.Config):
    """The defaults are the recipe of the judge that the project carries."""

    data: str = "mnist"
    """Data set: a registered name or a folder."""
    epochs: kit.Count = 10
    """Passes over the training images."""
    batch_size: kit.Count = 128
    """Images an update; more is smoother and slower to learn."""
    learning_rate: kit.Rate = 3e-3
    """Largest learning rate, reached after a fifth of the steps."""
    degrees: float = 12.0
    """Largest turn of a training image, in degrees."""
    shift: kit.Share = 0.08
    """Largest shift of a training image along each axis, as a share of its side."""
    scale: kit.Share = 0.1
    """Largest change of a training image's size, as a share of it."""
    noise: kit.Share = 0.2
    """Largest standard deviation of the noise on half of the training images, so that the judge reads through it."""

    presets: ClassVar[kit.Presets] = {"smoke": {"threads": 1, "data": "digits", "epochs": 1}, "full": {"epochs": 20}}
    useful_threads: ClassVar[int] = 2


def main(config: Config, run: kit.Run) -> None:
    """Train on the training images; what the test images say is shown, and chooses nothing."""
    digits = run.load_images(config.data)
    count = len(digits.train_labels)
    require(config.batch_size <= count, "batch_size", config.batch_size, f"at most {count:,}, the training images")
    judge = generative.Judge(generator=run.streams.torch("weights")).to(run.device)
    steps = config.epochs * (count // config.batch_size)
    learner = foundations.images.image_classifier(
        judge,
        foundations.AdamW(judge.parameters(), lr=config.learning_rate, weight_decay=0.02, fused=True),
        digits.train_images.to(run.device),
        digits.train_labels.to(run.device),
        batch_size=config.batch_size,
        steps=steps,
        warmup=steps // 5,
        prepare=augmentation(config),
        streams=run.streams,
    )
    test_images, test_labels = digits.test_images.to(run.device) / 255, digits.test_labels.to(run.device)
    for _, _ in run.follow(learner, steps=steps, examples_per_step=config.batch_size):
        if run.every(steps // config.epochs):
            logits = foundations.predict(judge, test_images)
            run.log({"test/accuracy": foundations.accuracy(logits, test_labels)})
    logits = foundations.predict(judge, test_images)
    run.summary({"test/accuracy": foundations.accuracy(logits, test_labels)})
    run.figure("mistakes", kit.figures.mistakes(logits.softmax(dim=1).cpu(), digits))
    run.model("judge", judge.eval(), test_images[:8])


def augmentation(config: Config) -> "Prepare":
    """Bytes to [0, 1]; turned, scaled, shifted; half of the images noisy."""
    moved = foundations.images.augmented(degrees=config.degrees, scale=config.scale, shift=config.shift)

    def prepare(images: "Tensor", generator: "Generator") -> "Tensor":
        return foundations.augmentation.random_noise(moved(images, generator), generator, largest=config.noise)

    return prepare


if __name__ == "__main__":
    kit.launch(main)
