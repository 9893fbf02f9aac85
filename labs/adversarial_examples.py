"""Make a network misread digits by changes that an eye forgives; then train one that withstands them.

LeNet-5 is trained twice: plainly, and on inputs that projected gradient moves anew at each step (Madry et al. 2018,
arXiv:1706.06083). Both are attacked by the fast gradient sign (Goodfellow et al. 2015, arXiv:1412.6572) and by
projected gradient, with changes of growing size: at most epsilon for each pixel (L-infinity), or of length epsilon
over the whole image (L2). The run shows accuracy against epsilon, and images with what the networks take them for.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from annotated_types import Ge, Interval

import foundations
import generative
import labs.kit as kit
from foundations.errors import require
from labs.drawings import adversarial_examples as drawings

if TYPE_CHECKING:
    from torch import Tensor, nn

    from labs.kit.data import ImageData

topic = "generative models"
Norm = Literal["linf", "l2"]
EPSILONS: dict[Norm, tuple[float, ...]] = {
    "linf": (0.0, 0.05, 0.1, 0.2, 0.3, 0.4),
    "l2": (0.0, 0.5, 1.0, 2.0, 3.0, 4.0),
}
"""Sizes of the change: shares of the range from black to white for each pixel, or the length over the whole image."""
SIDES = (28, 32)
"""Of the images that LeNet-5 takes, which must be square."""
SHOWN = 5
"""Digits in the pictures, of as many classes."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: mnist, digits, or a folder of 28x28 or 32x32 images in one sub-folder a class."""
    norm: Norm = "linf"
    """What the second network is trained against: a bound for each pixel, or for the whole change's length."""
    epsilon: Annotated[float, Interval(gt=0, le=100)] | None = None
    """Size of the changes in training; None: 0.3 for linf, 2 for l2."""
    attack_steps: kit.Count = 4
    """Steps of the attack at each update; more are stronger, and cost as much more time."""
    steps: kit.Count = 1_000
    """Updates of the plain network."""
    robust_steps: kit.Count = 1_200
    """Updates of the other one; epsilon grows over the first half of them."""
    batch_size: kit.Count = 64
    """Images an update."""
    learning_rate: kit.Rate = 4e-3
    """AdamW's largest step size, reached after a fifth of the updates; from there it falls along a cosine to 0."""
    test_images: Annotated[int, Ge(50)] = 1_000
    """Test images that are attacked, at most; 1,000 tell accuracies to 1 or 2 percent."""
    test_attack_steps: kit.Count = 20
    """Steps of the attack that measures: more than in training, for it must not be weaker."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {
            "steps": 60,
            "robust_steps": 60,
            "attack_steps": 2,
            "test_images": 50,
            "test_attack_steps": 3,
        },
        "full": {
            "steps": 3_000,
            "robust_steps": 9_000,
            "attack_steps": 7,
            "test_images": 10_000,
            "test_attack_steps": 40,
        },
    }
    useful_threads: ClassVar[int] = 1


class Attacked(NamedTuple):
    """What a network makes of images under one attack of one size; the first few images and answers to show."""

    accuracy: float
    images: "Tensor"
    answers: "Tensor"
    sureness: "Tensor"


Results = dict[tuple[str, str, Norm, float], Attacked]
"""(network, attack, norm, epsilon) -> what came out."""


def main(config: Config, run: kit.Run) -> None:
    """Train both, attack both, show."""
    digits = load(config, run)
    radius = config.epsilon or {"linf": 0.3, "l2": 2.0}[config.norm]
    networks = {"plain": train_plainly(digits, config, run), "robust": train_robustly(digits, radius, config, run)}
    results = {
        (name, attack, norm, epsilon): look(network, digits, attack, norm, epsilon, config, run)
        for name, network in networks.items()
        for norm, epsilons in EPSILONS.items()
        for epsilon in sorted({*epsilons, radius} if norm == config.norm else epsilons)
        for attack in ("fgsm", "pgd")
    }
    report(results, radius, config, run)
    run.figure("accuracy", drawings.draw_accuracy(results, radius, config))
    for norm in EPSILONS:
        name = f"pictures_{norm}"
        shown = drawings.draw_pictures(results, norm, digits.test_labels[:SHOWN], digits.class_names, config)
        run.figure(name, shown)
    run.model("robust", networks["robust"].eval(), digits.test_images[:1].to(run.device) / 255)


def load(config: Config, run: kit.Run) -> "ImageData":
    """The images; those to test with shuffled, no more than asked for, the first of them of different classes."""
    import torch

    digits = run.load_images(config.data)
    classes, count = len(digits.class_names), len(digits.train_labels)
    height, width = digits.train_images.shape[2:]
    sizes = " or ".join(f"{side}x{side}" for side in SIDES)
    require(height == width in SIDES, "data", config.data, f"of {sizes} images, not {width}x{height}")
    require(classes >= 2, "data", config.data, f"of two classes or more, not {classes}")
    require(config.batch_size <= count, "batch_size", config.batch_size, f"at most {count:,}, the training images")
    order = torch.randperm(len(digits.test_labels), generator=run.streams.torch("test"))[: config.test_images]
    labels = digits.test_labels[order]
    first = [int((labels == label).nonzero()[0]) for label in labels.unique().tolist()][-SHOWN:]
    rest = [place for place in range(len(order)) if place not in first]
    order = order[torch.tensor(first + rest)]
    return replace(digits, test_images=digits.test_images[order], test_labels=digits.test_labels[order])


# --- training ---------------------------------------------------------------------------------------------------------


def train_plainly(digits: "ImageData", config: Config, run: kit.Run) -> "nn.Module":
    """A phase of the run: the network that never saw an attack."""
    learner = foundations.SupervisedLearner(
        **_network(digits, config.learning_rate, run),
        **_settings(digits, config.steps, config, run),
        loss=foundations.losses.cross_entropy_from_logits,
        targets=digits.train_labels.to(run.device),
        prepare=lambda batch, _: batch / 255,
    )
    for _ in run.follow(learner, steps=config.steps, examples_per_step=config.batch_size, name="plain"):
        pass
    return learner.network


def train_robustly(digits: "ImageData", radius: float, config: Config, run: kit.Run) -> "nn.Module":
    """A phase of the run: the same network from the same first weights, its inputs moved against it."""
    learner = generative.adversarial.AdversarialLearner(
        **_network(digits, config.learning_rate, run),
        **_settings(digits, config.robust_steps, config, run),
        labels=digits.train_labels.to(run.device),
        epsilon=radius,
        norm=config.norm,
        attack_steps=config.attack_steps,
        warmup=config.robust_steps // 2,
    )
    for _ in run.follow(learner, steps=config.robust_steps, examples_per_step=config.batch_size, name="robust"):
        pass
    return learner.network


def _network(digits: "ImageData", learning_rate: float, run: kit.Run) -> dict[str, Any]:
    """LeNet-5 at its first weights, and its optimizer."""
    _, channels, side, _ = digits.train_images.shape
    weights = run.streams.torch("weights")
    network = foundations.LeNet5(len(digits.class_names), channels, image_side=side, generator=weights)
    foundations.images.channels_last(network, run.device)
    groups = foundations.regularizers.decay_groups(network, 0.02)
    return {"network": network, "optimizer": foundations.AdamW(groups, lr=learning_rate, fused=True)}


def _settings(digits: "ImageData", steps: int, config: Config, run: kit.Run) -> dict[str, Any]:
    return {
        "inputs": digits.train_images.to(run.device),
        "batch_size": config.batch_size,
        "schedule": foundations.schedules.warmup_cosine(steps // 5, steps),
        "streams": run.streams.child("training"),
    }


# --- measuring --------------------------------------------------------------------------------------------------------


def look(
    network: "nn.Module", digits: "ImageData", attack: str, norm: Norm, epsilon: float, config: Config, run: kit.Run
) -> Attacked:
    """What the network makes of the test images under one attack."""
    x, labels = digits.test_images.to(run.device) / 255, digits.test_labels.to(run.device)
    if attack == "fgsm":
        moved = generative.fast_gradient_sign(network, x, labels, epsilon, norm=norm)
    else:
        stream, steps = run.streams.torch(f"attack {norm} {epsilon}", run.device), config.test_attack_steps
        moved = generative.projected_gradient(network, x, labels, epsilon, norm=norm, steps=steps, stream=stream)
    logits = foundations.predict(network, moved)
    sureness, answers = (each[:SHOWN].cpu() for each in logits.softmax(dim=1).max(dim=1))
    return Attacked(foundations.accuracy(logits, labels), moved[:SHOWN].cpu(), answers, sureness)


def report(results: Results, radius: float, config: Config, run: kit.Run) -> None:
    """The table of accuracies, the figures by which the run is judged, and what must not be overlooked."""
    rows = []
    for norm, epsilon in dict.fromkeys(key[2:] for key in results):
        cells = {(name, attack): results[name, attack, norm, epsilon].accuracy for name, attack in _columns()}
        row: dict[str, object] = {"norm": norm, "epsilon": epsilon}
        rows.append(row | {f"{name}, {attack}": f"{share:.1%}" for (name, attack), share in cells.items()})
    run.table("accuracy", rows)
    for name in ("plain", "robust"):
        clean, attacked = (results[name, "pgd", config.norm, size].accuracy for size in (0.0, radius))
        run.summary({f"accuracy/{name}/clean": clean, f"accuracy/{name}/attacked": attacked})
    _sound_alarms(results, radius, config, run)


def _columns() -> list[tuple[str, str]]:
    return [(name, attack) for name in ("plain", "robust") for attack in ("fgsm", "pgd")]


def _sound_alarms(results: Results, radius: float, config: Config, run: kit.Run) -> None:
    clean = {name: results[name, "pgd", "linf", 0.0].accuracy for name in ("plain", "robust")}
    if clean["plain"] < 0.8:
        run.note(f"the plain network reads {clean['plain']:.0%} of the untouched images only: raise --steps")
    if clean["robust"] < 0.5:
        told = f"the network under attack has not learned: it reads {clean['robust']:.0%} of the untouched images"
        run.note(f"{told}; lower --epsilon or raise --robust-steps")
    elif results["robust", "pgd", config.norm, radius].accuracy < 0.2:
        run.note("training under attack gives no shelter here: raise --attack-steps and --robust-steps")
    for name, norm, epsilon in dict.fromkeys((key[0], *key[2:]) for key in results):
        one, many = (results[name, attack, norm, epsilon].accuracy for attack in ("fgsm", "pgd"))
        if many > one + 0.05:
            told = f"{name} network, {norm} {epsilon:g}: one step misleads it more often than many ({1 - one:.0%} "
            run.note(
                f"{told}against {1 - many:.0%}): its gradients hide the way, and its accuracy is not to be trusted"
            )


if __name__ == "__main__":
    kit.launch(main)
