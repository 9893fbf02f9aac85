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
from labs.drawings.dbn_mnist import PUBLISHED_ERRORS, PUBLISHED_LIKELIHOOD

if TYPE_CHECKING:
    from torch import Tensor, nn

    from generative.boltzmann import ContrastiveDivergence, Fantasies, LogLikelihood, LogPartition
    from labs.kit.data import ImageData

topic = "generative models"
best = ("test/error_percent", "min")
EACH_DIGIT = 20
"""Fantasies of each digit that the judge reads; half of them are shown."""
BATCH = 100
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
    images, labels = digits.train_images.flatten(1).to(run.device), digits.train_labels.to(run.device)
    sizes, classes = (images.shape[1], config.hidden, config.hidden, config.top_hidden), len(digits.class_names)
    network = generative.DeepBeliefNetwork(sizes, classes, generator=run.streams.torch("weights"))
    network.to(run.device)
    test = binary(digits.test_images.flatten(1).to(run.device), run, "binary test images")

    learn_first(network, images, test, config, run)
    scores = measure(network.rbm(0), images, test, config, run)
    learn_others(network, images, labels, config, run)
    if config.fine_tuning == "up_down":
        network = learn_together(network, digits, test, config, run)
    dreams = dream(network, config, run)
    classifier = network if config.fine_tuning == "up_down" else fine_tune(network, digits, config, run)

    _tell_error(classifier, digits, config, run)
    _read_dreams(dreams, digits, run)
    run.figure("filters", drawings.draw_filters(network.rbm(0)))
    run.figure("learning_curves", drawings.draw_curves(scores, config, run))
    run.film("rbm_chains")
    run.film("fantasies")
    run.model("classifier", classifier.eval(), images[:1] / 255)


def load(config: Config, run: kit.Run) -> "ImageData":
    """The digits, no more for training than asked for. Raises: InputError where they do not suit."""
    digits = run.load_images(config.data)
    shape = tuple(digits.train_images.shape[1:])
    require(shape == (1, 28, 28), "data", config.data, f"of grey images, 28x28; these are {shape}")
    count = len(digits.train_images)
    kept = min(config.training_images, count)
    require(kept >= BATCH, "training_images", kept, f"at least {BATCH}, those of one update")
    return digits.subset(kept, run.streams.torch("subset")) if kept < count else digits


def binary(rows: "Tensor", run: kit.Run, name: str) -> "Tensor":
    """Bytes drawn to 0 and 1, each with its brightness as probability: always the same ones for a seed."""
    import torch

    stream = run.streams.torch(name, run.device)
    return (torch.rand(rows.shape, generator=stream, device=rows.device) < rows / 255).float()


# --- learning, layer by layer -----------------------------------------------------------------------------------------


def learn_first(
    network: "generative.DeepBeliefNetwork", images: "Tensor", test: "Tensor", config: Config, run: kit.Run
) -> None:
    """The first machine, its chains shown as they are, and its log-likelihood now and then."""
    learner = _learner(network, 0, images, None, config, run)
    rates = generative.boltzmann.base_rates(images)
    for _ in run.follow(learner, steps=config.rbm_steps, examples_per_step=BATCH, name="rbm"):
        if run.every(-(-config.rbm_steps // FRAMES)):
            made = network.rbm(0).visible_probabilities(learner.chains.hidden[:64]).detach()
            run.images("rbm_chains", made.view(-1, 1, 28, 28))
        if run.every(-(-config.rbm_steps // config.looks)):
            found = _annealed(network.rbm(0), config.look_temperatures, rates, run)
            scores = generative.boltzmann.mean_log_likelihood(network.rbm(0), test, found)
            run.log({f"log_likelihood/{name}": value for name, value in _named(scores).items()})


def learn_others(
    network: "generative.DeepBeliefNetwork", images: "Tensor", labels: "Tensor", config: Config, run: kit.Run
) -> None:
    """The second machine on what the first makes of the images, the uppermost on that and the labels."""
    for layer, name, steps in ((1, "second", config.second_steps), (2, "top", config.top_steps)):
        learner = _learner(network, layer, images, labels if layer == 2 else None, config, run)
        for _ in run.follow(learner, steps=steps, examples_per_step=BATCH, name=name):
            pass


def _learner(
    network: "generative.DeepBeliefNetwork",
    layer: int,
    images: "Tensor",
    labels: "Tensor | None",
    config: Config,
    run: kit.Run,
) -> "ContrastiveDivergence":
    settings: list[dict[str, Any]] = [
        {"learning_rate": config.rbm_rate, "persistent": config.method == "pcd", "gibbs_steps": config.gibbs_steps},
        {"learning_rate": config.layer_rate, "momentum": 0.5, "weight_decay": 2e-4},
        {"learning_rate": config.layer_rate, "persistent": True},
    ]
    steps = (config.rbm_steps, config.second_steps, config.top_steps)[layer]
    schedule, streams = foundations.schedules.linear_decay(steps), run.streams.child(f"layer {layer}")
    own = settings[layer]
    return network.learner(layer, images, labels, batch_size=BATCH, schedule=schedule, streams=streams, **own)


# --- fine-tuning ------------------------------------------------------------------------------------------------------


def learn_together(
    network: "generative.DeepBeliefNetwork", digits: "ImageData", test: "Tensor", config: Config, run: kit.Run
) -> "generative.DeepBeliefNetwork":
    """All layers of a copy together, as one generative model; what that does to a bound on log p(test)."""
    images, labels = digits.train_images.flatten(1).to(run.device), digits.train_labels.to(run.device)
    tuned = generative.boltzmann.UntiedBeliefNetwork(network)
    learner = generative.boltzmann.UpDown(
        tuned,
        images,
        labels,
        batch_size=BATCH,
        learning_rate=config.up_down_rate,
        gibbs_steps=config.up_down_gibbs_steps,
        schedule=foundations.schedules.linear_decay(config.fine_steps),
        streams=run.streams.child("up-down"),
    )
    _follow(learner, tuned, digits, config, run)
    rows = []
    for name, each in (("greedy", network), ("up_down", tuned)):
        bound = _bound(each, digits, test, config, run)
        rows.append({"deep belief network": name, "log p(test) at least, nats an image": f"{bound:.2f}"})
        run.summary({f"bound/{name}": bound})
    run.table("bound", rows)
    return tuned


def fine_tune(
    network: "generative.DeepBeliefNetwork", digits: "ImageData", config: Config, run: kit.Run
) -> "foundations.MLP":
    """A classifier that begins as the network's layers. What the test images say is shown, and chooses nothing."""
    masks = run.streams.torch("dropout", run.device)
    classifier = network.classifier(
        network.classes,
        generator=run.streams.torch("head"),
        dropout=config.dropout,
        dropout_generator=masks,
    )
    groups = foundations.regularizers.decay_groups(classifier, 0.01)
    learner = foundations.SupervisedLearner(
        classifier,
        foundations.AdamW(groups, lr=config.fine_rate, fused=True),
        foundations.losses.cross_entropy_from_logits,
        digits.train_images.flatten(1).to(run.device),
        digits.train_labels.to(run.device),
        batch_size=BATCH,
        prepare=lambda batch, _: batch / 255,
        schedule=foundations.schedules.warmup_cosine(config.fine_steps // 10, config.fine_steps),
        streams=run.streams.child("fine tuning"),
    )
    _follow(learner, classifier, digits, config, run)
    return classifier


def _follow(
    learner: "foundations.Learner", classifier: "nn.Module", digits: "ImageData", config: Config, run: kit.Run
) -> None:
    name = drawings.PHASES[config.fine_tuning]
    for _ in run.follow(learner, steps=config.fine_steps, examples_per_step=BATCH, name=name):
        if run.every(-(-config.fine_steps // 12)):
            run.log({"error/test": _error(classifier, digits, run)})


def _error(classifier: "nn.Module", digits: "ImageData", run: kit.Run) -> float:
    """Percent of the test images that are taken for another digit."""
    images = digits.test_images.flatten(1).to(run.device)
    logits = foundations.predict(classifier, images, scale=lambda batch: batch / 255).cpu()
    return 100 * (1 - foundations.accuracy(logits, digits.test_labels))


# --- measuring --------------------------------------------------------------------------------------------------------


def _annealed(rbm: "generative.RBM", temperatures: int, rates: "Tensor", run: kit.Run) -> "LogPartition":
    return generative.log_partition(rbm, 100, temperatures, run.streams.torch("annealing", run.device), rates)


def _named(scores: "LogLikelihood") -> dict[str, float]:
    return {"test": scores.value, "test_low": scores.low, "test_high": scores.high}


def measure(rbm: "generative.RBM", images: "Tensor", test: "Tensor", config: Config, run: kit.Run) -> "LogLikelihood":
    """The first machine's log-likelihood with error bars, beside what knows only how bright each pixel is."""
    import torch

    rates = generative.boltzmann.base_rates(images)
    found = _annealed(rbm, config.temperatures, rates, run)
    scores = generative.boltzmann.mean_log_likelihood(rbm, test, found)
    training = binary(images[: len(test)], run, "binary training images")
    on_training = generative.boltzmann.mean_log_likelihood(rbm, training, found).value
    by_rates = float((test @ torch.logit(rates) + (1 - rates).log().sum()).mean())
    rows = [
        {"what": "this machine, test images", "nats": f"{scores.value:.2f} ({scores.low:.2f} to {scores.high:.2f})"},
        {"what": "this machine, training images", "nats": f"{on_training:.2f}"},
        {"what": "pixels apart from each other, test images", "nats": f"{by_rates:.2f}"},
        {"what": "500 hidden units, CD-25 (published)", "nats": f"{PUBLISHED_LIKELIHOOD:.2f}"},
    ]
    run.table("log_likelihood", [{"what": row["what"], "nats an image": row["nats"]} for row in rows])
    figures = {**_named(scores), "training": on_training, "published": PUBLISHED_LIKELIHOOD}
    run.summary({f"log_likelihood/{name}": value for name, value in figures.items()})
    run.summary({"log_partition": found.value})
    _warn_of_few(found, "log-likelihood", run)
    if scores.value < by_rates:
        run.note(f"the machine has not learned or has diverged: independent pixels alone reach {by_rates:.1f} nats")
    if on_training - scores.value > 5:
        run.note(f"overfitting: training images are {on_training - scores.value:.1f} nats likelier than test images")
    return scores


def _bound(
    network: "generative.DeepBeliefNetwork", digits: "ImageData", test: "Tensor", config: Config, run: kit.Run
) -> float:
    """The mean lower bound on log p(test) of a network whose top machine's Z is estimated."""
    images, labels = digits.train_images.flatten(1).to(run.device), digits.train_labels.to(run.device)
    rates = generative.boltzmann.base_rates(network.seen(len(network.rbms) - 1, images, labels))
    found = _annealed(network.top, config.temperatures, rates, run)
    _warn_of_few(found, "bound", run)
    stream = run.streams.torch("bound", run.device)
    return float(generative.boltzmann.variational_bound(network, test, found.value, stream).mean())


def _warn_of_few(found: "LogPartition", what: str, run: kit.Run) -> None:
    if found.effective_chains < 10:
        few = f"the annealing rests on {found.effective_chains:.1f} of 100 chains"
        run.note(f"{few}: the {what} is too high, as a rule; raise --temperatures")


def _tell_error(classifier: "nn.Module", digits: "ImageData", config: Config, run: kit.Run) -> None:
    published, _ = PUBLISHED_ERRORS[config.fine_tuning]
    run.summary({"test/error_percent": _error(classifier, digits, run), "published/error_percent": published})


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


def _read_dreams(dreams: "Fantasies", digits: "ImageData", run: kit.Run) -> None:
    """How many of the fantasies a fixed judge reads as what was asked for; an alarm where a chain is stuck or blank."""
    import torch

    if digits.class_names != tuple("0123456789"):
        run.note("the judge knows digits only: no figure is given for these fantasies")
        return
    judge = generative.load_judge(run.device)
    with torch.no_grad():
        read = judge(dreams.images().view(-1, 1, 28, 28)).argmax(1)
    asked = torch.arange(10, device=run.device).repeat_interleave(EACH_DIGIT)
    share = float((read == asked).float().mean())
    run.summary({"fantasies/asked_digit_read": share})
    if share < 0.5:
        run.note(f"the fantasies do not follow the name that is held: the judge reads it in {share:.0%} of them only")


if __name__ == "__main__":
    kit.launch(main)
