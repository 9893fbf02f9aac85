"""Words in colour: why a network praises or blames a film review, by LIME, and whether those words decide it.

A recurrent network learns to tell praise from blame in sentences (or `--run` takes that of a finished run of the lab
`sentiment`). Its verdicts on sentences that it never saw are explained, the mistakes too. Then the explanations are put
on trial: removing the three words that they name first must turn more verdicts than removing three at random; and of a
model that counts words, whose true reasons are known, they must find those. (Ribeiro et al. 2016, arXiv:1602.04938.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge

import explain
import foundations
import labs.kit as kit
from foundations.errors import InputError, require
from labs.drawings import explain_text as drawings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from explain import Explanation
    from foundations.text import Vocabulary
    from labs.kit.data import SentenceData

    Array = NDArray[np.float64]

topic = "explanation"
MADE_UP = "made_up"
FOLDS = 10
"""One tenth of the sentences is kept for testing, the first of those of the lab sentiment."""
FEWEST = 8
"""Different words of a sentence on which removing a few of them is tried."""
REMOVED = 6
"""Words removed at most."""
DECIDING = 3
"""Words whose removal is to turn the verdict."""
DRAWS = 20
"""Removals at random that each sentence's own must beat."""
EACH = 4
"""Right answers shown, and mistakes."""
SAID_BEFORE = 3
"""Sentences that a word must be in, to be ranked."""


@dataclass(frozen=True)
class Config(kit.Config):
    """Settings of the lab."""

    run: str | None = None
    """A finished run of the lab sentiment (id, name or last) whose network is explained; none trains one."""
    data: str = "sentiment"
    """Data set: "sentiment", "made_up" (sentences by a small grammar), or a folder with one text file a class."""
    model: Literal["lstm", "gru", "rnn", "transformer"] = "lstm"
    """What reads the sentences."""
    epochs: kit.Count = 4
    """Passes over the training sentences, at most."""
    samples: Annotated[int, Ge(50)] = 500
    """Copies of a sentence with words left out, for an explanation."""
    explained: Annotated[int, Ge(20)] = 200
    """Test sentences that are explained."""
    repetitions: Annotated[int, Ge(2)] = 3
    """Explanations of the same sentence, each with a seed of its own, which must name the same words."""

    presets: ClassVar[kit.Presets] = {
        "smoke": {"data": MADE_UP, "epochs": 8, "samples": 150, "explained": 30, "repetitions": 2},
        "full": {"samples": 2_000, "explained": 1_000, "repetitions": 5},
    }


@dataclass(frozen=True)
class Reader:
    """A model that reads texts, and what it is tested on. `true` says what each word counts to it, where that is known.

    Of two classes the second one is explained, of more the one that the model says.
    """

    name: str
    box: "explain.BlackBox"
    true: "Callable[[Explanation], Array] | None" = None

    def explain(self, text: str, samples: int, seed: int) -> "Explanation":
        """Every word's weight for each class."""
        return explain.explain_text(self.box, text, samples=samples, seed=seed)


def main(config: Config, run: kit.Run) -> None:
    """Train or load, explain sentences, put the explanations on trial."""
    import numpy as np

    spec, seed = (config.data, config.seed) if config.run is None else origin(config.run)
    data = made_up() if spec == MADE_UP else run.load_sentences(spec)
    training, test = divide(data, seed)
    network = finished(config.run, data) if config.run else train(data, training, config, run)
    readers = [network, count_words(data, training)]
    labels = data.labels.numpy()[test]
    sentences = [data.sentences[number] for number in test]
    for reader in readers:
        right = float((reader.box(sentences).argmax(axis=1) == labels).mean())
        run.summary({f"test_accuracy/{reader.name}": right})
    order = run.streams.numpy("explained").permutation(len(sentences))
    chosen = [int(number) for number in order if len(set(words_of(sentences[number]))) >= FEWEST][: config.explained]
    require(len(chosen) >= 2, "data", spec, f"test sentences of at least {FEWEST} different words")
    texts, truths = [sentences[number] for number in chosen], labels[chosen]
    found = {reader.name: [reader.explain(text, config.samples, config.seed) for text in texts] for reader in readers}
    look_at_sentences(network, found[network.name], truths, data.class_names, config, run)
    means = explain.mean_weights(found[network.name], len(data.class_names) - 1, SAID_BEFORE)
    run.figure("strongest_words", drawings.draw_strongest(means, data.class_names))
    turned = {reader.name: turning(reader.box, found[reader.name], config.seed) for reader in readers}
    judge(turned, found, run)
    find_reasons(readers[1], found[readers[1].name], run)
    steady(network, texts[:10], config, run)
    run.summary({f"median_r2/{name}": float(np.median([each.r2_of() for each in own])) for name, own in found.items()})


def look_at_sentences(
    reader: Reader,
    found: "Sequence[Explanation]",
    truths: "NDArray[np.int64]",
    class_names: Sequence[str],
    config: Config,
    run: kit.Run,
) -> None:
    """The surest right answers and the surest mistakes, word by word, and whether to believe their explanations."""
    from explain.highlights import highlighted_html

    wrong = explain.surest_answers(found, truths, right=False)
    shown = {
        f"right {place}": each for place, each in enumerate(explain.surest_answers(found, truths, right=True)[:EACH], 1)
    }
    shown |= {f"mistake {place}": each for place, each in enumerate(wrong[:EACH], 1)}
    cases = {name: partial(reader.explain, found[number].settings["text"]) for name, number in shown.items()}
    grown = explain.grow_each(cases, samples=config.samples, seeds=range(config.repetitions), top=DECIDING)
    chosen = {name: found[number] for name, number in shown.items()}
    table = explain.trust_table(chosen, grown)
    doubted = {name: bool(explain.doubts(each, grown[name])) for name, each in chosen.items()}
    said = {name: class_names[int(truths[number])] for name, number in shown.items()}
    run.figure("words_in_colour", drawings.draw_sentences(chosen, said, doubted, class_names, reader.name))
    if wrong:
        page = highlighted_html(*(found[number] for number in wrong[:5]))
        run.file("worst_mistakes.html", lambda path: path.write_text(page, encoding="utf-8"))
    run.table("trust", table)
    if told := explain.told_doubts(table):
        run.note(told)


# --- sentences --------------------------------------------------------------------------------------------------------


def made_up() -> "SentenceData":
    """600 sentences by a small grammar, each with one or two words of praise or blame: on every machine the same."""
    import torch

    from labs.kit.data import SentenceData

    reviews = explain.plant_reviews()
    counts = torch.tensor([len(each) for each in reviews.values()])
    labels = torch.arange(len(reviews)).repeat_interleave(counts)
    sentences = [sentence for each in reviews.values() for sentence in each]
    return SentenceData(
        name=MADE_UP, sentences=sentences, labels=labels, class_names=tuple(reviews),
        fingerprint="made_up_0", source="this lab", licence="this project's",
    )  # fmt: skip


def divide(data: "SentenceData", seed: int) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """Numbers of the sentences for training and for testing, as the lab sentiment divides them first."""
    from sklearn.model_selection import StratifiedKFold

    from explain.blackbox import MANY_LABELS

    labels = data.labels.numpy()
    fewest = int(data.labels.bincount(minlength=len(data.class_names)).min())
    require(fewest >= 2 * FOLDS, "data", data.name, f"at least {2 * FOLDS} sentences a class, not {fewest}")
    require(len(data.class_names) <= MANY_LABELS, "data", data.name, f"of at most {MANY_LABELS} classes")
    training, test = next(iter(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(labels, labels)))
    return training, test


def words_of(text: str) -> list[str]:
    """The words that can be left out, in small letters."""
    import re

    return [word.lower() for word in re.findall(r"\w+", text)]


# --- readers ----------------------------------------------------------------------------------------------------------


def train(data: "SentenceData", training: "NDArray[np.int64]", config: Config, run: kit.Run) -> Reader:
    """A network that learns the training sentences; it keeps the weights with the best accuracy on a tenth of them."""
    from foundations.networks.sentence import SentenceClassifier, hide_words
    from foundations.text import BucketedBatches, Vocabulary, pad, words

    labels = data.labels.to(run.device)
    parts = foundations.preprocessing.stratified_split(data.labels.numpy()[training], (0.9, 0.1), config.seed)
    learned, held = (training[part] for part in parts)
    tokenised = [words(sentence) for sentence in data.sentences]
    vocabulary = Vocabulary.build((tokenised[each] for each in learned), unknown="map")
    tokens = pad([vocabulary.encode(each) or [vocabulary.unknown_token] for each in tokenised])[0].to(run.device)
    streams = run.streams.child("network")
    network = SentenceClassifier(
        len(vocabulary), len(data.class_names), config.model, dropout=0.6, generator=streams.torch("weights"),
        dropout_generator=streams.torch("dropout", run.device),
    ).to(run.device)  # fmt: skip
    batch_size = 50
    every = max(1, len(learned) // batch_size // 2)
    steps, sentences = 2 * config.epochs * every, tokens[learned]
    stopping = foundations.EarlyStopping(4, "validation/accuracy", "max")
    order = streams.torch("buckets", run.device)
    learner = foundations.SupervisedLearner(
        network, foundations.AdamW(foundations.regularizers.decay_groups(network, 0.1), lr=3e-3, fused=True),
        foundations.losses.cross_entropy_from_logits, sentences, labels[learned],
        batches=BucketedBatches((sentences != 0).sum(dim=1), batch_size, order, drop_last=True), streams=streams,
        schedule=foundations.schedules.warmup_cosine(every, steps),
        prepare=lambda rows, generator: hide_words(rows, 0.3, generator),
        validation=foundations.Validation(tokens[held], labels[held], every, {"accuracy": foundations.accuracy}),
        early_stopping=stopping,
    )  # fmt: skip
    for _ in run.follow(learner, steps=steps, examples_per_step=batch_size):
        pass
    if not learner.stopped:
        stopping.restore(network)
    run.model(config.model, network.eval(), tokens[held[:4]])
    run.file("vocabulary.json", vocabulary.save)
    return Reader(config.model, reading(network, vocabulary, data.class_names))


def reading(network: "nn.Module", vocabulary: "Vocabulary", class_names: Sequence[str]) -> "explain.BlackBox":
    """Texts to the probabilities of the classes; a text of which nothing is left is one unknown word."""
    import torch

    from foundations.text import pad, words

    probabilities = explain.BlackBox(torch.nn.Sequential(network, foundations.Softmax(dim=1)), batch_size=256)

    def read(texts: list[str]) -> "Array":
        rows = [vocabulary.encode(words(text)) or [vocabulary.unknown_token] for text in texts]
        return probabilities(pad(rows)[0])

    return explain.BlackBox(read, batch_size=256, names=class_names)


def origin(reference: str) -> tuple[str, int]:
    """The data and the seed of a run of the lab sentiment."""
    from labs.kit.folder import find

    record = find(reference).record
    if record["lab"] != "sentiment":
        raise InputError(f"--run {reference}: is a run of {record['lab']}; must be one of sentiment")
    return str(record["config"]["data"]), int(record["config"]["seed"])


def finished(reference: str, data: "SentenceData") -> Reader:
    """The network that a run of the lab sentiment kept; the test sentences are those that it never saw."""
    from foundations.text import Vocabulary
    from labs.kit.models import load_model

    kept = load_model(reference)
    vocabulary = Vocabulary.load(kept.file("vocabulary.json"))
    return Reader(kept.name, reading(kept.module, vocabulary, data.class_names))


def count_words(data: "SentenceData", training: "NDArray[np.int64]") -> Reader:
    """Logistic regression on counts of words: what each word adds to its verdict is known."""
    counts = explain.WordCounts([data.sentences[number] for number in training], data.labels.numpy()[training])
    return Reader("word_counts", explain.BlackBox(counts, batch_size=1_000, names=data.class_names), counts.reasons)


# --- trials -----------------------------------------------------------------------------------------------------------


def turning(box: "explain.BlackBox", found: "Sequence[Explanation]", seed: int) -> "dict[str, Array]":
    """Whether the verdict turned after 0, 1, ... words were removed: "named" first, or at "random" (share of draws).

    Shapes: (sentences, REMOVED + 1).
    """
    import numpy as np

    from explain.text import hide_words

    named, chance = [], []
    for number, each in enumerate(found):
        own = np.argsort(-each.weights_of(), kind="stable")[None]
        orders = np.concatenate([own, explain.random_orders(len(each.features), DRAWS, seed + number)])
        turns = explain.turned(box, hide_words(each.settings["text"]), orders, steps=REMOVED)
        named.append(turns[0])
        chance.append(turns[1:].mean(axis=0))
    return {"named": np.array(named, np.float64), "random": np.array(chance)}


def judge(turned: "dict[str, dict[str, Array]]", found: "dict[str, list[Explanation]]", run: kit.Run) -> None:
    """Means over the sentences, their standard errors, and the difference sentence by sentence."""
    import numpy as np

    fits = {name: [each.r2_of() for each in own] for name, own in found.items()}
    run.figure("quality", drawings.draw_quality(turned, fits))
    rows = []
    for name, each in turned.items():
        named, chance = (100 * each[kind][:, DECIDING] for kind in ("named", "random"))
        more = named - chance
        error = float(more.std(ddof=1)) / len(more) ** 0.5
        key = f"removing_{DECIDING}_turns_percent"
        run.summary({f"{key}/{name}_named": float(named.mean()), f"{key}/{name}_random": float(chance.mean())})
        rows.append(
            {
                "reader": name,
                "sentences": len(more),
                "named words turn %": f"{named.mean():.1f}",
                "random words turn %": f"{chance.mean():.1f}",
                "deviation of draws": f"{chance.std(ddof=1):.1f}",
                "more by %": f"{more.mean():.1f} ± {error:.1f}",
            }
        )
        if more.mean() < 3 * error or np.isclose(more.mean(), 0):
            run.note(f"{name}: removing the {DECIDING} words that are named first turns no more verdicts than others")
    run.table("removing_words", rows)


def find_reasons(reader: Reader, found: "Sequence[Explanation]", run: kit.Run) -> None:
    """Are the true reasons of the model that counts words found: the same order, the same strongest words?"""
    from explain.gradients import agreement

    assert reader.true is not None
    pairs = [(reader.true(each), each.weights[max(each.labels)]) for each in found]
    agreed = [agreement(true, weights, DECIDING) for true, weights in pairs]
    run.figure("known_reasons", drawings.draw_reasons(pairs, [each.rank_correlation for each in agreed]))
    run.summary({"known_reasons/rank_correlation": mean(each.rank_correlation for each in agreed)})
    run.summary({"known_reasons/top_3": mean(each.top_overlap for each in agreed)})


def steady(reader: Reader, texts: Sequence[str], config: Config, run: kit.Run) -> None:
    """Do other seeds name the same words?"""
    found = [
        explain.stability(partial(reader.explain, text, config.samples), range(config.repetitions), top=DECIDING)
        for text in texts
    ]
    run.summary({"jaccard_of_top_3": mean(each.jaccard for each in found)})


if __name__ == "__main__":
    kit.launch(main)
