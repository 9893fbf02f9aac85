"""From text to tensors of whole numbers: tokens, their vocabulary, padding, batches of similar lengths."""

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from foundations.batches import Batches
from foundations.errors import InputError, require, require_choice

PAD, UNKNOWN, BEGIN, END = "<pad>", "<unk>", "<bos>", "<eos>"
SPECIALS = (PAD, UNKNOWN, BEGIN, END)
"""The first entries of every vocabulary: filling, a token not in it, the beginning and the end of a sequence."""

Unknown = Literal["refuse", "map"]
"""What becomes of a token that is not in the vocabulary: an error, or <unk>."""

_WORD = r"[^\W_]"
_WORDS = re.compile(rf"{_WORD}+?(?=n't(?!{_WORD}))|n't(?!{_WORD})|'(?:s|ve|re|d|ll|m)(?!{_WORD})|{_WORD}+|[^\w\s]|_")


def characters(text: str) -> list[str]:
    """Every character of `text` is a token, spaces and line ends too; joined they are the text again."""
    return list(text)


def words(text: str) -> list[str]:
    """Words in lower case and marks of punctuation are tokens: "Don't!" gives do, n't, !.

    English contractions are split as in treebanks; letters of every alphabet belong to words, and an accent is the same
    whether it was typed with its letter or after it. After the cleaning of Kim 2014, arXiv:1408.5882.
    """
    return _WORDS.findall(unicodedata.normalize("NFC", text).lower().replace("’", "'"))


class Vocabulary:
    """Tokens and their numbers: 0 is <pad>, 1 <unk>, 2 <bos>, 3 <eos>, then the tokens that it was made of.

    With `unknown="map"` a token that is not in it becomes <unk>; with "refuse" (the default) it is an error.
    Raises: InputError for no tokens, a token that comes twice or has a special's name, and for another `unknown`.
    """

    pad, unknown_token, begin, end = range(len(SPECIALS))

    def __init__(self, tokens: Iterable[str], *, unknown: Unknown = "refuse") -> None:
        require_choice("unknown", unknown, get_args(Unknown))
        self.tokens, self.unknown = (*SPECIALS, *tokens), unknown
        require(len(self.tokens) > len(SPECIALS), "tokens", "none", "at least one")
        self._numbers = {token: number for number, token in enumerate(self.tokens)}
        if len(self._numbers) < len(self.tokens):
            (twice, _), *_ = Counter(self.tokens).most_common(1)
            raise InputError(f"token {twice!r}: must be there once, and not be one of {', '.join(SPECIALS)}")

    @classmethod
    def build(
        cls,
        sequences: Iterable[Iterable[str]],
        *,
        minimum_count: int = 1,
        size: int | None = None,
        unknown: Unknown = "refuse",
    ) -> "Vocabulary":
        """The tokens of `sequences` that come at least `minimum_count` times, the most frequent first, `size` at most.

        Tokens that come equally often are in the order of the alphabet; `size` counts the specials too.
        Raises: InputError where no token is left, for a count below 1, and for a size without room for tokens.
        """
        require(minimum_count >= 1, "minimum_count", minimum_count, "at least 1")
        room = f"above {len(SPECIALS)}, the number of special tokens"
        require(size is None or size > len(SPECIALS), "size", size, room)
        counts = Counter(token for sequence in sequences for token in sequence)
        frequent = [token for token, count in counts.items() if count >= minimum_count]
        frequent.sort(key=lambda token: (-counts[token], token))
        return cls(frequent[: None if size is None else size - len(SPECIALS)], unknown=unknown)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._numbers

    def encode(self, tokens: Iterable[str], *, begin: bool = False, end: bool = False) -> list[int]:
        """The tokens' numbers, with <bos> in front and <eos> behind where asked for.

        Raises: InputError for a token that is not in the vocabulary, unless such become <unk>.
        """
        numbers = [self.begin] if begin else []
        if self.unknown == "map":
            numbers += [self._numbers.get(token, self.unknown_token) for token in tokens]
        else:
            numbers += [self._number(token) for token in tokens]
        return [*numbers, self.end] if end else numbers

    def _number(self, token: str) -> int:
        number = self._numbers.get(token)
        if number is None:
            allowed = f'one of the vocabulary\'s {len(self):,}; build it with unknown="map" to read such as {UNKNOWN}'
            raise InputError(f"token {token!r}: must be {allowed}")
        return number

    def decode(self, numbers: "Iterable[int] | Tensor") -> list[str]:
        """The tokens of `numbers` up to the first <eos>, without <pad> and <bos>.

        Raises: InputError for a number that the vocabulary does not have.
        """
        tokens = []
        for number in numbers.tolist() if isinstance(numbers, Tensor) else numbers:
            require(0 <= number < len(self), "token number", number, f"between 0 and {len(self) - 1}")
            if number == self.end:
                break
            if number not in (self.pad, self.begin):
                tokens.append(self.tokens[number])
        return tokens

    @property
    def fingerprint(self) -> str:
        """Sixteen signs that tell this vocabulary from any other: the same tokens in the same order have the same."""
        return hashlib.sha256(json.dumps(self.tokens).encode()).hexdigest()[:16]

    def save(self, file: Path | str) -> None:
        """Write it as JSON: tokens, what becomes of unknown ones, fingerprint."""
        content = {"fingerprint": self.fingerprint, "unknown": self.unknown, "tokens": self.tokens[len(SPECIALS) :]}
        Path(file).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path | str, *, fingerprint: str | None = None) -> "Vocabulary":
        """Read what `save` wrote; `fingerprint` is that of the vocabulary which the weights were trained with.

        Raises: InputError for a file that cannot be read, was changed since, or belongs to another run.
        """
        try:
            content = json.loads(Path(file).read_text(encoding="utf-8"))
            found = cls(content["tokens"], unknown=content["unknown"])
            written = content["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = type(error).__name__ if isinstance(error, KeyError | TypeError) else error
            raise InputError(
                f"vocabulary {str(file)!r}: must be a file that Vocabulary.save wrote ({reason})"
            ) from None
        same = f"{found.fingerprint}, that of its tokens: the file was changed since it was written"
        require(written == found.fingerprint, "vocabulary fingerprint", written, same)
        trained = f"{fingerprint}, that of the vocabulary which the model was trained with: the file is another run's"
        require(fingerprint in (None, written), "vocabulary fingerprint", written, trained)
        return found


def pad(sequences: Sequence[Sequence[int]], size: int | None = None) -> tuple[Tensor, Tensor]:
    """All sequences below each other, the shorter ones filled up behind with <pad>, to `size` or else the longest.

    Shapes: tokens (batch, size), int64, and lengths (batch), int64.
    Raises: InputError for no sequences, an empty one, and one longer than `size`.
    """
    require(len(sequences) > 0, "sequences", "none", "at least one")
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    longest = int(lengths.max())
    size = longest if size is None else size
    require(longest <= size, "sequence", f"of {longest} tokens", f"of {size} tokens at most")
    empty = int(lengths.argmin())
    require(int(lengths[empty]) > 0, "sequence", "[]", f"of one token at least; number {empty} is empty")
    rows = [[*sequence, *[Vocabulary.pad] * (size - len(sequence))] for sequence in sequences]
    return torch.tensor(rows, dtype=torch.int64), lengths


def lengths_of(tokens: Tensor, name: str = "tokens") -> Tensor:
    """How many tokens each row has before its padding. Shapes: (batch, time), padded behind with 0, -> (batch).

    Raises: InputError for padding elsewhere, and for rows of nothing but padding.
    """
    real = tokens != Vocabulary.pad
    lengths = real.sum(dim=1)
    behind = torch.arange(tokens.shape[1], device=tokens.device) >= lengths[:, None]
    require(not bool((real & behind).any()), name, "padding before tokens", "padded behind the tokens only")
    require(bool((lengths >= 1).all()), name, "nothing but padding", "a token at least in each row: one is empty")
    return lengths


class BucketedBatches(Batches):
    """Batches of sequences of similar lengths, so that little of a batch is padding; every index once an epoch.

    An epoch's order is drawn as for `Batches`; then pools of `pool` batches each are sorted by length, cut into
    batches, and all these batches are drawn in a new order. A larger pool pads less and mixes less. The last, smaller
    batch is made of what came last in the first order, whatever its lengths: leaving it out (`drop_last`) favours none.

    Yields: index tensors of shape (batch_size,), int64, on the generator's device.
    Raises: InputError as `Batches`, for lengths that are not (count) whole numbers above 0, and for a pool below 1.
    """

    def __init__(
        self,
        lengths: Tensor,
        batch_size: int,
        generator: torch.Generator,
        *,
        pool: int = 50,
        drop_last: bool = False,
    ) -> None:
        whole = lengths.dim() == 1 and not lengths.is_floating_point()
        require(whole, "lengths", f"{tuple(lengths.shape)} of {lengths.dtype}", "(count), of whole numbers")
        require(bool((lengths >= 1).all()), "lengths", "0 or less", "at least 1: empty sequences have nothing to learn")
        require(pool >= 1, "pool", pool, "at least 1 batch")
        self._lengths, self._pool = lengths.to(generator.device), pool
        super().__init__(len(lengths), batch_size, generator, drop_last=drop_last)

    def _start_epoch(self) -> None:
        super()._start_epoch()
        count = self.count // self.batch_size
        order, rest = self._order.tensor_split([count * self.batch_size])
        pool = torch.arange(len(order), device=order.device) // (self._pool * self.batch_size)
        lengths = self._lengths[order]
        order = order[(pool * (lengths.max() + 1) + lengths).argsort(stable=True)]
        shuffled = torch.randperm(count, generator=self._generator, device=order.device)
        self._order = torch.cat([order.view(count, self.batch_size)[shuffled].flatten(), rest])
