"""Language models at work: windows of a long text to learn from, and text that is generated token by token."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from foundations.embedding import require_tokens
from foundations.errors import InputError, require
from foundations.losses import cross_entropy_from_logits
from foundations.modes import evaluation_mode

Choose = Callable[[Tensor], Tensor]
"""From logits (batch, tokens) to the next tokens (batch), as `sampling.sample` draws them."""


class TokenModel(Protocol):
    """What generates: logits (batch, time, vocabulary) of tokens (batch, time), going on from a cache."""

    training: bool

    def train(self, mode: bool = True) -> Any:
        """Put it into training mode, or into evaluation mode."""
        ...

    def eval(self) -> Any:
        """Put it into evaluation mode."""
        ...

    @property
    def context(self) -> int | None:
        """The longest sequence; None for any."""
        ...

    def new_cache(self) -> Any:
        """What earlier tokens leave for later ones: nothing yet."""
        ...

    def __call__(self, tokens: Tensor, cache: Any = ...) -> Tensor:
        """Logits of what follows each token."""
        ...


class Windows:
    """Windows of `context` tokens in one long sequence, each named by where it starts; its targets begin one later.

    A `SupervisedLearner` takes starts as inputs and as targets, `prepare` and `loss` make the windows of them, so that
    every window of a long text can be drawn and none is ever stored:

        windows = Windows(tokens, context=64)
        train = windows.starts(0, 1_000_000)
        held_out = windows.starts(1_000_000, len(tokens), step=64)
        SupervisedLearner(model, optimizer, windows.loss, train, train, prepare=windows.prepare,
                          validation=Validation(held_out, held_out, every=100, scale=windows.inputs), ...)

    Shapes: tokens (time), int64.
    Raises: InputError for other shapes or types, a context below 1, and too few tokens for one window.
    """

    def __init__(self, tokens: Tensor, context: int) -> None:
        if tokens.dim() != 1 or tokens.is_floating_point():
            raise InputError(f"tokens={tuple(tokens.shape)} of {tokens.dtype}: must be whole numbers (time)")
        require(context >= 1, "context", context, "at least 1 token")
        self.tokens, self.context = tokens, context
        self._places = torch.arange(context, device=tokens.device)

    def starts(self, first: int, last: int, step: int = 1) -> Tensor:
        """Where windows start that lie, with their targets, in tokens[first:last]: every `step`-th. Shapes: (n).

        With step = context they lie side by side: each token is a target once.
        Raises: InputError where there is none.
        """
        require(step >= 1, "step", step, "at least 1")
        require(0 <= first <= last <= len(self.tokens), "last", last, f"between first={first} and {len(self.tokens)}")
        allowed = f"above the context of {self.context}, for one window and its targets"
        require(last - first > self.context, "tokens", last - first, allowed)
        return torch.arange(first, last - self.context, step, device=self.tokens.device)

    def inputs(self, starts: Tensor) -> Tensor:
        """Shapes: starts (batch) -> tokens (batch, context)."""
        return self.tokens[starts[:, None] + self._places]

    def targets(self, starts: Tensor) -> Tensor:
        """What follows each of the inputs. Shapes: starts (batch) -> tokens (batch, context)."""
        return self.inputs(starts + 1)

    def prepare(self, starts: Tensor, generator: torch.Generator) -> Tensor:
        """The inputs, for a learner; nothing in them is random."""
        return self.inputs(starts)

    def loss(self, logits: Tensor, starts: Tensor) -> Tensor:
        """Mean cross-entropy of the next token, in nats. Shapes: logits (batch, context, tokens), starts (batch)."""
        return cross_entropy_from_logits(logits.flatten(0, 1), self.targets(starts).flatten())


def counted_loss(training: Tensor, held_out: Tensor, order: int, vocabulary_size: int, *, added: float = 0.1) -> float:
    """The loss on `held_out` of counting what follows the last `order` tokens in `training`, in nats a token.

    p(c | context) = (count(context, c) + added) / (count(context) + added vocabulary_size): what a network has to beat.
    Shapes: both (time), int64. It stores vocabulary_size^(order + 1) counts.
    Raises: InputError for an order below 0, `added` not above 0, and texts no longer than `order`.
    Source: Shannon 1948, Bell System Technical Journal 27, section 3; added counts: Lidstone 1920.
    """
    require(order >= 0, "order", order, "at least 0")
    require(added > 0, "added", added, "above 0, so that nothing is impossible")
    shortest = min(len(training), len(held_out))
    require(shortest > order, "tokens", shortest, f"above order={order}")

    def names(tokens: Tensor) -> Tensor:  # one number for each run of order + 1 tokens
        places = [tokens[place : len(tokens) - order + place] for place in range(order + 1)]
        return torch.stack([each * vocabulary_size ** (order - place) for place, each in enumerate(places)]).sum(dim=0)

    counts = torch.bincount(names(training), minlength=vocabulary_size ** (order + 1)).view(-1, vocabulary_size)
    shares = (counts + added) / (counts + added).sum(dim=1, keepdim=True)
    return -shares.flatten()[names(held_out)].double().log().mean().item()


@torch.no_grad()
def generate(model: TokenModel, prompt: Tensor, count: int, choose: Choose, *, cached: bool = True) -> Tensor:
    """`prompt` and `count` tokens more, each chosen from the logits behind all before it; in evaluation mode.

    Where a model's context is full it goes on from the last half of it, forgetting the rest. `cached`: each token is
    computed once, instead of the whole text so far for each new one; the results are the same.
    Shapes: prompt (batch, time) -> (batch, time + count).
    Raises: InputError for an empty prompt, one longer than the context, and one with unknown tokens.
    """
    require(count >= 0, "count", count, "at least 0")
    require_tokens(prompt, "prompt")
    longest = f"at most {model.context} tokens, the model's context"
    require(model.context is None or prompt.shape[1] <= model.context, "prompt", prompt.shape[1], longest)
    length = prompt.shape[1]
    tokens = torch.cat([prompt, prompt.new_zeros(len(prompt), count)], dim=1)
    start, cache, seen = 0, model.new_cache(), 0
    with evaluation_mode(model):
        for end in range(length, length + count):
            if model.context is not None and end - start > model.context:
                start = seen = end - max(1, model.context // 2)
                cache = model.new_cache()
            logits = model(tokens[:, seen:end], cache) if cached else model(tokens[:, start:end])
            tokens[:, end] = choose(logits[:, -1])
            seen = end
    return tokens
