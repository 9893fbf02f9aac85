"""Every way to make images, on one page: what they draw, how good a fixed judge finds it, and what it costs.

Gaussians fitted to principal components and to an autoencoder's codes, a variational autoencoder, Boltzmann machines,
and adversarial networks (dense, convolutional, conditional, Wasserstein) learn from the same digits. Each draws as many
images as there are real ones to test with, and all are held to the same figures, beside those of the real ones: Frechet
distance, Inception Score, precision and recall, seconds and weights. The presets give each a small share of the time.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
JUDGED = ("frechet_distance", "inception_score", "precision", "recall")

GANS: "dict[Model, str]" = {
    "dense": "dense GAN",
    "dcgan": "DCGAN",
    "conditional": "conditional GAN",
    "wgan_gp": "Wasserstein GAN",
}


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab; the default steps take about 20 seconds a model, of adversarial networks a minute."""

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
    dense_steps: kit.Count = 2_000
    """Updates of the dense generator."""
    dcgan_steps: kit.Count = 2_400
    """Updates of the convolutional generator."""
    conditional_steps: kit.Count = 2_400
    """Updates of the generator that is told which digit to draw."""
    wgan_gp_steps: kit.Count = 500
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
            "wgan_gp_steps": 5_000,
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
    entries = {REAL: _entry(assessor, foundations.images.scaled(digits.test_images), None)}
    for name, made in contestants(digits, config, run):
        entries[name] = _entry(assessor, made.images, made)
    report(entries, run)
    run.figure("samples", drawings.draw_samples(entries))
    run.figure("quality", drawings.draw_quality(entries, REAL))


def load(config: Config, run: kit.Run) -> "ImageData":
    """The images, no more than asked for; each model draws as many as there are test images.

    Raises: InputError, before anything is trained, where they do not suit.
    """
    digits = run.load_images(config.data)
    digits.require_grey(config.data)
    for part, images in (("training", digits.train_images), ("test", digits.test_images)):
        enough = f"of {FEWEST} {part} images at least, for the judge, not {len(images)}"
        require(len(images) >= FEWEST, "data", config.data, enough)
    if not digits.are_digits:
        run.note("the judge knows digits only: its figures mean nothing for these images")
    if config.training_images < len(digits.train_images):
        digits = digits.subset(config.training_images, run.streams.torch("subset"))
    # Precision and recall compare only where the numbers are alike.
    test_images, test_labels = (part[: config.samples] for part in (digits.test_images, digits.test_labels))
    if len(test_images) < ENOUGH:
        few = f"figures rest on {len(test_images):,} images a model"
        run.note(f"too few samples: {few}; with less than {ENOUGH:,} they do not rank models")
    return replace(digits, test_images=test_images, test_labels=test_labels).to(run.device)


def _entry(assessor: "generative.Assessor", images: "Tensor", made: Made | None) -> Entry:
    copying = assessor.nearest_training_distance(images[:200])
    made = made and made._replace(images=images[:0])  # what was looked at need not be kept
    return Entry(images[:36].cpu().clone(), assessor.assess(images), copying, made)


def report(entries: dict[str, Entry], run: kit.Run) -> None:
    """The table, the figures of each model, and what must not be overlooked."""
    run.table("comparison", [drawings.row(name, entry) for name, entry in entries.items()])
    for name, (_, found, copying, made) in entries.items():
        short = "".join(letter if letter.isalnum() else "_" for letter in name.lower())
        figures = {figure: getattr(found, figure) for figure in JUDGED} | {"nearest_training_distance": copying}
        run.summary({f"{short}/{figure}": value for figure, value in figures.items()})
        if made:
            run.summary({f"speed/{short}_seconds": made.learning_seconds + made.drawing_seconds})
            real = entries[REAL]
            for alarm in generative.alarms.alarms(found, real.assessment, copying=copying, real_copying=real.copying):
                run.note(f"{name}: {alarm}")


# --- the models -------------------------------------------------------------------------------------------------------


def contestants(digits: "ImageData", config: Config, run: kit.Run) -> "Iterator[tuple[str, Made]]":
    """Each model's name and what it drew, one trained after the other."""
    yield "Gaussian of PCA", principal_components(digits, config, run)
    yield "autoencoder", autoencoder(digits, config, run)
    yield "VAE", vae(digits, config, run)
    yield from boltzmann_machines(digits, config, run)
    for model, name in GANS.items():
        yield name, gan(model, digits, config, run)


def principal_components(digits: "ImageData", config: Config, run: kit.Run) -> Made:
    """The baseline: one Gaussian over the numbers that straight lines make of an image."""
    began = time.perf_counter()
    components = generative.PrincipalComponents(digits.train_images, config.latent_size)
    weights = components.components.numel() + components.mean.numel()
    return _of_codes(components, weights, weights, time.perf_counter() - began, digits, run)


def autoencoder(digits: "ImageData", config: Config, run: kit.Run) -> Made:
    """A Gaussian over the codes of an autoencoder that never heard that anything would be drawn."""
    steps, size, streams = config.autoencoder_steps, config.latent_size, run.streams.child("autoencoder")
    learner = generative.build_autoencoder(
        "dense", digits.train_images, code_size=size, steps=steps, streams=streams, device=run.device
    )
    learned = _learn(learner, steps, 128, "autoencoder", run)
    weights = (
        foundations.count_parameters(learner.autoencoder.decoder),
        foundations.count_parameters(learner.autoencoder),
    )
    return _of_codes(learner.autoencoder, *weights, learned, digits, run)


def vae(digits: "ImageData", config: Config, run: kit.Run) -> Made:
    """The variational autoencoder, whose codes are a Gaussian by its training."""
    import torch

    steps, size, streams = config.vae_steps, config.latent_size, run.streams.child("vae")
    learner = generative.build_vae(
        digits.train_images, steps=steps, latent_size=size, streams=streams, device=run.device
    )
    learned = _learn(learner, steps, 100, "vae", run)
    looked_at = foundations.images.scaled(digits.test_images[:1_000]).round()
    with torch.no_grad():
        mean, log_variance = learner.vae.encode(looked_at)
    active, kl = (
        generative.active_units(mean),
        float(generative.bounds.standard_normal_kl(mean, log_variance).sum(1).mean()),
    )
    run.summary({"vae/active_units": active})
    if generative.bounds.posterior_collapsed(active, size, kl):
        told = f"{active} of the variational autoencoder's {size} numbers are active, and all say {kl:.2g} nats"
        run.note(f"posterior collapse: {told}")
    latents = generative.Latent(size).draw(
        len(digits.test_labels), run.streams.torch("vae draws", run.device), run.device
    )
    weights = foundations.count_parameters(learner.vae.decoder), foundations.count_parameters(learner.vae)
    return _draw(lambda: learner.sample(latents), *weights, learned)


def boltzmann_machines(digits: "ImageData", config: Config, run: kit.Run) -> "Iterator[tuple[str, Made]]":
    """What the Gibbs chains of one machine show; then of a second one on top of it, each with a digit's name held."""
    import torch

    weights, classes = run.streams.torch("boltzmann weights"), len(digits.class_names)
    single = generative.DeepBeliefNetwork((784, 256), generator=weights).to(run.device)
    below = _learn_machine(single, 0, digits, config.rbm_steps, "rbm", run)
    count = len(digits.test_labels)
    yield "RBM", _dream(single, count, config.sweeps, "rbm_chains", below, run)
    network = generative.DeepBeliefNetwork((784, 256, 512), classes, generator=weights).to(run.device)
    network.rbm(0).load_state_dict(single.rbm(0).state_dict())
    above = _learn_machine(network, 1, digits, config.dbn_steps, "dbn", run)
    asked = torch.arange(count, device=run.device) % classes
    yield "deep belief network", _dream(network, count, config.sweeps, "dbn_chains", below + above, run, asked)


def gan(model: "Model", digits: "ImageData", config: Config, run: kit.Run) -> Made:
    """One of the adversarial networks, with the recipe that it has in `gan_mnist`."""
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
    latents = learner.latents(len(digits.test_labels), run.streams.torch(f"{model} draws", run.device))
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


def _of_codes(
    coder: "generative.codes.Coder", drawing: int, learning: int, learned: float, digits: "ImageData", run: kit.Run
) -> Made:
    """Images of codes drawn from the Gaussian of the training images' codes; fitting that is learning, too."""
    began = time.perf_counter()
    sampler = generative.CodeSampler(coder, digits.train_images)
    learned += time.perf_counter() - began
    stream = run.streams.torch("codes", run.device)  # the same noise for all coders
    return _draw(lambda: sampler.sample(len(digits.test_labels), stream), drawing, learning, learned)


def _learn_machine(
    network: "generative.DeepBeliefNetwork", layer: int, digits: "ImageData", steps: int, name: str, run: kit.Run
) -> float:
    """Persistent contrastive divergence, its rate falling in a straight line to 0."""
    learner = network.learner(
        layer,
        digits.train_images.flatten(1),
        digits.train_labels if layer else None,
        batch_size=100,
        learning_rate=(0.1, 0.05)[layer],
        persistent=True,
        schedule=foundations.schedules.linear_decay(steps),
        streams=run.streams.child(f"boltzmann {layer}"),
    )
    return _learn(learner, steps, 100, name, run)


def _dream(
    network: "generative.DeepBeliefNetwork",
    count: int,
    sweeps: int,
    name: str,
    learned: float,
    run: kit.Run,
    asked: "Tensor | None" = None,
) -> Made:
    """Chains that begin at rest: one image a chain."""
    chains = generative.boltzmann.Fantasies(network, count, streams=run.streams.child(name), labels=asked)
    chains.start_at_rest()
    drawn = _learn(chains, sweeps, count, name, run)
    weights = foundations.count_parameters(network)
    return Made(chains.images().view(-1, 1, 28, 28), weights, weights, learned, drawn)


if __name__ == "__main__":
    kit.launch(main)
