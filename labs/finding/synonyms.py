"""Words that mean the same: as the code says itself, and customary ones that it never spells out."""

import re
from collections.abc import Iterable

from labs.finding.index import Entry
from labs.finding.words import STOP, spelled, terms

Phrase = tuple[str, ...]
CUSTOMARY = (
    ("variational autoencoder", "vae"),
    ("advantage actor critic", "a2c"),
    ("deep q learning", "deep q network", "dqn"),
    ("multilayer perceptron", "mlp", "feed forward network"),
    ("elman network", "rnn", "recurrent neural network"),
    ("convolutional network", "cnn", "convnet"),
    ("kullback leibler", "kl"),
    ("generalized advantages", "gae"),
    ("stochastic gradient descent", "sgd"),
    ("annealed importance sampling", "ais"),
    ("fast gradient sign", "fgsm"),
    ("projected gradient", "pgd"),
    ("principal components", "pca"),
    ("frechet distance", "fid"),
    ("evidence lower bound", "elbo"),
    ("glorot", "xavier"),
    ("he", "kaiming"),
    ("normalization", "norm"),
    ("convolution", "conv"),
    ("warm up", "warmup"),
    ("encoder decoder", "seq2seq", "sequence to sequence"),
    ("residual connection", "skip connection"),
    ("hyper parameter", "hyperparameter", "setting"),
    ("back propagation", "backprop"),
    ("back propagation through time", "bptt"),
    ("upper confidence bound", "ucb", "ucb1"),
    ("experience replay", "replay"),
    ("reparameterize", "reparametrize"),
)


def groups_of(code: Iterable[Entry]) -> list[tuple[Phrase, ...]]:
    """Groups of phrases that mean the same: `CUSTOMARY`, and what the code's own words tell."""
    customary = [tuple(tuple(terms(phrase)) for phrase in group) for group in CUSTOMARY]
    return customary + [pair for entry in code for pair in _said(entry)]


def _said(entry: Entry) -> list[tuple[Phrase, Phrase]]:
    """A name in capitals and what it stands for, where its first lines spell it: LSTM, Long short-term memory."""
    if not re.fullmatch("[A-Z]{3,5}", entry.short):
        return []
    words = spelled(f"{entry.summary} / {entry.texts['context']}")
    letters = entry.short.lower()
    rows = (words[start : start + len(letters)] for start in range(len(words) - len(letters) + 1))
    spelling = (row for row in rows if "".join(word[0] for word in row).lower() == letters)
    found = next((row for row in spelling if not STOP & {word.lower() for word in row}), None)
    return [(tuple(terms(entry.short)), tuple(terms(" ".join(found))))] if found else []
