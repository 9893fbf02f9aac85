"""A language model that reads with an LSTM: all that it remembers of the text so far is one state."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from foundations import initializers
from foundations.embedding import Embedding, require_tokens
from foundations.layers import Body, Dropout, Linear
from foundations.recurrent import LSTM, State, initialize_recurrent_


@dataclass
class RecurrentCache:
    """The LSTM's state behind the last token that was read; None at the beginning."""

    state: State | None = None


class RecurrentLanguageModel(nn.Module):
    """p(next token | all tokens so far): h_t = LSTM(embedding of token t, h_{t-1}), logits W h_t + b.

    The state is all zeros at the first token; there is no longest sequence. `dropout` acts on embeddings, between
    layers and before the logits.

    Shapes: tokens (batch, time), int64 -> logits (batch, time, vocabulary_size).
    With a `cache` (of `new_cache`) the tokens go on from those of earlier calls.
    Raises: InputError for impossible sizes, and for tokens that are none or unknown (on an accelerator the latter is
    left to the device, which cannot ask without waiting).
    Source: Mikolov et al. 2010, Interspeech; with LSTM: Graves 2013, arXiv:1308.0850.
    """

    context = None

    def __init__(
        self,
        vocabulary_size: int,
        *,
        num_layers: int = 1,
        embed_dim: int = 64,
        hidden_size: int = 256,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
        dropout_generator: torch.Generator | None = None,
        body: Body = "kernel",
    ) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.embedding = Embedding(vocabulary_size, embed_dim, generator=generator)
        initializers.normal_(self.embedding.weight, embed_dim**-0.5, generator=generator)
        self.dropout = Dropout(dropout, generator=dropout_generator)
        self.lstm = LSTM(
            embed_dim, hidden_size, num_layers, dropout=dropout if num_layers > 1 else 0.0,
            generator=generator, dropout_generator=dropout_generator, body=body,
        )  # fmt: skip
        initialize_recurrent_(self.lstm, generator)
        self.head = Linear(hidden_size, vocabulary_size, generator=generator)

    def forward(self, tokens: Tensor, cache: RecurrentCache | None = None) -> Tensor:
        """Shapes: (batch, time) -> (batch, time, vocabulary_size)."""
        logits: Tensor = self.head(self.dropout(self.states(tokens, cache)))
        return logits

    def states(self, tokens: Tensor, cache: RecurrentCache | None = None) -> Tensor:
        """What the LSTM shows after each token, h_t. Shapes: (batch, time) -> (batch, time, hidden_size)."""
        require_tokens(tokens)
        x = self.dropout(self.embedding(tokens))
        shown: Tensor
        shown, state = self.lstm(x, cache.state if cache else None)
        if cache:
            cache.state = state
        return shown

    def new_cache(self) -> RecurrentCache:
        """Nothing read yet."""
        return RecurrentCache()
