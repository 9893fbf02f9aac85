"""The sequence blocks of `foundations` beside torch's own: recurrent networks, attention, Transformers, generation.

How it is measured: `pairs.py`. Run it on an otherwise idle machine:

    python benchmarks/sequences.py                    # about four minutes
    python benchmarks/sequences.py --device cuda
    python benchmarks/sequences.py --only LSTM --check
"""

import sys

import torch
import torch.nn.functional as F
from pairs import BLOCK, MakePairs, Pair, main
from passes import forward_and_backward, training_step
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import foundations
from foundations.attention import MultiHeadAttention
from foundations.language import generate
from foundations.networks.transformer import LanguageModel
from foundations.recurrent import GRU, LSTM, RNN, Recurrent

CACHED = 5.0
"""Cached generation must be so many times as fast as the uncached, at least."""
VOCABULARY, CONTEXT = 65, 64
SIZES = ((64, 28, 28, 128), (32, 128, 128, 256))
"""(batch, time, features, hidden): rows of digits, and sentences."""


def recurrent_pairs(device: torch.device) -> list[Pair]:
    """Each recurrent network beside its twin; then with sequences of half to full length, torch's packed."""
    kinds: list[tuple[type[Recurrent], type[nn.RNNBase]]] = [(RNN, nn.RNN), (GRU, nn.GRU), (LSTM, nn.LSTM)]
    pairs = []
    for own, reference in kinds:
        for batch, time, features, hidden in SIZES:
            noise = torch.Generator().manual_seed(0)
            x = torch.randn(batch, time, features, generator=noise).to(device)
            lengths = torch.randint(time // 2, time + 1, (batch,), generator=noise)
            lengths[0] = time
            ours = own(features, hidden).to(device)
            torchs = reference(features, hidden, batch_first=True).to(device)
            name = f"{own.__name__}, {batch} x {time} x {features}, hidden {hidden}"
            left, right = (
                forward_and_backward(lambda x, o=ours: o(x)[0], x),
                forward_and_backward(lambda x, t=torchs: t(x)[0], x),
            )
            pairs.append(Pair(name, "recurrent", left, right, BLOCK))
            left = forward_and_backward(lambda x, o=ours, n=lengths: o(x, lengths=n)[0], x)
            right = forward_and_backward(lambda x, t=torchs, n=lengths: packed(t, x, n), x)
            pairs.append(Pair(f"{name}, lengths", "variable lengths", left, right, BLOCK))
    return pairs


def packed(network: nn.RNNBase, x: Tensor, lengths: Tensor) -> Tensor:
    """Torch's way with sequences of different lengths."""
    outputs, _ = network(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    padded: Tensor = pad_packed_sequence(outputs, batch_first=True)[0]
    return padded


def attention_pairs(device: torch.device) -> list[Pair]:
    """Multi-head attention beside torch's, which is told that nobody reads the weights."""
    pairs = []
    for batch, time, width, heads in ((32, 64, 128, 4), (8, 256, 256, 8)):
        x = torch.randn(batch, time, width, generator=torch.Generator().manual_seed(0)).to(device)
        ours = MultiHeadAttention(width, heads).to(device)
        torchs = nn.MultiheadAttention(width, heads, batch_first=True).to(device)
        future = torch.ones(time, time, dtype=torch.bool, device=device).triu(1)
        for causal in (False, True):
            left = forward_and_backward(lambda x, o=ours, c=causal: o(x, causal=c), x)
            mask = {"attn_mask": future, "is_causal": True} if causal else {}
            right = forward_and_backward(lambda x, t=torchs, m=mask: t(x, x, x, need_weights=False, **m)[0], x)
            name = f"attention{', causal' if causal else ''}, {batch} x {time} x {width}, {heads} heads"
            pairs.append(Pair(name, "attention", left, right, BLOCK))
    return pairs


class TorchLanguageModel(nn.Module):
    """`LanguageModel` with the defaults, out of torch.nn: learned positions, pre-norm layers, tied weights."""

    def __init__(self, layers: int = 4, width: int = 128, heads: int = 4) -> None:
        super().__init__()
        self.embedding, self.positions = nn.Embedding(VOCABULARY, width), nn.Embedding(CONTEXT, width)
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(CONTEXT))
        self.register_buffer("places", torch.arange(CONTEXT))

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (batch, CONTEXT) -> logits (batch, CONTEXT, VOCABULARY)."""
        x = self.embedding(tokens) + self.positions(self.places)
        return F.linear(self.encoder(x, mask=self.mask, is_causal=True), self.embedding.weight)


def language_model_pair(device: torch.device) -> Pair:
    """A training step of the language model: batch 12, 64 tokens, 4 layers of 128, AdamW."""
    noise = torch.Generator().manual_seed(0)
    tokens, targets = (torch.randint(VOCABULARY, (12, CONTEXT), generator=noise).to(device) for _ in range(2))

    def loss(model: nn.Module) -> Tensor:
        return F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())

    ours, torchs = LanguageModel(VOCABULARY, CONTEXT).to(device), TorchLanguageModel().to(device)
    own = foundations.AdamW(ours.parameters(), lr=1e-4, fused=True)
    reference = torch.optim.AdamW(torchs.parameters(), lr=1e-4, fused=True)
    name = "Transformer language model step, 12 x 64 tokens, 4 x 128"
    steps = training_step(own, lambda: loss(ours)), training_step(reference, lambda: loss(torchs))
    return Pair(name, "training step", *steps, BLOCK)


def generation_pair(device: torch.device) -> Pair:
    """256 tokens with the cache, and without it: each token computed anew from all before it."""
    model = LanguageModel(VOCABULARY, 257).to(device)
    prompt = torch.zeros(1, 1, dtype=torch.int64, device=device)

    def write(cached: bool) -> None:
        generate(model, prompt, 256, lambda logits: logits.argmax(dim=-1), cached=cached)

    name = "generation of 256 tokens, 4 x 128, speed with the cache"
    return Pair(name, "generation", lambda: write(True), lambda: write(False), CACHED, least=True)


MAKERS: tuple[MakePairs, ...] = (
    recurrent_pairs,
    attention_pairs,
    lambda device: [language_model_pair(device), generation_pair(device)],
)

if __name__ == "__main__":
    sys.exit(main("sequences", __doc__, MAKERS, rounds=40, turn=0.02))
