"""Every way to make images, on one page: what they draw, how good a fixed judge finds it, and what it costs.

Gaussians fitted to principal components and to an autoencoder's codes, a variational autoencoder, Boltzmann machines,
and adversarial networks (dense, convolutional, conditional, Wasserstein) learn from the same digits. Each draws as many
images as there are real ones to test with, and all are held to the same figures, beside those of the real ones: Frechet
distance, Inception Score, precision and recall, seconds and weights. The presets give each a small share of the time.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

from annotated_types import Ge

import foundations
import generative
import labs.kit as kit
from foundations.errors import require
from labs.drawings import generative_compare as drawings

if TYPE_CHECKING:
    from torch import Tensor

    from generative.gan.models import Model
    from labs.kit.data import ImageData

topic = "generative models"
FEWEST = 320
"""The judge compares no fewer images than this: five for each of its 64 features."""
ENOUGH = 10_000
"""With fewer images the figures say less of the models than of the number."""
Looks = Annotated[int, Ge(FEWEST)]
REAL = "real test images"
GANS: "dict[Model, str]" = {
    "dense": "dense GAN",
    "dcgan": "DCGAN",
    "conditional": "conditional GAN",
    "wgan_gp": "Wasserstein GAN",
}


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab; the default steps give each model about 20 seconds."""

    data: str = "mnist"
    """Data set: mnist, digits, or a folder of 28x28 grey images in one sub-folder a class."""
    latent_size: kit.Count = 16
    """Numbers that an image is drawn from, in all but the Boltzmann machines."""
    channels: kit.Count = 16
    """Width of the outer convolutions of the convolutional networks; twice as many inside."""
    autoencoder_steps: kit.Count = 1_000
    """Updates of the autoencoder."""
    vae_steps: kit.Count = 2_500
    """Updates of the variational autoencoder."""
    rbm_steps: kit.Count = 2_000
    """Updates of the restricted Boltzmann machine of 256 hidden units, which the belief network stands on."""
    dbn_steps: kit.Count = 2_000
    """Updates of the belief network's upper machine, of 512 hidden units, which sees the labels too."""
    sweeps: kit.Count = 40
    """Sweeps of the chains that the Boltzmann machines draw by."""
    dense_steps: kit.Count = 800
    """Updates of the dense generator."""
    dcgan_steps: kit.Count = 800
    """Updates of the convolutional generator."""
    conditional_steps: kit.Count = 800
    """Updates of the generator that is told which digit to draw."""
    wgan_gp_steps: kit.Count = 150
    """Updates of the generator with a Wasserstein critic, which makes five for each of them."""
    samples: Looks = ENOUGH
    """Images that each model draws, at most; never more than there are real ones to test with."""
    training_images: Looks = 60_000
    """Training images, at most: what models learn from, and what the judge compares with."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {
            "channels": 4,
            "autoencoder_steps": 30,
            "vae_steps": 60,
            "rbm_steps": 60,
            "dbn_steps": 60,
            "sweeps": 5,
            "dense_steps": 10,
            "dcgan_steps": 10,
            "conditional_steps": 10,
            "wgan_gp_steps": 3,
            "samples": FEWEST,
            "training_images": 2_000,
        },
        "full": {
            "channels": 32,
            "autoencoder_steps": 10_000,
            "vae_steps": 60_000,
            "rbm_steps": 12_000,
            "dbn_steps": 12_000,
            "sweeps": 300,
            "dense_steps": 40_000,
            "dcgan_steps": 8_000,
            "conditional_steps": 8_000,
            "wgan_gp_steps": 2_500,
        },
    }
    useful_threads: ClassVar[int] = 1


class Made(NamedTuple):
    """What a model drew; the weights that drawing takes and those that learning took; seconds of both."""

    images: "Tensor"
    drawing_weights: int
    learning_weights: int
    learning_seconds: float
    drawing_seconds: float


class Entry(NamedTuple):
    """A row of the comparison: 36 images to show, what the judge says, weights and seconds (None: the real ones)."""

    shown: "Tensor"
    assessment: "generative.Assessment"
    copying: float
    made: Made | None


def main(config: Config, run: kit.Run) -> None:
    """Train each and let it draw; judge; compare."""
    digits = load(config, run)
    assessor = generative.Assessor(generative.load_judge(run.device), digits.train_images)
    entries = {REAL: _entry(assessor, digits.test_images[: config.samples] / 255, None)}
    for name, made in contestants(digits, config, run):
        entries[name] = _entry(assessor, made.images, made)
    report(entries, run)
    run.figure("samples", drawings.draw_samples(entries))
    run.figure("quality", drawings.draw_quality(entries, REAL))


def contestants(digits: "ImageData", config: Config, run: kit.Run) -> "Iterator[tuple[str, Made]]":
    """Each model's name and what it drew, one trained after the other."""
    yield "Gaussian of PCA", principal_components(digits, config, run)
    yield "autoencoder", autoencoder(digits, config, run)
    yield "VAE", vae(digits, config, run)
    yield from boltzmann_machines(digits, config, run)
    for model, name in GANS.items():
        yield name, gan(model, digits, config, run)


def load(config: Config, run: kit.Run) -> "ImageData":
    """The images, no more than asked for. Raises: InputError, before anything is trained, where they do not suit."""
    digits = run.load_images(config.data)
    for part, images in (("training", digits.train_images), ("test", digits.test_images)):
        shape = tuple(images.shape[1:])
        require(shape == (1, 28, 28), "data", config.data, f"of grey images, 28x28; these are {shape}")
        enough = f"of {FEWEST} {part} images at least, for the judge, not {len(images)}"
        require(len(images) >= FEWEST, "data", config.data, enough)
    if digits.class_names != tuple("0123456789"):
        run.note("the judge knows digits only: its figures mean nothing for these images")
    if _count(digits, config) < ENOUGH:
        few = f"figures rest on {_count(digits, config):,} images a model"
        run.note(f"too few samples: {few}; with less than {ENOUGH:,} they do not rank models")
    fewer = config.training_images < len(digits.train_images)
    return digits.subset(config.training_images, run.streams.torch("subset")) if fewer else digits


def _count(digits: "ImageData", config: Config) -> int:
    """As many as there are real ones: precision and recall compare only where the numbers are alike."""
    return min(config.samples, len(digits.test_images))


def _entry(assessor: "generative.Assessor", images: "Tensor", made: Made | None) -> Entry:
    copying = assessor.nearest_training_distance(images[:200])
    made = made and made._replace(images=images[:0])  # what was looked at need not be kept
    return Entry(images[:36].cpu().clone(), assessor.assess(images), copying, made)


# --- the models -------------------------------------------------------------------------------------------------------


def principal_components(digits: "ImageData", config: Config, run: kit.Run) -> Made:
    """The baseline: one Gaussian over the numbers that straight lines make of an image."""
    began = time.perf_counter()
    components = generative.PrincipalComponents(digits.train_images.to(run.device), config.latent_size)
    draw = _gaussian_of_codes(components, components.decode, digits, run)
    learned = time.perf_counter() - began
    weights = components.components.numel() + components.mean.numel()
    return _draw(lambda: draw(_count(digits, config)), weights, weights, learned)


def autoencoder(digits: "ImageData", config: Config, run: kit.Run) -> Made:
    """A Gaussian over the codes of an autoencoder that never heard that anything would be drawn."""
    steps, streams = config.autoencoder_steps, run.streams.child("autoencoder")
    learner = generative.build_autoencoder(
        "dense", digits.train_images, code_size=config.latent_size, steps=steps, streams=streams, device=run.device
    )
    learned = _learn(learner, steps, 128, "autoencoder", run)
    network = learner.autoencoder
    draw = _gaussian_of_codes(network, lambda z: foundations.predict(network.decoder, z), digits, run)
    weights = foundations.count_parameters(network.decoder), foundations.count_parameters(network)
    return _draw(lambda: draw(_count(digits, config)), *weights, learned)


def vae(digits: "ImageData", config: Config, run: kit.Run) -> Made:
    """The variational autoencoder, whose codes are a Gaussian by its training."""
    import torch

    steps, size, streams = config.vae_steps, config.latent_size, run.streams.child("vae")
    learner = generative.build_vae(
        digits.train_images, steps=steps, latent_size=size, streams=streams, device=run.device
    )
    learned = _learn(learner, steps, 100, "vae", run)
    looked_at = (digits.test_images[:1_000].to(run.device) / 255).round()
    with torch.no_grad():
        active = generative.active_units(learner.vae.encode(looked_at)[0])
    run.summary({"vae/active_units": active})
    if generative.bounds.posterior_collapsed(active, size):
        run.note(f"posterior collapse: {active} of the variational autoencoder's {size} numbers say anything")
    stream = run.streams.torch("vae draws", run.device)
    latents = torch.randn(_count(digits, config), size, generator=stream, device=run.device)
    weights = foundations.count_parameters(learner.vae.decoder), foundations.count_parameters(learner.vae)
    return _draw(lambda: learner.sample(latents), *weights, learned)


def boltzmann_machines(digits: "ImageData", config: Config, run: kit.Run) -> "Iterator[tuple[str, Made]]":
    """What the Gibbs chains of one machine show; then of a second one on top of it, each with a digit's name held."""
    import torch

    weights = run.streams.torch("boltzmann weights")
    single = generative.DeepBeliefNetwork((784, 256), generator=weights).to(run.device)
    below = _learn_machine(single, 0, digits, config.rbm_steps, "rbm", run)
    yield "RBM", _dream(single, below, None, digits, config, "rbm_chains", run)
    classes = len(digits.class_names)
    network = generative.DeepBeliefNetwork((784, 256, 512), classes, generator=weights).to(run.device)
    network.rbm(0).load_state_dict(single.rbm(0).state_dict())
    above = _learn_machine(network, 1, digits, config.dbn_steps, "dbn", run)
    asked = torch.arange(_count(digits, config), device=run.device) % classes
    yield "deep belief network", _dream(network, below + above, asked, digits, config, "dbn_chains", run)


def gan(model: "Model", digits: "ImageData", config: Config, run: kit.Run) -> Made:
    """One of the adversarial networks, as `gan_mnist` trains them at length."""
    steps = getattr(config, f"{model}_steps")
    learner = generative.build_gan(
        model,
        digits.train_images,
        digits.train_labels,
        steps=steps,
        streams=run.streams.child(model),
        latent_size=config.latent_size,
        categories=10,
        channels=config.channels,
        batch_size=64,
        device=run.device,
    )
    learned = _learn(learner, steps, 64 * learner.critic_steps, model, run)
    latents = learner.latents(_count(digits, config), run.streams.torch(f"{model} draws", run.device))
    drawing, judging = (foundations.count_parameters(each) for each in (learner.generator, learner.discriminator))
    return _draw(lambda: learner.sample(latents), drawing, drawing + judging, learned)


# --- learning and drawing ---------------------------------------------------------------------------------------------


def _learn(learner: "foundations.Learner", steps: int, batch_size: int, name: str, run: kit.Run) -> float:
    """A phase of the run; the seconds that it took."""
    before = run.seconds
    for _ in run.follow(learner, steps=steps, examples_per_step=batch_size, name=name):
        pass
    return run.seconds - before


def _draw(draw: "Callable[[], Tensor]", drawing_weights: int, learning_weights: int, learned: float) -> Made:
    began = time.perf_counter()
    images = draw()
    return Made(images, drawing_weights, learning_weights, learned, time.perf_counter() - began)


def _gaussian_of_codes(
    coder: "generative.codes.Coder", decode: "Callable[[Tensor], Tensor]", digits: "ImageData", run: kit.Run
) -> "Callable[[int], Tensor]":
    """Images of codes drawn from the Gaussian of the training images' codes."""
    codes = generative.GaussianCodes(generative.codes.embed(coder, digits.train_images.to(run.device)))
    stream = run.streams.torch("codes", run.device)  # the same noise for both
    return lambda count: decode(codes.draw(count, stream)).clamp(0, 1)


def _learn_machine(
    network: "generative.DeepBeliefNetwork", layer: int, digits: "ImageData", steps: int, name: str, run: kit.Run
) -> float:
    """Persistent contrastive divergence, its rate falling in a straight line to 0."""
    learner = network.learner(
        layer,
        digits.train_images.flatten(1).to(run.device),
        digits.train_labels.to(run.device) if layer else None,
        batch_size=100,
        learning_rate=(0.1, 0.05)[layer],
        persistent=True,
        schedule=foundations.schedules.linear_decay(steps),
        streams=run.streams.child(f"boltzmann {layer}"),
    )
    return _learn(learner, steps, 100, name, run)


def _dream(
    network: "generative.DeepBeliefNetwork",
    learned: float,
    asked: "Tensor | None",
    digits: "ImageData",
    config: Config,
    name: str,
    run: kit.Run,
) -> Made:
    """Chains that begin at rest: one image a chain."""
    count = _count(digits, config)
    streams = run.streams.child(name)
    chains = generative.boltzmann.Fantasies(network, count, streams=streams, labels=asked)
    chains.start_at_rest()
    drawn = _learn(chains, config.sweeps, count, name, run)
    weights = foundations.count_parameters(network)
    return Made(chains.images().view(-1, 1, 28, 28), weights, weights, learned, drawn)


# --- comparing --------------------------------------------------------------------------------------------------------


def report(entries: dict[str, Entry], run: kit.Run) -> None:
    """The table, the figures of each model, and what must not be overlooked."""
    run.table("comparison", [_row(name, entry) for name, entry in entries.items()])
    for name, (_, found, copying, made) in entries.items():
        short = "".join(letter if letter.isalnum() else "_" for letter in name.lower())
        figures = {
            "frechet_distance": found.frechet_distance,
            "inception_score": found.inception_score,
            "precision": found.precision,
            "recall": found.recall,
            "nearest_training_distance": copying,
        }
        run.summary({f"{short}/{figure}": value for figure, value in figures.items()})
        if made:
            run.summary({f"speed/{short}_seconds": made.learning_seconds + made.drawing_seconds})
            _sound_alarms(name, entries[name], entries[REAL], run)


def _row(name: str, entry: Entry) -> dict[str, object]:
    found, made = entry.assessment, entry.made
    quality = {
        "Frechet distance": f"{found.frechet_distance:.2f}",
        "Inception Score": f"{found.inception_score:.2f}",
        "precision": f"{found.precision:.3f}",
        "recall": f"{found.recall:.3f}",
        "rarest digit": f"{found.smallest_class_share:.1%}",
    }
    cost = {"seconds to learn": "", "seconds to draw": "", "weights to draw": "", "weights to learn": ""}
    if made:
        seconds = f"{made.learning_seconds:.1f}", f"{made.drawing_seconds:.1f}"
        cost = dict(zip(cost, (*seconds, f"{made.drawing_weights:,}", f"{made.learning_weights:,}"), strict=True))
    return {"images": name, **quality, "judged": f"{found.count:,}", **cost}


def _sound_alarms(name: str, entry: Entry, real: Entry, run: kit.Run) -> None:
    found, floor = entry.assessment, real.assessment
    if found.smallest_class_share < 0.02:
        run.note(f"{name}: mode collapse or blur, the rarest digit has {found.smallest_class_share:.1%}, not 10 %")
    elif found.recall < floor.recall / 4:
        run.note(
            f"{name}: narrow, covers {found.recall:.0%} of the real digits' variety (real ones {floor.recall:.0%})"
        )
    if found.precision < floor.precision / 4:
        run.note(f"{name}: hardly a digit, {found.precision:.0%} look real (of real ones {floor.precision:.0%})")
    if entry.copying < real.copying / 2:
        run.note(f"{name}: copying, {entry.copying:.2f} from a training image (real ones {real.copying:.2f})")


if __name__ == "__main__":
    kit.launch(main)
