"""Masks of attention: boolean, True = may look, to broadcast to (..., queries, keys); `&` joins two."""

import torch
from torch import Tensor

from foundations.errors import require


def causal_mask(queries: int, keys: int | None = None, *, device: torch.device | None = None) -> Tensor:
    """True where a place may look: at itself and all before it; the queries are the last of the `keys` places.

    Shapes: (queries, keys), keys = queries unless given. Raises: InputError for more queries than keys.
    """
    keys = queries if keys is None else keys
    require(1 <= queries <= keys, "queries", queries, f"between 1 and {keys}, the number of keys")
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def padding_mask(lengths: Tensor, size: int | None = None) -> Tensor:
    """True at the first `lengths` places of each sequence, for every query.

    Shapes: lengths (batch), int64, -> (batch, 1, size); size is the longest length unless given.
    Raises: InputError for lengths below 0 or above `size`.
    """
    whole = lengths.dim() == 1 and not lengths.is_floating_point()
    require(whole, "lengths", f"{tuple(lengths.shape)} of {lengths.dtype}", "(batch), of whole numbers")
    size = int(lengths.max()) if size is None else size
    fits = bool(((lengths >= 0) & (lengths <= size)).all())
    require(fits, "lengths", lengths.tolist(), f"between 0 and {size}")
    return (torch.arange(size, device=lengths.device) < lengths[:, None])[:, None]


def masked_softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax over the keys (the last dimension) where `mask` is True, 0 elsewhere; a row all False gives zeros.

    Shapes: scores (..., queries, keys), kept.
    """
    if mask is None:
        return scores.softmax(dim=-1)
    # The lowest number and not -inf: a row of nothing but -inf would give NaN, here and in the gradient.
    weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(dim=-1)
    return weights.masked_fill(~mask, 0)
