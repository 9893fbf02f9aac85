"""From a model that says how likely each next token is to a whole sequence: greedy and beam search.

Both ask a `Step`: given all tokens so far (rows, time) and a state, it returns the log-probabilities of the next token
(rows, vocabulary), in nats, and the state to go on with. A recurrent step looks at the last token only.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from foundations.embedding import require_tokens
from foundations.errors import InputError, require

Step = Callable[[Tensor, Any], tuple[Tensor, Any]]
"""(tokens so far, state) -> (log-probabilities of the next token, state)."""


class Decoded(NamedTuple):
    """The sequences found, the best first; without the tokens they began with, and with the end token.

    Shapes: tokens (batch, best, time), filled up behind with `pad`; lengths, log_probabilities (nats) and scores
    (batch, best). A sequence that had no end at the maximum length stands as it is. Where there are fewer sequences
    than asked for, the rest have the log-probability -inf.
    """

    tokens: Tensor
    lengths: Tensor
    log_probabilities: Tensor
    scores: Tensor


@torch.no_grad()
def greedy(step: Step, state: Any, begin: Tensor, *, end: int, maximum_length: int, pad: int = 0) -> Decoded:
    """Take the likeliest token at each step until `end`: y_t = argmax p(y | y_<t). Fast; often not the likeliest whole.

    Shapes: begin (batch, time), int64, the tokens that each sequence begins with, -> one sequence for each.
    Raises: InputError for impossible settings, and where `step` returns anything but log-probabilities.
    """
    _require_settings(begin, end, pad, maximum_length)
    tokens, done = begin, torch.zeros(len(begin), dtype=torch.bool, device=begin.device)
    lengths, total = torch.zeros_like(begin[:, 0]), torch.zeros(len(begin), device=begin.device)
    for _ in range(maximum_length):
        log_probabilities, state = _ask(step, tokens, state, done, end, pad)
        best, chosen = log_probabilities.max(dim=1)
        tokens, total = torch.cat([tokens, chosen[:, None]], dim=1), total + best
        lengths, done = lengths + ~done, done | (chosen == end)
        if done.all():
            break
    total = total[:, None]
    return Decoded(tokens[:, None, begin.shape[1] :], lengths[:, None], total, total)


@torch.no_grad()
def beam_search(
    step: Step,
    state: Any,
    begin: Tensor,
    *,
    end: int,
    maximum_length: int,
    width: int = 4,
    length_penalty: float = 0.0,
    best: int = 1,
    pad: int = 0,
) -> Decoded:
    """Keep at each step the `width` sequences of the highest score, log p(y) / ((5 + |y|) / 6)^length_penalty.

    |y| is the number of tokens with `end`. A finished sequence keeps its place until `width` better ones push it out;
    the search ends when none that goes on can still overtake the `best` finished ones. A wider beam costs as much more;
    so wide that nothing is pushed out it finds the very best. A larger length penalty favours longer sequences: every
    token more lowers log p(y).

    Shapes: begin (batch, time), int64, -> `best` sequences for each. The state's parts are sorted with the sequences,
    see `select_rows`.
    Raises: InputError for impossible settings, and where `step` returns anything but log-probabilities.
    Source: length penalty: Wu et al. 2016, arXiv:1609.08144, equation 14.
    """
    _require_settings(begin, end, pad, maximum_length)
    require(width >= 1, "width", width, "at least 1")
    require(1 <= best <= width, "best", best, f"between 1 and the beam's width {width}")
    require(0 <= length_penalty < math.inf, "length_penalty", length_penalty, "at least 0")
    batch, device = len(begin), begin.device
    first_row = torch.arange(batch, device=device)[:, None] * width
    rows = torch.arange(batch, device=device).repeat_interleave(width)
    tokens, state = begin[rows], select_rows(state, rows)
    done, lengths = torch.zeros_like(rows, dtype=torch.bool), torch.zeros_like(rows)
    total = torch.full((batch, width), -math.inf, device=device)
    total[:, 0] = 0  # at first all of a beam are the same sequence: it counts once
    for _ in range(maximum_length):
        log_probabilities, state = _ask(step, tokens, state, done, end, pad)
        vocabulary, lengths = log_probabilities.shape[1], lengths + ~done
        candidates = total.view(-1, 1) + log_probabilities
        ranks = candidates / _penalty(lengths, length_penalty)[:, None]
        scores, chosen = ranks.view(batch, width * vocabulary).topk(width)  # (batch, width), the highest first
        total = candidates.view(batch, -1).gather(1, chosen)
        rows, chosen = (first_row + chosen // vocabulary).flatten(), (chosen % vocabulary).flatten()
        tokens, state = torch.cat([tokens[rows], chosen[:, None]], dim=1), select_rows(state, rows)
        lengths, done = lengths[rows], done[rows] | (chosen == end)
        going_on = total.masked_fill(done.view(batch, width), -math.inf)
        reachable = going_on / ((5 + maximum_length) / 6) ** length_penalty
        if ((going_on[:, :best] == -math.inf).all(1) & (reachable.amax(1) <= scores[:, best - 1])).all():
            break
    tokens = tokens[:, begin.shape[1] :].view(batch, width, -1)
    return Decoded(tokens[:, :best], lengths.view(batch, width)[:, :best], total[:, :best], scores[:, :best])


def select_rows(state: Any, rows: Tensor) -> Any:
    """The state of these rows of the batch in this order, as a search goes on with the best.

    A state is a tensor with the batch first, None, a number, or a tuple, list or dictionary of states; anything with a
    method `select(rows)`, as a `KeyValueCache`, is told to sort itself and stays the same object.
    Raises: InputError for anything else.
    """
    if state is None or isinstance(state, int | float):
        return state
    if isinstance(state, Tensor):
        return state.index_select(0, rows)
    if isinstance(state, dict):
        return {name: select_rows(part, rows) for name, part in state.items()}
    if isinstance(state, list | tuple):
        parts = [select_rows(part, rows) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
    if hasattr(state, "select"):
        state.select(rows)
        return state
    raise InputError(f"state={type(state).__name__}: must be tensors, or tuples, lists or dictionaries of them")


def _ask(step: Step, tokens: Tensor, state: Any, done: Tensor, end: int, pad: int) -> tuple[Tensor, Any]:
    """What may come next and how likely; behind the end only `pad`, for certain."""
    found, state = step(tokens, state)
    shape = f"(rows, vocabulary) = ({len(tokens)}, more than the end token's number {end})"
    fits = found.dim() == 2 and len(found) == len(tokens) and found.shape[1] > max(end, pad)
    require(fits, "log_probabilities shape", tuple(found.shape), shape)
    # NaN fails this too.
    require(bool((found <= 1e-3).all()), "log_probabilities", "NaN or above 0", "at most 0; logits want log_softmax")
    found = found.masked_fill(done[:, None], -math.inf)
    found[:, pad] = found[:, pad].masked_fill(done, 0)
    return found, state


def _penalty(lengths: Tensor, strength: float) -> Tensor:
    return ((5 + lengths) / 6) ** strength


def _require_settings(begin: Tensor, end: int, pad: int, maximum_length: int) -> None:
    require_tokens(begin, "begin")
    require(end >= 0, "end", end, "a token's number, at least 0")
    require(pad >= 0, "pad", pad, "a token's number, at least 0")
    require(maximum_length >= 1, "maximum_length", maximum_length, "at least 1 token")
