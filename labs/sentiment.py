"""Tell praise from blame in sentences of film reviews with recurrent networks or a Transformer, against word counts.

Each network learns its word vectors from some 8,600 sentences alone and is tested on a tenth that it never saw; a
logistic regression on counts of words and pairs of words gets the same sentences. The run shows how training went,
which words a network weighs, how its verdict changes as it reads, and what it and the counts get wrong.
Sources: Pang & Lee 2005 (the sentences), arXiv:cs/0506075; Kim 2014, arXiv:1408.5882.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from annotated_types import Interval

import foundations
import labs.kit as kit
from foundations.errors import require

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from torch import Tensor

    from foundations.networks.sentence import EncoderKind, SentenceClassifier
    from foundations.text import Vocabulary
    from labs.kit.data import SentenceData

topic = "sequences"
FOLDS = 10
PUBLISHED = 76.1
"""Accuracy in %, ten folds, of the convolutional network with random first vectors (Kim 2014, CNN-rand)."""
YARDSTICK = "word counts"
STRENGTHS = (1.0, 3.0, 10.0, 30.0)
"""Inverse regularisation that the yardstick may choose from, by the validation sentences."""
NAMES: dict["EncoderKind", str] = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM", "transformer": "Transformer"}
LINE = 95
"""Letters in the longest sentence that is shown with its weights."""
TRIED = 150
"""Test sentences among which the one is searched whose verdict turned most."""
WEIGHT_DECAY = 0.1
PATIENCE = 4
"""Validations (two an epoch) without a better accuracy after which training ends."""
LONGEST = 60
"""Words of a sentence that are read at most."""
Share = Annotated[float, Interval(ge=0, lt=1)]


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    data: str = "sentiment"
    """Data set: "sentiment", or a folder with one text file a class, one sentence a line."""
    model: Literal["rnn", "gru", "lstm", "transformer", "all"] = "lstm"
    """What reads the sentences; all trains one after the other."""
    folds: Annotated[int, Interval(ge=1, le=FOLDS)] = 3
    """Tenths of the sentences that are held out in turn for testing; 10 is full cross-validation."""
    epochs: kit.Count = 5
    """Passes over the training sentences, unless validation ends them before."""
    batch_size: kit.Count = 50
    """Sentences an update, of similar lengths."""
    learning_rate: kit.Rate = 3e-3
    """AdamW's largest step size; after half an epoch it falls along a cosine to 0."""
    embed_dim: kit.Count = 64
    """Size of the word vectors."""
    hidden_size: kit.Count = 48
    """Units of a recurrent network in each direction."""
    dropout: Share = 0.6
    """Share of the word vectors and of the sentence's vector that training drops: few sentences are soon memorised."""
    word_dropout: Share = 0.3
    """Share of the words that training hides."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"folds": 1, "epochs": 1, "embed_dim": 16, "hidden_size": 8, "batch_size": 200},
        "full": {"model": "all", "folds": 10},
    }


class Fold(NamedTuple):
    """One division of the sentences: their numbers by part, and all of them as rows of words of its vocabulary."""

    data: "SentenceData"
    training: "np.ndarray[Any, Any]"
    validation: "np.ndarray[Any, Any]"
    test: "np.ndarray[Any, Any]"
    vocabulary: "Vocabulary"
    tokens: "Tensor"

    def words(self, number: int) -> list[str]:
        """A sentence as it is read."""
        from foundations.text import words

        return words(self.data.sentences[number])[: self.tokens.shape[1]]

    def row(self, number: int) -> "Tensor":
        """The same in numbers, (1, words)."""
        return self.tokens[number : number + 1, : max(1, len(self.words(number)))]


class Answers(NamedTuple):
    """What one reader says of the test sentences of all folds: probabilities (n, classes), labels, numbers, folds."""

    probabilities: "Tensor"
    labels: "Tensor"
    numbers: "Tensor"
    folds: "Tensor"

    @property
    def right(self) -> "Tensor":
        """Whether each answer is true."""
        return self.probabilities.argmax(dim=1) == self.labels

    def shares(self) -> list[float]:
        """Right answers in each fold, in %."""
        return [100 * float(self.right[self.folds == fold].float().mean()) for fold in self.folds.unique().tolist()]


def main(config: Config, run: kit.Run) -> None:
    """Train on each fold, test, compare with the yardstick; then pictures of all answers and of the first fold."""
    data = run.load_sentences(config.data)
    fewest = int(data.labels.bincount(minlength=len(data.class_names)).min())
    require(fewest >= 2 * FOLDS, "data", config.data, f"at least {2 * FOLDS} sentences a class, not {fewest}")
    folds = [divide(data, number, config, run) for number in range(config.folds)]
    answers = {YARDSTICK: answers_of([count_words(fold) for fold in folds], folds)}
    models = list(NAMES) if config.model == "all" else [config.model]
    first: dict[str, SentenceClassifier] = {}
    for model in models:
        networks = [train(f"{model}_{number}", model, fold, config, run) for number, fold in enumerate(folds)]
        said = [foundations.predict(each, fold.tokens[fold.test]) for each, fold in zip(networks, folds, strict=True)]
        answers[NAMES[model]], first[model] = answers_of([each.softmax(dim=1) for each in said], folds), networks[0]
    report(answers, run)
    shown: EncoderKind = "lstm" if config.model == "all" else config.model
    name, network, counts = NAMES[shown], first[shown].eval(), answers[YARDSTICK]
    run.table("surest_mistakes", surest_mistakes(answers[name], counts, data))
    run.figure("accuracy", draw_accuracy(answers, data))
    run.figure("learning_curves", draw_curves(models, run))
    run.figure("attention", draw_attention(name, network, answers[name], folds[0]))
    run.figure("reading", draw_reading(name, network, folds[0]))
    run.figure("confusion", draw_confusion(name, answers[name], counts, data))
    run.model(shown, network, folds[0].tokens[folds[0].test[:4]])


def divide(data: "SentenceData", number: int, config: Config, run: kit.Run) -> Fold:
    """A tenth for testing, a tenth for validation, the rest for training, in each the classes as in the whole."""
    from sklearn.model_selection import StratifiedKFold

    from foundations.preprocessing import stratified_split
    from foundations.text import Vocabulary, pad, words

    labels = data.labels.numpy()
    rest, test = list(StratifiedKFold(FOLDS, shuffle=True, random_state=config.seed).split(labels, labels))[number]
    training, validation = (rest[part] for part in stratified_split(labels[rest], (8 / 9, 1 / 9), config.seed))
    sentences = [words(sentence)[:LONGEST] for sentence in data.sentences]
    vocabulary = Vocabulary.build((sentences[each] for each in training), unknown="map")
    tokens, _ = pad([vocabulary.encode(sentence) or [vocabulary.unknown_token] for sentence in sentences])
    return Fold(data, training, validation, test, vocabulary, tokens.to(run.device))


def answers_of(said: Sequence["Tensor"], folds: Sequence[Fold]) -> Answers:
    """The probabilities `said` of the test sentences of each fold, with what belongs to them."""
    import torch

    numbers = [torch.from_numpy(fold.test) for fold in folds]
    places = [torch.full_like(each, place) for place, each in enumerate(numbers)]
    joined = torch.cat(numbers)
    return Answers(torch.cat(list(said)).cpu(), folds[0].data.labels[joined], joined, torch.cat(places))


def train(name: str, model: "EncoderKind", fold: Fold, config: Config, run: kit.Run) -> "SentenceClassifier":
    """One network as the phase `name`; it keeps the weights with the best accuracy on the validation sentences."""
    from foundations.networks.sentence import SentenceClassifier, hide_words
    from foundations.text import BucketedBatches

    streams, labels = run.streams.child(name), fold.data.labels.to(run.device)
    network = SentenceClassifier(
        len(fold.vocabulary), len(fold.data.class_names), model, dropout=config.dropout,
        embed_dim=config.embed_dim, hidden_size=config.hidden_size, generator=streams.torch("weights"),
        dropout_generator=streams.torch("dropout", run.device),
    ).to(run.device)  # fmt: skip
    groups = foundations.regularizers.decay_groups(network, WEIGHT_DECAY)
    every = max(1, len(fold.training) // config.batch_size // 2)
    steps = 2 * config.epochs * every
    inputs, metrics = fold.tokens[fold.validation], {"accuracy": foundations.accuracy}
    stopping = foundations.EarlyStopping(PATIENCE, "validation/accuracy", "max")
    learner = foundations.SupervisedLearner(
        network, foundations.AdamW(groups, lr=config.learning_rate, fused=True),
        foundations.losses.cross_entropy_from_logits, fold.tokens[fold.training], labels[fold.training],
        batch_size=config.batch_size, streams=streams, schedule=foundations.schedules.warmup_cosine(every, steps),
        prepare=lambda tokens, generator: hide_words(tokens, config.word_dropout, generator),
        validation=foundations.Validation(inputs, labels[fold.validation], every, metrics), early_stopping=stopping,
    )  # fmt: skip
    lengths, chosen = (learner.inputs != 0).sum(dim=1), streams.torch("buckets", run.device)
    learner.batches = BucketedBatches(lengths, config.batch_size, chosen, drop_last=True)
    for _ in run.follow(learner, steps=steps, examples_per_step=config.batch_size, name=name):
        pass
    if not learner.stopped:
        stopping.restore(network)
    return network


def count_words(fold: Fold) -> "Tensor":
    """The yardstick: logistic regression on counts of words and pairs of words, the rarer the heavier (tf-idf)."""
    import torch
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    labels = fold.data.labels.numpy()
    training, validation, test = ([fold.data.sentences[each] for each in part] for part in fold[1:4])
    counts = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    seen, unseen = counts.fit_transform(training), counts.transform(validation)
    fits = [LogisticRegression(C=strength, max_iter=500).fit(seen, labels[fold.training]) for strength in STRENGTHS]
    best = max(fits, key=lambda fit: float(fit.score(unseen, labels[fold.validation])))
    return torch.from_numpy(best.predict_proba(counts.transform(test))).float()


def report(answers: Mapping[str, Answers], run: kit.Run) -> None:
    """Mean and spread over the folds, of every network and the yardstick."""
    rows = []
    for name, said in answers.items():
        shares = said.shares()
        spread = stdev(shares) if len(shares) > 1 else 0.0
        found = {"reader": name, "test accuracy %": f"{mean(shares):.2f}", "deviation": f"{spread:.2f}"}
        rows.append({**found, "each fold": ", ".join(f"{share:.1f}" for share in shares)})
        key = name.lower().replace(" ", "_")
        run.summary({f"test_accuracy/{key}": mean(shares) / 100, f"test_accuracy_spread/{key}": spread / 100})
    published = dict.fromkeys(rows[0], "") | {"reader": "CNN of Kim 2014", "test accuracy %": f"{PUBLISHED}"}
    run.table("test_accuracy", [*rows, published])


def surest_mistakes(said: Answers, counts: Answers, data: "SentenceData") -> list[dict[str, object]]:
    """The sentences that were taken for another class with the highest probabilities."""
    worst = (said.probabilities.amax(dim=1) - 2 * said.right.float()).argsort(descending=True)[:20].tolist()
    return [
        {
            "is": data.class_names[int(said.labels[each])],
            "says": data.class_names[int(said.probabilities[each].argmax())],
            "sure %": f"{100 * float(said.probabilities.amax(dim=1)[each]):.1f}",
            YARDSTICK: "right" if bool(counts.right[each]) else "wrong too",
            "sentence": data.sentences[int(said.numbers[each])],
        }
        for each in worst
    ]


def draw_curves(models: "Sequence[EncoderKind]", run: kit.Run) -> "Figure":
    """Loss and accuracy of each model on the first fold."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4))
    for model, colour in zip(models, colours, strict=False):
        at, losses = run.history(f"{model}_0/loss/training")
        left.plot(at, kit.figures.running_median(losses), color=colour, linestyle="-", linewidth=1)
        left.plot(*run.history(f"{model}_0/validation/loss"), color=colour, linestyle="--", marker="o", markersize=4)
        at, shares = run.history(f"{model}_0/validation/accuracy")
        right.plot(at, [100 * share for share in shares], color=colour, linestyle="--", marker="o", markersize=4)
        best = max(range(len(shares)), key=shares.__getitem__)
        kept = {"label": f"{NAMES[model]}: {100 * shares[best]:.1f} %, kept", "markersize": 16}
        right.plot(at[best], 100 * shares[best], "*", color=colour, markeredgecolor="white", **kept)
    left.plot([], [], "-", color="black", label="training, words hidden and dropped")
    left.plot([], [], "o--", color="black", markersize=4, label="validation")
    left.set(title="Loss", xlabel="update", ylabel="cross-entropy (nats)")
    right.set(title="Accuracy on the validation sentences", xlabel="update", ylabel="right answers (%)")
    _ = left.legend(fontsize=9), right.legend(fontsize=9)
    return figure


def draw_accuracy(answers: Mapping[str, Answers], data: "SentenceData") -> "Figure":
    """Left each fold of each reader, right the right answers by length of the sentence."""
    colours = kit.figures.COLOURS  # the project's style comes with them
    import torch
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), width_ratios=(2, 3))
    labels = ("1-10", "11-15", "16-20", "21-25", "26-30", "over 30")
    lengths = torch.tensor([len(sentence.split()) for sentence in data.sentences])
    bins = torch.bucketize(lengths, torch.tensor([10, 15, 20, 25, 30]))
    for place, ((name, said), colour) in enumerate(zip(answers.items(), colours, strict=False)):
        shares = said.shares()
        left.plot([place] * len(shares), shares, "o", color=colour, alpha=0.5, markersize=5)
        left.hlines(mean(shares), place - 0.3, place + 0.3, color=colour, linewidth=2.5)
        left.text(place + 0.32, mean(shares), f"{mean(shares):.1f}", va="center", fontsize=9, color=colour)
        parts = [said.right[bins[said.numbers] == each].double() for each in range(len(labels))]
        means = [100 * float(part.mean()) for part in parts]
        errors = [(p * (100 - p) / max(1, len(part))) ** 0.5 for p, part in zip(means, parts, strict=True)]
        at = [each + 0.08 * (place - (len(answers) - 1) / 2) for each in range(len(labels))]
        style = {"color": colour, "marker": "o", "linestyle": "-", "capsize": 3}
        right.errorbar(at, means, errors, label=name, **style)
    left.axhline(PUBLISHED, color="black", linestyle=":", linewidth=1, label=f"CNN of Kim 2014, {PUBLISHED} %")
    left.set_xticks(range(len(answers)), [name.replace(" ", "\n") for name in answers])
    left.set(title="Each fold, and the mean", ylabel="right answers (%)", xlim=(-0.6, len(answers) - 0.2))
    right.set_xticks(range(len(labels)), labels)
    right.set(title="By length of the sentence", xlabel="words", ylabel="right answers (%, ± standard error)")
    _ = left.legend(fontsize=8), right.legend(fontsize=8)
    return figure


def draw_confusion(name: str, said: Answers, counts: Answers, data: "SentenceData") -> "Figure":
    """What is taken for what, by the network and by the yardstick; and where one is right and the other wrong."""
    from matplotlib import pyplot as plt
    from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

    figure, panels = plt.subplots(1, 3, figsize=(11.5, 4))
    style = {"cmap": "Blues", "colorbar": False, "values_format": ",d"}
    for axes, reader, each in zip(panels, (name, YARDSTICK), (said, counts), strict=False):
        table = confusion_matrix(each.labels, each.probabilities.argmax(dim=1), labels=range(len(data.class_names)))
        ConfusionMatrixDisplay(table, display_labels=data.class_names).plot(ax=axes, **style)
        axes.set(title=f"{reader}: {100 * float(each.right.float().mean()):.1f} % right", xlabel="says", ylabel="is")
    table = confusion_matrix(said.right, counts.right, labels=(True, False))
    ConfusionMatrixDisplay(table, display_labels=("right", "wrong")).plot(ax=panels[2], **style)
    panels[2].set(title="Who is right", xlabel=YARDSTICK, ylabel=name)
    for axes in panels:
        axes.grid(visible=False)
        axes.tick_params(axis="y", rotation=90)
    return figure


def draw_attention(name: str, network: "SentenceClassifier", said: Answers, fold: Fold) -> "Figure":
    """Sentences of the first fold, each word on the colour of its weight; all letters are equally wide."""
    from matplotlib import cm, colors
    from matplotlib import pyplot as plt

    examples = surest_of_each_class(said, fold)
    figure, axes = plt.subplots(figsize=(11, 1 + 0.62 * max(1, len(examples))))
    shades = cm.ScalarMappable(colors.Normalize(0, 4), "Oranges")
    for line, each in enumerate(examples):
        number, answer = int(said.numbers[each]), int(said.probabilities[each].argmax())
        truth = f"{fold.data.class_names[int(said.labels[each])]}, says {fold.data.class_names[answer]}"
        sure = 100 * float(said.probabilities[each, answer])
        verdict = f"{truth} ({sure:.0f} %)" + ("" if bool(said.right[each]) else ", wrong")
        axes.text(0, 2 * line - 0.85, verdict, fontsize=9, fontweight="bold", va="center")
        weights, words, at = network.attention(fold.row(number))[0].tolist(), fold.words(number), 0
        for word, weight in zip(words, weights, strict=True):
            times = weight * len(words)
            style = {"facecolor": shades.to_rgba(times), "edgecolor": "none", "pad": 1.2}
            ink = "white" if times > 2.8 else "black"
            axes.text(at, 2 * line, word, family="monospace", fontsize=9.5, color=ink, va="center", bbox=style)
            at += len(word) + 1
    axes.set(xlim=(-1, LINE), ylim=(2 * len(examples) - 1, -1.6))
    axes.axis("off")
    axes.set_title(f"{name}: the words it weighs, in the surest right and wrong answers to test sentences", loc="left")
    figure.colorbar(shades, ax=axes, shrink=0.7, pad=0.01, extend="max", label="weight (1: mean of the sentence)")
    return figure


def surest_of_each_class(said: Answers, fold: Fold) -> list[int]:
    """Of each class the two surest right answers of the first fold, and the two surest wrong ones."""
    order = said.probabilities.amax(dim=1)[: len(fold.test)].argsort(descending=True).tolist()
    order = [each for each in order if LINE // 3 <= len(fold.data.sentences[int(said.numbers[each])]) <= LINE - 10]
    kinds = [(label, right) for label in range(len(fold.data.class_names)) for right in (True, False)]
    fit = [[each for each in order if (int(said.labels[each]), bool(said.right[each])) == kind] for kind in kinds]
    return [each for found in fit for each in found[:2]]


def a_turn(network: "SentenceClassifier", fold: Fold) -> tuple[int, "Tensor"]:
    """The test sentence whose verdict turned most to what is true, and the probabilities after each word of it."""
    turns: list[tuple[float, int, Tensor]] = []
    for number in fold.test[:TRIED].tolist():
        row = fold.row(number)
        if 8 <= row.shape[1] <= 18 or not turns:
            verdicts = foundations.predict(network, row.expand(row.shape[1], -1).tril()).softmax(dim=1).cpu()
            true = verdicts[:, fold.data.labels[number]]
            turns.append((float(true[-1] - true.min()), number, verdicts))
    return max(turns, key=lambda turn: turn[0])[1:]


def draw_reading(name: str, network: "SentenceClassifier", fold: Fold) -> "Figure":
    """Above the verdict after each word, below which gates open and close at it (else the weights of the words)."""
    import torch
    from matplotlib import pyplot as plt

    from foundations.networks.sentence import gates
    from foundations.recurrent import GRU, LSTM

    number, verdicts = a_turn(network, fold)
    row, words = fold.row(number), fold.words(number)
    if isinstance(network.encoder, LSTM | GRU):
        vectors = network.embedding(row).detach()
        found = {f"{gate} gate": opened[0].mean(dim=1) for gate, opened in gates(network.encoder, vectors).items()}
    else:
        found = {"attention": network.attention(row)[0]}
    rows = torch.stack(list(found.values())).cpu()
    means = rows.mean(dim=1, keepdim=True)
    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 4.8), height_ratios=(1.6, 1), sharex=True)
    above.plot(100 * verdicts[:, -1].numpy(), marker="o", color=kit.figures.COLOURS[0])
    above.set(ylim=(-3, 103), ylabel=f"says {fold.data.class_names[-1]} (%)")
    above.set_title(f"{name}: its verdict if the sentence ended here, with {', '.join(found)}", loc="left")
    largest = float((rows - means).abs().max())
    shown = below.imshow((rows - means).numpy(), cmap="RdBu_r", aspect="auto", vmin=-largest, vmax=largest)
    below.set_xticks(range(len(words)), words, rotation=45, ha="right")
    below.set_yticks(range(len(found)), [f"{key}\nmean {float(at):.2f}" for key, at in zip(found, means, strict=True)])
    below.grid(visible=False)
    figure.colorbar(shown, ax=below, label="above or below\nits mean")
    return figure


if __name__ == "__main__":
    kit.launch(main)
