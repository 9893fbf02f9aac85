"""A classifier of sentences: a vector for each word, an encoder in which words see each other, one vector of all."""

from typing import Literal, TypedDict, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foundations import initializers
from foundations.attention import additive_attention, padding_mask
from foundations.embedding import Embedding, require_tokens
from foundations.errors import InputError, require, require_choice
from foundations.layers import Dropout, Linear
from foundations.modes import evaluation_mode
from foundations.networks.transformer import TransformerEncoder
from foundations.positions import sinusoidal_positions
from foundations.recurrent import RECURRENT, Recurrent, RecurrentKind, initialize_recurrent_
from foundations.text import Vocabulary, lengths_of

EncoderKind = RecurrentKind | Literal["transformer"]
PoolingKind = Literal["attention", "max", "last"]
FIRST_SIZE = 0.1
"""Standard deviation of the first word vectors: small, so that what is learned of a word soon outweighs chance."""
HIDDEN_OF_ATTENTION = 64


class _Drawn(TypedDict):
    dropout: float
    generator: torch.Generator | None
    dropout_generator: torch.Generator | None


class AttentionPooling(nn.Module):
    """One vector of all places: c = sum_t a_t h_t with a_t = softmax_t(w . tanh(W h_t + q)), q a learned query.

    Shapes: h (batch, time, features), mask (batch, 1, time), True at words -> c (batch, features), a (batch, time).
    Source: Yang et al. 2016, NAACL, section 2.2.
    """

    def __init__(self, features: int, hidden_size: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.map = Linear(features, hidden_size, bias=False, generator=generator)
        self.query = nn.Parameter(torch.zeros(hidden_size))
        first = torch.empty(1, hidden_size)
        initializers.fan_in_uniform_(first, None, generator=generator)
        self.direction = nn.Parameter(first[0])

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The vector, and how much of it each place gave."""
        query = self.query.expand(len(x), 1, -1)
        pooled, weights = additive_attention(query, self.map(x), x, self.direction, mask)
        return pooled[:, 0], weights[:, 0]


class SentenceClassifier(nn.Module):
    """Logits of a sentence: words -> vectors x_t -> encoder h_t -> pooling c -> W c + b.

    The encoder is a recurrent network from both ends, or a Transformer with fixed waves for the places. `pooling`:
    - "attention": a weighted mean of the places, see `AttentionPooling`; the weights can be shown;
    - "max": of each feature the largest over all places;
    - "last": what the encoder shows when it has read all: forwards at the last word, backwards at the first.
    With the first two a place is [h_t, x_t], the word in its context and by itself (as in Lai et al. 2015): the encoder
    has to learn only what the words alone do not say.

    `dropout` acts on the word vectors and before the logits; within the encoder a third of it does.
    Shapes: tokens (batch, time), int64, padded behind with 0 -> logits (batch, classes). What padding there is changes
    nothing. `hidden_size` is a recurrent network's in each direction; a Transformer is `embed_dim` wide.
    Raises: InputError for impossible sizes, unknown kinds, and tokens that are none, unknown, or nothing but padding.
    """

    def __init__(
        self,
        vocabulary_size: int,
        classes: int = 2,
        encoder: EncoderKind = "lstm",
        *,
        pooling: PoolingKind = "attention",
        embed_dim: int = 64,
        hidden_size: int = 48,
        num_layers: int = 1,
        num_heads: int = 4,
        dropout: float = 0.5,
        generator: torch.Generator | None = None,
        dropout_generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        require_choice("encoder", encoder, (*RECURRENT, "transformer"))
        require_choice("pooling", pooling, get_args(PoolingKind))
        require(classes >= 2, "classes", classes, "at least 2")
        self.pooling_kind = pooling
        self.embedding = Embedding(vocabulary_size, embed_dim, generator=generator)
        initializers.normal_(self.embedding.weight, FIRST_SIZE, generator=generator)
        inner = dropout / 3 if num_layers > 1 or encoder == "transformer" else 0.0
        drawn: _Drawn = {"dropout": inner, "generator": generator, "dropout_generator": dropout_generator}
        self.encoder: nn.Module
        if encoder == "transformer":
            self.encoder = TransformerEncoder(num_layers, embed_dim, num_heads, 2 * embed_dim, **drawn)
            features = embed_dim
        else:
            self.encoder = RECURRENT[encoder](embed_dim, hidden_size, num_layers, bidirectional=True, **drawn)
            initialize_recurrent_(self.encoder, generator)
            features = 2 * hidden_size
        features += 0 if pooling == "last" else embed_dim
        attends = pooling == "attention"
        self.pool = AttentionPooling(features, HIDDEN_OF_ATTENTION, generator=generator) if attends else None
        self.dropout = Dropout(dropout, generator=dropout_generator)
        self.head = Linear(features, classes, generator=generator)

    def forward(self, tokens: Tensor) -> Tensor:
        """Shapes: (batch, time) -> (batch, classes)."""
        places, lengths = self._places(tokens)
        logits: Tensor = self.head(self.dropout(self._pooled(places, lengths)))
        return logits

    @torch.no_grad()
    def attention(self, tokens: Tensor) -> Tensor:
        """How much of the sentence's vector each word gave, in evaluation mode; rows sum to 1, padding has 0.

        Shapes: (batch, time), kept. Raises: InputError unless `pooling` is "attention".
        """
        if self.pool is None:
            raise InputError(f"pooling={self.pooling_kind!r}: must be 'attention' to have weights")
        with evaluation_mode(self):
            places, lengths = self._places(tokens)
            weights: Tensor = self.pool(places, padding_mask(lengths, places.shape[1]))[1]
        return F.pad(weights, (0, tokens.shape[1] - weights.shape[1]))

    def _places(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """A vector for each word in its sentence, (batch, longest, features), and the lengths (batch)."""
        require_tokens(tokens)
        lengths = lengths_of(tokens)
        x = self.dropout(self.embedding(tokens[:, : int(lengths.max())]))
        if isinstance(self.encoder, Recurrent):
            shown = self.encoder(x, lengths=lengths)[0]
        else:
            waves = sinusoidal_positions(x.shape[1], x.shape[2]).to(x.device, x.dtype)
            shown = self.encoder(x + FIRST_SIZE * waves, padding_mask(lengths, x.shape[1]))
        return shown if self.pooling_kind == "last" else torch.cat([shown, x], dim=2), lengths

    def _pooled(self, places: Tensor, lengths: Tensor) -> Tensor:
        mask = padding_mask(lengths, places.shape[1])
        if self.pool is not None:
            pooled: Tensor = self.pool(places, mask)[0]
            return pooled
        if self.pooling_kind == "max":
            return places.masked_fill(~mask.mT, -torch.inf).amax(dim=1)
        last = places[torch.arange(len(places), device=places.device), lengths - 1]
        if not isinstance(self.encoder, Recurrent):
            return last
        size = self.encoder.hidden_size
        return torch.cat([last[:, :size], places[:, 0, size:]], dim=1)


def hide_words(tokens: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Make this `share` of the words <unk>: no sentence is known by one word, and <unk> gets a meaning.

    Shapes: tokens (batch, time), kept; padding stays. Raises: InputError unless 0 <= share <= 1.
    Source: word dropout, Iyyer et al. 2015, ACL, section 3.
    """
    require(0 <= share <= 1, "share", share, "between 0 and 1")
    hidden = torch.rand(tokens.shape, generator=generator, device=tokens.device) < share
    return tokens.masked_fill(hidden & (tokens != Vocabulary.pad), Vocabulary.unknown_token)
