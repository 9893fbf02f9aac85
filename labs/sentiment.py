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
from labs.drawings import sentiment as drawings
from labs.drawings.sentiment import NAMES, PUBLISHED, YARDSTICK

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from foundations.networks.sentence import EncoderKind, SentenceClassifier
    from foundations.text import Vocabulary
    from labs.kit.data import SentenceData

topic = "sequences"
FOLDS = 10
STRENGTHS = (1.0, 3.0, 10.0, 30.0)
"""Inverse regularisation that the yardstick may choose from, by the validation sentences."""
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
    run.figure("accuracy", drawings.draw_accuracy(answers, data))
    run.figure("learning_curves", drawings.draw_curves(models, run))
    run.figure("attention", drawings.draw_attention(name, network, answers[name], folds[0]))
    run.figure("reading", drawings.draw_reading(name, network, folds[0]))
    run.figure("confusion", drawings.draw_confusion(name, answers[name], counts, data))
    run.model(shown, network, folds[0].tokens[folds[0].test[:4]])
    run.file("vocabulary.json", folds[0].vocabulary.save)


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
    from foundations.text import BucketedBatches, lengths_of

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
    sentences = fold.tokens[fold.training]
    lengths, order = lengths_of(sentences), streams.torch("buckets", run.device)
    learner = foundations.SupervisedLearner(
        network, foundations.AdamW(groups, lr=config.learning_rate, fused=True),
        foundations.losses.cross_entropy_from_logits, sentences, labels[fold.training],
        batches=BucketedBatches(lengths, config.batch_size, order, drop_last=True), streams=streams,
        schedule=foundations.schedules.warmup_cosine(every, steps),
        prepare=lambda tokens, generator: hide_words(tokens, config.word_dropout, generator),
        validation=foundations.Validation(inputs, labels[fold.validation], every, metrics), early_stopping=stopping,
    )  # fmt: skip
    for _ in run.follow(learner, steps=steps, examples_per_step=config.batch_size, name=name):
        pass
    if stopping.best is not None:
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
    """The sentences that were taken for another class with the highest probabilities; one row in any case."""
    order = said.probabilities.amax(dim=1).argsort(descending=True, stable=True).tolist()
    worst = [each for each in order if not bool(said.right[each])][:20]
    if not worst:
        none: dict[str, object] = dict.fromkeys(("is", "says", "sure %", YARDSTICK), "")
        return [none | {"sentence": f"no mistake in {len(said.labels):,} sentences"}]
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


if __name__ == "__main__":
    kit.launch(main)
