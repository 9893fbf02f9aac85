"""Train a variational autoencoder on handwritten digits: draw new ones, and bound how likely the real ones are.

An encoder says which latents a digit may come from, a decoder draws digits from latents, and both climb one lower bound
on log p(x): the ELBO (Kingma & Welling 2013, arXiv:1312.6114), or the tighter importance-weighted bound (Burda et al.
2015, arXiv:1509.00519). The run shows samples and a film of them, reconstructions, what each latent unit does, paths
between digits, with --conditional each digit to order, and -log p(x) of the test images in nats.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

from annotated_types import Ge, Interval

import foundations
import generative
import labs.kit as kit
from foundations.errors import require
from labs.drawings import vae_mnist as drawings

if TYPE_CHECKING:
    from torch import Tensor

    from labs.kit.data import ImageData

topic = "generative models"
best = ("nats/estimate", "min", "conditional", "likelihood", "estimate_latents", "estimate_images")
PUBLISHED = {"elbo": 86.76, "importance_weighted": 84.78}
"""Nats of Burda et al. 2015, table 1: one layer of 50 latents, trained with 1 and with 50 latents an image."""
LATENTS = {"elbo": 1, "importance_weighted": 50}
"""Latents of an image in a step, unless given."""
READABLE = 0.9
"""The judge should read so many of the digits that a conditional VAE was asked for."""
NotNegative = Annotated[float, Ge(0)]


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: a registered name or a folder of images in one sub-folder a class."""
    conditional: bool = False
    """Tell both networks the label, so that a digit can be asked for."""
    objective: Literal["elbo", "importance_weighted"] = "elbo"
    """The bound that is climbed; the importance-weighted one is tighter and takes longer."""
    latents: kit.Count | None = None
    """Latents drawn for each image of a step; None takes 1 for the ELBO, 50 for the importance-weighted bound."""
    single: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Share of the steps with one latent an image, which are quick; then their number doubles at equal intervals up to
    all of them. 0: all from the first step."""
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    """bernoulli: pixels are 0 or 1, figures are comparable with published ones. gaussian: grey; nats of a density."""
    binarization: Literal["dynamic", "static"] = "dynamic"
    """Grey g becomes 1 with probability g: drawn anew at each look, or once; test images always once. For bernoulli."""
    hidden: tuple[kit.Count, ...] = (512, 256)
    """Widths of the encoder's hidden layers; the decoder has the same in reverse."""
    activation: Literal["relu", "tanh"] = "relu"
    """Of the hidden layers."""
    latent_size: kit.Count = 10
    """Numbers in a latent. More: finer reconstructions and better bounds, but fewer samples that are digits."""
    epochs: kit.Count = 8
    """Passes over the training images."""
    batch_size: kit.Count = 100
    """Images a step."""
    learning_rate: kit.Rate = 2e-3
    """Adam's step size at the beginning; it falls along a cosine to 0."""
    precision: Literal["float32", "bf16"] = "float32"
    """bf16 is faster where the hardware knows it, and other maths."""
    beta: NotNegative = 1.0
    """Weight of the divergence. Above 1: fewer units say more each, blurrier images. Far above: posterior collapse."""
    warmup: kit.Share = 0.0
    """Share of the steps in which beta rises from 0: no unit is given up early. With --conditional, the latent may then
    learn what the label says already."""
    free_bits: NotNegative = 0.0
    """Nats of divergence that each unit has free (ELBO only), so that none is given up early."""
    training_images: kit.Count = 60_000
    """Training images at most."""
    looks: kit.Count = 8
    """Times that test images are looked at and samples are drawn on the way."""
    estimate_latents: kit.Count = 500
    """Latents for each test image in the final estimate of -log p(x); with fewer it comes out too high."""
    estimate_images: Annotated[int, Ge(2)] = 1_000
    """Test images, at most, in that estimate."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {
            "training_images": 2_000,
            "hidden": (128,),
            "epochs": 4,
            "looks": 2,
            "estimate_latents": 20,
            "estimate_images": 100,
        },
        "full": {
            "hidden": (200, 200),
            "activation": "tanh",
            "latent_size": 50,
            "single": 0.7,
            "epochs": 400,
            "learning_rate": 3e-3,
            "warmup": 0.1,
            "looks": 40,
            "estimate_latents": 5_000,
            "estimate_images": 10_000,
        },
    }
    useful_threads: ClassVar[int] = 1


class Seen(NamedTuple):
    """The test images as the VAE sees them (n, channels, height, width), their labels if it is told, their places."""

    x: "Tensor"
    labels: "Tensor | None"
    order: "Tensor"


class Judged(NamedTuple):
    """The ELBO's terms of all test images; the estimate of -log p(x) in nats, its standard error, and of how many."""

    terms: "generative.bounds.ElboTerms"
    nats: float
    error: float
    estimated: int


def main(config: Config, run: kit.Run) -> None:
    """Train, judge, show."""
    images = load(config, run)
    test = see(images, config, run)
    learner = build(images, test, config, run)
    columns = len(images.class_names) if config.conditional else 8
    shown = latents_of(learner, 8 * columns, "shown", run)
    asked = each_class(8, images, run) if config.conditional else None
    run.images("samples", learner.sample(shown, asked), columns=columns)  # what an untrained decoder draws
    every = max(1, learner.steps // config.looks)
    for _ in run.follow(learner, steps=learner.steps, examples_per_step=config.batch_size):
        if run.every(every):
            run.images("samples", learner.sample(shown, asked), columns=columns)

    judged = judge(learner, test, config, run)
    report(judged, config, run)
    run.film("samples")
    run.figure("bounds", drawings.draw_bounds(judged, learner.samples, config, run))
    run.figure("reconstructions", drawings.draw_reconstructions(learner, images, test))
    run.figure("traversals", drawings.draw_traversals(learner, judged, test))
    run.figure("interpolations", drawings.draw_interpolations(learner, judged, images, test))
    if config.conditional:
        styles = latents_of(learner, 8, "styles", run)
        run.figure("class_conditional", drawings.draw_classes(learner, styles, images))
        _read(learner, images, run)
    _keep(learner, test, run)


def load(config: Config, run: kit.Run) -> "ImageData":
    """The images, no more for training than asked for."""
    coins = "left out for the gaussian likelihood, which models grey pixels as they are"
    require(
        config.likelihood == "bernoulli" or config.binarization == "dynamic", "binarization", config.binarization, coins
    )
    images = run.load_images(config.data)
    require(len(images.test_labels) >= 2, "data", config.data, "a data set with 2 test images at least")
    return images.subset(config.training_images, run.streams.torch("subset"))


def see(images: "ImageData", config: Config, run: kit.Run) -> Seen:
    """The test images in an order that no class rules, binarized once."""
    import torch

    order = torch.randperm(len(images.test_labels), generator=run.streams.torch("test order"))
    grey = images.test_images[order]
    coins = run.streams.torch("test binarization")
    x = generative.vae.binarize(grey, coins) if config.likelihood == "bernoulli" else grey / 255
    labels = images.test_labels[order].to(run.device)
    return Seen(x.to(run.device), labels if config.conditional else None, order)


def build(images: "ImageData", test: Seen, config: Config, run: kit.Run) -> "generative.VAELearner":
    """The VAE of these settings, fresh."""
    steps = config.epochs * max(1, len(images.train_labels) // config.batch_size)
    return generative.build_vae(
        images.train_images,
        images.train_labels if config.conditional else None,
        steps=steps,
        streams=run.streams,
        hidden=config.hidden,
        activation=config.activation,
        latent_size=config.latent_size,
        likelihood=config.likelihood,
        device=run.device,
        objective=config.objective,
        samples=config.latents or LATENTS[config.objective],
        single_steps=round(config.single * steps),
        beta=config.beta,
        warmup=round(config.warmup * steps),
        free_bits=config.free_bits,
        binarization=config.binarization if config.likelihood == "bernoulli" else "none",
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        precision=config.precision,
        validation=((test.x * 255).round().byte(), test.labels),  # bytes of 0 and 255 stay what they are
        validate_every=max(1, steps // config.looks),
    )


def latents_of(learner: "generative.VAELearner", count: int, name: str, run: kit.Run) -> "Tensor":
    """`count` latents from N(0, I), from the stream of that name."""
    latent = generative.Latent(learner.vae.latent_size)
    return latent.draw(count, run.streams.torch(name, run.device), run.device)


def each_class(times: int, images: "ImageData", run: kit.Run) -> "Tensor":
    """All classes in turn, so many times."""
    import torch

    return torch.arange(len(images.class_names), device=run.device).repeat(times)


# --- the figures of merit ---------------------------------------------------------------------------------------------


def judge(learner: "generative.VAELearner", test: Seen, config: Config, run: kit.Run) -> Judged:
    """Bound and estimate for the test images."""
    terms = generative.bounds.elbo_terms(
        learner.vae, test.x, test.labels, generator=run.streams.torch("test elbo", run.device)
    )
    part = test.x[: config.estimate_images]
    print(f"estimating log p(x) of {len(part):,} test images from {config.estimate_latents:,} latents each", flush=True)
    logs = generative.log_likelihood(
        learner.vae,
        part,
        None if test.labels is None else test.labels[: len(part)],
        samples=config.estimate_latents,
        generator=run.streams.torch("estimate", run.device),
    )
    return Judged(terms, -float(logs.mean()), float(logs.std()) / len(logs) ** 0.5, len(logs))


def report(judged: Judged, config: Config, run: kit.Run) -> None:
    """The table of bound and estimate, beside what is published; the figures by which the run is judged; the notes."""
    figures = judged.terms.metrics()
    run.table("nats", _rows(judged, config))
    run.summary(
        {
            "nats/elbo": -figures["bound"],
            "nats/estimate": judged.nats,
            "nats/estimate_error": judged.error,
            "nats/reconstruction": -figures["reconstruction"],
            "nats/kl": figures["kl"],
            "active_units": figures["active_units"],
        }
    )
    if config.likelihood == "bernoulli":
        said = "drawn anew at each look" if config.binarization == "dynamic" else "drawn once"
        run.note(f"training images binarized by chance, {said}; test images once")
    else:
        run.note("grey pixels: a density's nats, which may be below 0 and are comparable with no Bernoulli figure")
    units, active, kl = judged.terms.means.shape[1], int(figures["active_units"]), figures["kl"]
    if generative.bounds.posterior_collapsed(active, units, kl):
        what = f"{active} of {units} latent units are active, and all together say {kl:.2g} nats of the image"
        run.note(f"posterior collapse: {what}; try a lower beta, a warmup, or free bits")


def _rows(judged: Judged, config: Config) -> list[dict[str, str]]:
    """The bound, of the images of the estimate too where these are fewer, and the estimate."""
    terms, images, count = judged.terms, len(judged.terms.kl), judged.estimated
    bounds = {f"-ELBO, {images:,} images": terms.metrics()["bound"]}
    if count < images:
        part = generative.bounds.elbo(terms.log_likelihood[:count], terms.kl[:count])
        bounds[f"-ELBO, the first {count:,} of them"] = float(part)
    found = {name: f"{-bound:.2f}" for name, bound in bounds.items()}
    which = "the same" if count < images else "all"
    given = "log p(x | label)" if config.conditional else "log p(x)"
    estimate = f"-{given} at most, k = {config.estimate_latents:,} latents, {which} {count:,} images"
    found[estimate] = f"{judged.nats:.2f} (standard error {judged.error:.2f})"
    if config.data == "mnist" and config.likelihood == "bernoulli" and not config.conditional:
        named = f"-log p(x), k = 5,000, 10,000 images, 50 latent units, {config.objective}: Burda et al. 2015"
        found[named] = f"{PUBLISHED[config.objective]:.2f} (published)"
    return [{"of the test images": name, "nats per image": nats} for name, nats in found.items()]


def _read(learner: "generative.VAELearner", images: "ImageData", run: kit.Run) -> None:
    """How many of the digits that were asked for the fixed judge reads."""
    if not images.are_digits or images.train_images.shape[1:] != (1, 28, 28):
        return
    asked = each_class(200, images, run)
    drawn = learner.sample(latents_of(learner, len(asked), "read", run), asked)
    logits = foundations.predict(generative.load_judge(run.device), drawn)
    right = foundations.accuracy(logits, asked)
    run.summary({"asked_digit_read": right})
    if right < READABLE:
        run.note(f"the judge reads the digit that was asked for in only {right:.1%} of the samples")


def _keep(learner: "generative.VAELearner", test: Seen, run: kit.Run) -> None:
    """Both networks, each with an example of what it takes: a row of numbers, with the label's code behind it."""
    import torch

    vae = learner.vae.eval()
    code = torch.zeros(1, vae.classes, device=test.x.device)  # as if of no class: only its width matters here
    run.model("encoder", vae.encoder, torch.cat([test.x[:1].flatten(1), code], dim=1))
    run.model("decoder", vae.decoder, torch.zeros(1, vae.latent_size + vae.classes, device=test.x.device))


if __name__ == "__main__":
    kit.launch(main)
