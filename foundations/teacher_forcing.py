"""Teacher forcing: a decoder learns each step of a known target from the true steps before, all steps at once."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foundations.errors import require
from foundations.networks.seq2seq import Memory, Seq2Seq
from foundations.text import Vocabulary, lengths_of


class TeacherForcing(nn.Module):
    """A `Seq2Seq` as a network of one input, for `SupervisedLearner`: rows of a source and, behind it, its target.

    Shapes: pairs (batch, source_places + time), both padded with 0 -> logits (batch, time, target_size).
    At each step the decoder is given the true token before, <bos> at first. Where `share` is below 1, a token is the
    true one with that probability only while training, and else what the model itself would have put there, so that it
    learns to go on from its own mistakes (scheduled sampling; all steps at once, from a first pass of the decoder).
    Raises: InputError for a share outside [0, 1], and for pairs without a target.
    Source: Bengio et al. 2015, arXiv:1506.03099; in parallel: Duckworth et al. 2019, arXiv:1906.04331.
    """

    def __init__(
        self, model: Seq2Seq, source_places: int, *, share: float = 1.0, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        require(0 <= share <= 1, "share", share, "a probability, 0 to 1")
        require(source_places >= 1, "source_places", source_places, "at least 1")
        self.model, self.source_places, self.share, self.generator = model, source_places, share, generator

    def forward(self, pairs: Tensor) -> Tensor:
        """Shapes: (batch, source_places + time) -> (batch, time, target_size)."""
        fits = pairs.dim() == 2 and pairs.shape[1] > self.source_places
        require(fits, "pairs shape", tuple(pairs.shape), f"(batch, more than the source's {self.source_places})")
        source, target = pairs[:, : self.source_places], pairs[:, self.source_places :]
        lengths = lengths_of(source, "source")
        memory = self.model.encode(source[:, : int(lengths.max())], lengths)
        tokens = torch.cat([torch.full_like(target[:, :1], Vocabulary.begin), target[:, :-1]], dim=1)
        if self.training and self.share < 1:
            tokens = self._mixed(tokens, memory)
        return self.model.decode(tokens, memory)

    @torch.no_grad()
    def _mixed(self, tokens: Tensor, memory: Memory) -> Tensor:
        own = self.model.decode(tokens, memory).argmax(dim=2)[:, :-1]
        true = tokens[:, 1:]
        kept = torch.rand(true.shape, generator=self.generator, device=true.device) < self.share
        return torch.cat([tokens[:, :1], torch.where(kept, true, own)], dim=1)


def token_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean of -log p(target) over the tokens that are no padding, in nats.

    Shapes: logits (batch, time, target_size), targets (batch, time), 0 where padding -> scalar.
    Raises: InputError for shapes that do not fit.
    """
    _require_targets(logits, targets)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=Vocabulary.pad)


def exact_match(logits: Tensor, targets: Tensor) -> float:
    """The share of targets whose every token is the likeliest, given the true ones before it.

    These are just the targets that greedy decoding finds. Shapes: as `token_cross_entropy`.
    """
    _require_targets(logits, targets)
    right = (logits.argmax(dim=2) == targets) | (targets == Vocabulary.pad)
    return right.all(dim=1).double().mean().item()


def _require_targets(logits: Tensor, targets: Tensor) -> None:
    fits = logits.dim() == 3 and logits.shape[:2] == targets.shape
    require(fits, "targets shape", tuple(targets.shape), f"(batch, time) of the logits {tuple(logits.shape)}")
