"""Transformers: the encoder, the decoder, and the decoder-only language model that generates text."""

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal, Unpack, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foundations import initializers
from foundations.attention import KeyValueCache
from foundations.embedding import Embedding, require_tokens
from foundations.errors import require, require_choice
from foundations.layers import Body, Dropout
from foundations.modes import evaluation_mode
from foundations.networks.transformer_layers import LayerSettings, TransformerDecoderLayer, TransformerEncoderLayer
from foundations.normalization import LayerNorm
from foundations.positions import LearnedPositions, SinusoidalPositions

Positions = Literal["learned", "sinusoidal", "rotary"]
Cache = Sequence[KeyValueCache]
"""One for each layer."""


class _Stack(nn.Module):
    """What encoder and decoder share: their layers, the norm behind the last one, and the caches."""

    layer: ClassVar[type[TransformerEncoderLayer] | type[TransformerDecoderLayer]]

    def __init__(
        self, num_layers: int, embed_dim: int, num_heads: int, hidden_dim: int, **settings: Unpack[LayerSettings]
    ) -> None:
        super().__init__()
        require(num_layers >= 1, "num_layers", num_layers, "at least 1")
        self.layers = nn.ModuleList(self.layer(embed_dim, num_heads, hidden_dim, **settings) for _ in range(num_layers))
        # Pre-norm leaves the residual path without a norm: it gets one at its end.
        pre_norm = settings.get("norm_first", True)
        self.norm = LayerNorm(embed_dim, body=settings.get("body", "kernel")) if pre_norm else None

    def new_cache(self, capacity: int) -> list[KeyValueCache]:
        """An empty cache for each layer, with room for `capacity` places."""
        return [KeyValueCache(capacity) for _ in self.layers]

    def _with_caches(self, cache: Cache) -> Iterator[tuple[nn.Module, KeyValueCache | None]]:
        """Each layer with its own cache, or with none."""
        owns: Sequence[KeyValueCache | None] = cache or [None] * len(self.layers)
        return zip(self.layers, owns, strict=True)


class TransformerEncoder(_Stack):
    """Layers of self-attention; with pre-norm a last norm behind them.

    Settings: see `LayerSettings`. The state_dict is that of `torch.nn.TransformerEncoder`, with `norm=LayerNorm` where
    `norm_first`. Shapes: x (batch, time, embed_dim), kept; mask as in `MultiHeadAttention`.
    Raises: InputError for impossible sizes.
    Source: Vaswani et al. 2017, arXiv:1706.03762.
    """

    layer = TransformerEncoderLayer

    def forward(self, x: Tensor, mask: Tensor | None = None, causal: bool = False, *, cache: Cache = ()) -> Tensor:
        """Shapes: (batch, time, embed_dim), kept."""
        for layer, own in self._with_caches(cache):
            x = layer(x, mask, causal, cache=own)
        return x if self.norm is None else self.norm(x)


class TransformerDecoder(_Stack):
    """Layers of causal self-attention and attention over a memory, which an encoder made.

    Settings: see `LayerSettings`. The state_dict is that of `torch.nn.TransformerDecoder`, with `norm=LayerNorm` where
    `norm_first`. Shapes: x (batch, time, embed_dim), kept; memory (batch, places, embed_dim); masks as in
    `MultiHeadAttention`.
    Raises: InputError for impossible sizes.
    Source: Vaswani et al. 2017, arXiv:1706.03762.
    """

    layer = TransformerDecoderLayer

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        *,
        cache: Cache = (),
    ) -> Tensor:
        """Shapes: (batch, time, embed_dim), kept."""
        for layer, own in self._with_caches(cache):
            x = layer(x, memory, mask, memory_mask, cache=own)
        return x if self.norm is None else self.norm(x)


class LanguageModel(nn.Module):
    """Decoder-only Transformer: p(next token | all tokens so far), at every place at once.

    x = token embedding + position, then pre-norm causal layers with GELU, a last norm, and logits. With `tie_weights`
    the logits are products with the embeddings themselves. `positions`: a learned vector added to the token's, fixed
    waves added to sqrt(embed_dim) times it (Vaswani et al. 2017), or rotary, which turns queries and keys.
    Weights begin as N(0, 0.02^2), those that end a residual branch smaller by sqrt(2 num_layers), biases at 0.

    Shapes: tokens (batch, time), int64, time <= context -> logits (batch, time, vocabulary_size).
    With a `cache` (of `new_cache`) the tokens go on from those of earlier calls, whose keys and values it holds.
    Raises: InputError for impossible sizes, and for tokens that are none, too many for the context, or unknown (on an
    accelerator the last is left to the device, which cannot ask without waiting).
    Source: Radford et al. 2019 (GPT-2); tying: Press & Wolf 2016, arXiv:1608.05859.
    """

    def __init__(
        self,
        vocabulary_size: int,
        context: int,
        *,
        num_layers: int = 4,
        embed_dim: int = 128,
        num_heads: int = 4,
        dropout: float = 0.0,
        positions: Positions = "learned",
        tie_weights: bool = True,
        generator: torch.Generator | None = None,
        dropout_generator: torch.Generator | None = None,
        body: Body = "kernel",
    ) -> None:
        super().__init__()
        require(context >= 1, "context", context, "at least 1 token")
        require_choice("positions", positions, get_args(Positions))
        self.vocabulary_size, self.context = vocabulary_size, context
        self.embedding = Embedding(vocabulary_size, embed_dim, generator=generator)
        self.scale = math.sqrt(embed_dim) if positions == "sinusoidal" else 1.0
        self.positions = _positions(positions, context, embed_dim, generator)
        self.dropout = Dropout(dropout, generator=dropout_generator)
        self.encoder = TransformerEncoder(
            num_layers, embed_dim, num_heads, 4 * embed_dim, dropout=dropout, activation="gelu",
            rotary=positions == "rotary", generator=generator, dropout_generator=dropout_generator, body=body,
        )  # fmt: skip
        self.head = None if tie_weights else nn.Parameter(torch.empty(vocabulary_size, embed_dim))
        self._begin(num_layers, generator)

    def _begin(self, num_layers: int, generator: torch.Generator | None) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                initializers.zeros_(parameter)
            elif parameter.dim() >= 2:
                ends_branch = name.endswith(("out_proj.weight", "linear2.weight"))
                std = 0.02 / math.sqrt(2 * num_layers) if ends_branch else 0.02
                initializers.normal_(parameter, std, generator=generator)

    def forward(self, tokens: Tensor, cache: Cache = ()) -> Tensor:
        """Shapes: (batch, time) -> (batch, time, vocabulary_size)."""
        start = cache[0].length if cache else 0
        x: Tensor = self.dropout(self._embed(tokens, start))
        x = self.encoder(x, causal=True, cache=cache)
        return F.linear(x, self.embedding.weight if self.head is None else self.head)

    def new_cache(self) -> list[KeyValueCache]:
        """Empty, with room for a whole context."""
        return self.encoder.new_cache(self.context)

    @torch.no_grad()
    def attention_weights(self, tokens: Tensor, layer: int) -> Tensor:
        """Where the heads of `layer` look. Shapes: tokens (batch, time) -> (batch, heads, time, time)."""
        count = len(self.encoder.layers)
        require(0 <= layer < count, "layer", layer, f"from 0 to {count - 1}")
        layers = [each for each in self.encoder.layers if isinstance(each, TransformerEncoderLayer)]
        *before, chosen = layers[: layer + 1]
        with evaluation_mode(self):
            x = self._embed(tokens, 0)
            for each in before:
                x = each(x, causal=True)
            return chosen.self_attn.weights(chosen.norm1(x), causal=True)

    def _embed(self, tokens: Tensor, start: int) -> Tensor:
        require_tokens(tokens)
        length = start + tokens.shape[1]
        require(length <= self.context, "tokens", length, f"at most {self.context} in a sequence, the model's context")
        x = self.scale * self.embedding(tokens)
        y: Tensor = self.positions(x, start) if self.positions else x
        return y


def _positions(kind: Positions, context: int, features: int, generator: torch.Generator | None) -> nn.Module | None:
    if kind == "learned":
        return LearnedPositions(context, features, generator=generator)
    return SinusoidalPositions() if kind == "sinusoidal" else None
