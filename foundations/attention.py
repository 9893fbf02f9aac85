"""Attention: a query looks at all places at once, and takes from each by how well its key answers.

Masks are boolean, True = may look, and broadcast to (..., queries, keys). A query that may look nowhere gets zeros.
"""

import math
from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foundations import initializers
from foundations.errors import InputError, require, require_choice
from foundations.key_value_cache import KeyValueCache as KeyValueCache
from foundations.layers import Body, Dropout, Linear, require_floating
from foundations.masks import causal_mask as causal_mask
from foundations.masks import masked_softmax
from foundations.masks import padding_mask as padding_mask
from foundations.positions import apply_rotary

# --- functions --------------------------------------------------------------------------------------------------------


def attention_weights(
    query: Tensor, key: Tensor, mask: Tensor | None = None, causal: bool = False, *, scale: float = 1.0
) -> Tensor:
    """How much each query takes from each place: softmax_j(scale q_i . k_j).

    Shapes: query (..., queries, features), key (..., keys, features) -> (..., queries, keys).
    Raises: InputError for shapes that do not fit, and for a mask that is not boolean.
    """
    _require_fitting(query, key, mask)
    if causal:
        mask = _with_causal(query, key, mask)
    return masked_softmax(scale * (query @ key.mT), mask)


def dot_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Dot-product attention: c_i = sum_j a_ij v_j with a_ij = softmax_j(q_i . k_j).

    Shapes: query (..., queries, features), key (..., keys, features), value (..., keys, values)
    -> c (..., queries, values) and a (..., queries, keys).
    Raises: as `attention_weights`. Source: Luong et al. 2015, arXiv:1508.04025.
    """
    _require_values(key, value)
    weights = attention_weights(query, key, mask)
    return weights @ value, weights


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    *,
    body: Body = "kernel",
) -> Tensor:
    """Softmax(Q K^T / sqrt(features)) V: the scale keeps the scores' variance at 1 where q and k have it.

    With `causal` a query looks at its own place and those before; where there are fewer queries than keys, the queries
    are the last places (as with a cache of earlier keys). The kernel never stores all weights at once.
    Shapes: query (..., queries, features), key (..., keys, features), value (..., keys, values)
    -> (..., queries, values).
    Raises: InputError for shapes that do not fit, a mask that is not boolean, and an unknown body.
    Source: Vaswani et al. 2017, arXiv:1706.03762, equation 1.
    """
    require_choice("body", body, get_args(Body))
    _require_fitting(query, key, mask)
    _require_values(key, value)
    if body == "equations":
        weights = attention_weights(query, key, mask, causal, scale=1 / math.sqrt(query.shape[-1]))
        return weights @ value
    if causal and query.shape[-2] == 1:  # the last place sees all
        causal = False
    if causal and (mask is not None or query.shape[-2] != key.shape[-2]):
        mask, causal = _with_causal(query, key, mask), False
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal)


def additive_attention(
    query: Tensor, key: Tensor, value: Tensor, direction: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Additive attention: c_i = sum_j a_ij v_j with a_ij = softmax_j(w . tanh(q_i + k_j)), w = `direction`.

    Shapes: query (..., queries, hidden), key (..., keys, hidden), value (..., keys, values), direction (hidden)
    -> c (..., queries, values) and a (..., queries, keys).
    Raises: InputError for shapes that do not fit, and for a mask that is not boolean.
    Source: Bahdanau et al. 2014, arXiv:1409.0473, appendix A.1.2.
    """
    _require_fitting(query, key, mask)
    _require_values(key, value)
    wanted = tuple(query.shape[-1:])
    require(
        tuple(direction.shape) == wanted, "direction shape", tuple(direction.shape), f"{wanted}, the query's features"
    )
    hidden = torch.tanh(query.unsqueeze(-2) + key.unsqueeze(-3))  # (..., queries, keys, hidden)
    weights = masked_softmax(hidden @ direction, mask)
    return weights @ value, weights


# --- modules ----------------------------------------------------------------------------------------------------------


class AdditiveAttention(nn.Module):
    """Additive attention with its own maps: c_i = sum_j a_ij h_j with a_ij = softmax_j(w . tanh(W s_i + U h_j)).

    U h does not change while a decoder takes its steps: `project` it once and hand it in as `projected`.
    Shapes: query s (batch, queries, query_size), memory h (batch, keys, memory_size), mask (batch, queries or 1, keys)
    -> c (batch, queries, memory_size) and a (batch, queries, keys).
    Raises: InputError for sizes below 1 and for inputs or masks that do not fit.
    Source: Bahdanau et al. 2014, arXiv:1409.0473.
    """

    def __init__(
        self, query_size: int, memory_size: int, hidden_size: int, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.query_map = Linear(query_size, hidden_size, bias=False, generator=generator)
        self.memory_map = Linear(memory_size, hidden_size, bias=False, generator=generator)
        direction = torch.empty(1, hidden_size)
        initializers.fan_in_uniform_(direction, None, generator=generator)
        self.direction = nn.Parameter(direction[0])

    def project(self, memory: Tensor) -> Tensor:
        """U h. Shapes: (batch, keys, memory_size) -> (batch, keys, hidden_size)."""
        projected: Tensor = self.memory_map(memory)
        return projected

    def forward(
        self, query: Tensor, memory: Tensor, mask: Tensor | None = None, *, projected: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The context for each query, and the weights that made it."""
        keys = self.project(memory) if projected is None else projected
        return additive_attention(self.query_map(query), keys, memory, self.direction, mask)


class MultiHeadAttention(nn.Module):
    """Multi-head attention: head_h = attention(Q W_h^Q, K W_h^K, V W_h^V), y = [head_1 ... head_n] W^O.

    Its state_dict is that of `torch.nn.MultiheadAttention`: `in_proj_weight` holds the three maps below each other.
    `dropout` drops weights in training (drawn from `dropout_generator`), through the equations: the kernel would draw
    from the global stream. With `rotary` queries and keys are turned by their places (see `positions.apply_rotary`).
    Shapes: query (batch, queries, embed_dim), key and value (batch, keys, embed_dim), mask (queries, keys),
    (batch, queries or 1, keys) or (batch, heads or 1, queries or 1, keys) -> (batch, queries, embed_dim).
    Raises: InputError unless `num_heads` divides `embed_dim`, for an unknown body, and for inputs that do not fit.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        rotary: bool = False,
        generator: torch.Generator | None = None,
        dropout_generator: torch.Generator | None = None,
        body: Body = "kernel",
    ) -> None:
        super().__init__()
        require(num_heads >= 1, "num_heads", num_heads, "at least 1")
        divisible = embed_dim >= 1 and embed_dim % num_heads == 0
        require(divisible, "embed_dim", embed_dim, f"a positive multiple of num_heads={num_heads}")
        even = f"False where the {embed_dim // num_heads} features of a head are odd in number: they turn in pairs"
        require(not rotary or embed_dim // num_heads % 2 == 0, "rotary", rotary, even)
        require_choice("body", body, get_args(Body))
        self.embed_dim, self.num_heads, self.rotary = embed_dim, num_heads, rotary
        self.body: Body = body
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dim, embed_dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * embed_dim)) if bias else None
        initializers.glorot_uniform_(self.in_proj_weight, generator=generator)
        self.out_proj = Linear(embed_dim, embed_dim, bias, generator=generator)
        if self.out_proj.bias is not None:
            initializers.zeros_(self.out_proj.bias)
        self.dropout = Dropout(dropout, generator=dropout_generator)

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        mask: Tensor | None = None,
        causal: bool = False,
        *,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Attention of `query` over `key` (itself unless given), taking from `value` (`key` unless given).

        With a `cache` the new keys and values go behind those of earlier calls, and the queries see them all.
        """
        heads, keys, values = self._heads(query, key, value, cache)
        mask = _by_head(mask)
        if self.dropout.training and self.dropout.p > 0:
            scale = 1 / math.sqrt(heads.shape[-1])
            mixed = self.dropout(attention_weights(heads, keys, mask, causal, scale=scale)) @ values
        else:
            mixed = scaled_dot_product_attention(heads, keys, values, mask, causal, body=self.body)
        y: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(start_dim=2))  # (batch, queries, heads * features)
        return y

    def weights(
        self, query: Tensor, key: Tensor | None = None, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Where each head looks. Shapes: (batch, queries, embed_dim) -> (batch, heads, queries, keys)."""
        heads, keys, _ = self._heads(query, key, None, None)
        return attention_weights(heads, keys, _by_head(mask), causal, scale=1 / math.sqrt(heads.shape[-1]))

    def _heads(
        self, query: Tensor, key: Tensor | None, value: Tensor | None, cache: KeyValueCache | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values by head: (batch, heads, places, features of a head) each."""
        for name, given in (("query", query), ("key", key), ("value", value)):
            if given is not None and (given.dim() != 3 or given.shape[-1] != self.embed_dim):
                raise InputError(f"{name} shape={tuple(given.shape)}: must be (batch, places, {self.embed_dim})")
        require_floating(query)
        q, k, v = (self._split(each) for each in self._project(query, key, value))
        if self.rotary:
            start = cache.length if cache else 0
            q, k = apply_rotary(q, start), apply_rotary(k, start)
        if cache is not None:
            k, v = cache.extend(k, v)
        return q, k, v

    def _project(self, query: Tensor, key: Tensor | None, value: Tensor | None) -> tuple[Tensor, ...]:
        """One product for all that comes from the same input."""
        weight, bias, size = self.in_proj_weight, self.in_proj_bias, self.embed_dim
        if key is None and value is None:
            return F.linear(query, weight, bias).chunk(3, dim=-1)
        key = query if key is None else key
        biases = (None, None, None) if bias is None else bias.split(size)
        q = F.linear(query, weight[:size], biases[0])
        if value is None or value is key:
            k, v = F.linear(key, weight[size:], None if bias is None else bias[size:]).chunk(2, dim=-1)
            return q, k, v
        return q, F.linear(key, weight[size : 2 * size], biases[1]), F.linear(value, weight[2 * size :], biases[2])

    def _split(self, x: Tensor) -> Tensor:
        """(batch, places, heads * features) -> (batch, heads, places, features)."""
        return x.reshape(*x.shape[:2], self.num_heads, -1).transpose(1, 2)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.embed_dim}, num_heads={self.num_heads}, rotary={self.rotary}"


def _by_head(mask: Tensor | None) -> Tensor | None:
    """A mask for each sequence holds for all heads."""
    return mask.unsqueeze(1) if mask is not None and mask.dim() == 3 else mask


def _with_causal(query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
    causal = causal_mask(query.shape[-2], key.shape[-2], device=query.device)
    return causal if mask is None else mask & causal


def _require_fitting(query: Tensor, key: Tensor, mask: Tensor | None) -> None:
    require_floating(query)
    if query.dim() < 2 or key.dim() < 2 or query.shape[-1] != key.shape[-1]:
        allowed = f"(..., keys, {query.shape[-1]}), as many features as the query {tuple(query.shape)} has"
        raise InputError(f"key shape={tuple(key.shape)}: must be {allowed}")
    if mask is None:
        return
    if mask.dtype != torch.bool:
        raise InputError(f"mask dtype={mask.dtype}: must be boolean, True = may look")
    wanted = (*query.shape[:-1], key.shape[-2])
    pairs = zip(reversed(mask.shape), reversed(wanted), strict=False)
    if not 2 <= mask.dim() <= len(wanted) or any(have not in (1, want) for have, want in pairs):
        raise InputError(f"mask shape={tuple(mask.shape)}: must broadcast to {wanted}, (..., queries, keys)")


def _require_values(key: Tensor, value: Tensor) -> None:
    if value.dim() < 2 or value.shape[-2] != key.shape[-2]:
        allowed = f"(..., {key.shape[-2]}, features), one for each key"
        raise InputError(f"value shape={tuple(value.shape)}: must be {allowed}")
