"""Learn digits with Boltzmann machines: how likely are they, what does the network dream, what does it recognise?

Restricted Boltzmann machines are learned on top of each other, the uppermost with the digits' names beside it: a deep
belief network (Hinton, Osindero & Teh 2006, Neural Computation 18(7)). The run measures the first machine's
log-likelihood by annealed importance sampling with error bars (Salakhutdinov & Murray 2008, ICML), and asks the network
to dream of each digit and films it. Fine-tuning makes a classifier of it (discriminative), or teaches all layers
together as one generative model (up_down). One pass over 60,000 digits is 600 updates.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Interval

import foundations
import generative
import labs.kit as kit
from foundations.errors import require
from labs.drawings import dbn_mnist as drawings

if TYPE_CHECKING:
    from torch import Tensor, nn

    from generative.boltzmann import Appraisal, ContrastiveDivergence, Fantasies, LogLikelihood
    from labs.kit.data import ImageData

topic = "generative models"
best = ("test/error_percent", "min")
EACH_DIGIT = 20
"""Fantasies of each digit that the judge reads; half of them are shown."""
BATCH = 100
CHAINS = 100
"""Of the annealing that estimates a partition function."""
FRAMES = 40
"""Pictures in a film, at most."""
Temperatures = Annotated[int, Ge(10)]


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "mnist"
    """Data set: mnist, digits, or a folder of 28x28 grey images in one sub-folder a class."""
    hidden: kit.Count = 500
    """Hidden units of the first machine, whose log-likelihood is measured, and of the second."""
    top_hidden: kit.Count = 1_000
    """Hidden units of the uppermost machine."""
    method: Literal["pcd", "cd"] = "pcd"
    """pcd: Gibbs chains that persist from update to update. cd: chains that begin at the data each time."""
    gibbs_steps: kit.Count = 1
    """Sweeps of the chains at each update of the first machine; the published figure took cd with 25."""
    rbm_steps: kit.Count = 6_000
    """Updates of the first machine."""
    rbm_rate: kit.Rate = 0.1
    """Its learning rate at the beginning; it falls in a straight line to 0."""
    second_steps: kit.Count = 3_000
    """Updates of the second machine, by contrastive divergence with one sweep."""
    top_steps: kit.Count = 2_500
    """Updates of the uppermost machine, by persistent contrastive divergence with one sweep."""
    layer_rate: kit.Rate = 0.05
    """Learning rate of the second and the uppermost machine at the beginning; it falls in a straight line to 0."""
    fine_tuning: Literal["discriminative", "up_down"] = "discriminative"
    """discriminative: a copy becomes a classifier. up_down: all layers learn together to make digits (wake-sleep)."""
    fine_steps: kit.Count = 2_400
    """Updates of fine-tuning."""
    fine_rate: kit.Rate = 1e-3
    """The classifier's: AdamW's largest step size, reached after a tenth of the updates; then along a cosine to 0."""
    up_down_rate: kit.Rate = 0.1
    """The learning rate of up_down at the beginning; it falls in a straight line to 0."""
    up_down_gibbs_steps: kit.Count = 3
    """Sweeps of the uppermost machine's chains at each update of up_down; the published figure took 3, 6, then 10."""
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.2
    """Share of hidden units left out in each update of the classifier."""
    looks: kit.Count = 5
    """Times that the log-likelihood is measured while the first machine learns."""
    look_temperatures: Temperatures = 1_000
    """Temperatures of the annealing at such a look; with few of them it takes the machine for better than it is."""
    temperatures: Temperatures = 8_000
    """Temperatures of the final annealing."""
    sweeps: kit.Count = 200
    """Sweeps of the chains that dream."""
    training_images: kit.Count = 60_000
    """Training images at most."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {
            "hidden": 100,
            "top_hidden": 100,
            "rbm_steps": 80,
            "second_steps": 60,
            "top_steps": 60,
            "fine_steps": 60,
            "looks": 2,
            "look_temperatures": 50,
            "temperatures": 100,
            "sweeps": 10,
            "training_images": 2_000,
        },
        "full": {
            "top_hidden": 2_000,
            "rbm_steps": 90_000,
            "second_steps": 30_000,
            "top_steps": 30_000,
            "fine_steps": 18_000,
            "looks": 15,
            "look_temperatures": 3_000,
            "temperatures": 40_000,
            "sweeps": 1_000,
        },
    }
    useful_threads: ClassVar[int] = 1


def main(config: Config, run: kit.Run) -> None:
    """Learn the first machine and measure it; learn the others and dream; fine-tune and count the errors."""
    digits = load(config, run)
    sizes, classes = (28 * 28, config.hidden, config.hidden, config.top_hidden), len(digits.class_names)
    network = generative.DeepBeliefNetwork(sizes, classes, generator=run.streams.torch("weights")).to(run.device)
    test = binary(digits.test_images, "binary test images", run)

    learn_first(network, digits, test, config, run)
    appraisal = appraise(network.rbm(0), digits, test, config, run)
    learn_others(network, digits, config, run)
    if config.fine_tuning == "up_down":
        network = learn_together(network, digits, test, config, run)
    dreams = dream(network, config, run)
    classifier = network if config.fine_tuning == "up_down" else learn_names(network, digits, config, run)

    published, _ = drawings.PUBLISHED_ERRORS[config.fine_tuning]
    run.summary({"test/error_percent": error(classifier, digits), "published/error_percent": published})
    read(dreams, digits, run)
    run.figure("filters", drawings.draw_filters(network.rbm(0)))
    run.figure("learning_curves", drawings.draw_curves(appraisal.test, config, run))
    run.film("rbm_chains")
    run.film("fantasies")
    run.model("classifier", classifier.eval(), foundations.images.scaled(digits.train_images[:1].flatten(1)))


def load(config: Config, run: kit.Run) -> "ImageData":
    """The digits, no more for training than asked for. Raises: InputError where they do not suit."""
    digits = run.load_images(config.data)
    digits.require_grey(config.data)
    count = len(digits.train_images)
    kept = min(config.training_images, count)
    require(kept >= BATCH, "training_images", kept, f"at least {BATCH}, those of one update")
    return (digits.subset(kept, run.streams.torch("subset")) if kept < count else digits).to(run.device)


def binary(images: "Tensor", name: str, run: kit.Run) -> "Tensor":
    """Images of bytes drawn to rows of 0 and 1, a pixel's brightness its probability: for a seed always the same."""
    return generative.boltzmann.draw(foundations.images.scaled(images.flatten(1)), run.streams.torch(name, run.device))


# --- learning, layer by layer -----------------------------------------------------------------------------------------


def learn_first(
    network: "generative.DeepBeliefNetwork", digits: "ImageData", test: "Tensor", config: Config, run: kit.Run
) -> None:
    """The first machine, its chains shown as they are, and its log-likelihood now and then."""
    steps, rbm, rates = config.rbm_steps, network.rbm(0), base_rates(digits)
    own = {"persistent": config.method == "pcd", "gibbs_steps": config.gibbs_steps, "learning_rate": config.rbm_rate}
    learner = _learner(network, 0, digits, steps, own, run)
    for _ in run.follow(learner, steps=steps, examples_per_step=BATCH, name="rbm"):
        if run.every(-(-steps // FRAMES)):
            made = rbm.visible_probabilities(learner.chains.hidden[:64]).detach()
            run.images("rbm_chains", made.view(-1, 1, 28, 28))
        if run.every(-(-steps // config.looks)):
            stream = run.streams.torch("annealing", run.device)
            found = generative.log_partition(rbm, CHAINS, config.look_temperatures, stream, rates)
            scores = generative.boltzmann.mean_log_likelihood(rbm, test, found)
            run.log({f"log_likelihood/{name}": value for name, value in _named(scores).items()})


def learn_others(network: "generative.DeepBeliefNetwork", digits: "ImageData", config: Config, run: kit.Run) -> None:
    """The second machine on what the first makes of the images, the uppermost on that and the labels."""
    second: dict[str, Any] = {"learning_rate": config.layer_rate, "momentum": 0.5, "weight_decay": 2e-4}
    top: dict[str, Any] = {"learning_rate": config.layer_rate, "persistent": True}
    for layer, name, steps, own in ((1, "second", config.second_steps, second), (2, "top", config.top_steps, top)):
        learner = _learner(network, layer, digits, steps, own, run)
        for _ in run.follow(learner, steps=steps, examples_per_step=BATCH, name=name):
            pass


def _learner(
    network: "generative.DeepBeliefNetwork", layer: int, digits: "ImageData", steps: int, own: Any, run: kit.Run
) -> "ContrastiveDivergence":
    """Of one machine, with settings of its `own`; the learning rate falls in a straight line to 0."""
    rows, labels = digits.train_images.flatten(1), digits.train_labels if layer == 2 else None
    schedule, streams = foundations.schedules.linear_decay(steps), run.streams.child(f"layer {layer}")
    return network.learner(layer, rows, labels, batch_size=BATCH, schedule=schedule, streams=streams, **own)


# --- fine-tuning ------------------------------------------------------------------------------------------------------


def learn_together(
    network: "generative.DeepBeliefNetwork", digits: "ImageData", test: "Tensor", config: Config, run: kit.Run
) -> "generative.DeepBeliefNetwork":
    """All layers of a copy together, as one generative model; what that does to a bound on log p(test)."""
    tuned, rows = generative.boltzmann.UntiedBeliefNetwork(network), digits.train_images.flatten(1)
    learner = generative.boltzmann.UpDown(
        tuned,
        rows,
        digits.train_labels,
        batch_size=BATCH,
        learning_rate=config.up_down_rate,
        gibbs_steps=config.up_down_gibbs_steps,
        schedule=foundations.schedules.linear_decay(config.fine_steps),
        streams=run.streams.child("up-down"),
    )
    _follow(learner, tuned, digits, config, run)
    bounds = {}
    for name, each in (("greedy", network), ("up_down", tuned)):
        bounds[name], found = generative.boltzmann.estimated_bound(
            each, test, rows, digits.train_labels, chains=CHAINS, temperatures=config.temperatures, streams=run.streams
        )
        for alarm in found.alarms("bound"):
            run.note(alarm)
    run.summary({f"bound/{name}": bound for name, bound in bounds.items()})
    run.table("bound", drawings.bound_rows(bounds))
    return tuned


def learn_names(
    network: "generative.DeepBeliefNetwork", digits: "ImageData", config: Config, run: kit.Run
) -> "nn.Module":
    """A classifier that begins as the network's layers. What the test images say is shown, and chooses nothing."""
    learner = network.fine_tuner(
        digits.train_images.flatten(1),
        digits.train_labels,
        steps=config.fine_steps,
        batch_size=BATCH,
        learning_rate=config.fine_rate,
        dropout=config.dropout,
        streams=run.streams,
    )
    _follow(learner, learner.network, digits, config, run)
    return learner.network


def _follow(
    learner: "foundations.Learner", classifier: "nn.Module", digits: "ImageData", config: Config, run: kit.Run
) -> None:
    name = drawings.PHASES[config.fine_tuning]
    for _ in run.follow(learner, steps=config.fine_steps, examples_per_step=BATCH, name=name):
        if run.every(-(-config.fine_steps // 12)):
            run.log({"error/test": error(classifier, digits)})


# --- measuring --------------------------------------------------------------------------------------------------------


def error(classifier: "nn.Module", digits: "ImageData") -> float:
    """Percent of the test images that are taken for another digit."""
    return 100 * (1 - foundations.images.image_accuracy(classifier, digits.test_images.flatten(1), digits.test_labels))


def base_rates(digits: "ImageData") -> "Tensor":
    """How often each pixel of the training images is on."""
    return generative.boltzmann.base_rates(digits.train_images.flatten(1))


def appraise(rbm: "generative.RBM", digits: "ImageData", test: "Tensor", config: Config, run: kit.Run) -> "Appraisal":
    """The first machine's log-likelihood with error bars, beside what knows only how bright each pixel is."""
    training = binary(digits.train_images[: len(test)], "binary training images", run)
    found = generative.boltzmann.appraise(
        rbm, test, training, base_rates(digits), chains=CHAINS, temperatures=config.temperatures, streams=run.streams
    )
    run.table("log_likelihood", drawings.likelihood_rows(found))
    figures = {**_named(found.test), "training": found.training, "published": drawings.PUBLISHED_LIKELIHOOD}
    run.summary({f"log_likelihood/{name}": value for name, value in figures.items()})
    run.summary({"log_partition": found.log_partition.value})
    for alarm in found.alarms():
        run.note(alarm)
    return found


def _named(scores: "LogLikelihood") -> dict[str, float]:
    return {"test": scores.value, "test_low": scores.low, "test_high": scores.high}


def dream(network: "generative.DeepBeliefNetwork", config: Config, run: kit.Run) -> "Fantasies":
    """Chains in the top machine with a digit's name held, seen through the layers below; ten of each digit shown."""
    import torch

    asked = torch.arange(network.classes, device=run.device).repeat_interleave(EACH_DIGIT)
    dreams = generative.boltzmann.Fantasies(network, len(asked), streams=run.streams.child("dreams"), labels=asked)
    dreams.start_at_rest()
    for _ in run.follow(dreams, steps=config.sweeps, examples_per_step=len(asked), name="dreaming"):
        if run.every(-(-config.sweeps // FRAMES)):
            shown = dreams.images().view(-1, EACH_DIGIT, 1, 28, 28)[:, : EACH_DIGIT // 2]
            run.images("fantasies", shown.flatten(0, 1), columns=EACH_DIGIT // 2)
    return dreams


def read(dreams: "Fantasies", digits: "ImageData", run: kit.Run) -> None:
    """How many of the fantasies a fixed judge reads as what was asked for; an alarm where a chain is stuck or blank."""
    if not digits.are_digits:
        run.note("the judge knows digits only: no figure is given for these fantasies")
        return
    logits = foundations.predict(generative.load_judge(run.device), dreams.images().view(-1, 1, 28, 28))
    assert dreams.labels is not None
    share = foundations.accuracy(logits, dreams.labels)
    run.summary({"fantasies/asked_digit_read": share})
    if share < 0.5:
        run.note(f"the fantasies do not follow the name that is held: the judge reads it in {share:.0%} of them only")


if __name__ == "__main__":
    kit.launch(main)
