"""Words in colour: why a network praises or blames a film review, by LIME, and whether those words decide it.

A recurrent network learns to tell praise from blame in sentences (or `--run` takes that of a finished run of the lab
`sentiment`). Its verdicts on sentences that it never saw are explained, the mistakes too. Then the explanations are put
on trial: removing the three words that they name first must turn more verdicts than removing three at random; and of a
model that counts words, whose true reasons are known, they must find those. (Ribeiro et al. 2016, arXiv:1602.04938.)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge

import explain
import foundations
import labs.kit as kit
from foundations.errors import require
from labs.drawings import explain_text as drawings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from explain import Explanation
    from foundations.text import Vocabulary
    from labs.kit.data import SentenceData
    from labs.kit.models import Kept

topic = "explanation"
MADE_UP = "made_up"
COUNTS = "word_counts"
"""The model whose reasons are known."""
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
    """A model that reads texts, by name."""

    name: str
    box: "explain.BlackBox"

    def explain(self, text: str, samples: int, seed: int) -> "Explanation":
        """Every word's weight for each class."""
        return explain.explain_text(self.box, text, samples=samples, seed=seed)


def main(config: Config, run: kit.Run) -> None:
    """Train or load, explain sentences, put the explanations on trial."""
    kept = run.load_model(config.run, lab="sentiment", data=config.data) if config.run else None
    data = made_up() if config.data == MADE_UP else run.load_sentences(config.data)
    training, test = divide(data, kept.config["seed"] if kept else config.seed)
    network = finished(kept, data) if kept else train(data, training, config, run)
    counts = explain.WordCounts([data.sentences[number] for number in training], data.labels.numpy()[training])
    readers = [network, Reader(COUNTS, explain.BlackBox(counts, batch_size=1_000, names=data.class_names))]
    labels = data.labels.numpy()[test]
    sentences = [data.sentences[number] for number in test]
    for reader in readers:
        right = float((reader.box(sentences).argmax(axis=1) == labels).mean())
        run.summary({f"test_accuracy/{reader.name}": right})
    order = run.streams.numpy("explained").permutation(len(sentences))
    different = [len(set(re.findall(r"\w+", sentence.lower()))) for sentence in sentences]
    chosen = [int(number) for number in order if different[number] >= FEWEST][: config.explained]
    require(len(chosen) >= 2, "data", config.data, f"test sentences of at least {FEWEST} different words")
    texts, truths = [sentences[number] for number in chosen], labels[chosen]
    found = {reader.name: [reader.explain(text, config.samples, config.seed) for text in texts] for reader in readers}
    look_at_sentences(network, found[network.name], truths, data.class_names, config, run)
    means = explain.mean_weights(found[network.name], len(data.class_names) - 1, SAID_BEFORE)
    run.figure("strongest_words", drawings.draw_strongest(means, data.class_names))
    judge(readers, found, config, run)
    find_reasons(counts, found[COUNTS], run)
    steady(network, texts[:10], config, run)


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

    right, wrong = (explain.surest_answers(found, truths, right=right) for right in (True, False))
    shown = {f"right {place}": each for place, each in enumerate(right[:EACH], 1)}
    shown |= {f"mistake {place}": each for place, each in enumerate(wrong[:EACH], 1)}
    chosen = {name: found[number] for name, number in shown.items()}
    again = {name: partial(reader.explain, each.settings["text"]) for name, each in chosen.items()}
    seeds = range(config.repetitions)
    trust = explain.examine(chosen, again, samples=config.samples, seeds=seeds, top=DECIDING)
    said = {name: class_names[int(truths[number])] for name, number in shown.items()}
    run.figure("words_in_colour", drawings.draw_sentences(trust, said, class_names, reader.name))
    if wrong:
        page = highlighted_html(*(found[number] for number in wrong[:5]))
        run.file("worst_mistakes.html", lambda path: path.write_text(page, encoding="utf-8"))
    drawings.show_trust(trust, run)


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


# --- readers ----------------------------------------------------------------------------------------------------------


def train(data: "SentenceData", training: "NDArray[np.int64]", config: Config, run: kit.Run) -> Reader:
    """A network that learns the training sentences; it keeps the weights with the best accuracy on a tenth of them."""
    from foundations.networks.sentence import SentenceClassifier, hide_words
    from foundations.text import BucketedBatches, Vocabulary, words

    labels = data.labels.to(run.device)
    parts = foundations.preprocessing.stratified_split(data.labels.numpy()[training], (0.9, 0.1), config.seed)
    learned, held = (training[part] for part in parts)
    vocabulary = Vocabulary.build((words(data.sentences[each]) for each in learned), unknown="map")
    tokens = explain.read_words(vocabulary)(data.sentences).to(run.device)
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
    """Texts to the probabilities of the classes."""
    import torch

    classifier = torch.nn.Sequential(network, foundations.Softmax(dim=1))
    return explain.BlackBox(classifier, prepare=explain.read_words(vocabulary), batch_size=256, names=class_names)


def finished(kept: "Kept", data: "SentenceData") -> Reader:
    """The network that a run of the lab sentiment kept; the test sentences are those that it never saw."""
    from foundations.text import Vocabulary

    vocabulary = Vocabulary.load(kept.file("vocabulary.json"))
    return Reader(kept.name, reading(kept.module, vocabulary, data.class_names))


# --- trials -----------------------------------------------------------------------------------------------------------


def judge(readers: "Sequence[Reader]", found: "dict[str, list[Explanation]]", config: Config, run: kit.Run) -> None:
    """Do more verdicts turn without the words named first than without others? Sentence by sentence."""
    import numpy as np

    settings = {"steps": REMOVED, "draws": DRAWS, "seed": config.seed}
    turned = {each.name: explain.turn_by_removing(each.box, found[each.name], **settings) for each in readers}
    fits = {name: [each.r2_of() for each in own] for name, own in found.items()}
    run.figure("quality", drawings.draw_quality(turned, fits))
    key, rows = f"removing_{DECIDING}_turns_percent", []
    for name, each in turned.items():
        named, chance = 100.0 * each.named[:, DECIDING], 100 * each.random[:, :, DECIDING].mean(axis=1)
        more = explain.paired_lead(named, chance)
        run.summary({f"{key}/{name}_named": float(named.mean()), f"{key}/{name}_random": float(chance.mean())})
        rows.append(drawings.removal_row(name, named, chance, more))
        if not more.clear:
            run.note(f"{name}: removing the {DECIDING} words that are named first turns no more verdicts than others")
    run.table("removing_words", rows)
    run.summary({f"median_r2/{name}": float(np.median(own)) for name, own in fits.items()})


def find_reasons(counts: "explain.WordCounts", found: "Sequence[Explanation]", run: kit.Run) -> None:
    """Are the true reasons of the model that counts words found: the same order, the same strongest words?"""
    pairs = [(counts.reasons(each), each.weights[max(each.labels)]) for each in found]
    agreed = [explain.agreement(true, weights, DECIDING) for true, weights in pairs]
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
