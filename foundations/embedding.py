"""Embeddings: a learned vector for each token."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foundations import initializers
from foundations.errors import InputError, require
from foundations.layers import Body, TwoBodies


class Embedding(TwoBodies):
    """A learned vector for each token: y = one_hot(token) W, the row of W with the token's number.

    Shapes: tokens (...), int64, -> y (..., features); weight (vocabulary_size, features). It begins as N(0, 1), drawn
    from `generator` (None: torch's default stream). Twin of `torch.nn.Embedding`.
    Raises: InputError for sizes below 1, tokens that are not whole numbers, and unknown ones (on an accelerator the
    last is left to the device, which cannot be asked without waiting for it).
    """

    def __init__(
        self, vocabulary_size: int, features: int, *, generator: torch.Generator | None = None, body: Body = "kernel"
    ) -> None:
        super().__init__(body)
        require(vocabulary_size >= 1, "vocabulary_size", vocabulary_size, "at least 1")
        require(features >= 1, "features", features, "at least 1")
        self.weight = nn.Parameter(initializers.normal_(torch.empty(vocabulary_size, features), 1, generator=generator))

    def equations(self, x: Tensor) -> Tensor:
        """A product with the one-hot rows: nearly all of it with 0."""
        return F.one_hot(x, len(self.weight)).to(self.weight.dtype) @ self.weight

    def kernel(self, x: Tensor) -> Tensor:
        """The row is read and nothing multiplied."""
        return F.embedding(x, self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (...) -> (..., features)."""
        require(x.dtype == torch.int64, "tokens dtype", x.dtype, "torch.int64")
        if x.is_cpu and x.numel() > 0:
            least, largest = (int(each) for each in x.aminmax())
            if least < 0 or largest >= len(self.weight):
                token = least if least < 0 else largest
                raise InputError(f"token={token}: must be from 0 to {len(self.weight) - 1}, the vocabulary")
        return super().forward(x)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}"


def require_tokens(tokens: Tensor, name: str = "tokens") -> None:
    """Raise InputError unless `tokens` are int64 (batch, time), one token at least."""
    if tokens.dim() != 2 or tokens.numel() == 0 or tokens.dtype != torch.int64:
        had = f"{tuple(tokens.shape)} of {tokens.dtype}"
        raise InputError(f"{name}={had}: must be whole numbers (batch, time) of torch.int64, one token at least")
