"""The layers of a Transformer: attention, then a small network at each place; each a residual branch with a norm.

Pre-norm, x + F(norm(x)), leaves the residual path untouched and trains at any depth; post-norm, norm(x + F(x)), is the
paper's own. Weights have the names of torch's layers, so that state_dicts load both ways.
Source: Vaswani et al. 2017, arXiv:1706.03762; pre-norm: Xiong et al. 2020, arXiv:2002.04745.
"""

from typing import ClassVar, Literal, TypedDict, get_args

import torch
from torch import Tensor, nn

from foundations.activations import GELU, ReLU
from foundations.attention import KeyValueCache, MultiHeadAttention
from foundations.errors import require, require_choice
from foundations.layers import Body, Dropout, Linear
from foundations.normalization import LayerNorm

Activation = Literal["relu", "gelu"]


class LayerSettings(TypedDict, total=False):
    """What a layer may be given beside its sizes, and its default.

    `dropout` (0) is the probability after attention, within it, and in the network; `activation` ("relu"); `norm_first`
    (True): pre-norm; `rotary` (False) turns queries and keys by their places; `body` ("kernel").
    """

    dropout: float
    activation: Activation
    norm_first: bool
    rotary: bool
    generator: torch.Generator | None
    dropout_generator: torch.Generator | None
    body: Body


class _Layer(nn.Module):
    """What both kinds of layer share: self-attention, the network at each place, the way of normalising."""

    crosses: ClassVar[bool] = False

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        hidden_dim: int,
        *,
        dropout: float = 0.0,
        activation: Activation = "relu",
        norm_first: bool = True,
        rotary: bool = False,
        generator: torch.Generator | None = None,
        dropout_generator: torch.Generator | None = None,
        body: Body = "kernel",
    ) -> None:
        super().__init__()
        require(hidden_dim >= 1, "hidden_dim", hidden_dim, "at least 1")
        require_choice("activation", activation, get_args(Activation))
        self.norm_first = norm_first
        masks, weights = dropout_generator, generator
        self.self_attn = MultiHeadAttention(
            embed_dim, num_heads, dropout, rotary=rotary, generator=weights, dropout_generator=masks, body=body
        )
        self.linear1 = Linear(embed_dim, hidden_dim, generator=weights, body=body)
        self.activation = ReLU(body=body) if activation == "relu" else GELU(body=body)
        self.linear2 = Linear(hidden_dim, embed_dim, generator=weights, body=body)
        self.norm1, self.norm2 = LayerNorm(embed_dim, body=body), LayerNorm(embed_dim, body=body)
        if self.crosses:
            self.multihead_attn = MultiHeadAttention(
                embed_dim, num_heads, dropout, generator=weights, dropout_generator=masks, body=body
            )
            self.norm3 = LayerNorm(embed_dim, body=body)
        self.dropout = Dropout(dropout, generator=masks)

    def _attend(self, x: Tensor, mask: Tensor | None, causal: bool, cache: KeyValueCache | None) -> Tensor:
        y: Tensor = self.dropout(self.self_attn(x, mask=mask, causal=causal, cache=cache))
        return y

    def _feed_forward(self, x: Tensor) -> Tensor:
        """W2 f(W1 x + b1) + b2 at each place by itself."""
        y: Tensor = self.dropout(self.linear2(self.dropout(self.activation(self.linear1(x)))))
        return y


class TransformerEncoderLayer(_Layer):
    """Self-attention and a network at each place. Twin of `torch.nn.TransformerEncoderLayer`.

    Pre-norm: x = x + A(norm1(x)), y = x + F(norm2(x)). Post-norm: x = norm1(x + A(x)), y = norm2(x + F(x)).
    Shapes: x (batch, time, embed_dim), kept; masks as in `MultiHeadAttention`.
    """

    def forward(
        self, x: Tensor, mask: Tensor | None = None, causal: bool = False, *, cache: KeyValueCache | None = None
    ) -> Tensor:
        """Shapes: (batch, time, embed_dim), kept."""
        if self.norm_first:
            x = x + self._attend(self.norm1(x), mask, causal, cache)
            return x + self._feed_forward(self.norm2(x))
        x = self.norm1(x + self._attend(x, mask, causal, cache))
        y: Tensor = self.norm2(x + self._feed_forward(x))
        return y


class TransformerDecoderLayer(_Layer):
    """The same with attention over a memory, the encoder's output, between. Twin of `torch.nn.TransformerDecoderLayer`.

    Pre-norm: x = x + A(norm1(x)), x = x + C(norm2(x), memory), y = x + F(norm3(x)); post-norm likewise.
    Shapes: x (batch, time, embed_dim), kept; memory (batch, places, embed_dim); masks as in `MultiHeadAttention`.
    """

    crosses = True

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        causal: bool = True,
        *,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Shapes: (batch, time, embed_dim), kept."""
        if self.norm_first:
            x = x + self._attend(self.norm1(x), mask, causal, cache)
            x = x + self._look_up(self.norm2(x), memory, memory_mask)
            return x + self._feed_forward(self.norm3(x))
        x = self.norm1(x + self._attend(x, mask, causal, cache))
        x = self.norm2(x + self._look_up(x, memory, memory_mask))
        y: Tensor = self.norm3(x + self._feed_forward(x))
        return y

    def _look_up(self, x: Tensor, memory: Tensor, mask: Tensor | None) -> Tensor:
        y: Tensor = self.dropout(self.multihead_attn(x, memory, mask=mask))
        return y
