"""Encoder and decoder: one sequence is read, another is written, which looks back at the first while it grows.

Both kinds, recurrent and Transformer, do the same three things: `encode` the source, `decode` a target that is known
(teacher forcing: all steps at once), and take one `step` after another where it is not.
Source: Sutskever et al. 2014, arXiv:1409.3215; Bahdanau et al. 2014, arXiv:1409.0473.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from foundations.attention import AdditiveAttention, padding_mask
from foundations.decoding import Decoded, beam_search, greedy
from foundations.embedding import Embedding, require_tokens
from foundations.errors import require, require_choice
from foundations.layers import Dropout, Linear
from foundations.modes import evaluation_mode
from foundations.networks.transformer import TransformerDecoder, TransformerEncoder
from foundations.networks.transformer_layers import TransformerDecoderLayer
from foundations.positions import SinusoidalPositions
from foundations.recurrent import RECURRENT, RecurrentKind, State
from foundations.text import Vocabulary, lengths_of


class Memory(NamedTuple):
    """What an encoder has made of the source.

    Shapes: places (batch, places, features), a vector for each token; mask (batch, 1, places), False at padding;
    `beginning` is what the decoder begins with, the batch first.
    """

    places: Tensor
    mask: Tensor
    beginning: Any


class Seq2Seq(nn.Module):
    """p(y | x) = prod_t p(y_t | y_<t, x), for a source x and a target y of any lengths.

    Shapes: source (batch, places) and tokens (batch, time), int64, padded behind with 0; lengths (batch), those of the
    sources, counted unless given -> logits (batch, time, target_size): what comes behind each of `tokens`.
    Raises: InputError for tokens that are none or unknown, empty sequences, lengths that do not fit, another batch.
    """

    def encode(self, source: Tensor, lengths: Tensor | None = None) -> Memory:
        """Read the source. Shapes: (batch, places), lengths (batch)."""
        require_tokens(source, "source")
        return self._encode(source, lengths_of(source, "source") if lengths is None else _checked(lengths, source))

    def decode(self, tokens: Tensor, memory: Memory) -> Tensor:
        """The logits behind each of the tokens (batch, time), which begin with <bos>; all steps at once."""
        require_tokens(tokens)
        require(len(tokens) == len(memory.places), "tokens", len(tokens), f"{len(memory.places)}, as the memory has")
        return self._decode(tokens, memory)

    def forward(self, source: Tensor, tokens: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Encode and decode."""
        return self.decode(tokens, self.encode(source, lengths))

    def attention(self, tokens: Tensor, memory: Memory) -> Tensor:
        """Where in the source each step looks. Shapes: tokens (batch, time) -> (batch, time, places), sums 1."""
        raise NotImplementedError

    def start(self, memory: Memory) -> Any:
        """The state in which `step` begins."""
        raise NotImplementedError

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """What comes next: tokens so far (rows, time) -> log-probabilities (rows, target_size); see `decoding`."""
        raise NotImplementedError

    def _encode(self, source: Tensor, lengths: Tensor) -> Memory:
        raise NotImplementedError

    def _decode(self, tokens: Tensor, memory: Memory) -> Tensor:
        raise NotImplementedError


class RecurrentSeq2Seq(Seq2Seq):
    """A recurrent encoder that walks both ways, a recurrent decoder, and additive attention between.

    The encoder's places are h_j, its last states are the decoder's first. The decoder's s_t = cell(y_{t-1}, s_{t-1})
    looks at the places, c_t = sum_j a_tj h_j with a_t = softmax_j(w . tanh(W s_t + U h_j)), and the logits are
    V tanh(W_c [c_t, s_t]). The score is Bahdanau's; that the context stands behind the recurrence and not in it is
    Luong's: so all steps of a known target look at once.
    Raises: InputError for sizes below 1, an unknown cell, and an odd `hidden_size`: each direction has half of it.
    Source: Bahdanau et al. 2014, arXiv:1409.0473; Luong et al. 2015, arXiv:1508.04025.
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        *,
        cell: RecurrentKind = "gru",
        embedding_size: int = 64,
        hidden_size: int = 128,
        attention_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
        dropout_generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        require_choice("cell", cell, RECURRENT)
        even = hidden_size >= 2 and hidden_size % 2 == 0
        require(even, "hidden_size", hidden_size, "even: each direction of the encoder has half of it")
        kind, between = RECURRENT[cell], dropout if num_layers > 1 else 0.0
        self.source_embedding = Embedding(source_size, embedding_size, generator=generator)
        self.target_embedding = Embedding(target_size, embedding_size, generator=generator)
        self.encoder = kind(
            embedding_size, hidden_size // 2, num_layers, bidirectional=True,
            dropout=between, generator=generator, dropout_generator=dropout_generator,
        )  # fmt: skip
        self.decoder = kind(
            embedding_size, hidden_size, num_layers,
            dropout=between, generator=generator, dropout_generator=dropout_generator,
        )  # fmt: skip
        self.look = AdditiveAttention(hidden_size, hidden_size, attention_size, generator=generator)
        self.combine = Linear(2 * hidden_size, hidden_size, generator=generator)
        self.head = Linear(hidden_size, target_size, generator=generator)
        self.dropout = Dropout(dropout, generator=dropout_generator)

    def _encode(self, source: Tensor, lengths: Tensor) -> Memory:
        places, state = self.encoder(self.dropout(self.source_embedding(source)), lengths=lengths)
        layers, batch = self.encoder.num_layers, len(source)
        both = (state,) if isinstance(state, Tensor) else state
        # (layers * 2, batch, hidden / 2) -> (batch, layers, hidden): the two directions side by side
        first = tuple(each.view(layers, 2, batch, -1).permute(2, 0, 1, 3).flatten(start_dim=2) for each in both)
        mask = padding_mask(lengths, source.shape[1])
        return Memory(places, mask, {"state": first, "projected": self.look.project(places)})

    def _decode(self, tokens: Tensor, memory: Memory) -> Tensor:
        shown, _ = self._walk(tokens, memory.beginning["state"])
        return self._logits(shown, self._look(shown, memory)[0])

    def attention(self, tokens: Tensor, memory: Memory) -> Tensor:
        """Shapes: tokens (batch, time) -> (batch, time, places)."""
        shown, _ = self._walk(tokens, memory.beginning["state"])
        return self._look(shown, memory)[1]

    def start(self, memory: Memory) -> Any:
        """The memory, and the decoder's state."""
        return memory, memory.beginning["state"]

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One step of the cell from the last token."""
        memory, before = state
        shown, after = self._walk(tokens[:, -1:], before)
        logits = self._logits(shown, self._look(shown, memory)[0])
        return logits[:, 0].log_softmax(dim=1), (memory, after)

    def _walk(self, tokens: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The decoder over the tokens. Shapes: states (batch, layers, hidden); shown (batch, time, hidden)."""
        h, *rest = (each.transpose(0, 1).contiguous() for each in state)
        first: State = (h, rest[0]) if rest else h
        shown, after = self.decoder(self.dropout(self.target_embedding(tokens)), first)
        both = (after,) if isinstance(after, Tensor) else after
        return shown, tuple(each.transpose(0, 1) for each in both)

    def _look(self, shown: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        context, weights = self.look(shown, memory.places, memory.mask, projected=memory.beginning["projected"])
        return context, weights

    def _logits(self, shown: Tensor, context: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(torch.tanh(self.combine(torch.cat([context, shown], dim=2)))))
        return logits


class TransformerSeq2Seq(Seq2Seq):
    """The Transformer: layers of attention that read the source, and causal ones that look at what was read.

    Vectors of tokens and waves of their places are added; norms stand before each branch. `context` is the largest
    length of source and target.
    Raises: InputError for impossible sizes, and for sequences beyond the context.
    Source: Vaswani et al. 2017, arXiv:1706.03762.
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        context: int,
        *,
        num_layers: int = 2,
        embed_dim: int = 128,
        num_heads: int = 4,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
        dropout_generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        require(context >= 1, "context", context, "at least 1 token")
        self.context = context
        self.source_embedding = Embedding(source_size, embed_dim, generator=generator)
        self.target_embedding = Embedding(target_size, embed_dim, generator=generator)
        self.positions, self.dropout = SinusoidalPositions(), Dropout(dropout, generator=dropout_generator)
        sizes = num_layers, embed_dim, num_heads, 4 * embed_dim
        masks = dropout_generator
        self.encoder = TransformerEncoder(*sizes, dropout=dropout, generator=generator, dropout_generator=masks)
        self.decoder = TransformerDecoder(*sizes, dropout=dropout, generator=generator, dropout_generator=masks)
        self.head = Linear(embed_dim, target_size, generator=generator)

    def _encode(self, source: Tensor, lengths: Tensor) -> Memory:
        mask = padding_mask(lengths, source.shape[1])
        return Memory(self.encoder(self._embed(self.source_embedding, source), mask), mask, None)

    def _decode(self, tokens: Tensor, memory: Memory) -> Tensor:
        x = self.decoder(self._embed(self.target_embedding, tokens), memory.places, memory_mask=memory.mask)
        logits: Tensor = self.head(x)
        return logits

    def attention(self, tokens: Tensor, memory: Memory) -> Tensor:
        """Of the last layer, the mean over its heads. Shapes: tokens (batch, time) -> (batch, time, places)."""
        layers = [layer for layer in self.decoder.layers if isinstance(layer, TransformerDecoderLayer)]
        look, asked = layers[-1].multihead_attn, list[Tensor]()
        listener = look.register_forward_pre_hook(lambda _, inputs: asked.append(inputs[0]))
        try:
            self.decode(tokens, memory)
        finally:
            listener.remove()
        weights: Tensor = look.weights(asked[0], memory.places, memory.mask)
        return weights.mean(dim=1)

    def start(self, memory: Memory) -> Any:
        """The memory, and a cache for each layer, with room for a whole context."""
        return memory, self.decoder.new_cache(self.context)

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Only what the caches have not seen is computed."""
        memory, caches = state
        seen = caches[0].length
        x = self._embed(self.target_embedding, tokens[:, seen:], seen)
        x = self.decoder(x, memory.places, memory_mask=memory.mask, cache=caches)
        return self.head(x[:, -1]).log_softmax(dim=1), state

    def _embed(self, embedding: nn.Module, tokens: Tensor, start: int = 0) -> Tensor:
        end = start + tokens.shape[1]
        require(end <= self.context, "tokens", end, f"at most {self.context} in a sequence, the model's context")
        x: Tensor = self.dropout(self.positions(embedding(tokens), start))
        return x


@torch.no_grad()
def translate(
    model: Seq2Seq,
    source: Tensor,
    lengths: Tensor | None = None,
    *,
    maximum_length: int,
    width: int = 1,
    length_penalty: float = 0.0,
    best: int = 1,
) -> Decoded:
    """The targets that the model writes from <bos> to <eos>: greedily, or with a beam that is wider than 1.

    In evaluation mode; the model's own mode is put back afterwards.
    Shapes: source (batch, places), lengths (batch) -> see `Decoded`.
    Raises: InputError as `Seq2Seq.encode` and `beam_search`.
    """
    with evaluation_mode(model):
        state = model.start(model.encode(source, lengths))
        begin = torch.full_like(source[:, :1], Vocabulary.begin)
        limits = {"end": Vocabulary.end, "maximum_length": maximum_length, "pad": Vocabulary.pad}
        if width == best == 1 and length_penalty == 0:  # with a penalty the scores differ from log p
            return greedy(model.step, state, begin, **limits)
        penalty = length_penalty
        return beam_search(model.step, state, begin, width=width, length_penalty=penalty, best=best, **limits)


@torch.no_grad()
def translate_and_look(
    model: Seq2Seq, source: Tensor, lengths: Tensor | None = None, *, maximum_length: int
) -> tuple[Decoded, Tensor]:
    """What the model writes greedily, and where in the source it looks as it writes each token.

    Shapes: source (batch, places), lengths (batch) -> see `Decoded`, and weights (batch, time, places), which sum to 1
    over the places. In evaluation mode; the model's own mode is put back afterwards.
    Raises: InputError as `translate`.
    """
    found = translate(model, source, lengths, maximum_length=maximum_length)
    before = torch.cat([torch.full_like(source[:, :1], Vocabulary.begin), found.tokens[:, 0, :-1]], dim=1)
    with evaluation_mode(model):
        return found, model.attention(before, model.encode(source, lengths))


def _checked(lengths: Tensor, source: Tensor) -> Tensor:
    one = lengths.shape == source.shape[:1] and not lengths.is_floating_point()
    require(one, "lengths", f"{tuple(lengths.shape)} of {lengths.dtype}", f"{len(source)} whole numbers, one a source")
    least, most = int(lengths.min()), int(lengths.max())
    fits = least >= 1 and most <= source.shape[1]
    require(fits, "lengths", f"{least} to {most}", f"between 1 and {source.shape[1]}; an empty source says nothing")
    return lengths.to(source.device)
