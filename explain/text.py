"""LIME for text: which words (or characters) drive the answer, found by leaving them out in many ways."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from explain.blackbox import BlackBox
from explain.explanation import Explanation
from explain.quality import random_orders
from explain.surrogate import fit_all, kernel_weights
from explain.trials import Turning, turn_by_hiding
from foundations.errors import require, require_choice
from foundations.text import Vocabulary, pad, words

Array = NDArray[np.float64]
Masks = NDArray[np.bool_]

Unit = Literal["word", "character"]
"""What is left out: runs of letters, digits and _, or every single character, blanks too."""
PERCENT = 100
"""Distances are in percent, as lime has them, and so is the kernel's width."""


def explain_text(
    black_box: BlackBox,
    text: str,
    *,
    unit: Unit = "word",
    mask: str | None = None,
    samples: int = 5000,
    count: int | None = None,
    labels: Iterable[int] | None = None,
    kernel_width: float = 25,
    seed: int,
) -> Explanation:
    """The weights of a text's words for the black box's answer, by LIME.

    Each of `samples` copies lacks some words: how many is drawn from 1 to all, and then which. A line is fitted to the
    answers, in which a word counts 1 where it is there and 0 where it is not. Copies count the more, the nearer they
    are: their distance is the cosine's, 100 (1 - sqrt(share of words that are there)). Equal texts are answered once.
    Equal to lime's `LimeTextExplainer` of the same seed.

    Without a `mask` a word is one feature wherever it occurs, and is removed everywhere at once: right for models that
    count words. With one, each place is a feature of its own, and `mask` is written there: right for models that read
    in order, if they know the mask as a word that says nothing.
    The model gets lists of texts. `labels`: see `BlackBox.choose_labels`. `count`: words kept for each label, None
    for all. The text lies in the explanation's settings, so that `draw_words` can colour it.
    Raises: InputError for a text without words, a mask that hides nothing, and fewer than 2 samples.
    Source: Ribeiro et al. 2016, arXiv:1602.04938.
    """
    require(isinstance(black_box, BlackBox), "black_box", type(black_box).__name__, "an explain.BlackBox(model)")
    require(samples >= 2, "samples", samples, "at least 2")
    require(seed >= 0, "seed", seed, "an integer >= 0")
    parts = TextParts.of(text, unit, mask)
    shown = _draw(np.random.RandomState(seed), samples, len(parts.words))
    answers = _answers(black_box, parts.texts(shown))
    near = kernel_weights(PERCENT * (1 - np.sqrt(shown.mean(axis=1))), kernel_width)
    chosen = black_box.choose_labels(answers[0], labels)
    surrogate = fit_all(shown.astype(np.float64), answers, near, chosen, count=count)
    settings = {"text": text, "unit": unit, "mask": mask, "count": count, "kernel_width": kernel_width}
    about: dict[str, Any] = {"seed": seed, "samples": samples, "settings": settings, "columns": parts.words}
    return Explanation.of("text", parts.names, surrogate, answers[0], black_box, **about)


def hide_words(text: str, *, unit: Unit = "word", mask: str | None = None) -> Callable[[Masks], list[str]]:
    """A function from masks (n, words), True where a word is hidden, to the n texts that remain.

    The words are those of `explain_text` with the same settings. For `deletion_curve` and `insertion_curve`.
    """
    parts = TextParts.of(text, unit, mask)
    return lambda hidden: parts.texts(~np.asarray(hidden, np.bool_))


def turn_by_removing(
    black_box: BlackBox, found: Sequence[Explanation], *, steps: int, draws: int, seed: int
) -> Turning:
    """Whether each text's verdict turned after 0, 1, ..., `steps` words were removed, those first that speak for it.

    Beside it `draws` orders at random for each text. For explanations by `explain_text`, at least `steps` words each.
    """
    hides = [
        hide_words(each.settings["text"], unit=each.settings["unit"], mask=each.settings["mask"]) for each in found
    ]
    orders = [np.argsort(-each.weights_of(), kind="stable") for each in found]
    chance = [random_orders(len(own), draws, seed + number) for number, own in enumerate(orders)]
    return turn_by_hiding(black_box, hides, orders, chance, steps=steps)


def read_words(vocabulary: Vocabulary) -> Callable[[Sequence[str]], Tensor]:
    """From texts to the rows of word numbers that a network reads, (texts, longest): to `prepare` a `BlackBox`.

    A text of which nothing is left is one unknown word.
    """
    return lambda texts: pad([vocabulary.encode(words(text)) or [vocabulary.unknown_token] for text in texts])[0]


@dataclass(frozen=True)
class TextParts:
    """A text in pieces, which joined are the text again. `owners`: the feature of each piece, -1 for what stays."""

    pieces: tuple[str, ...]
    owners: tuple[int, ...]
    words: tuple[str, ...]
    mask: str | None

    @classmethod
    def of(cls, text: str, unit: Unit = "word", mask: str | None = None) -> "TextParts":
        """Raises: InputError for what is no text, has no words, or cannot be masked."""
        require_choice("unit", unit, get_args(Unit))
        require(isinstance(text, str), "text", type(text).__name__, "a str, one text")
        require(mask is None or isinstance(mask, str), "mask", mask, "a str, or None to remove words")
        pieces = tuple(re.findall(r"\w+|\W+", text)) if unit == "word" else tuple(text)
        is_word = [unit == "character" or re.match(r"\w", piece) is not None for piece in pieces]
        fix = "at least one letter or digit" + ("; or unit='character'" if text else "")
        require(any(is_word), "text", text[:40], fix)
        found = list(compress(pieces, is_word))
        require(mask is None or mask not in found, "mask", mask, "no word of the text itself: nothing would be hidden")
        if mask is None:
            words = tuple(dict.fromkeys(found))
            numbers = {word: number for number, word in enumerate(words)}
            owners = [numbers[piece] if counts else -1 for piece, counts in zip(pieces, is_word, strict=True)]
        else:
            words = tuple(found)
            places = iter(range(len(words)))
            owners = [next(places) if counts else -1 for counts in is_word]
        return cls(pieces, tuple(owners), words, mask)

    @property
    def names(self) -> tuple[str, ...]:
        """What the features are called: the words; the second "good" by its place is "good (2)"."""
        seen: dict[str, int] = {}
        names = []
        for word in self.words:
            seen[word] = seen.get(word, 0) + 1
            names.append(word if seen[word] == 1 else f"{word} ({seen[word]})")
        return tuple(names)

    def texts(self, shown: Masks) -> list[str]:
        """The text with only the words that are shown. Shapes: (n, words) -> n texts. Raises: InputError."""
        fits = shown.ndim == 2 and shown.shape[1] == len(self.words)
        require(fits, "masks", shown.shape, f"(n, {len(self.words)}), one column for each of the text's words")
        stays = np.concatenate([shown, np.ones((len(shown), 1), np.bool_)], axis=1)  # the last one for owner -1
        kept = stays[:, self.owners].tolist()  # (n, pieces)
        if self.mask is None:
            return ["".join(compress(self.pieces, row)) for row in kept]
        both = [(self.mask, piece) for piece in self.pieces]
        return ["".join([pair[stay] for pair, stay in zip(both, row, strict=True)]) for row in kept]


def _draw(random: np.random.RandomState, samples: int, words: int) -> Masks:
    """Which words each copy has, the first one all of them. Shape: (samples, words)."""
    shown = np.ones((samples, words), np.bool_)
    for row, size in zip(shown[1:], random.randint(1, words + 1, samples - 1), strict=True):
        row[random.permutation(words)[:size]] = False
    return shown


def _answers(black_box: BlackBox, texts: Sequence[str]) -> Array:
    """What the black box says of each text; of short texts many copies are alike."""
    places: dict[str, int] = {}
    where = [places.setdefault(text, len(places)) for text in texts]
    answers: Array = black_box(list(places))[where]
    return answers
