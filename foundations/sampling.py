"""From logits to the next token: the likeliest, or one drawn, from all tokens or from those that are likely enough."""

import math

import torch
from torch import Tensor

from foundations.errors import InputError, require


def sample(
    logits: Tensor,
    generator: torch.Generator | None = None,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """Draw i with probability softmax(logits / temperature)_i, among the tokens that `top_k` and `top_p` keep.

    Raising the temperature makes the unlikely likelier; near 0, and at 0, the likeliest always wins. `top_k` is applied
    before `top_p`, as is the temperature.
    Shapes: logits (..., tokens) -> (...), int64. `generator` must be on the logits' device; not needed at 0.
    Raises: InputError for impossible settings, and for logits that are NaN, infinite or all -inf.
    Source: top-k: Fan et al. 2018, arXiv:1805.04833; top-p: Holtzman et al. 2019, arXiv:1904.09751.
    """
    require(0 <= temperature < math.inf, "temperature", temperature, "at least 0 and finite; 0 takes the likeliest")
    if top_k is not None:
        logits = keep_top_k(logits, top_k)
    if temperature == 0:
        _require_probable(logits)
        return logits.argmax(dim=-1)
    logits = (logits - logits.amax(dim=-1, keepdim=True)) / temperature  # at most 0, so that none becomes infinite
    if top_p is not None:
        logits = keep_top_p(logits, top_p)
    _require_probable(logits)
    probabilities = logits.softmax(dim=-1)
    drawn = torch.multinomial(probabilities.reshape(-1, logits.shape[-1]), 1, generator=generator)
    return drawn.view(logits.shape[:-1])


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """The logits with all but the `k` largest at -inf; those that tie with the last of them stay too.

    Shapes: (..., tokens), kept. Raises: InputError for k below 1.
    """
    require(k >= 1, "top_k", k, "at least 1")
    least = logits.topk(min(k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < least, -math.inf)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """The logits with all at -inf but the fewest, taken from the likeliest on, that have probability >= p together.

    Shapes: (..., tokens), kept. Raises: InputError unless 0 < p <= 1.
    """
    require(0 < p <= 1, "top_p", p, "above 0 and at most 1")
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    probabilities = ordered.softmax(dim=-1)
    before = probabilities.cumsum(dim=-1) - probabilities  # of all that are likelier: the first is always kept
    dropped = torch.zeros_like(before, dtype=torch.bool).scatter(-1, order, before >= p)
    return logits.masked_fill(dropped, -math.inf)


def _require_probable(logits: Tensor) -> None:
    # On an accelerator to ask is to wait for it: there such logits are left to the draw.
    if logits.is_cpu and not bool(logits.amax(dim=-1).isfinite().all()):
        raise InputError("logits=NaN, infinite, or all -inf: must be numbers, and leave at least one token possible")
